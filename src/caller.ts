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
import { DeadlineTimer } from "./deadline_timer.ts";
import type { Message } from "./message.ts";
import type { AllocatedMessage, Payload } from "./outgoing.ts";
import {
  decodeError,
  type RequestOptions,
  REQUESTS_MAX,
  slotOf,
  successor,
} from "./request.ts";

function nothing(): void {}

function release(reply: Message): void {
  reply.release();
}

/**
 * Where a request waits for its reply, and after it the next one, so that each
 * allocates its promise and nothing around it.
 */
class Slot {
  /** The number of the request that is there, or of the next. */
  request: number;
  isFree = true;
  /** Kept from the garbage collector for as long as it waits. */
  holder: object | undefined;
  resolve: (reply: Message) => void = nothing;
  reject: (reason: unknown) => void = nothing;
  /** Stop waiting for room, if it does. */
  giveUp: (() => void) | undefined;
  /** Forget the signal. */
  forget: () => void = nothing;
  /** Milliseconds that the reply may take; meaningful where it has a deadline. */
  timeout = 0;
  /** When it is too late for the reply, by performance.now(). */
  deadline = Infinity;
  readonly #timer: DeadlineTimer;

  constructor(slot: number, timer: DeadlineTimer) {
    this.request = successor(slot);
    this.#timer = timer;
  }

  readonly #executor = (
    resolve: (reply: Message) => void,
    reject: (reason: unknown) => void,
  ): void => {
    this.resolve = resolve;
    this.reject = reject;
  };

  /** Have a request wait here. @returns A promise of its reply. */
  occupy(holder: object): Promise<Message> {
    this.isFree = false;
    this.holder = holder;
    return new Promise(this.#executor);
  }

  /** Have the request wait no longer than that. */
  limit(timeout: number): void {
    this.timeout = timeout;
    this.deadline = performance.now() + timeout;
    this.#timer.add(this.deadline);
  }

  /** Have the reply dropped when it comes, because nobody waits for it. */
  cancel(): void {
    this.forget();
    this.forget = nothing;
    if (this.deadline !== Infinity) this.#timer.remove();
    this.deadline = Infinity;
    this.holder = undefined;
    this.giveUp = undefined;
    this.resolve = release;
    this.reject = nothing;
  }

  vacate(): void {
    this.cancel();
    this.request = successor(this.request);
    this.isFree = true;
  }
}

/** The requests that this end of a connection makes. */
export class Caller {
  readonly #state: ConnectionState;
  readonly #slots: Slot[] = [];
  readonly #free: Slot[] = [];
  readonly #timer = new DeadlineTimer((now) => this.#expire(now));

  constructor(state: ConnectionState) {
    this.#state = state;
  }

  /** Send a request and wait for its reply. @throws If it cannot be made. */
  request(
    holder: object,
    bytes: Uint8Array | AllocatedMessage,
    options: RequestOptions | undefined,
  ): Promise<Message> {
    if (this.#free.length === 0 && this.#slots.length === REQUESTS_MAX) {
      throw failure(
        Status.TOO_MANY_REQUESTS,
        `Cannot send request to ${formatEndpoint(this.#state.remote)}`,
      );
    }
    const message = bytes instanceof Uint8Array
      ? bytes
      : bytes.claim(this.#state.sender);
    const slot = this.#free.pop() ?? this.#add();
    const reply = slot.occupy(holder);
    this.#send(message, slot);
    if (options !== undefined && !slot.isFree) this.#bound(slot, options);
    return reply;
  }

  #add(): Slot {
    const slot = new Slot(this.#slots.length, this.#timer);
    this.#slots.push(slot);
    return slot;
  }

  #send(message: Payload, slot: Slot): void {
    const { sender } = this.#state;
    const status = sender.trySendTagged(
      message,
      MessageKind.REQUEST,
      slot.request,
    );
    if (status === Status.AGAIN) this.#sendLater(message, slot);
    else this.#checkSent(slot, status);
  }

  // Apart, because whoever makes a closure pays for its scope where he begins.
  #sendLater(message: Payload, slot: Slot): void {
    slot.giveUp = this.#state.sender.sendTagged(
      message,
      MessageKind.REQUEST,
      slot.request,
      (status) => {
        slot.giveUp = undefined;
        this.#checkSent(slot, status);
      },
    );
  }

  #checkSent(slot: Slot, status: number): void {
    if (status === Status.OK) return;
    slot.reject(this.#state.sender.failure(status));
    this.#vacate(slot);
  }

  /** Cancel when one of the options says so. */
  #bound(slot: Slot, { signal, timeout }: RequestOptions): void {
    if (timeout !== undefined) slot.limit(timeout);
    if (signal === undefined) return;
    slot.forget = onAbort(signal, (reason) => this.#cancel(slot, reason));
  }

  /** Cancel what has waited long enough. @returns The next deadline. */
  #expire(now: number): number {
    let next = Infinity;
    for (const slot of this.#slots) {
      if (slot.deadline <= now) this.#cancel(slot, this.#lateness(slot));
      else next = Math.min(next, slot.deadline);
    }
    return next;
  }

  #lateness({ timeout }: Slot): MachnetError {
    const remote = formatEndpoint(this.#state.remote);
    return new MachnetError(
      "TIMED_OUT",
      `Cannot get reply from ${remote}: none came within ${timeout} ms`,
    );
  }

  #cancel(slot: Slot, reason: unknown): void {
    slot.reject(reason);
    if (slot.giveUp !== undefined) {
      slot.giveUp();
      this.#vacate(slot);
      return;
    }
    slot.cancel();
    this.#state.sender.sendCancel(slot.request);
  }

  /** A reply came. */
  reply(request: number, offset: number, length: number): void {
    const slot = this.#asked(request);
    if (slot === undefined) {
      this.#state.core.release(offset, length);
      return;
    }
    slot.resolve(this.#state.lend(offset, length, "reply"));
    this.#vacate(slot);
  }

  /** A reply came that is an error. */
  failure(request: number, offset: number, length: number): void {
    const { core } = this.#state;
    const slot = this.#asked(request);
    if (slot !== undefined) {
      slot.reject(decodeError(core.view(offset, length)));
      this.#vacate(slot);
    }
    core.release(offset, length);
  }

  // Whatever number the peer says, be it of a request that has yet to leave.
  #asked(request: number): Slot | undefined {
    const slot = this.#slots[slotOf(request)];
    if (slot === undefined || slot.request !== request) return undefined;
    return slot.isFree || slot.giveUp !== undefined ? undefined : slot;
  }

  #vacate(slot: Slot): void {
    slot.vacate();
    this.#free.push(slot);
  }

  /** No reply will come. */
  end(error: Error): void {
    for (const slot of this.#slots.splice(0)) {
      slot.giveUp?.();
      slot.reject(error);
      slot.vacate();
    }
    this.#timer.stop();
  }
}
