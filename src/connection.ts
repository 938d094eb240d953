/**
 * Connections, as scripts see them.
 *
 * @module
 */
import { Status } from "../ffi/status.ts";
import { onAbort } from "./abort.ts";
import type { Endpoint } from "./address.ts";
import {
  checkInteger,
  checkLimits,
  checkNames,
  checkWait,
  kindOf,
} from "./arguments.ts";
import type { ConnectionState, Reader } from "./connection_state.ts";
import { closeIfLeaked, keepWhile } from "./leaks.ts";
import type { Message } from "./message.ts";
import { BatchIterator, MessageIterator } from "./message_iterator.ts";
import { AllocatedMessage, type OutgoingMessage } from "./outgoing.ts";
import type { ConnectionPath } from "./path.ts";
import {
  type RequestHandler,
  type RequestOptions,
  REQUESTS_MAX,
  type ServeOptions,
} from "./request.ts";
import { readableOf, writableOf } from "./streams.ts";

/**
 * Options of the calls that may wait.
 *
 * @example
 * ```ts
 * import { attach, type WaitOptions } from "machnet";
 *
 * await using channel = await attach();
 * await using connection = await channel.connect({
 *   hostname: "10.0.0.2",
 *   port: 888,
 * });
 * const patience: WaitOptions = { signal: AbortSignal.timeout(5000) };
 * using message = await connection.receive(patience);
 * console.log(message.length);
 * ```
 */
export interface WaitOptions {
  /** Ends the wait; the call rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Options of {@linkcode Connection.close}.
 *
 * @example
 * ```ts
 * import { attach, type CloseOptions } from "machnet";
 *
 * await using channel = await attach();
 * const connection = await channel.connect({ hostname: "10.0.0.2", port: 888 });
 * await connection.send(new TextEncoder().encode("the last word"));
 * const options: CloseOptions = { timeout: 1000 };
 * await connection.close(options);
 * ```
 */
export interface CloseOptions extends WaitOptions {
  /** Milliseconds to wait for the peer's acknowledgement; 5000 by default. */
  readonly timeout?: number | undefined;
}

/**
 * A connection: messages of 0 bytes to 8 MiB in both directions, reliably, each
 * exactly once, in order.
 *
 * Iterating it takes the messages that arrive, each of them valid until the
 * next one is taken. The iteration ends when the peer closes, throws when the
 * connection fails, and leaving it closes nothing. Messages that nobody takes
 * make the peer's `send()` wait. An open connection keeps the process alive,
 * unless `unref()` says otherwise.
 *
 * @example
 * ```ts
 * import { attach, type Connection } from "machnet";
 *
 * await using channel = await attach();
 * await using listener = await channel.listen({ port: 888 });
 * for await (const connection of listener) echo(connection).catch(console.error);
 *
 * async function echo(connection: Connection): Promise<void> {
 *   await using _ = connection;
 *   for await (const message of connection) {
 *     await connection.send(message.data);
 *   }
 * }
 * ```
 */
export interface Connection extends AsyncIterable<Message>, AsyncDisposable {
  /** The peer. */
  readonly remote: Endpoint;

  /** This end. */
  readonly local: Endpoint;

  /**
   * The way that its packets take, as the last one that came in showed it: another
   * object when it changed.
   */
  readonly path: ConnectionPath;

  /**
   * Resolves when the connection was closed by either end or reset by this one,
   * rejects with a {@linkcode MachnetError} when it failed: CONNECTION_RESET
   * with the peer's reason, CONNECTION_LOST, CLOSE_TIMED_OUT, SIDECAR_GONE,
   * SIDECAR_STOPPED, CHANNEL_CORRUPT. It may be left alone: no unhandled
   * rejection comes of it.
   */
  readonly closed: Promise<void>;

  /**
   * Send a copy of some bytes as one message.
   *
   * @param bytes The message; the caller's again when the promise resolves.
   * @param options A signal to stop waiting for room.
   * @returns A promise that resolves when the message is in the channel.
   * @throws {TypeError} If `bytes` is not a Uint8Array, or the options are wrong.
   * @throws {MachnetError} MESSAGE_TOO_LARGE, which leaves the connection as it
   * was; CONNECTION_CLOSED, or why the connection failed.
   *
   * @example
   * ```ts
   * import { attach } from "machnet";
   *
   * await using channel = await attach();
   * await using connection = await channel.connect({
   *   hostname: "10.0.0.2",
   *   port: 888,
   * });
   * const bytes = new TextEncoder().encode("hello");
   * await connection.send(bytes);
   * bytes.fill(0); // it is ours again
   * ```
   */
  send(bytes: Uint8Array, options?: WaitOptions): Promise<void>;

  /**
   * Send a copy of some bytes as one message if there is room now.
   *
   * @param bytes The message.
   * @returns Whether it was sent.
   * @throws {TypeError} If `bytes` is not a Uint8Array.
   * @throws {MachnetError} As `send()`.
   *
   * @example
   * ```ts
   * import { attach } from "machnet";
   *
   * await using channel = await attach();
   * await using connection = await channel.connect({
   *   hostname: "10.0.0.2",
   *   port: 888,
   * });
   * const sample = new Uint8Array(new Float64Array([performance.now()]).buffer);
   * // Of a measurement that comes too early nobody will miss it.
   * if (!connection.trySend(sample)) console.log("no room: left out");
   * ```
   */
  trySend(bytes: Uint8Array): boolean;

  /**
   * Send copies of several messages, in order. Costs less than a `send()` for
   * each. When it rejects, those before the one that could not go were sent.
   *
   * @param messages Bytes, or messages that were received and not released.
   * @param options A signal to stop waiting for room.
   * @returns A promise that resolves when all are in the channel; the array and
   * the bytes are to be left alone until then.
   * @throws {TypeError} If one of them is neither bytes nor a message, or the
   * options are wrong.
   * @throws {MachnetError} As `send()`, and as `Message.data`.
   *
   * @example
   * ```ts
   * import { attach } from "machnet";
   *
   * await using channel = await attach();
   * await using connection = await channel.connect({
   *   hostname: "10.0.0.2",
   *   port: 888,
   * });
   * const lines = ["one", "two", "three"];
   * const encoder = new TextEncoder();
   * await connection.sendMany(lines.map((line) => encoder.encode(line)));
   * ```
   */
  sendMany(
    messages: readonly (Uint8Array | Message)[],
    options?: WaitOptions,
  ): Promise<void>;

  /**
   * Borrow room for a message that is to be written in place.
   *
   * @param length Bytes.
   * @param options A signal to stop waiting for room.
   * @returns The room.
   * @throws {TypeError} If the length is not a number, or the options are wrong.
   * @throws {RangeError} If the length is not an integer of at least 0.
   * @throws {MachnetError} As `send()`.
   *
   * @example
   * ```ts
   * import { attach } from "machnet";
   *
   * await using channel = await attach();
   * await using connection = await channel.connect({
   *   hostname: "10.0.0.2",
   *   port: 888,
   * });
   * using room = await connection.allocate(16);
   * new DataView(room.data.buffer, room.data.byteOffset).setFloat64(0, Math.PI);
   * await room.send(8);
   * ```
   */
  allocate(length: number, options?: WaitOptions): Promise<OutgoingMessage>;

  /**
   * Borrow room for a message if there is some now.
   *
   * @param length Bytes.
   * @returns The room, or `undefined`.
   * @throws {TypeError} If the length is not a number.
   * @throws {RangeError} If the length is not an integer of at least 0.
   * @throws {MachnetError} As `send()`.
   *
   * @example
   * ```ts
   * import { attach } from "machnet";
   *
   * await using channel = await attach();
   * await using connection = await channel.connect({
   *   hostname: "10.0.0.2",
   *   port: 888,
   * });
   * using room = connection.tryAllocate(1024);
   * if (room === undefined) console.log("no room now");
   * else {
   *   crypto.getRandomValues(room.data);
   *   await room.send();
   * }
   * ```
   */
  tryAllocate(length: number): OutgoingMessage | undefined;

  /**
   * Take the next message. It stays valid until its `release()`.
   *
   * @param options A signal to stop waiting.
   * @returns The message.
   * @throws {TypeError} If the options are wrong.
   * @throws {MachnetError} CONNECTION_CLOSED when there will be none, or why
   * the connection failed.
   *
   * @example
   * ```ts
   * import { attach } from "machnet";
   *
   * await using channel = await attach();
   * await using connection = await channel.connect({
   *   hostname: "10.0.0.2",
   *   port: 888,
   * });
   * using message = await connection.receive({
   *   signal: AbortSignal.timeout(5000),
   * });
   * console.log(new TextDecoder().decode(message.data));
   * ```
   */
  receive(options?: WaitOptions): Promise<Message>;

  /**
   * Take messages as they come, many at a time: whatever is there, at most 64.
   * The messages of a batch are valid until the next batch is taken, and so is
   * the array. It ends and fails as the iteration of the connection does.
   *
   * @returns The batches, none of them empty.
   * @throws {MachnetError} When the next is taken: why the connection failed.
   *
   * @example
   * ```ts
   * import { attach } from "machnet";
   *
   * await using channel = await attach();
   * await using connection = await channel.connect({
   *   hostname: "10.0.0.2",
   *   port: 888,
   * });
   * for await (const batch of connection.batches()) {
   *   await connection.sendMany(batch); // an echo
   *   if (batch.length > 0) break;
   * }
   * ```
   */
  batches(): AsyncIterableIterator<readonly Message[], undefined>;

  /**
   * The messages that arrive as a stream, each a chunk of its own and a copy,
   * which may be kept. It takes a message from the channel when one is read, ends
   * when the peer closes and fails when the connection does. `cancel()` stops
   * taking messages and closes nothing, as leaving the iteration does. It is no
   * byte stream, which would lose empty messages, so that `getReader()` takes no
   * `mode`. One stream: it is the same each time.
   *
   * @example
   * ```ts
   * import { attach } from "machnet";
   *
   * await using channel = await attach();
   * await using listener = await channel.listen({ port: 888 });
   * for await (const connection of listener) {
   *   connection.readable
   *     .pipeThrough(new DecompressionStream("gzip"))
   *     .pipeTo(new WritableStream({ write: (chunk) => console.log(chunk) }))
   *     .catch(console.error);
   * }
   * ```
   */
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;

  /**
   * A stream that sends each chunk as a message, when there is room for it:
   * `writer.ready` and `pipeTo()` wait for the peer. Closing it closes the
   * connection, as `close()` does, unless `pipeTo()` is told `preventClose`;
   * aborting it resets the connection with the reason, and so does a chunk that
   * cannot be sent. One stream: it is the same each time.
   *
   * @example
   * ```ts
   * import { attach } from "machnet";
   *
   * await using channel = await attach();
   * const connection = await channel.connect({
   *   hostname: "10.0.0.2",
   *   port: 888,
   * });
   * const response = await fetch("http://127.0.0.1:8000/");
   * await response.body!.pipeTo(connection.writable);
   * ```
   */
  readonly writable: WritableStream<Uint8Array>;

  /**
   * Send a request, and wait for the reply. Many may be in flight, at most
   * 16 384; replies come in whatever order, and neither they nor the requests
   * wait for messages or for larger ones of their kind.
   *
   * @param bytes The request: bytes to send a copy of, to be left alone until the
   * promise settles, or room of this connection's `allocate()`, which is sent from
   * without a copy and is the channel's from now on.
   * @param options A signal or a time to cancel it, which the peer's handler
   * hears of.
   * @returns The reply. It stays valid until its `release()`.
   * @throws {TypeError} If `bytes` is neither a Uint8Array nor room of this
   * connection, or the options are wrong.
   * @throws {RangeError} If the timeout is not a positive integer.
   * @throws {RequestError} What the peer's handler threw.
   * @throws {MachnetError} TIMED_OUT, TOO_MANY_REQUESTS, MESSAGE_TOO_LARGE, which
   * leave the connection as it was; CONNECTION_CLOSED, or why it failed.
   *
   * @example
   * ```ts
   * import { attach } from "machnet";
   *
   * await using channel = await attach();
   * await using connection = await channel.connect({
   *   hostname: "10.0.0.2",
   *   port: 888,
   * });
   * const question = new TextEncoder().encode("what time is it?");
   * using reply = await connection.request(question, { timeout: 1000 });
   * console.log(new TextDecoder().decode(reply.data));
   * ```
   */
  request(
    bytes: Uint8Array | OutgoingMessage,
    options?: RequestOptions,
  ): Promise<Message>;

  /**
   * Have the peer's requests handled: those that came already, and all that
   * will. Requests of a connection without handler wait for one.
   *
   * @param handler Gives the reply to a request, or throws.
   * @param options How many to handle at a time.
   * @returns A promise that resolves when the connection was closed and the last
   * request is handled, and rejects as `closed` does. It may be left alone.
   * @throws {TypeError} If the handler is not a function, or the options are
   * wrong.
   * @throws {RangeError} If the concurrency is not from 1 to 16 384.
   * @throws {MachnetError} INVALID_ARGUMENT if the connection has a handler.
   *
   * @example
   * ```ts
   * import { attach } from "machnet";
   *
   * await using channel = await attach();
   * await using listener = await channel.listen({ port: 888 });
   * for await (const connection of listener) {
   *   connection.serve(() => new TextEncoder().encode(new Date().toISOString()));
   * }
   * ```
   */
  serve(handler: RequestHandler, options?: ServeOptions): Promise<void>;

  /**
   * Take no more messages, deliver what was accepted for sending, and wait for
   * the peer's acknowledgement. Resolves at once if the connection is over.
   *
   * @param options A bound on the wait, and a signal whose abort resets the
   * connection.
   * @returns A promise that resolves when all was delivered.
   * @throws {TypeError} If the options are wrong.
   * @throws {RangeError} If the timeout is not a positive integer.
   * @throws {MachnetError} CLOSE_TIMED_OUT, or why the connection failed.
   *
   * @example
   * ```ts
   * import { attach } from "machnet";
   *
   * await using channel = await attach();
   * const connection = await channel.connect({ hostname: "10.0.0.2", port: 888 });
   * await connection.send(new TextEncoder().encode("the last word"));
   * await connection.close(); // it has arrived
   * ```
   */
  close(options?: CloseOptions): Promise<void>;

  /**
   * Drop the connection and what is under way in either direction. The peer
   * gets CONNECTION_RESET.
   *
   * @param reason For the peer; what is over 255 bytes of UTF-8 is cut off.
   * @throws {TypeError} If the reason is not a string.
   *
   * @example
   * ```ts
   * import { attach } from "machnet";
   *
   * await using channel = await attach();
   * const connection = await channel.connect({ hostname: "10.0.0.2", port: 888 });
   * connection.reset("I have changed my mind");
   * await connection.closed;
   * ```
   */
  reset(reason?: string): void;

  /**
   * Let the process live for this connection again, after `unref()`. It does from
   * the start; twice does no harm.
   *
   * @example
   * ```ts
   * import { attach } from "machnet";
   *
   * await using channel = await attach();
   * await using connection = await channel.connect({
   *   hostname: "10.0.0.2",
   *   port: 888,
   * });
   * connection.unref();
   * connection.ref(); // as it was
   * ```
   */
  ref(): void;

  /**
   * Let the process end although this connection is open, if nothing else keeps it
   * alive: as a socket's `unref()`. Until then all goes on as before.
   *
   * @example
   * ```ts
   * import { attach } from "machnet";
   *
   * const channel = await attach();
   * const connection = await channel.connect({ hostname: "10.0.0.2", port: 888 });
   * connection.unref();
   * connection.receive().then((message) => console.log(message.length), () => {});
   * // The process ends here, unless there is something else to do.
   * ```
   */
  unref(): void;
}

/** The implementation of {@linkcode Connection}. */
export class ConnectionHandle implements Connection {
  readonly #state: ConnectionState;
  #readable: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;
  #writable: WritableStream<Uint8Array> | undefined;

  constructor(state: ConnectionState, channel: object) {
    this.#state = state;
    // The channel must not be taken for leaked while this lives.
    keepWhile(this, channel);
    closeIfLeaked(this, state);
  }

  get remote(): Endpoint {
    return this.#state.remote;
  }

  get local(): Endpoint {
    return this.#state.local;
  }

  get path(): ConnectionPath {
    return this.#state.path;
  }

  get closed(): Promise<void> {
    if (!this.#state.isOver) this.#state.holder = this;
    return this.#state.closed;
  }

  send(bytes: Uint8Array, options?: WaitOptions): Promise<void> {
    try {
      if (!(bytes instanceof Uint8Array)) throw notBytes(bytes);
      const signal = checkWait(options, "Cannot send message");
      return this.#state.sender.send(bytes, signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  trySend(bytes: Uint8Array): boolean {
    if (!(bytes instanceof Uint8Array)) throw notBytes(bytes);
    const status = this.#state.sender.trySend(bytes);
    if (status === Status.OK) return true;
    if (status === Status.AGAIN) return false;
    throw this.#state.sender.failure(status);
  }

  sendMany(
    messages: readonly (Uint8Array | Message)[],
    options?: WaitOptions,
  ): Promise<void> {
    const attempt = "Cannot send messages";
    try {
      if (!Array.isArray(messages)) {
        throw new TypeError(`${attempt}: they are not in an array`);
      }
      const signal = checkWait(options, attempt);
      return this.#state.sender.sendMany(messages, signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  allocate(length: number, options?: WaitOptions): Promise<OutgoingMessage> {
    try {
      const signal = checkWait(options, ALLOCATE);
      const message = this.tryAllocate(length);
      return message !== undefined
        ? Promise.resolve(message)
        : this.#state.sender.allocate(length, signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  tryAllocate(length: number): OutgoingMessage | undefined {
    checkInteger(length, "length", 0, Infinity, ALLOCATE);
    return this.#state.sender.tryAllocate(length);
  }

  receive(options?: WaitOptions): Promise<Message> {
    try {
      const signal = checkWait(options, "Cannot receive message");
      const message = this.#state.takeAhead();
      return message !== undefined
        ? Promise.resolve(message)
        : this.#read(signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #read(signal: AbortSignal | undefined): Promise<Message> {
    return new Promise((resolve, reject) => {
      const state = this.#state;
      const reader: Reader = {
        holder: this,
        serve(): void {
          forget();
          resolve(state.take()!);
        },
        end(): void {
          forget();
          reject(state.refusal("Cannot receive from"));
        },
      };
      const forget = onAbort(signal, (reason) => {
        state.forget(reader);
        reject(reason);
      });
      state.read(reader);
    });
  }

  request(
    bytes: Uint8Array | OutgoingMessage,
    options?: RequestOptions,
  ): Promise<Message> {
    try {
      if (
        !(bytes instanceof Uint8Array || bytes instanceof AllocatedMessage)
      ) throw notBytes(bytes);
      checkLimits(options, "Cannot send request");
      return this.#state.caller.request(this, bytes, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  serve(handler: RequestHandler, options?: ServeOptions): Promise<void> {
    const attempt = "Cannot serve connection";
    if (typeof handler !== "function") {
      throw new TypeError(`${attempt}: no function to handle it`);
    }
    if (options !== undefined) checkNames(options, ["concurrency"], attempt);
    const concurrency = options?.concurrency ?? REQUESTS_MAX;
    checkInteger(concurrency, "concurrency", 1, REQUESTS_MAX, attempt);
    const idle = Promise.withResolvers<void>();
    this.#state.responder.serve(this, handler, concurrency, idle.resolve);
    const served = idle.promise.then(() => this.#state.closed);
    served.catch(() => {}); // who wants to know, listens
    return served;
  }

  get readable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#readable ??= readableOf(this);
  }

  get writable(): WritableStream<Uint8Array> {
    return this.#writable ??= writableOf(this);
  }

  async close(options?: CloseOptions): Promise<void> {
    if (options?.signal?.aborted) this.#state.reset("the close was aborted");
    checkLimits(options, "Cannot close connection");
    await this.#state.close(options?.timeout, options?.signal);
  }

  reset(reason: string = ""): void {
    if (typeof reason !== "string") {
      throw new TypeError(
        `Cannot reset connection: reason is ${kindOf(reason)}`,
      );
    }
    this.#state.reset(reason);
  }

  ref(): void {
    this.#state.core.reference(this.#state, true);
  }

  unref(): void {
    this.#state.core.reference(this.#state, false);
  }

  batches(): AsyncIterableIterator<readonly Message[], undefined> {
    return new BatchIterator(this.#state, this);
  }

  [Symbol.asyncIterator](): AsyncIterator<Message, undefined> {
    return new MessageIterator(this.#state, this);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#state.close();
  }
}

const ALLOCATE = "Cannot allocate message";

function notBytes(value: unknown): TypeError {
  const remedy = typeof value === "string"
    ? "; new TextEncoder().encode() makes one of it"
    : "";
  return new TypeError(
    `Cannot send message: it is ${kindOf(value)}, not a Uint8Array${remedy}`,
  );
}
