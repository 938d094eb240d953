/**
 * Calls that found no room in the channel and wait for some.
 *
 * @module
 */
import { Status } from "../ffi/status.ts";

/** A call to repeat until it gives something other than AGAIN. */
export interface Attempt {
  /** Whose it is: the calls of one owner keep their order. */
  readonly owner: object;
  /** Try again. @returns A status. */
  attempt(): number;
  /** Told once, with a status that is not AGAIN. */
  settle(status: number): void;
}

// Calls of one owner. What is done stays in front for a while, because taking
// the first of a long array costs as much as the array is long.
interface Queue {
  items: Attempt[];
  done: number;
}

const DONE_MAX = 64;

/**
 * A queue for each owner, served in turn: one whose calls find no room, because
 * nobody reads at the other end, does not keep the others waiting.
 */
export class RoomQueue {
  readonly #queues = new Map<object, Queue>();

  /** Whether a call waits. */
  get waiting(): boolean {
    return this.#queues.size > 0;
  }

  /** Whether a call of an owner waits, so that his next must queue behind it. */
  waits(owner: object): boolean {
    return this.#queues.has(owner);
  }

  /** Queue a call. */
  push(item: Attempt): void {
    const queue = this.#queues.get(item.owner);
    if (queue !== undefined) queue.items.push(item);
    else this.#queues.set(item.owner, { items: [item], done: 0 });
  }

  /** Forget a call; it is not told. */
  remove(item: Attempt): void {
    const queue = this.#queues.get(item.owner);
    const index = queue?.items.indexOf(item, queue.done) ?? -1;
    if (index < 0) return;
    queue!.items.splice(index, 1);
    if (isEmpty(queue!)) this.#queues.delete(item.owner);
  }

  /** Make as many calls as there is room for: one of each owner, in rounds. */
  retry(): void {
    let owners = [...this.#queues.keys()];
    while (owners.length > 0) {
      owners = owners.filter((owner) => this.#retryFirst(owner));
    }
  }

  /** @returns Whether the owner may be asked again. */
  #retryFirst(owner: object): boolean {
    const queues = this.#queues;
    // Whoever was settled before may have failed this owner meanwhile.
    const queue = queues.get(owner);
    if (queue === undefined) return false;
    const item = queue.items[queue.done]!;
    const status = item.attempt();
    if (status === Status.AGAIN) return false;
    queue.done++;
    if (queue.done > DONE_MAX && queue.done * 2 > queue.items.length) {
      queue.items.splice(0, queue.done);
      queue.done = 0;
    }
    // To the end: the next free block is for someone else.
    queues.delete(owner);
    if (!isEmpty(queue)) queues.set(owner, queue);
    item.settle(status);
    return true;
  }

  /** Settle the calls of one owner, or all. */
  fail(status: number, owner?: object): void {
    const owners = owner === undefined ? [...this.#queues.keys()] : [owner];
    for (const one of owners) {
      const queue = this.#queues.get(one);
      this.#queues.delete(one);
      queue?.items.slice(queue.done).forEach((item) => item.settle(status));
    }
  }
}

function isEmpty({ items, done }: Queue): boolean {
  return done === items.length;
}
