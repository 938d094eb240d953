/** Request-reply: so many requests under way, for so long. */
import { truncate } from "../src/truncate.ts";
import type { Replies, Requester } from "./ends/end.ts";
import { Latencies } from "./latencies.ts";

/** What is to be measured. */
export interface Load {
  /** Bytes in a request and in its reply. */
  readonly size: number;
  /** Requests under way at a time, up to {@linkcode WINDOW_MAX}. */
  readonly window: number;
  readonly seconds: number;
}

/** What came out, times in nanoseconds. */
export interface Measured {
  /** Replies within the time, at least {@linkcode COUNT_MIN}. */
  readonly count: number;
  /** With those of the warm-up. */
  readonly total: number;
  /** As many as were asked for, or what the fewest replies took. */
  readonly seconds: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** A request's number is one byte. */
export const WINDOW_MAX = 255;

/**
 * Before measuring, for as long as this share of the measurement: the JIT has
 * compiled the path by then, and windows have grown.
 */
const WARM_UP = 0.5;

/** Fewer would say nothing about percentiles. */
export const COUNT_MIN = 100;

/** A datagram that got lost does not come any more. */
const LOST_MS = 10_000;

/**
 * A measurement that runs. Latency counts from the request's sending to the
 * taking of its reply, by one look at the clock for all that came together.
 */
export class Measurement implements Replies {
  readonly #load: Load;
  readonly #latencies = new Latencies();
  readonly #sentAt: Float64Array;
  readonly #finished: Promise<Measured>;
  #resolve!: (measured: Measured) => void;
  #reject!: (reason: unknown) => void;
  #requester: Requester | undefined;
  #warm = 0;
  #end = 0;
  #now = 0;
  #waiting = 0;
  #total = 0;
  #seconds = 0; // once it is over
  // Numbers to be sent again, and those that were the last time.
  #again: number[] = [];
  #sent: number[] = [];

  constructor(load: Load) {
    this.#load = load;
    this.#sentAt = new Float64Array(load.window);
    // Node 20 has no Promise.withResolvers().
    this.#finished = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Measure. @throws {Error} If replies stay away. */
  async run(requester: Requester): Promise<Measured> {
    const { window, seconds } = this.#load;
    this.#requester = requester;
    this.#now = performance.now();
    this.#warm = this.#now + 1000 * seconds * WARM_UP;
    this.#end = this.#warm + 1000 * seconds;
    let seen = -1;
    const watchdog = setInterval(() => {
      if (this.#total === seen) this.fail(new Error("Replies stay away"));
      seen = this.#total;
    }, LOST_MS);
    try {
      for (let number = 0; number < window; number++) this.#send(number);
      await this.done();
      return await this.#finished;
    } finally {
      clearInterval(watchdog);
    }
  }

  #send(number: number): void {
    this.#again.push(number);
    this.#sentAt[number] = this.#now;
    this.#waiting++;
  }

  take(bytes: Uint8Array): void {
    const { size, window } = this.#load;
    const number = bytes[0]!;
    if (bytes.length !== size || number >= window) {
      this.fail(new Error(`Asked for ${size} bytes, got ${bytes.length}`));
      return;
    }
    if (this.#now === 0) this.#now = performance.now();
    this.#waiting--;
    this.#total++;
    if (this.#seconds > 0) return;
    if (this.#now >= this.#warm) {
      this.#latencies.add((this.#now - this.#sentAt[number]!) * 1e6);
    }
    if (this.#now >= this.#end && this.#latencies.count >= COUNT_MIN) {
      this.#seconds = (this.#now - this.#warm) / 1000;
    } else {
      this.#send(number);
    }
  }

  done(): void | Promise<void> {
    this.#now = 0;
    if (this.#waiting === 0) this.#finish();
    if (this.#again.length === 0) return;
    const numbers = this.#again;
    this.#again = this.#sent;
    truncate(this.#again, 0);
    this.#sent = numbers;
    return this.#requester!.send(numbers);
  }

  fail(reason: unknown): void {
    this.#reject(reason);
  }

  #finish(): void {
    const histogram = this.#latencies.histogram();
    // It counts in ranges, and tells the end of one, though max is exact.
    const percentile = (percent: number): number =>
      Math.min(histogram.percentile(percent), histogram.max);
    this.#resolve({
      count: histogram.count,
      total: this.#total,
      seconds: this.#seconds,
      p50: percentile(50),
      p90: percentile(90),
      p99: percentile(99),
      p999: percentile(99.9),
      max: histogram.max,
    });
  }
}
