/** Latencies of a measurement, kept as they come. */
import { createHistogram, type RecordableHistogram } from "node:perf_hooks";

const CHUNK = 1 << 16;

/**
 * Latencies, to be put into a histogram when the measurement is over: that takes 9
 * ns each in Bun and 55 in Deno, which are not for what is measured to wait for.
 * Four bytes each meanwhile, of seven digits.
 */
export class Latencies {
  readonly #chunks: Float32Array[] = [];
  #last = new Float32Array(CHUNK);
  #used = 0;

  /** Keep one, in nanoseconds. */
  add(ns: number): void {
    if (this.#used === CHUNK) {
      this.#chunks.push(this.#last);
      this.#last = new Float32Array(CHUNK);
      this.#used = 0;
    }
    this.#last[this.#used++] = ns;
  }

  /** How many there are. */
  get count(): number {
    return this.#chunks.length * CHUNK + this.#used;
  }

  /** All of them, in an HDR histogram of three digits, which takes no zeros. */
  histogram(): RecordableHistogram {
    const histogram = createHistogram();
    for (const chunk of [...this.#chunks, this.#last.subarray(0, this.#used)]) {
      for (const ns of chunk) histogram.record(Math.max(1, Math.round(ns)));
    }
    return histogram;
  }
}
