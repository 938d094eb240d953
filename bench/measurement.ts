/** Measurements of which each gives figures. */
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { dirname } from "node:path";
import process from "node:process";
import { deadline } from "#std/async/deadline";
import { type Figure, printFigures, reached } from "./figure.ts";

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

/** A part of a benchmark. */
export interface Measurement<E extends Effort = Effort> {
  /** What it is called on the command line. */
  readonly name: string;
  /** Under what conditions it measures. */
  readonly conditions: string;
  measure(effort: E): Promise<Figure[]>;
}

/** A benchmark. */
export interface Benchmark<E extends Effort> {
  readonly measurements: readonly Measurement<E>[];
  readonly effort: E;
  /** Names of those that are asked for; none: all. */
  readonly parts: readonly (string | number)[];
  /** Where the figures go, as JSON. */
  readonly output: string;
}

/**
 * Measure, and show what comes out.
 *
 * @throws {DOMException} If a part takes more than five minutes; what was
 * measured before is in the file.
 */
export async function measureAll<E extends Effort>(
  { measurements, effort, parts, output }: Benchmark<E>,
): Promise<void> {
  const results: Record<string, unknown>[] = [];
  mkdirSync(dirname(output), { recursive: true });
  for (const measurement of measurements) {
    const { name, conditions } = measurement;
    if (parts.length > 0 && !parts.includes(name)) continue;
    console.log(`${name}: ${conditions}`);
    const figures = await bounded(name, measurement.measure(effort));
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
  runtime: process.versions["bun"] ? "bun" : "deno",
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
