/**
 * The sending half of a connection.
 *
 * @module
 */
import { failure, type MachnetError } from "../ffi/error.ts";
import { Status } from "../ffi/status.ts";
import { LIMITS, MessageKind } from "../ffi/structs.ts";
import { onAbort } from "./abort.ts";
import { formatEndpoint } from "./address.ts";
import type { ConnectionState } from "./connection_state.ts";
import type { Core } from "./core.ts";
import type { Message } from "./message.ts";
import { AllocatedMessage, type Payload } from "./outgoing.ts";

// Nobody tells it from a promise of his own, and it costs nothing.
const DONE: Promise<void> = Promise.resolve();

const EMPTY = new Uint8Array(0);

const SEND = "Cannot send to";
const ALLOCATE = "Cannot allocate message to";

/** The sending half of a connection. */
export class Sender {
  readonly core: Core;
  readonly #connection: ConnectionState;
  readonly #id: number;
  #open = true;
  #waiting = 0;
  // Messages of requests wait in a queue of their own.
  #waitingTagged = 0;
  #onDrained: (() => void) | undefined;

  constructor(core: Core, connection: ConnectionState) {
    this.core = core;
    this.#connection = connection;
    this.#id = connection.id;
  }

  /** Send a copy. @returns A status. */
  trySend(bytes: Uint8Array): number {
    if (!this.#open) return Status.CONNECTION_CLOSED;
    // Who waits comes first.
    return this.#waiting > 0 ? Status.AGAIN : this.core.send(this.#id, bytes);
  }

  /** Send a copy, when there is room. */
  send(bytes: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
    const status = this.core.mayGoOn() ? this.trySend(bytes) : this.#pause();
    if (status === Status.OK) return DONE;
    if (status !== Status.AGAIN) return Promise.reject(this.failure(status));
    return this.#sendLater(bytes, signal);
  }

  // Apart, because whoever makes a closure pays for its scope where he begins.
  #sendLater(
    bytes: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    return this.#wait(signal, () => this.core.send(this.#id, bytes));
  }

  // A script that only ever sends would never come back to its timers.
  #pause(): number {
    return this.#open ? Status.AGAIN : Status.CONNECTION_CLOSED;
  }

  /** Send copies of several, in order, when there is room. */
  sendMany(
    messages: readonly (Uint8Array | Message)[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    for (let sent = 0; sent < messages.length; sent++) {
      const bytes = bytesOf(messages[sent]);
      const status = this.core.mayGoOn() ? this.trySend(bytes) : this.#pause();
      if (status === Status.OK) continue;
      if (status !== Status.AGAIN) return Promise.reject(this.failure(status));
      return this.#sendRest(messages.slice(sent).map(bytesOf), signal);
    }
    return DONE;
  }

  #sendRest(
    rest: Uint8Array[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    return this.#wait(signal, () => {
      while (rest.length > 0) {
        const status = this.core.send(this.#id, rest[0]!);
        if (status !== Status.OK) return status;
        rest.shift();
      }
      return Status.OK;
    });
  }

  /** Borrow room now, or not. */
  tryAllocate(length: number): AllocatedMessage | undefined {
    if (!this.#open) throw this.failure(Status.CONNECTION_CLOSED, ALLOCATE);
    const offset = length === 0 ? 0 : this.#allocate(length);
    if (offset === Status.AGAIN) return undefined;
    if (offset < 0) throw this.failure(offset, ALLOCATE);
    return new AllocatedMessage(this, offset, length);
  }

  #allocate(length: number): number {
    // So much that C takes it for a negative number, perhaps.
    if (length > LIMITS.MACHNET_MESSAGE_BYTES_MAX) {
      return Status.MESSAGE_TOO_LARGE;
    }
    return this.#waiting > 0
      ? Status.AGAIN
      : this.core.allocate(this.#id, length);
  }

  /** Borrow room, when there is some: call only when there was none. */
  async allocate(
    length: number,
    signal: AbortSignal | undefined,
  ): Promise<AllocatedMessage> {
    let offset = -1;
    await this.#wait(signal, () => {
      offset = this.core.allocate(this.#id, length);
      return Math.min(offset, Status.OK);
    }, ALLOCATE);
    return new AllocatedMessage(this, offset, length);
  }

  /** Send from borrowed room, and give it up whatever happens. */
  sendAllocated(room: AllocatedMessage): Promise<void> {
    const { core } = this;
    // Room that was borrowed is no claim to go before those who wait.
    const status = !this.#open
      ? Status.CONNECTION_CLOSED
      : this.#waiting > 0 || !core.mayGoOn()
      ? Status.AGAIN
      : core.sendAllocated(this.#id, room.offset, room.length);
    return status === Status.OK ? DONE : this.#sendRoom(room, status);
  }

  async #sendRoom(room: AllocatedMessage, status: number): Promise<void> {
    try {
      if (status !== Status.AGAIN) throw this.failure(status);
      const { offset, length } = room;
      await this.#wait(
        undefined,
        () => this.core.sendAllocated(this.#id, offset, length),
      );
    } catch (error) {
      this.#drop(room);
      throw error;
    }
  }

  /**
   * Send as part of a request.
   *
   * @param message Given up unless it is AGAIN.
   * @returns A status.
   */
  trySendTagged(message: Payload, kind: number, request: number): number {
    const status = !this.#open
      ? Status.CONNECTION_CLOSED
      : this.#waitingTagged > 0
      ? Status.AGAIN
      : this.#sendTagged(message, kind, request);
    if (status === Status.OK) this.core.lookAheadSoon();
    else if (status !== Status.AGAIN) this.#drop(message);
    return status;
  }

  #sendTagged(message: Payload, kind: number, request: number): number {
    const { core } = this;
    return message instanceof Uint8Array
      ? core.sendTagged(this.#id, message, kind, request)
      : core.sendAllocatedTagged(
        this.#id,
        message.offset,
        message.length,
        kind,
        request,
      );
  }

  #drop(message: Payload): void {
    if (message instanceof Uint8Array) return;
    this.core.release(message.offset, message.size);
  }

  /**
   * Send as part of a request, when there is room.
   *
   * @param message Given up whatever happens.
   * @param settle Told the status, unless it is given up.
   * @returns A function that gives up.
   */
  sendTagged(
    message: Payload,
    kind: number,
    request: number,
    settle: (status: number) => void,
  ): () => void {
    this.#waitingTagged++;
    const done = (): void => {
      this.#waitingTagged--;
      this.#checkDrained();
    };
    const giveUp = this.core.waitForRoom(
      this,
      () => this.#sendTagged(message, kind, request),
      (status) => {
        if (status !== Status.OK) this.#drop(message);
        done();
        settle(status);
      },
    );
    return () => {
      giveUp();
      this.#drop(message);
      done();
    };
  }

  /** Say that no reply to a request is wanted. */
  sendCancel(request: number): void {
    const { core } = this;
    core.request(
      this,
      () =>
        this.#open
          ? core.sendTagged(this.#id, EMPTY, MessageKind.CANCEL, request)
          : Status.OK,
    );
  }

  /** Repeat a call until there is room, behind those that wait already. */
  #wait(
    signal: AbortSignal | undefined,
    attempt: () => number,
    attempted?: string,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting++;
      const owner = this.#connection;
      const forget = onAbort(signal, (reason) => {
        giveUp();
        this.#noLongerWaiting();
        reject(reason);
      });
      const giveUp = this.core.waitForRoom(owner, attempt, (status) => {
        forget();
        this.#noLongerWaiting();
        if (status === Status.OK) resolve();
        else reject(this.failure(status, attempted));
      });
    });
  }

  #noLongerWaiting(): void {
    this.#waiting--;
    this.#checkDrained();
  }

  get #isDrained(): boolean {
    return this.#waiting + this.#waitingTagged === 0;
  }

  #checkDrained(): void {
    if (this.#isDrained) this.#onDrained?.();
  }

  /**
   * Send nothing new.
   *
   * @param onDrained Called when nothing waits any more.
   * @returns Whether something waits.
   */
  close(onDrained: () => void): boolean {
    this.#open = false;
    if (this.#isDrained) return false;
    this.#onDrained = onDrained;
    return true;
  }

  /** Send nothing more; what waits fails. The connection knows why. */
  stop(): void {
    this.#open = false;
    this.#onDrained = undefined;
    this.core.failWaiting(this.#connection, Status.CONNECTION_CLOSED);
    this.core.failWaiting(this, Status.CONNECTION_CLOSED);
  }

  /** The error for a status of what was attempted. */
  failure(status: number, attempted: string = SEND): MachnetError {
    const connection = this.#connection;
    return status === Status.CONNECTION_CLOSED
      ? connection.refusal(attempted)
      : failure(status, `${attempted} ${formatEndpoint(connection.remote)}`);
  }
}

function bytesOf(message: Uint8Array | Message | undefined): Uint8Array {
  if (message instanceof Uint8Array) return message;
  const data = message?.data;
  if (data instanceof Uint8Array) return data;
  throw new TypeError(
    `Cannot send messages: ${typeof message} is neither Uint8Array nor Message`,
  );
}
