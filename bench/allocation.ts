/** How much memory of JavaScript's heap things take. */
import { execFileSync } from "node:child_process";
import process from "node:process";
import { RUNTIME } from "./processes.ts";
import { medians } from "./statistics.ts";

/** Does something so often. */
export type Loop = (times: number) => Promise<void>;

/** The option of a script that is to print {@linkcode bytesInTurn}, as JSON. */
export const BYTES_OPTION = "bytes";

/** What it does. */
export const BYTES_MEANING = "print how many bytes each allocates, as JSON";

const TIMES = 2048;
const TIMES_BEFORE = 10 * TIMES; // until the runtime has made of it what it will
const ROUNDS = 5;

/** The medians of so many rounds, in each of which the loops have their turn. */
export async function mediansInTurn(
  loops: Readonly<Record<string, Loop>>,
  rounds: number,
  measure: (loop: Loop) => Promise<number>,
): Promise<Record<string, number>> {
  const results: Record<string, number>[] = [];
  for (let round = 0; round < rounds; round++) {
    const result: Record<string, number> = {};
    for (const [name, loop] of Object.entries(loops)) {
      result[name] = await measure(loop);
    }
    results.push(result);
  }
  return medians(results);
}

/** Bytes that loops take each time, measured here. */
export async function bytesInTurn(
  loops: Readonly<Record<string, Loop>>,
): Promise<Record<string, number>> {
  for (const loop of Object.values(loops)) await loop(TIMES_BEFORE);
  return await mediansInTurn(loops, ROUNDS, async (loop) => {
    const before = process.memoryUsage().heapUsed;
    await loop(TIMES);
    return (process.memoryUsage().heapUsed - before) / TIMES;
  });
}

/**
 * Bytes that loops of this script take each time, under the runtime that runs it.
 * Measured in a process whose garbage collector stays away: where it does not,
 * memory is less than before, or Bun, which counts it by the block, uses what is
 * free in one.
 */
export function bytesAllocated(): Record<string, number> {
  const flags = RUNTIME === "bun" ? [] : [
    ...["run", "--allow-all", "--no-check"],
    "--v8-flags=--min-semi-space-size=512,--max-semi-space-size=512",
  ];
  const parameters = [...flags, process.argv[1]!, `--${BYTES_OPTION}`];
  const output = execFileSync(process.execPath, parameters, {
    env: { ...process.env, BUN_JSC_useGC: "false" },
    encoding: "utf8",
  });
  return JSON.parse(output);
}
