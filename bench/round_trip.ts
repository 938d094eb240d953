/**
 * Round trips between two scripts on two hosts of a lab, joined by a direct
 * wire: how long until the answer to a message is there, one at a time.
 *
 *     deno run --allow-all bench/round_trip.ts
 *     bun bench/round_trip.ts
 *
 * Both scripts and both sidecars want a core; with fewer cores the times are
 * those of taking turns. `--help` lists the options.
 */
import { Lab, type LabHost } from "machnet";
import { availableParallelism } from "node:os";
import type { Measured } from "./measure.ts";
import { readOptions } from "./options.ts";
import {
  runScript,
  type Runtime,
  RUNTIME_NAMES,
  RUNTIMES,
  Script,
} from "./processes.ts";
import {
  type Column,
  heading,
  messageSize,
  microseconds,
  row,
} from "./table.ts";

/** The sizes that the published system was measured with, and 1 kB. */
const SIZES: readonly number[] = [64, 1024, 32 * 1024];

const COLUMNS: readonly Column[] = [
  { title: "both ends", width: 12, align: "left" },
  { title: "message", width: 8 },
  { title: "p50", width: 8 },
  { title: "p99", width: 8 },
  { title: "p99.9", width: 8 },
  { title: "round trips", width: 12 },
];

/** What was measured, times in nanoseconds. */
interface RoundTrips extends Measured {
  /** Bytes in a message. */
  readonly size: number;
}

/** What is to be measured. */
interface RoundTripOptions {
  readonly client: Pick<LabHost, "socket">;
  readonly server: Pick<LabHost, "socket" | "address">;
  readonly runtime: Runtime;
  readonly sizes: readonly number[];
  /** Per size. */
  readonly seconds: number;
}

/** Measure with both scripts under one runtime; results come as they are had. */
async function* roundTrips(
  options: RoundTripOptions,
): AsyncGenerator<RoundTrips, void, undefined> {
  const { client, server, runtime, sizes, seconds } = options;
  await using echo = Script.start({
    runtime,
    file: "bench/server.ts",
    parameters: ["--socket", server.socket],
  });
  const [, port = ""] = await echo.line(/listening on .*:(\d+)/);
  for (const size of sizes) {
    const [line = ""] = await runScript({
      runtime,
      file: "bench/client.ts",
      parameters: [
        ...["--hostname", server.address, "--port", port],
        ...["--socket", client.socket],
        ...["--size", `${size}`, "--seconds", `${seconds}`],
      ],
    });
    yield { size, ...JSON.parse(line) as Measured };
  }
}

/** What wants a core: two scripts and two sidecars. */
const THREADS = 4;

/** Measure under both runtimes, and print a table, line by line. */
export async function printRoundTrips(
  [client, server]: readonly [LabHost, LabHost],
  seconds: number,
): Promise<void> {
  console.log(heading(COLUMNS));
  for (const runtime of RUNTIMES) {
    const results = roundTrips({
      client,
      server,
      runtime,
      sizes: SIZES,
      seconds,
    });
    for await (const { size, p50, p99, p999, count } of results) {
      console.log(row(COLUMNS, [
        RUNTIME_NAMES[runtime],
        messageSize(size),
        ...[p50, p99, p999].map(microseconds),
        `${count}`,
      ]));
    }
  }
  const cores = availableParallelism();
  if (cores >= THREADS) return;
  console.log(
    `(Two scripts and two sidecars share ${cores} cores: ` +
      "the times include waiting for one.)",
  );
}

if (import.meta.main) {
  const { seconds } = readOptions({
    purpose: "Measures round trips between two scripts on a direct wire.",
    text: { seconds: "of measuring per size; 2" },
  });
  await using lab = await Lab.start({ hosts: 2, wire: "direct" });
  console.log("Round trips over a direct wire, in microseconds\n");
  const [client, server] = lab.hosts;
  await printRoundTrips([client!, server!], Number(seconds ?? 2));
}
