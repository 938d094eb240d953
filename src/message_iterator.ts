/**
 * Taking message after message, or batch after batch.
 *
 * @module
 */
import { Status } from "../ffi/status.ts";
import type { ConnectionState, Reader } from "./connection_state.ts";
import type { Message, ReceivedMessage } from "./message.ts";
import { truncate } from "./truncate.ts";

const END: IteratorReturnResult<undefined> = { done: true, value: undefined };

// As many as one look into the channel finds at most.
const BATCH_MESSAGES_MAX = 64;

/**
 * Lends what arrived until the next is taken. What was lent ends then, so that
 * the objects around it are used again: a step allocates nothing.
 */
abstract class Lender<Value>
  implements AsyncIterableIterator<Value, undefined>, Reader {
  /** Not to be collected while this iterator is in use. */
  readonly holder: object;
  protected readonly state: ConnectionState;
  #result: IteratorYieldResult<Value> | undefined;
  #given: Promise<IteratorYieldResult<Value>> | undefined;
  #waiting: PromiseWithResolvers<IteratorResult<Value, undefined>> | undefined;
  #over = false;

  constructor(state: ConnectionState, holder: object) {
    this.state = state;
    this.holder = holder;
  }

  /** What is there, or nothing. */
  protected abstract take(): Value | undefined;

  /** Give back what was taken. */
  protected abstract release(): void;

  next(): Promise<IteratorResult<Value, undefined>> {
    if (this.#waiting !== undefined) return this.#after(this.#waiting.promise);
    this.release();
    if (this.#over) return Promise.resolve(END);
    let value = this.take();
    if (value === undefined) {
      this.state.core.lookAhead();
      value = this.take();
    }
    return value === undefined ? this.#wait() : this.#lend(value);
  }

  // Promises that are resolved already may be handed out again.
  #lend(value: Value): Promise<IteratorYieldResult<Value>> {
    const before = this.#result;
    const result = this.#lent(value);
    if (result !== before) this.#given = undefined;
    return this.#given ??= Promise.resolve(result);
  }

  #lent(value: Value): IteratorYieldResult<Value> {
    if (this.#result === undefined || this.state.core.debugging) {
      return this.#result = { done: false, value };
    }
    this.#result.value = value;
    return this.#result;
  }

  #wait(): Promise<IteratorResult<Value, undefined>> {
    const waiting = Promise.withResolvers<IteratorResult<Value, undefined>>();
    this.#waiting = waiting;
    this.state.read(this);
    return waiting.promise;
  }

  // Who asks for the next one before he has this one gets it after this one.
  #after(
    promise: Promise<unknown>,
  ): Promise<IteratorResult<Value, undefined>> {
    const again = (): Promise<IteratorResult<Value, undefined>> => this.next();
    return promise.then(again, again);
  }

  serve(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve(this.#lent(this.take()!));
  }

  end(status: number): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    this.#over = true;
    if (status === Status.OK || status === Status.CLOSED) waiting?.resolve(END);
    else waiting?.reject(this.state.refusal("Cannot receive from"));
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  return(): Promise<IteratorResult<Value, undefined>> {
    this.release();
    this.state.forget(this);
    this.end(Status.OK);
    return Promise.resolve(END);
  }
}

/** Iterates a connection; a message lives until the next one is taken. */
export class MessageIterator extends Lender<Message> {
  #message: ReceivedMessage | undefined;

  protected take(): Message | undefined {
    const message = this.state.take(this.#message);
    if (message !== undefined) this.#message = message;
    return message;
  }

  protected release(): void {
    this.#message?.release();
  }
}

/** Iterates a connection; a batch lives until the next one is taken. */
export class BatchIterator extends Lender<readonly Message[]> {
  #batch: ReceivedMessage[] = [];
  // Also those that were not needed for the last batch.
  readonly #messages: ReceivedMessage[] = [];

  protected take(): readonly Message[] | undefined {
    const { state } = this;
    const messages = this.#messages;
    if (state.core.debugging) this.#batch = [];
    const batch = this.#batch;
    let count = 0;
    for (; count < BATCH_MESSAGES_MAX; count++) {
      const message = state.take(messages[count]);
      if (message === undefined) break;
      messages[count] = batch[count] = message;
    }
    // Emptied, it would have to grow again.
    if (count === 0) return undefined;
    truncate(batch, count);
    return batch;
  }

  protected release(): void {
    for (const message of this.#batch) message.release();
  }
}
