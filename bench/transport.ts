/**
 * Measures what the transport is for: losing little to a bad network, few
 * packets, rest, many connections, readers that stop, senders that come together.
 * Real sidecars, in labs that differ in one thing each, measured in turns;
 * medians of several rounds.
 *
 *     deno run --allow-all bench/transport.ts [PART...]
 *     bun bench/transport.ts [PART...]
 *
 * Options: --seconds (of measuring at a time, 1 by default), --rounds (5),
 * --idle (connections, 100000), --realtime (0: leave the threads of `loss` and
 * `idle` to the ordinary scheduler), --output (a file for the figures as JSON,
 * bench/results/transport.json).
 */
import { measureAll } from "./measurement.ts";
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
  await measureAll<IdleEffort>({
    measurements: [
      loss,
      simulated,
      packets,
      rest,
      idle,
      readers,
      incast,
      ecn,
      cost,
    ],
    effort: { seconds: 1, rounds: 5, idle: 100_000, realtime: 1 },
    output: "bench/results/transport.json",
  });
}
