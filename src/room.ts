/**
 * Calls that found the channel full and wait for room.
 *
 * @module
 */
import { Status } from "../ffi/status.ts";

/** A call to repeat until it gives something other than AGAIN. */
export interface Attempt {
  /** Whose it is, to give up all calls of one object. */
  readonly owner: object;
  /** Try again. @returns A status. */
  attempt(): number;
  /** Told once, with a status that is not AGAIN. */
  settle(status: number): void;
}

/** First come, first served. */
export class RoomQueue {
  #items: Attempt[] = [];

  /** Whether a call waits, so that a new one must queue behind it. */
  get waiting(): boolean {
    return this.#items.length > 0;
  }

  /** Queue a call. */
  push(item: Attempt): void {
    this.#items.push(item);
  }

  /** Forget a call; it is not told. */
  remove(item: Attempt): void {
    const index = this.#items.indexOf(item);
    if (index >= 0) this.#items.splice(index, 1);
  }

  /** Make as many calls as there is room for. */
  retry(): void {
    let done = 0;
    const items = this.#items;
    while (done < items.length) {
      const item = items[done]!;
      const status = item.attempt();
      if (status === Status.AGAIN) break;
      done++;
      item.settle(status);
    }
    if (done > 0) items.splice(0, done);
  }

  /** Settle the calls of one owner, or all. */
  fail(status: number, owner?: object): void {
    const items = this.#items;
    this.#items = items.filter((item) =>
      owner !== undefined && item.owner !== owner
    );
    for (const item of items) {
      if (owner === undefined || item.owner === owner) item.settle(status);
    }
  }
}
