/** Hosts, connections and load for measurements in labs. */
import {
  type Channel,
  type Connection,
  type ConnectOptions,
  Lab,
  type LabOptions,
} from "machnet";
import { createHistogram } from "node:perf_hooks";
import type { Load } from "./measure.ts";

/** A lab whose first host is the server. */
export interface Hosts extends AsyncDisposable {
  readonly lab: Lab;
  readonly server: Channel;
  readonly clients: readonly Channel[];
}

/** Start a lab with a channel on each host. */
export async function startHosts(options: LabOptions): Promise<Hosts> {
  const lab = await Lab.start(options);
  const [server, ...clients] = await Promise.all(
    lab.hosts.map((host) => host.attach()),
  );
  return {
    lab,
    server: server!,
    clients,
    async [Symbol.asyncDispose](): Promise<void> {
      // What is still open there is of no interest to anybody.
      await lab.close();
      await Promise.all([server!, ...clients].map((each) => each.close()));
    },
  };
}

/** Both ends of a new connection, the accepted one second. */
export async function connectPair(
  client: Channel,
  server: Channel,
  options: Pick<ConnectOptions, "ordered"> = {},
): Promise<[Connection, Connection]> {
  await using listener = await server.listen({ port: 0 });
  const { hostname, port } = listener;
  return await Promise.all([
    client.connect({ hostname, port, timeout: 10_000, ...options }),
    listener.accept(),
  ]);
}

/** Send everything back until the connection ends. */
export async function echo(connection: Connection): Promise<void> {
  for await (const message of connection) await connection.send(message.data);
}

/** What a load gave, times in nanoseconds. */
export interface LoadResult {
  readonly count: number;
  /** Per second. */
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  /** Longest time without an answer. */
  readonly stall: number;
}

/** Ask a connection to `echo()`, again and again. */
export async function requestReply(
  connection: Connection,
  { size, window, seconds }: Load,
): Promise<LoadResult> {
  const bytes = new Uint8Array(size);
  const sentAt = new Float64Array(window);
  const histogram = createHistogram();
  const begun = performance.now();
  const end = begun + 1000 * seconds;
  let now = begun;
  let stall = 0;
  let sent = 0;
  for (; sent < window; sent++) {
    sentAt[sent] = performance.now();
    bytes[0] = sent;
    await connection.send(bytes);
  }
  for (let received = 0; received < sent; received++) {
    const message = await connection.receive();
    const at = message.data[0]!;
    message.release();
    const before = now;
    now = performance.now();
    stall = Math.max(stall, now - before);
    histogram.record(Math.max(1, Math.round((now - sentAt[at]!) * 1e6)));
    if (now >= end) continue;
    sentAt[at] = now;
    bytes[0] = at;
    await connection.send(bytes);
    sent++;
  }
  return {
    count: sent,
    rate: 1000 * sent / (now - begun),
    p50: histogram.percentile(50),
    p99: histogram.percentile(99),
    p999: histogram.percentile(99.9),
    stall: stall * 1e6,
  };
}

/** Messages that carry a number, one way, until told to stop. */
export class Stream {
  /** How many were sent. */
  sent = 0;
  /** How many came. */
  received = 0;

  readonly #ends: readonly [Connection, Connection];
  readonly #bytes: Uint8Array;
  readonly #number: DataView;
  readonly #stopped = new AbortController();
  readonly #sending: Promise<void>;
  #pause: PromiseWithResolvers<void> | undefined;
  readonly #receiving: Promise<void>;

  constructor(ends: readonly [Connection, Connection], size: number) {
    this.#ends = ends;
    this.#bytes = new Uint8Array(size);
    this.#number = new DataView(this.#bytes.buffer);
    this.#sending = this.#send();
    this.#receiving = this.#receive();
  }

  async #send(): Promise<void> {
    const [from] = this.#ends;
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      this.#number.setUint32(0, this.sent);
      try {
        await from.send(this.#bytes, { signal });
      } catch (error) {
        if (signal.aborted) break;
        throw error;
      }
      this.sent++;
    }
    await from.close({ timeout: 60_000 });
  }

  async #receive(): Promise<void> {
    for await (const { data } of this.#ends[1]) {
      const number = new DataView(data.buffer, data.byteOffset).getUint32(0);
      if (number !== this.received) {
        throw new Error(`Got message ${number} instead of ${this.received}`);
      }
      this.received++;
      await this.#pause?.promise;
    }
  }

  /** Take no more messages. */
  pause(): void {
    this.#pause ??= Promise.withResolvers<void>();
  }

  /** Take messages again. */
  resume(): void {
    this.#pause?.resolve();
    this.#pause = undefined;
  }

  /**
   * Send no more, and take what is on its way.
   *
   * @throws {Error} If something was lost.
   */
  async finish(): Promise<void> {
    this.#stopped.abort();
    await Promise.all([this.#sending, this.#receiving]);
    await this.#ends[1].close();
    if (this.received === this.sent) return;
    throw new Error(`Sent ${this.sent} messages, got ${this.received}`);
  }
}

/** Messages per second that come in while some time passes. */
export async function rateOf(
  streams: readonly Stream[],
  seconds: number,
): Promise<number> {
  const count = (): number =>
    streams.reduce((sum, { received }) => sum + received, 0);
  const begun = performance.now();
  const before = count();
  await sleep(1000 * seconds);
  return 1000 * (count() - before) / (performance.now() - begun);
}

/** Wait, in milliseconds. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
