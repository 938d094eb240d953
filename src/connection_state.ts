/**
 * The inside of a connection: what waits on it, and how it ends.
 *
 * @module
 */
import { failure, MachnetError } from "../ffi/error.ts";
import { Status } from "../ffi/status.ts";
import { EventKind, LIMITS } from "../ffi/structs.ts";
import { onAbort } from "./abort.ts";
import { type Endpoint, formatEndpoint } from "./address.ts";
import { Caller } from "./caller.ts";
import type { Core } from "./core.ts";
import { Inbox } from "./inbox.ts";
import type { Leakable } from "./leaks.ts";
import { TracedMessage } from "./debug.ts";
import { ReceivedMessage } from "./message.ts";
import type { ConnectionPath } from "./path.ts";
import { kick } from "./pump.ts";
import { Responder } from "./responder.ts";
import { Sender } from "./sender.ts";
import { takeFirst } from "./truncate.ts";

/** Someone who waits for a message. */
export interface Reader {
  /** Kept from the garbage collector for as long as it waits. */
  readonly holder: object;
  /** There is something in the inbox: take it. */
  serve(): void;
  /** The connection is over; `status` is OK if it was closed in order. */
  end(status: number): void;
}

enum Phase {
  Open,
  Closing,
  Over,
}

const CLOSE_TIMEOUT_MS = 5000;

// How long a reset waits for room for its reason. The full channel may be what
// the reset is there to end.
const REASON_PATIENCE_MS = 10;

const encoder = new TextEncoder();

/** The inside of a connection. */
export class ConnectionState implements Leakable {
  readonly core: Core;
  readonly id: number;
  readonly remote: Endpoint;
  readonly local: Endpoint;
  readonly sender: Sender;
  /** As the engine told it last. */
  path: ConnectionPath;
  /** Kept from the garbage collector while somebody waits for the end. */
  holder: object | undefined;
  #caller: Caller | undefined;
  #responder: Responder | undefined;
  readonly #inbox = new Inbox();
  readonly #readers: Reader[] = [];
  #isServed = false;
  #taken = 0;
  #phase = Phase.Open;
  // Who or what ended it, for messages; meaningful once it is over.
  #status: number = Status.OK;
  #reason = "";
  #endedHere = false;
  #closing: PromiseWithResolvers<void> | undefined;
  #closed: PromiseWithResolvers<void> | undefined;
  #closeTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    core: Core,
    id: number,
    remote: Endpoint,
    local: Endpoint,
    path: ConnectionPath,
  ) {
    this.core = core;
    this.id = id;
    this.remote = remote;
    this.local = local;
    this.path = path;
    this.sender = new Sender(core, this);
  }

  // Requests

  /** The requests made here. */
  get caller(): Caller {
    return this.#caller ??= new Caller(this);
  }

  /** The requests that the peer makes. */
  get responder(): Responder {
    if (this.#responder === undefined) {
      this.#responder = new Responder(this);
      // Nobody else will tell it.
      if (this.#phase !== Phase.Open) this.#endRequests();
    }
    return this.#responder;
  }

  /** A message that is part of a request came. */
  deliverTagged(
    kind: number,
    request: number,
    offset: number,
    length: number,
  ): void {
    if (this.#phase !== Phase.Open) {
      this.core.release(offset, length);
    } else if (kind === EventKind.REPLY) {
      this.caller.reply(request, offset, length);
    } else if (kind === EventKind.FAILURE) {
      this.caller.failure(request, offset, length);
    } else if (kind === EventKind.CANCEL) {
      this.core.release(offset, length);
      this.responder.cancel(request);
    } else if (this.responder.add(request, offset, length)) {
      this.#serveLater();
    } else {
      this.reset("a request came before the reply to the last of that number");
    }
  }

  #endRequests(): void {
    this.#caller?.end(this.refusal("Cannot get reply from"));
    this.#responder?.end(this.refusal("Cannot reply to"));
  }

  // Receiving

  /** A message came. */
  deliver(offset: number, length: number): void {
    if (this.#phase !== Phase.Open) {
      this.core.release(offset, length);
      return;
    }
    this.#inbox.push(offset, length);
    if (this.#readers.length > 0) this.#serveLater();
  }

  #serveLater(): void {
    if (this.#isServed) return;
    this.#isServed = true;
    this.core.serveLater(this);
  }

  /** Give those who wait what came. @returns how many those are */
  serve(): number {
    const readers = this.#readers;
    this.#isServed = false;
    let count = 0;
    for (; this.#inbox.size > 0 && readers.length > 0; count++) {
      takeFirst(readers).serve();
    }
    return count + (this.#responder?.start() ?? 0);
  }

  /**
   * The next message, if one is there.
   *
   * @param used An object that is not needed any more, to be used again.
   */
  take(used?: ReceivedMessage): ReceivedMessage | undefined {
    const inbox = this.#inbox;
    if (inbox.size === 0) return undefined;
    const { offset, length } = inbox;
    inbox.shift();
    if (used === undefined || this.core.debugging) {
      return this.lend(offset, length, "message");
    }
    return used.lend(offset, length);
  }

  /** The next message, if one is there or comes within a look. */
  takeAhead(): ReceivedMessage | undefined {
    const message = this.take();
    if (message !== undefined) return message;
    this.core.lookAhead();
    return this.take();
  }

  /** An object around bytes that came. */
  lend(offset: number, length: number, noun: string): ReceivedMessage {
    const { core } = this;
    if (!core.debugging) return new ReceivedMessage(core, offset, length);
    const which = `${noun} ${++this.#taken}`;
    const what = `${which} from ${formatEndpoint(this.remote)}`;
    return new TracedMessage(core, offset, length, what);
  }

  /** Messages and requests that came and that nobody has taken. */
  get unread(): number {
    return this.#inbox.size + (this.#responder?.waiting ?? 0);
  }

  /** Wait for a message; call only when `take()` gave nothing. */
  read(reader: Reader): void {
    if (this.#phase === Phase.Open) this.#readers.push(reader);
    else reader.end(this.#status);
  }

  /** Wait no more. */
  forget(reader: Reader): void {
    const index = this.#readers.indexOf(reader);
    if (index >= 0) this.#readers.splice(index, 1);
  }

  /** Whether it is over and was not closed in order. */
  get failed(): boolean {
    return this.#phase === Phase.Over && this.#status !== Status.OK;
  }

  get label(): string {
    return `connection to ${formatEndpoint(this.remote)}`;
  }

  /** Whether it was closed by either end, or failed. */
  get isClosed(): boolean {
    return this.#phase !== Phase.Open;
  }

  get isUnreferenced(): boolean {
    return this.core.hasUnreferenced(this);
  }

  /** Whether it is over, the engine's last word aside. */
  get isOver(): boolean {
    return this.#phase === Phase.Over;
  }

  /** Why nothing can be done with it any more. */
  refusal(attempt: string): MachnetError {
    const what = `${attempt} ${formatEndpoint(this.remote)}`;
    if (this.#status !== Status.OK) {
      return failure(this.#status, what, this.#detail());
    }
    return new MachnetError(
      "CONNECTION_CLOSED",
      `${what}: ${
        this.#endedHere
          ? "the connection was closed"
          : "the peer closed the connection"
      }`,
    );
  }

  #detail(): string | undefined {
    if (this.#status === Status.CLOSED) return "the channel was closed";
    return this.#reason === ""
      ? undefined
      : `the peer reset the connection: ${this.#reason}`;
  }

  // Ending

  /** Resolves when it was closed, rejects when it failed. */
  get closed(): Promise<void> {
    if (this.#closed === undefined) {
      this.#closed = Promise.withResolvers();
      this.#closed.promise.catch(() => {}); // who wants to know, listens
      if (this.#phase === Phase.Over) this.#settleClosed();
    }
    return this.#closed.promise;
  }

  #settleClosed(): void {
    if (this.#status === Status.OK) this.#closed?.resolve();
    else this.#closed?.reject(this.refusal("Lost connection to"));
  }

  /** Deliver what was accepted, then end. */
  close(
    timeoutMs: number = CLOSE_TIMEOUT_MS,
    signal?: AbortSignal,
  ): Promise<void> {
    if (this.#phase === Phase.Over) {
      this.#dropInbox();
      return Promise.resolve();
    }
    if (this.#closing === undefined) {
      this.#closing = Promise.withResolvers();
      this.#endedHere = true;
      this.#phase = Phase.Closing;
      this.#dropInbox();
      this.#endReaders();
      this.#endRequests();
      this.#closeWhenSent(timeoutMs);
    }
    const { promise } = this.#closing;
    if (signal === undefined) return promise;
    return new Promise((resolve, reject) => {
      const forget = onAbort(signal, (reason) => {
        reject(reason);
        this.reset("the close was aborted");
      });
      promise.then(resolve, reject).finally(forget);
    });
  }

  // What waits for room was promised nothing yet, but closing behind it is
  // what the order of the calls says. The timeout covers that wait too.
  #closeWhenSent(timeoutMs: number): void {
    const deadline = performance.now() + timeoutMs;
    const { core } = this;
    const close = (): void => {
      clearTimeout(this.#closeTimer);
      core.request(this, () => {
        if (this.#phase !== Phase.Closing) return Status.OK;
        const left = Math.max(1, Math.ceil(deadline - performance.now()));
        return core.calls.machnet_close(core.channel, this.id, left);
      }, (status) => {
        if (status !== Status.OK) this.end(status, "");
      });
    };
    if (!this.sender.close(close)) {
      close();
      return;
    }
    this.#closeTimer = setTimeout(
      () => this.#giveUp(Status.CLOSE_TIMED_OUT, ""),
      timeoutMs,
    );
  }

  /** Drop everything, now. */
  reset(reason: string): void {
    if (this.#phase === Phase.Over) this.#dropInbox();
    else this.#giveUp(Status.OK, reason);
  }

  #giveUp(status: number, reason: string): void {
    const { core } = this;
    this.#endedHere = true;
    this.#finish(status, "");
    const bytes = new Uint8Array(LIMITS.MACHNET_REASON_BYTES_MAX);
    const { written } = encoder.encodeInto(reason, bytes);
    const deadline = performance.now() + REASON_PATIENCE_MS;
    const waits = core.request(this, () => {
      const call = core.calls.machnet_reset;
      const status = call(core.channel, this.id, bytes, written);
      return status === Status.AGAIN && performance.now() >= deadline
        ? call(core.channel, this.id, bytes, 0)
        : status;
    });
    if (waits) setTimeout(kick, REASON_PATIENCE_MS);
  }

  /** The engine says that it is over. */
  end(status: number, reason: string): void {
    if (this.#phase !== Phase.Over) this.#finish(status, reason);
  }

  #finish(status: number, reason: string): void {
    const closing = this.#closing;
    this.#phase = Phase.Over;
    this.holder = undefined;
    this.#status = status;
    this.#reason = reason;
    clearTimeout(this.#closeTimer);
    this.serve();
    // In order: what arrived before the end can still be taken.
    if (status !== Status.OK || this.#endedHere) this.#dropInbox();
    this.sender.stop();
    this.#endReaders();
    this.#endRequests();
    this.#settleClosed();
    if (closing === undefined) return;
    if (status === Status.OK) closing.resolve();
    else closing.reject(this.refusal("Cannot close connection to"));
  }

  #endReaders(): void {
    for (const reader of this.#readers.splice(0)) reader.end(this.#status);
  }

  #dropInbox(): void {
    const inbox = this.#inbox;
    while (inbox.size > 0) {
      this.core.release(inbox.offset, inbox.length);
      inbox.shift();
    }
  }
}
