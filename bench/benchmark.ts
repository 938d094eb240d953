/** Benchmarks in parts, of which each gives figures. */
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { dirname } from "node:path";
import { deadline } from "#std/async/deadline";
import { type Figure, printFigures, reached } from "./figure.ts";
import { readOptions } from "./options.ts";
import { RUNTIME } from "./processes.ts";

/** One part takes no longer, or the benchmark fails. */
const PART_MS_MAX = 300_000;
/** How often it says that it is still at it. */
const PROGRESS_MS = 10_000;

/** How much of it. */
export interface Effort {
  /** Of measuring at a time. */
  readonly seconds: number;
  /** How often everything is measured; the medians count. */
  readonly rounds: number;
}

/** What its options mean. */
export const EFFORT: Readonly<Record<keyof Effort, string>> = {
  seconds: "of measuring at a time",
  rounds: "how often everything is measured, the medians count",
};

/** Of what must not be kept waiting by whatever else the machine does. */
export interface RealtimeEffort extends Effort {
  /** Whether its threads are scheduled `SCHED_RR`, where that is allowed: 0, 1. */
  readonly realtime: number;
}

/** A part of a benchmark. */
export interface Part<E extends Effort = Effort> {
  /** What it is called on the command line. */
  readonly name: string;
  /** Under what conditions it measures. */
  readonly conditions: string;
  measure(effort: E): Promise<Figure[]>;
}

/** A benchmark. */
export interface Benchmark<E extends Effort> {
  /** In a sentence. */
  readonly purpose: string;
  readonly parts: readonly Part<E>[];
  /** Unless the command line says otherwise, with options of these names. */
  readonly effort: E;
  /** What its options mean. */
  readonly meanings: Readonly<Record<keyof E, string>>;
  /** Where the figures go, as JSON, unless `--output` says otherwise. */
  readonly output: string;
}

/** What the command line says of a benchmark. */
function readCommand<E extends Effort>(
  { purpose, parts, effort, meanings, output }: Benchmark<E>,
): Pick<Benchmark<E>, "parts" | "effort" | "output"> {
  const defaults = Object.entries(effort) as [keyof E & string, number][];
  const { parts: chosen, ...options } = readOptions<string>({
    purpose,
    text: {
      ...Object.fromEntries(
        defaults.map((
          [name, otherwise],
        ) => [name, `${meanings[name]}; ${otherwise}`]),
      ),
      output: `file for the figures, as JSON; ${output}`,
    },
    parts: parts.map(({ name }) => name),
  });
  const asked = defaults.map(([name, otherwise]) =>
    [name, Number(options[name] ?? otherwise)] as const
  );
  return {
    parts: parts.filter(({ name }) =>
      chosen.length === 0 || chosen.includes(name)
    ),
    effort: Object.fromEntries(asked) as unknown as E,
    output: options["output"] ?? output,
  };
}

/**
 * Measure what the command line asks for, all unless it names parts, and show
 * what comes out.
 *
 * @throws {DOMException} If a part takes more than five minutes; what was
 * measured before is in the file.
 */
export async function runBenchmark<E extends Effort>(
  benchmark: Benchmark<E>,
): Promise<void> {
  const { parts, effort, output } = readCommand(benchmark);
  const results: Record<string, unknown>[] = [];
  mkdirSync(dirname(output), { recursive: true });
  for (const part of parts) {
    const { name, conditions } = part;
    console.log(`${name}: ${conditions}`);
    const figures = await bounded(name, part.measure(effort));
    printFigures(figures);
    results.push({
      name,
      conditions,
      figures: figures.map((each) =>
        each.target === undefined ? each : { ...each, reached: reached(each) }
      ),
    });
    const text = JSON.stringify({ machine, effort, results }, undefined, 2);
    writeFileSync(output, `${text}\n`);
  }
}

const machine = {
  cores: availableParallelism(),
  processor: cpus()[0]?.model,
  runtime: RUNTIME,
};

async function bounded<T>(name: string, measuring: Promise<T>): Promise<T> {
  const begun = performance.now();
  const progress = setInterval(() => {
    const seconds = Math.round((performance.now() - begun) / 1000);
    console.error(`  ${name}: ${seconds} s`);
  }, PROGRESS_MS);
  try {
    return await deadline(measuring, PART_MS_MAX);
  } finally {
    clearInterval(progress);
  }
}
