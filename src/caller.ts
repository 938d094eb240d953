/**
 * The requests that this end of a connection makes.
 *
 * @module
 */
import { failure, MachnetError } from "../ffi/error.ts";
import { Status } from "../ffi/status.ts";
import { MessageKind } from "../ffi/structs.ts";
import { onAbort } from "./abort.ts";
import { formatEndpoint } from "./address.ts";
import type { ConnectionState } from "./connection_state.ts";
import type { Message } from "./message.ts";
import type { AllocatedMessage, Payload } from "./outgoing.ts";
import {
  decodeError,
  type RequestOptions,
  REQUESTS_MAX,
  slotOf,
  successor,
} from "./request.ts";

/** A request without reply. */
interface Pending {
  /** Kept from the garbage collector for as long as it waits. */
  readonly holder: object | undefined;
  resolve(reply: Message): void;
  reject(reason: unknown): void;
  /** Stop waiting for room, if it does. */
  giveUp: (() => void) | undefined;
  /** Forget signal and timer. */
  forget(): void;
}

function nothing(): void {}

// Holds the slot of a request that nobody waits for, until its reply comes.
const CANCELLED: Pending = {
  holder: undefined,
  resolve: (reply) => reply.release(),
  reject: nothing,
  giveUp: undefined,
  forget: nothing,
};

/** The requests that this end of a connection makes. */
export class Caller {
  readonly #state: ConnectionState;
  // By slot: who waits there, and the number of the last request, or the next.
  readonly #pending: (Pending | undefined)[] = [];
  readonly #requests: number[] = [];
  readonly #free: number[] = [];

  constructor(state: ConnectionState) {
    this.#state = state;
  }

  /** Send a request and wait for its reply. */
  request(
    holder: object,
    bytes: Uint8Array | AllocatedMessage,
    options: RequestOptions | undefined,
  ): Promise<Message> {
    if (this.#free.length === 0 && this.#requests.length === REQUESTS_MAX) {
      return Promise.reject(
        failure(
          Status.TOO_MANY_REQUESTS,
          `Cannot send request to ${formatEndpoint(this.#state.remote)}`,
        ),
      );
    }
    let message: Payload;
    try {
      message = bytes instanceof Uint8Array
        ? bytes
        : bytes.claim(this.#state.sender);
    } catch (error) {
      return Promise.reject(error);
    }
    const slot = this.#free.pop() ?? this.#requests.length;
    const request = this.#requests[slot] ??= successor(slot);
    return new Promise((resolve, reject) => {
      const pending: Pending = {
        holder,
        resolve,
        reject,
        giveUp: undefined,
        forget: nothing,
      };
      this.#pending[slot] = pending;
      this.#send(message, request, pending);
      if (options !== undefined && this.#pending[slot] === pending) {
        pending.forget = this.#bound(request, pending, options);
      }
    });
  }

  #send(message: Payload, request: number, pending: Pending): void {
    const { sender } = this.#state;
    const kind = MessageKind.REQUEST;
    const status = sender.trySendTagged(message, kind, request);
    if (status === Status.AGAIN) {
      pending.giveUp = sender.sendTagged(message, kind, request, (status) => {
        pending.giveUp = undefined;
        this.#checkSent(request, status);
      });
    } else this.#checkSent(request, status);
  }

  #checkSent(request: number, status: number): void {
    if (status === Status.OK) return;
    this.#take(request)?.reject(this.#state.sender.failure(status));
  }

  /** Cancel when one of the options says so. @returns A function that forgets. */
  #bound(
    request: number,
    pending: Pending,
    { signal, timeout }: RequestOptions,
  ): () => void {
    const cancel = (reason: unknown): void => {
      this.#cancel(request, pending);
      pending.reject(reason);
    };
    const forget = onAbort(signal, cancel);
    if (timeout === undefined) return forget;
    const timer = setTimeout(() => {
      const remote = formatEndpoint(this.#state.remote);
      cancel(
        new MachnetError(
          "TIMED_OUT",
          `Cannot get reply from ${remote}: none came within ${timeout} ms`,
        ),
      );
    }, timeout);
    return () => {
      clearTimeout(timer);
      forget();
    };
  }

  #cancel(request: number, pending: Pending): void {
    pending.forget();
    if (pending.giveUp !== undefined) {
      pending.giveUp();
      this.#vacate(slotOf(request));
      return;
    }
    this.#pending[slotOf(request)] = CANCELLED;
    this.#state.sender.sendCancel(request);
  }

  /** A reply came. */
  reply(request: number, offset: number, length: number): void {
    const pending = this.#take(request);
    if (pending === undefined) this.#state.core.release(offset, length);
    else pending.resolve(this.#state.lend(offset, length, "reply"));
  }

  /** A reply came that is an error. */
  failure(request: number, offset: number, length: number): void {
    const { core } = this.#state;
    const pending = this.#take(request);
    pending?.reject(decodeError(core.view(offset, length)));
    core.release(offset, length);
  }

  // Whatever number the peer says.
  #take(request: number): Pending | undefined {
    const slot = slotOf(request);
    const pending = this.#pending[slot];
    if (pending === undefined || this.#requests[slot] !== request) {
      return undefined;
    }
    pending.forget();
    this.#vacate(slot);
    return pending;
  }

  #vacate(slot: number): void {
    this.#pending[slot] = undefined;
    this.#requests[slot] = successor(this.#requests[slot]!);
    this.#free.push(slot);
  }

  /** No reply will come. */
  end(error: Error): void {
    for (const pending of this.#pending.splice(0)) {
      pending?.forget();
      pending?.giveUp?.();
      pending?.reject(error);
    }
  }
}
