/**
 * Taking message after message.
 *
 * @module
 */
import { Status } from "../ffi/status.ts";
import type { ConnectionState, Reader } from "./connection_state.ts";
import type { Message } from "./message.ts";

const END: IteratorReturnResult<undefined> = { done: true, value: undefined };

/** Iterates a connection; a message lives until the next one is taken. */
export class MessageIterator implements AsyncIterator<Message, undefined> {
  readonly #state: ConnectionState;
  readonly #holder: object;
  #current: Message | undefined;
  #over = false;

  /** @param holder Not to be collected while this iterator is in use. */
  constructor(state: ConnectionState, holder: object) {
    this.#state = state;
    this.#holder = holder;
  }

  next(): Promise<IteratorResult<Message, undefined>> {
    this.#current?.release();
    this.#current = undefined;
    if (this.#over) return Promise.resolve(END);
    const message = this.#state.take();
    if (message === undefined) return this.#wait();
    this.#current = message;
    return Promise.resolve({ done: false, value: message });
  }

  #wait(): Promise<IteratorResult<Message, undefined>> {
    return new Promise((resolve, reject) => {
      const reader: Reader = {
        holder: this.#holder,
        deliver: (message) => {
          this.#current = message;
          resolve({ done: false, value: message });
        },
        end: (status) => {
          this.#over = true;
          if (status === Status.OK || status === Status.CLOSED) resolve(END);
          else reject(this.#state.refusal("Cannot receive from"));
        },
      };
      this.#state.read(reader);
    });
  }

  return(): Promise<IteratorResult<Message, undefined>> {
    this.#current?.release();
    this.#current = undefined;
    this.#over = true;
    return Promise.resolve(END);
  }
}
