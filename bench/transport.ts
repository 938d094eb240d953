/**
 * Measures what the transport is for: losing little to a bad network, few
 * packets, many connections, readers that stop, senders that come together.
 * Real sidecars, in labs that differ in one thing each, measured in turns;
 * medians of several rounds.
 *
 *     deno run --allow-all bench/transport.ts [PART...]
 *     bun bench/transport.ts [PART...]
 *
 * Options: --seconds (of measuring at a time, 1 by default), --rounds (5),
 * --idle (connections, 100000), --output (a file for the figures as JSON,
 * bench/results/transport.json).
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { dirname } from "node:path";
import process from "node:process";
import { parseArgs } from "#std/cli/parse_args";
import { printFigures } from "./figure.ts";
import { cost } from "./transport/cost.ts";
import { ecn } from "./transport/ecn.ts";
import type { Effort, Measurement } from "./transport/measurement.ts";
import { idle } from "./transport/idle.ts";
import { incast } from "./transport/incast.ts";
import { loss } from "./transport/loss.ts";
import { packets } from "./transport/packets.ts";
import { readers } from "./transport/readers.ts";

const MEASUREMENTS: readonly Measurement[] = [
  loss,
  packets,
  idle,
  readers,
  incast,
  ecn,
  cost,
];

if (import.meta.main) {
  const { seconds, rounds, idle: connections, output, _: parts } = parseArgs(
    process.argv.slice(2),
    { string: ["seconds", "rounds", "idle", "output"] },
  );
  const effort: Effort = {
    seconds: Number(seconds ?? 1),
    rounds: Number(rounds ?? 5),
    idle: Number(connections ?? 100_000),
  };
  const results: Record<string, unknown>[] = [];
  for (const measurement of MEASUREMENTS) {
    const { name, conditions } = measurement;
    if (parts.length > 0 && !parts.includes(name)) continue;
    console.log(`${name}: ${conditions}`);
    const figures = await measurement.measure(effort);
    printFigures(figures);
    results.push({ name, conditions, figures });
  }
  const file = output ?? "bench/results/transport.json";
  mkdirSync(dirname(file), { recursive: true });
  const machine = {
    cores: availableParallelism(),
    processor: cpus()[0]?.model,
    runtime: process.versions["bun"] ? "bun" : "deno",
  };
  const text = JSON.stringify({ machine, effort, results }, undefined, 2);
  writeFileSync(file, `${text}\n`);
}
