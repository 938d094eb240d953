/**
 * Measures what the transport is for: losing little to a bad network, few
 * packets, rest, many connections, readers that stop, senders that come together.
 * Real sidecars, in labs that differ in one thing each, measured in turns;
 * medians of several rounds.
 *
 *     deno run --allow-all bench/transport.ts [PART...]
 *     bun bench/transport.ts [PART...]
 *
 * `--help` lists the options.
 */
import { EFFORT, runBenchmark } from "./benchmark.ts";
import { copies } from "./transport/copies.ts";
import { cost } from "./transport/cost.ts";
import { ecn } from "./transport/ecn.ts";
import { idle, type IdleEffort } from "./transport/idle.ts";
import { incast } from "./transport/incast.ts";
import { loss } from "./transport/loss.ts";
import { packets } from "./transport/packets.ts";
import { readers } from "./transport/readers.ts";
import { simulated } from "./transport/simulated.ts";
import { rest } from "./transport/rest.ts";

if (import.meta.main) {
  await runBenchmark<IdleEffort>({
    purpose: "Measures what the transport costs, and how it takes loss.",
    parts: [
      loss,
      simulated,
      packets,
      rest,
      idle,
      readers,
      incast,
      ecn,
      cost,
      copies,
    ],
    effort: { seconds: 1, rounds: 5, idle: 100_000, realtime: 1 },
    meanings: {
      ...EFFORT,
      idle: "connections that rest",
      realtime: "0: `loss` and `idle` under the ordinary scheduler",
    },
    output: "bench/results/transport.json",
  });
}
