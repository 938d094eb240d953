/**
 * The inside of a listener.
 *
 * @module
 */
import { failure, MachnetError } from "../ffi/error.ts";
import { Status } from "../ffi/status.ts";
import { type Endpoint, formatEndpoint } from "./address.ts";
import type { ConnectionState } from "./connection_state.ts";
import type { Core } from "./core.ts";
import type { Leakable } from "./leaks.ts";

/** Someone who waits for a connection. */
export interface Accepter {
  /** Kept from the garbage collector for as long as it waits. */
  readonly holder: object;
  deliver(connection: ConnectionState): void;
  /** The listener is over; `status` is OK if this process closed it. */
  end(status: number): void;
}

/** The inside of a listener. */
export class ListenerState implements Leakable {
  readonly id: number;
  readonly endpoint: Endpoint;
  readonly core: Core;
  #queue: ConnectionState[] = [];
  readonly #accepters: Accepter[] = [];
  #open = true;
  #status: number = Status.OK;
  #closing: PromiseWithResolvers<void> | undefined;

  constructor(core: Core, id: number, endpoint: Endpoint) {
    this.core = core;
    this.id = id;
    this.endpoint = endpoint;
  }

  get label(): string {
    return `listener on ${formatEndpoint(this.endpoint)}`;
  }

  get isClosed(): boolean {
    return !this.#open;
  }

  get isUnreferenced(): boolean {
    return this.core.hasUnreferenced(this);
  }

  /** A peer connected. */
  deliver(connection: ConnectionState): void {
    if (!this.#open) {
      connection.reset("the listener was closed");
      return;
    }
    const accepter = this.#accepters.shift();
    if (accepter === undefined) this.#queue.push(connection);
    else accepter.deliver(this.#taken(connection));
  }

  /** The next connection, if one is there. */
  take(): ConnectionState | undefined {
    for (;;) {
      const connection = this.#queue.shift();
      if (connection === undefined) return undefined;
      // The peer gave up while it waited: nobody needs to hear of it.
      if (!connection.failed) return this.#taken(connection);
    }
  }

  #taken(connection: ConnectionState): ConnectionState {
    const { calls, channel } = this.core;
    this.core.request(
      this,
      () => calls.machnet_accept(channel, connection.id),
    );
    return connection;
  }

  /** Wait for a connection; call only when `take()` gave nothing. */
  wait(accepter: Accepter): void {
    if (this.#open) this.#accepters.push(accepter);
    else accepter.end(this.#status);
  }

  /** Wait no more. */
  forget(accepter: Accepter): void {
    const index = this.#accepters.indexOf(accepter);
    if (index >= 0) this.#accepters.splice(index, 1);
  }

  /** Why nothing can be accepted any more. */
  refusal(): MachnetError {
    const attempt = `Cannot accept on ${formatEndpoint(this.endpoint)}`;
    return this.#status === Status.OK || this.#status === Status.CLOSED
      ? new MachnetError("CLOSED", `${attempt}: the listener was closed`)
      : failure(this.#status, attempt);
  }

  /** Listen no more; connections that nobody took are reset. */
  close(): Promise<void> {
    if (this.#closing !== undefined) return this.#closing.promise;
    this.#closing = Promise.withResolvers();
    if (!this.#open) {
      this.#closing.resolve();
    } else {
      this.#stop(Status.OK);
      const { calls, channel } = this.core;
      this.core.request(
        this,
        () => calls.machnet_unlisten(channel, this.id),
        (status) => {
          if (status !== Status.OK) this.over(status);
        },
      );
    }
    return this.#closing.promise;
  }

  /** The engine says that it is over. */
  over(status: number = Status.OK): void {
    if (this.#open) this.#stop(status);
    this.#closing?.resolve();
  }

  #stop(status: number): void {
    this.#open = false;
    this.#status = status;
    for (const connection of this.#queue.splice(0)) {
      connection.reset("the listener was closed");
    }
    for (const accepter of this.#accepters.splice(0)) accepter.end(status);
  }
}
