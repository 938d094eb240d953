/**
 * The requests that the peer of a connection makes.
 *
 * @module
 */
import { MachnetError } from "../ffi/error.ts";
import { Status } from "../ffi/status.ts";
import { MessageKind } from "../ffi/structs.ts";
import { formatEndpoint } from "./address.ts";
import type { ConnectionState } from "./connection_state.ts";
import type { Message } from "./message.ts";
import { AllocatedMessage, type Payload } from "./outgoing.ts";
import {
  encodeError,
  type IncomingRequest,
  isLater,
  type RequestHandler,
  REQUESTS_MAX,
  slotOf,
} from "./request.ts";
import { takeFirst } from "./truncate.ts";

const NOTHING = new Uint8Array(0);

/** A request on its way through a handler. */
class ServedRequest implements IncomingRequest {
  readonly request: number;
  readonly #message: Message;
  // Most handlers never ask for the signal, and an object for each is dear.
  #controller: AbortController | undefined;
  #reason: unknown;

  constructor(request: number, message: Message) {
    this.request = request;
    this.#message = message;
  }

  get isCancelled(): boolean {
    return this.#reason !== undefined;
  }

  get length(): number {
    return this.#message.length;
  }

  get data(): Uint8Array<ArrayBuffer> {
    return this.#message.data;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.isCancelled) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  copy(): Uint8Array<ArrayBuffer> {
    return this.#message.copy();
  }

  release(): void {
    this.#message.release();
  }

  abort(reason: unknown): void {
    this.#reason ??= reason;
    this.#controller?.abort(reason);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

function isReply(value: unknown): value is Uint8Array | AllocatedMessage {
  return value instanceof Uint8Array || value instanceof AllocatedMessage;
}

/** The requests that the peer of a connection makes. */
export class Responder {
  readonly #state: ConnectionState;
  // By slot: the request that is there, and the last one that was.
  readonly #present: (ServedRequest | undefined)[] = [];
  #last = new Uint32Array(16);
  // Requests that were cancelled before they came, by slot.
  readonly #unwanted = new Map<number, number>();
  readonly #queue: ServedRequest[] = [];
  #handler: RequestHandler | undefined;
  #running = 0;
  #concurrency = REQUESTS_MAX;
  #starting = false;
  #over = false;
  #onIdle: (() => void) | undefined;
  /** Kept from the garbage collector while requests are served. */
  holder: object | undefined;

  constructor(state: ConnectionState) {
    this.#state = state;
  }

  /**
   * Have requests handled from now on.
   *
   * @param onIdle Called once the connection is over and the last one is handled.
   */
  serve(
    holder: object,
    handler: RequestHandler,
    concurrency: number,
    onIdle: () => void,
  ): void {
    if (this.#handler !== undefined) {
      throw new MachnetError(
        "INVALID_ARGUMENT",
        `Cannot serve ${formatEndpoint(this.#state.remote)}: ` +
          "the connection has a handler",
      );
    }
    if (!this.#over) this.holder = holder;
    this.#handler = handler;
    this.#concurrency = concurrency;
    this.#onIdle = onIdle;
    this.#checkIdle();
    this.start();
  }

  /** Requests that no handler has seen. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** A request came. @returns Whether the peer may make it. */
  add(request: number, offset: number, length: number): boolean {
    const slot = slotOf(request);
    const message = this.#state.lend(offset, length, "request");
    if (this.#present[slot] !== undefined) {
      message.release();
      return false;
    }
    if (slot >= this.#last.length) this.#grow(slot);
    this.#last[slot] = request;
    const served = new ServedRequest(request, message);
    this.#present[slot] = served;
    this.#queue.push(served);
    if (this.#unwanted.get(slot) === request) this.#drop(served);
    this.#unwanted.delete(slot);
    return true;
  }

  #grow(slot: number): void {
    const old = this.#last;
    this.#last = new Uint32Array(2 ** Math.ceil(Math.log2(slot + 1)));
    this.#last.set(old);
  }

  /** The peer wants no reply to a request. */
  cancel(request: number): void {
    const slot = slotOf(request);
    const served = this.#present[slot];
    if (served?.request === request) this.#drop(served);
    else if (this.#isYetToCome(request)) this.#unwanted.set(slot, request);
  }

  // Cancellations are small, and overtake requests that are not.
  #isYetToCome(request: number): boolean {
    return isLater(request, this.#last[slotOf(request)] ?? 0);
  }

  #drop(served: ServedRequest): void {
    served.abort(
      new DOMException("The peer cancelled the request", "AbortError"),
    );
  }

  /** Hand requests to the handler. @returns how many */
  start(): number {
    const handler = this.#handler;
    if (handler === undefined || this.#starting) return 0;
    this.#starting = true;
    let count = 0;
    for (
      ;
      this.#queue.length > 0 && this.#running < this.#concurrency;
      count++
    ) {
      const served = takeFirst(this.#queue);
      this.#running++;
      // One that nobody waits for has its turn to be answered, too.
      if (served.isCancelled) {
        this.#answer(served, NOTHING, MessageKind.FAILURE);
      } else this.#handle(served, handler);
    }
    this.#starting = false;
    return count;
  }

  #handle(served: ServedRequest, handler: RequestHandler): void {
    try {
      const result = handler(served);
      if (isReply(result)) this.#reply(served, result);
      else this.#replyLater(served, result);
    } catch (error) {
      this.#fail(served, error);
    }
  }

  // Apart, because whoever makes a closure pays for its scope where he begins.
  #replyLater(served: ServedRequest, result: unknown): void {
    Promise.resolve(result).then(
      (reply) => this.#reply(served, reply),
      (error) => this.#fail(served, error),
    );
  }

  #reply(served: ServedRequest, reply: unknown): void {
    let message: Payload;
    try {
      message = this.#payload(reply);
    } catch (error) {
      this.#fail(served, error);
      return;
    }
    this.#answer(served, message, MessageKind.REPLY);
  }

  #payload(reply: unknown): Payload {
    if (!isReply(reply)) {
      throw new TypeError(
        `Cannot send reply: ${typeof reply} is neither Uint8Array nor OutgoingMessage`,
      );
    }
    return reply instanceof Uint8Array
      ? reply
      : reply.claim(this.#state.sender);
  }

  #fail(served: ServedRequest, error: unknown): void {
    this.#answer(served, encodeError(error), MessageKind.FAILURE);
  }

  #answer(served: ServedRequest, message: Payload, kind: number): void {
    const { sender } = this.#state;
    const { request } = served;
    const status = sender.trySendTagged(message, kind, request);
    if (status !== Status.AGAIN) this.#answered(served, status);
    else {
      sender.sendTagged(
        message,
        kind,
        request,
        (status) => this.#answered(served, status),
      );
    }
  }

  // Of a connection that is over nobody needs to be told.
  #answered(served: ServedRequest, status: number): void {
    if (status === Status.MESSAGE_TOO_LARGE) {
      this.#fail(served, this.#state.sender.failure(status));
      return;
    }
    served.release();
    this.#present[slotOf(served.request)] = undefined;
    this.#running--;
    this.#checkIdle();
    this.start();
  }

  #checkIdle(): void {
    if (!this.#over || this.#running > 0) return;
    this.#onIdle?.();
    this.#onIdle = undefined;
  }

  /** No reply can be sent any more. */
  end(error: Error): void {
    for (const served of this.#queue.splice(0)) served.release();
    for (const served of this.#present.splice(0)) served?.abort(error);
    this.#over = true;
    this.holder = undefined;
    this.#checkIdle();
  }
}
