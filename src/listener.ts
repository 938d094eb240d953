/**
 * Listeners, as scripts see them.
 *
 * @module
 */
import { Status } from "../ffi/status.ts";
import { onAbort } from "./abort.ts";
import { checkWait } from "./arguments.ts";
import {
  type Connection,
  ConnectionHandle,
  type WaitOptions,
} from "./connection.ts";
import type { ConnectionState } from "./connection_state.ts";
import { closeIfLeaked } from "./leaks.ts";
import type { Accepter, ListenerState } from "./listener_state.ts";

/**
 * A service port on which peers connect.
 *
 * Iterating it takes connections. The iteration ends when the listener is
 * closed; leaving it does not close. A listener keeps the process alive,
 * unless `unref()` says otherwise.
 *
 * @example
 * ```ts
 * import { attach } from "machnet";
 *
 * await using channel = await attach();
 * await using listener = await channel.listen({ port: 888 });
 * for await (const connection of listener) {
 *   console.log(connection.remote.hostname);
 *   await connection.close();
 * }
 * ```
 */
export interface Listener extends AsyncIterable<Connection>, AsyncDisposable {
  /** IPv4 address of the sidecar. */
  readonly hostname: string;

  /** The service port, also when `listen()` was asked to pick one. */
  readonly port: number;

  /**
   * Take the next connection.
   *
   * @param options A signal to stop waiting.
   * @returns The connection.
   * @throws {TypeError} If the options are wrong.
   * @throws {MachnetError} CLOSED if the listener was closed, SIDECAR_GONE,
   * SIDECAR_STOPPED or CHANNEL_CORRUPT if the channel was lost.
   *
   * @example
   * ```ts
   * import { attach } from "machnet";
   *
   * await using channel = await attach();
   * await using listener = await channel.listen({ port: 888 });
   * await using connection = await listener.accept();
   * console.log(connection.remote.hostname);
   * ```
   */
  accept(options?: WaitOptions): Promise<Connection>;

  /**
   * Listen no more. Connections that nobody took are reset, the others stay.
   *
   * @returns A promise that resolves when the port is free.
   *
   * @example
   * ```ts
   * import { attach } from "machnet";
   *
   * await using channel = await attach();
   * const listener = await channel.listen({ port: 0 });
   * await listener.close();
   * ```
   */
  close(): Promise<void>;

  /**
   * Let the process live for this listener again, after `unref()`. It does from
   * the start; twice does no harm.
   *
   * @example
   * ```ts
   * import { attach } from "machnet";
   *
   * await using channel = await attach();
   * await using listener = await channel.listen({ port: 0 });
   * listener.unref();
   * listener.ref(); // as it was
   * ```
   */
  ref(): void;

  /**
   * Let the process end although this listener is open, if nothing else keeps it
   * alive: as a socket's `unref()`. Until then all goes on as before.
   *
   * @example
   * ```ts
   * import { attach } from "machnet";
   *
   * const channel = await attach();
   * const listener = await channel.listen({ port: 0 });
   * listener.unref();
   * // The process ends here, unless there is something else to do.
   * ```
   */
  unref(): void;
}

const END: IteratorReturnResult<undefined> = { done: true, value: undefined };

/** The implementation of {@linkcode Listener}. */
export class ListenerHandle implements Listener {
  readonly #state: ListenerState;
  // The channel must not be taken for leaked while this lives.
  readonly #channel: object;
  readonly #forgetSignal: () => void;

  constructor(
    state: ListenerState,
    channel: object,
    signal: AbortSignal | undefined,
  ) {
    this.#state = state;
    this.#channel = channel;
    this.#forgetSignal = onAbort(signal, () => state.close());
    if (signal?.aborted) void state.close();
    closeIfLeaked(this, state);
  }

  get hostname(): string {
    return this.#state.endpoint.hostname;
  }

  get port(): number {
    return this.#state.endpoint.port;
  }

  async accept(options?: WaitOptions): Promise<Connection> {
    const signal = checkWait(options, "Cannot accept connection");
    const connection = this.#state.take() ?? await this.#wait(signal);
    // Made here, so that its stack leads to whoever waited.
    if (connection === undefined) throw this.#state.refusal();
    return this.#wrap(connection);
  }

  /** The next connection, or nothing when there will be none. */
  #wait(signal: AbortSignal | undefined): Promise<ConnectionState | undefined> {
    return new Promise((resolve, reject) => {
      const accepter: Accepter = {
        holder: this,
        deliver: (connection) => {
          forget();
          resolve(connection);
        },
        end: () => {
          forget();
          resolve(undefined);
        },
      };
      const forget = onAbort(signal, (reason) => {
        this.#state.forget(accepter);
        reject(reason);
      });
      this.#state.wait(accepter);
    });
  }

  ref(): void {
    this.#state.core.reference(this.#state, true);
  }

  unref(): void {
    this.#state.core.reference(this.#state, false);
  }

  #wrap(connection: ConnectionState): Connection {
    return new ConnectionHandle(connection, this.#channel);
  }

  close(): Promise<void> {
    this.#forgetSignal();
    return this.#state.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  [Symbol.asyncIterator](): AsyncIterator<Connection, undefined> {
    let over = false;
    const waiting = new Set<Accepter>();
    return {
      next: (): Promise<IteratorResult<Connection, undefined>> => {
        if (over) return Promise.resolve(END);
        const connection = this.#state.take();
        if (connection !== undefined) {
          return Promise.resolve({
            done: false,
            value: this.#wrap(connection),
          });
        }
        return new Promise((resolve, reject) => {
          const accepter: Accepter = {
            holder: this,
            deliver: (connection) => {
              waiting.delete(accepter);
              resolve({ done: false, value: this.#wrap(connection) });
            },
            end: (status) => {
              over = true;
              if (status === Status.OK || status === Status.CLOSED) {
                resolve(END);
              } else reject(this.#state.refusal());
            },
          };
          waiting.add(accepter);
          this.#state.wait(accepter);
        });
      },
      return: (): Promise<IteratorResult<Connection, undefined>> => {
        over = true;
        // What comes now is for others.
        for (const accepter of waiting) {
          this.#state.forget(accepter);
          accepter.end(Status.OK);
        }
        return Promise.resolve(END);
      },
    };
  }
}
