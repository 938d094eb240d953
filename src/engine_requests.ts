/**
 * What is asked of the engine, and who hears the answer.
 *
 * @module
 */
import { Status } from "../ffi/status.ts";
import { kick } from "./pump.ts";
import { RoomQueue } from "./room.ts";

/** What the engine answers to a request. */
export interface Answer {
  readonly status: number;
  readonly connection: number;
  readonly listener: number;
  readonly address: number;
  readonly port: number;
}

/** What a channel asks of its engine. */
export class EngineRequests {
  readonly #answers = new Map<number, (answer: Answer) => void>();
  readonly #queue = new RoomQueue();
  #token = 0;

  /** Whether an answer is due. */
  get pending(): boolean {
    return this.#answers.size > 0;
  }

  /** Whether a request waits for room. */
  get waiting(): boolean {
    return this.#queue.waiting;
  }

  /**
   * Ask for something that has no answer of its own; where the channel is full,
   * as soon as it is not.
   *
   * @returns Whether it waits.
   */
  request(
    owner: object,
    attempt: () => number,
    settle: (status: number) => void,
  ): boolean {
    const status = this.#queue.waits(owner) ? Status.AGAIN : attempt();
    kick();
    if (status !== Status.AGAIN) {
      settle(status);
      return false;
    }
    this.#queue.push({ owner, attempt, settle });
    return true;
  }

  /**
   * Ask for something that is answered by token. `answered` is called in the
   * middle of dispatch, so that what comes behind the answer finds its owner.
   */
  ask(
    attempt: (token: number) => number,
    answered: (answer: Answer) => void,
  ): void {
    const token = this.#token = (this.#token + 1) >>> 0;
    this.#answers.set(token, answered);
    this.request(this, () => attempt(token), (status) => {
      if (status !== Status.OK) this.answer(token, noAnswer(status));
    });
  }

  /** An answer came. */
  answer(token: number, answer: Answer): void {
    const answered = this.#answers.get(token);
    this.#answers.delete(token);
    answered?.(answer);
  }

  /** Make the requests that there is room for. */
  retry(): void {
    if (this.#queue.waiting) this.#queue.retry();
  }

  /** Settle all that is due. */
  fail(status: number): void {
    this.#queue.fail(status);
    for (const token of [...this.#answers.keys()]) {
      this.answer(token, noAnswer(status));
    }
  }
}

/** The answer of an engine that gives none. */
export function noAnswer(status: number): Answer {
  return { status, connection: 0, listener: 0, address: 0, port: 0 };
}
