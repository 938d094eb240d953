/**
 * Measures round trips to examples/echo_server.ts, one message at a time, and
 * prints a line of JSON per size; bench/round_trip.ts starts it.
 *
 *     deno run --allow-ffi bench/round_trip_client.ts HOST SIZE...
 *
 * Options: --port, --socket, --seconds (of measuring per size).
 */
import { attach, type Connection } from "machnet";
import { createHistogram } from "node:perf_hooks";
import process from "node:process";
import { parseArgs } from "#std/cli/parse_args";

/** What it prints, times in nanoseconds. */
export interface RoundTrips {
  /** Bytes in a message. */
  readonly size: number;
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

/**
 * Before measuring, for as long as this share of the measurement: the JIT has
 * compiled the path by then, and the congestion window has grown.
 */
const WARM_UP = 0.5;

// A look at the clock costs some 20 to 50 ns, so every trip can have its own.
async function trip(connection: Connection, bytes: Uint8Array): Promise<void> {
  await connection.send(bytes);
  using message = await connection.receive();
  if (message.length === bytes.length) return;
  throw new Error(`Sent ${bytes.length} bytes, got ${message.length} back`);
}

async function measure(
  connection: Connection,
  size: number,
  seconds: number,
): Promise<RoundTrips> {
  const bytes = new Uint8Array(size).map((_, index) => index);
  const warm = performance.now() + 1000 * seconds * WARM_UP;
  while (performance.now() < warm) await trip(connection, bytes);

  const histogram = createHistogram();
  let now = performance.now();
  const end = now + 1000 * seconds;
  while (now < end) {
    const before = now;
    await trip(connection, bytes);
    now = performance.now();
    histogram.record(Math.max(1, Math.round((now - before) * 1e6)));
  }
  return {
    size,
    count: histogram.count,
    p50: histogram.percentile(50),
    p99: histogram.percentile(99),
    p999: histogram.percentile(99.9),
  };
}

if (import.meta.main) {
  const { port, seconds, socket, _: [hostname, ...sizes] } = parseArgs(
    process.argv.slice(2),
    { string: ["port", "seconds", "socket"] },
  );
  await using channel = await attach({ socket });
  await using connection = await channel.connect({
    hostname: `${hostname}`,
    port: Number(port ?? 888),
  });
  for (const size of sizes) {
    const result = await measure(
      connection,
      Number(size),
      Number(seconds ?? 2),
    );
    console.log(JSON.stringify(result));
  }
}
