/**
 * Bounds on waits that are over long before, nearly all of them.
 *
 * @module
 */
import { clearTimeout, setTimeout } from "node:timers";

/**
 * One timer for many deadlines. To set one for each and to clear it again takes
 * several times what a request takes, in Deno: this one stays set when a wait is
 * over, and looks for the next deadline when it fires.
 */
export class DeadlineTimer {
  readonly #expire: (now: number) => number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #firesAt = Infinity;
  #waiting = 0;

  /**
   * @param expire Ends the waits whose deadline has passed, each of them with a
   * `remove()`. @returns The first deadline of the others, or Infinity.
   */
  constructor(expire: (now: number) => number) {
    this.#expire = expire;
  }

  /** Something waits until then, by performance.now(). */
  add(deadline: number): void {
    if (deadline < this.#firesAt) this.#set(deadline);
    if (this.#waiting++ === 0) this.#timer!.ref();
  }

  /** Something waits no more. The process lives for what still does. */
  remove(): void {
    if (--this.#waiting === 0) this.#timer?.unref();
  }

  /** Give up the timer: nothing waits any more, or will. */
  stop(): void {
    this.#set(Infinity);
  }

  #set(deadline: number): void {
    clearTimeout(this.#timer);
    this.#firesAt = deadline;
    const delay = Math.ceil(deadline - performance.now());
    this.#timer = deadline === Infinity
      ? undefined
      : setTimeout(this.#fire, Math.max(1, delay));
  }

  readonly #fire = (): void => this.#set(this.#expire(performance.now()));
}
