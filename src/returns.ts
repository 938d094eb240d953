/**
 * Blocks on their way back to the engine.
 *
 * @module
 */
import type { ClientCalls } from "../ffi/symbols.ts";

const RETURNS = 64;

/** Gathers what is given back, so that one call into C does for many. */
export class Returns {
  readonly #calls: ClientCalls;
  readonly #channel: number;
  readonly #offsets = new Uint32Array(RETURNS);
  readonly #bytes = new Uint8Array(this.#offsets.buffer);
  #count = 0;

  constructor(calls: ClientCalls, channel: number) {
    this.#calls = calls;
    this.#channel = channel;
  }

  /** Give back a block, now or with the next {@linkcode flush}. */
  add(offset: number): void {
    this.#offsets[this.#count++] = offset;
    if (this.#count === RETURNS) this.flush();
  }

  /** Let the engine have them. */
  flush(): void {
    const count = this.#count;
    if (count === 0) return;
    this.#count = 0;
    this.#calls.machnet_release_many(this.#channel, this.#bytes, count);
  }
}
