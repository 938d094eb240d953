/**
 * Channels, as scripts see them.
 *
 * @module
 */
import { z } from "zod";
import { failure } from "../ffi/error.ts";
import { library } from "../ffi/library.ts";
import { Status } from "../ffi/status.ts";
import { onAbort } from "./abort.ts";
import { formatEndpoint, formatIPv4 } from "./address.ts";
import { type Connection, ConnectionHandle } from "./connection.ts";
import type { ConnectionState } from "./connection_state.ts";
import type { Core } from "./core.ts";
import { closeIfLeaked, keepWhile } from "./leaks.ts";
import { type Listener, ListenerHandle } from "./listener.ts";
import { ListenerState } from "./listener_state.ts";
import { milliseconds, parseOptions, port, signal } from "./options.ts";
import type { Answer } from "./engine_requests.ts";
import { resolveHostname } from "./resolve.ts";

/**
 * Options of {@linkcode Channel.connect}.
 *
 * @example
 * ```ts
 * import { attach, type ConnectOptions } from "machnet";
 *
 * const options: ConnectOptions = {
 *   hostname: "10.0.0.2",
 *   port: 888,
 *   ordered: false,
 *   timeout: 500,
 *   signal: AbortSignal.timeout(2000),
 * };
 * await using channel = await attach();
 * await using connection = await channel.connect(options);
 * console.log(connection.remote.port); // 888
 * ```
 */
export interface ConnectOptions {
  /** IPv4 address of the peer's sidecar, or a name that resolves to it. */
  readonly hostname: string;
  /** Service port that the peer listens on. */
  readonly port: number;
  /**
   * Whether messages, in both directions, arrive in the order in which they
   * were sent, which is the default. Where they need not, a small one does not
   * wait behind a large one, nor any behind one that got lost on its way.
   */
  readonly ordered?: boolean | undefined;
  /** Milliseconds to wait for the peer's host; 1000 by default. */
  readonly timeout?: number | undefined;
  /** Stops connecting. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Options of {@linkcode Channel.listen}.
 *
 * @example
 * ```ts
 * import { attach, type ListenOptions } from "machnet";
 *
 * const stop = new AbortController();
 * const options: ListenOptions = {
 *   port: 0,
 *   backlog: 16,
 *   reuse: true,
 *   signal: stop.signal,
 * };
 * await using channel = await attach();
 * await using listener = await channel.listen(options);
 * console.log(`listening on port ${listener.port}`);
 * stop.abort();
 * ```
 */
export interface ListenOptions {
  /** The sidecar's address, which is the default, or a name for it. */
  readonly hostname?: string | undefined;
  /** Service port; 0 lets the sidecar pick one. */
  readonly port: number;
  /** Connections that may wait to be accepted; 128 by default. */
  readonly backlog?: number | undefined;
  /**
   * Share the port with all listeners that say the same, on this channel and on
   * others: connections are spread over them. That is how workers, each with a
   * channel of its own, serve one port together.
   */
  readonly reuse?: boolean | undefined;
  /** Stops the attempt to listen, and later closes the listener. */
  readonly signal?: AbortSignal | undefined;
}

// MACHNET_CONNECT_UNORDERED and MACHNET_LISTEN_REUSE in machnet.h.
const UNORDERED = 1;
const REUSE = 1;

const connectSchema = z.strictObject({
  hostname: z.string().min(1).max(253),
  port: port(1),
  ordered: z.boolean().optional(),
  timeout: milliseconds,
  signal,
}) satisfies z.ZodType<ConnectOptions>;

const listenSchema = z.strictObject({
  hostname: z.string().min(1).max(253).optional(),
  port: port(0),
  backlog: z.int().min(1).max(65535).optional(),
  reuse: z.boolean().optional(),
  signal,
}) satisfies z.ZodType<ListenOptions>;

/**
 * A channel to a sidecar: shared memory with connections and listeners on it.
 *
 * A channel belongs to the thread that attached it; a worker attaches its own.
 * By itself it does not keep the process alive; what is open on it does.
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
 * await connection.send(new TextEncoder().encode("hello"));
 * ```
 */
export interface Channel extends AsyncDisposable {
  /** IPv4 address of the sidecar. */
  readonly address: string;

  /** Number of the sidecar's engine that serves the channel. */
  readonly engine: number;

  /**
   * Connect to a listener.
   *
   * @param options Where to, and how long to try.
   * @returns The connection.
   * @throws {TypeError} If an option has the wrong type or an unknown name.
   * @throws {RangeError} If an option is out of range.
   * @throws {MachnetError} NAME_NOT_FOUND; INVALID_ARGUMENT if no host can have
   * the address; HOST_UNREACHABLE if none answers for it, or it is that of the
   * own sidecar; CONNECTION_REFUSED, CONNECTION_TIMED_OUT, TOO_MANY_CONNECTIONS;
   * CLOSED, SIDECAR_GONE, SIDECAR_STOPPED or CHANNEL_CORRUPT if the channel is
   * over.
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
   * await connection.send(new TextEncoder().encode("hello"));
   * ```
   */
  connect(options: ConnectOptions): Promise<Connection>;

  /**
   * Listen on a service port.
   *
   * @param options The port, and on which terms.
   * @returns The listener.
   * @throws {TypeError} If an option has the wrong type or an unknown name.
   * @throws {RangeError} If an option is out of range.
   * @throws {MachnetError} ADDRESS_IN_USE, ADDRESS_NOT_AVAILABLE,
   * NAME_NOT_FOUND, TOO_MANY_LISTENERS; CLOSED, SIDECAR_GONE, SIDECAR_STOPPED or
   * CHANNEL_CORRUPT if the channel is over.
   *
   * @example
   * ```ts
   * import { attach } from "machnet";
   *
   * await using channel = await attach();
   * await using listener = await channel.listen({ port: 0, backlog: 16 });
   * console.log(`${listener.hostname}:${listener.port}`);
   * ```
   */
  listen(options: ListenOptions): Promise<Listener>;

  /**
   * Close listeners and connections, these as `Connection.close()` does, then
   * the channel. Views of messages read zeros from then on.
   *
   * @returns A promise that resolves when all is closed. Which connections
   * failed on the way, their own `closed` tells.
   *
   * @example
   * ```ts
   * import { attach } from "machnet";
   *
   * const channel = await attach();
   * const connection = await channel.connect({ hostname: "10.0.0.2", port: 888 });
   * await connection.send(new TextEncoder().encode("the last word"));
   * await channel.close(); // and with it the connection
   * ```
   */
  close(): Promise<void>;
}

/** The implementation of {@linkcode Channel}. */
export class ChannelHandle implements Channel {
  readonly #core: Core;

  /** @param sidecar Not to be taken for leaked while this lives. */
  constructor(core: Core, sidecar?: object) {
    this.#core = core;
    if (sidecar !== undefined) keepWhile(this, sidecar);
    closeIfLeaked(this, core);
  }

  get address(): string {
    return this.#core.hostname;
  }

  get engine(): number {
    return this.#core.engine;
  }

  async connect(options: ConnectOptions): Promise<Connection> {
    const { hostname, port, ordered, timeout, signal } = parseOptions(
      connectSchema,
      options,
      "Cannot connect",
    );
    signal?.throwIfAborted();
    const attempt = `Cannot connect to ${formatEndpoint({ hostname, port })}`;
    const address = await this.#resolve(hostname, attempt, signal);
    const literal = formatIPv4(address);
    const resolved = literal === hostname ? attempt : `${attempt} (${literal})`;
    if (literal === this.#core.hostname) throw toOurselves(resolved);
    const { calls, channel } = this.#core;
    const state = await this.#ask<ConnectionState>({
      attempt: resolved,
      signal,
      call: (token) =>
        calls.machnet_connect(
          channel,
          token,
          address,
          port,
          timeout ?? 0,
          ordered === false ? UNORDERED : 0,
        ),
      take: (answer) => this.#core.addConnection(answer.connection, answer, 0),
      undo: (state) => state.reset("the connect was aborted"),
    });
    return new ConnectionHandle(state, this);
  }

  async listen(options: ListenOptions): Promise<Listener> {
    const { hostname, port, backlog, reuse, signal } = parseOptions(
      listenSchema,
      options,
      "Cannot listen",
    );
    signal?.throwIfAborted();
    const { calls, channel } = this.#core;
    const attempt = `Cannot listen on ${
      formatEndpoint({ hostname: hostname ?? this.#core.hostname, port })
    }`;
    const address = hostname === undefined
      ? 0
      : await this.#resolve(hostname, attempt, signal);
    const state = await this.#ask<ListenerState>({
      attempt,
      signal,
      call: (token) =>
        calls.machnet_listen(
          channel,
          token,
          address,
          port,
          backlog ?? 0,
          reuse === true ? REUSE : 0,
        ),
      take: (answer) => {
        const endpoint = { hostname: this.#core.hostname, port: answer.port };
        const state = new ListenerState(this.#core, answer.listener, endpoint);
        this.#core.addListener(state);
        return state;
      },
      undo: (state) => void state.close(),
    });
    return new ListenerHandle(state, this, signal);
  }

  async #resolve(
    hostname: string,
    attempt: string,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    this.#assertOpen(attempt);
    const address = await resolveHostname(
      await library(),
      hostname,
      attempt,
      signal,
    );
    this.#assertOpen(attempt);
    return address;
  }

  #assertOpen(attempt: string): void {
    const { over } = this.#core;
    if (over !== Status.OK) throw this.#failure(over, attempt);
  }

  #failure(status: number, attempt: string): Error {
    return failure(status, attempt, DETAILS.get(status));
  }

  /** Ask the engine for an object; an abort undoes what comes after it. */
  async #ask<State>({ attempt, signal, call, take, undo }: {
    attempt: string;
    signal: AbortSignal | undefined;
    call: (token: number) => number;
    take: (answer: Answer) => State;
    undo: (state: State) => void;
  }): Promise<State> {
    let state: State | undefined;
    const status = await new Promise<number>((resolve, reject) => {
      signal?.throwIfAborted();
      let aborted = false;
      const forget = onAbort(signal, (reason) => {
        aborted = true;
        reject(reason);
      });
      this.#core.ask(call, (answer) => {
        forget();
        resolve(answer.status);
        if (answer.status !== Status.OK) return;
        state = take(answer);
        if (aborted) undo(state);
      });
    });
    // Made here, so that its stack leads to whoever asked.
    if (status !== Status.OK) throw this.#failure(status, attempt);
    return state!;
  }

  close(): Promise<void> {
    return this.#core.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

// Of connect() and listen(). What else could be invalid was checked before.
const DETAILS: ReadonlyMap<number, string> = new Map([
  [Status.CLOSED, "the channel was closed"],
  [
    Status.INVALID_ARGUMENT,
    "no host of the network can have that address; connect to the one of the peer's sidecar",
  ],
]);

// A sidecar hears none of its own packets, so that it would ask in vain.
function toOurselves(attempt: string): Error {
  return failure(
    Status.HOST_UNREACHABLE,
    attempt,
    "it is the address of this script's own sidecar, which connects to others",
  );
}
