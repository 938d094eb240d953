/**
 * Measures what RSS-- is for: connections that land on their engines for few
 * packets, and that come back to them. Real sidecars behind the vNICs of a
 * fabric, whose keys they cannot read.
 *
 *     deno run --allow-all bench/rss.ts [PART...]
 *     bun bench/rss.ts [PART...]
 *
 * `--help` lists the options.
 */
import { EFFORT, runBenchmark } from "./benchmark.ts";
import { first, type KeysEffort, next, sprayed } from "./rss/connect.ts";
import { crowd } from "./rss/crowd.ts";
import { flood, type FloodEffort } from "./rss/flood.ts";
import { rekey } from "./rss/rekey.ts";
import { engines, portless } from "./rss/streaming.ts";

if (import.meta.main) {
  await runBenchmark<KeysEffort & FloodEffort>({
    purpose: "Measures how connections land on their engines.",
    parts: [
      ...first,
      ...sprayed,
      next,
      rekey,
      portless,
      crowd,
      flood,
      engines,
    ],
    effort: { keys: 200, syns: 1_000_000, seconds: 1, rounds: 5 },
    meanings: {
      ...EFFORT,
      keys: "pairs of hosts with random keys",
      syns: "forged ones",
    },
    output: "bench/results/rss.json",
  });
}
