/**
 * Measures request-reply between two hosts on this machine, over machnet and
 * over what one would use instead, each at its best, side by side: requests per
 * second, latency, CPU time, packets. Prints tables and the ratios that machnet
 * is to reach, and writes bench/results/latest.json, each contender in the mode
 * in which it is at its best; beside it latest.modes.json, all modes and how
 * the machine was meanwhile, latest.ratios.json, and a plot.
 *
 *     deno run --allow-all bench/system.ts
 *     bun bench/system.ts
 *
 * Each round starts all contenders anew, sidecars included, one after the other:
 * it is warmed up, measured at each size and window, and stopped. What is quoted
 * is the median of these starts. What runs over the
 * kernel's stack wants root, for network namespaces; without, it is left out.
 *
 * `--help` lists the options.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { dirname } from "node:path";
import process from "node:process";
import { canMakeNamespaces } from "../src/testing/veth.ts";
import { printFigures } from "./figure.ts";
import { readOptions } from "./options.ts";
import { FULL, type Plan, QUICK } from "./system/plans.ts";
import { plot } from "./system/plot.ts";
import { printResults } from "./system/report.ts";
import { bestResults, contenderName, resultsOf } from "./system/results.ts";
import { measurePlan } from "./system/rounds.ts";
import { ratiosOf } from "./system/targets.ts";

const OUTPUT = "bench/results/latest.json";

const options = readOptions({
  purpose:
    "Measures request-reply over machnet and over sockets, side by side.",
  text: {
    only: "a regular expression: contenders, as the tables name them",
    seconds: `of measuring each at a time; ${FULL.seconds}`,
    rounds: `how often all are started, the medians count; ${FULL.rounds}`,
    sizes: "bytes of a message, with commas between them",
    windows: "requests under way at a time, with commas between them",
    output: `file for the results; ${OUTPUT}`,
  },
  flags: {
    quick: `a minute and a half: ${QUICK.seconds} s and ${QUICK.rounds} rounds`,
  },
});

/** The plan that the command line asks for. */
function choosePlan(): Plan {
  const chosen = options.quick ? QUICK : FULL;
  const { contenders, loads, seconds, rounds, quiet } = chosen;
  const able = canMakeNamespaces();
  if (!able) console.error("Without root only shared memory is a wire");
  const only = new RegExp(options.only ?? "");
  const isAsked = (list: string | undefined, number: number): boolean =>
    list === undefined || list.split(",").map(Number).includes(number);
  return {
    contenders: contenders.filter((contender) =>
      (able || ["memif", "shm"].includes(contender.wire)) &&
      only.test(contenderName(contender))
    ),
    loads: loads.filter(({ size, window }) =>
      isAsked(options.sizes, size) && isAsked(options.windows, window)
    ),
    seconds: Number(options.seconds ?? seconds),
    rounds: Number(options.rounds ?? rounds),
    quiet,
  };
}

// What runs for us ends when we do.
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.once(name, () => process.exit(128 + constants.signals[name]));
}

const plan = choosePlan();
if (plan.contenders.length === 0 || plan.loads.length === 0) {
  console.error("Cannot measure: no contender, size or window is left; --only");
  console.error("takes names as they stand in the tables: machnet bun memif");
  process.exit(1);
}
const cells = await measurePlan(plan, (line) => console.error(line));
const results = resultsOf(cells);
if (results.length === 0) {
  console.error("Cannot measure anything: the lines above say why");
  process.exit(1);
}
printResults(results);
console.log("\nRatios, what they are to be, and what single rounds give\n");
const ratios = ratiosOf(cells, plan.rounds);
printFigures(ratios);
const file = options.output ?? OUTPUT;
const base = file.replace(/\.json$/, "");
const json = (value: unknown): string =>
  `${JSON.stringify(value, undefined, 2)}\n`;
mkdirSync(dirname(file), { recursive: true });
writeFileSync(file, json(bestResults(results)));
writeFileSync(`${base}.modes.json`, json(results));
writeFileSync(`${base}.ratios.json`, json(ratios));
writeFileSync(`${base}.svg`, plot(results));
console.error(`Written: ${file}, ${base}.{modes,ratios}.json, ${base}.svg`);
process.exit();
