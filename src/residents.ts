/**
 * What lives on a channel, and whether the process lives for it.
 *
 * @module
 */
import type { ConnectionState } from "./connection_state.ts";
import type { ListenerState } from "./listener_state.ts";

/** The connections and listeners of a channel, by the engine's numbers. */
export class Residents {
  readonly #connections = new Map<number, ConnectionState>();
  // Whom something came for: most likely the next thing, too.
  #last: ConnectionState | undefined;
  readonly #listeners = new Map<number, ListenerState>();
  readonly #unreferenced = new Set<ConnectionState | ListenerState>();

  /** Whether there is none. */
  get none(): boolean {
    return this.#connections.size + this.#listeners.size === 0;
  }

  /** Whether there is one for which the process is to live. */
  get keepAlive(): boolean {
    const { size } = this.#unreferenced;
    return this.#connections.size + this.#listeners.size > size;
  }

  /** All connections that are not over. */
  get connections(): ConnectionState[] {
    return [...this.#connections.values()];
  }

  /** All listeners that are not closed. */
  get listeners(): ListenerState[] {
    return [...this.#listeners.values()];
  }

  connection(id: number): ConnectionState | undefined {
    if (this.#last?.id === id) return this.#last;
    const connection = this.#connections.get(id);
    if (connection !== undefined) this.#last = connection;
    return connection;
  }

  listener(id: number): ListenerState | undefined {
    return this.#listeners.get(id);
  }

  addConnection(connection: ConnectionState): void {
    this.#connections.set(connection.id, connection);
  }

  addListener(listener: ListenerState): void {
    this.#listeners.set(listener.id, listener);
  }

  removeConnection(id: number): ConnectionState | undefined {
    if (this.#last?.id === id) this.#last = undefined;
    return this.#remove(this.#connections, id);
  }

  removeListener(id: number): ListenerState | undefined {
    return this.#remove(this.#listeners, id);
  }

  #remove<State extends ConnectionState | ListenerState>(
    states: Map<number, State>,
    id: number,
  ): State | undefined {
    const state = states.get(id);
    if (state === undefined) return undefined;
    states.delete(id);
    this.#unreferenced.delete(state);
    return state;
  }

  /** Whether the process is to live for it, while it lives itself. */
  reference(state: ConnectionState | ListenerState, yes: boolean): void {
    const lives = this.#connections.get(state.id) === state ||
      this.#listeners.get(state.id) === state;
    if (yes) this.#unreferenced.delete(state);
    else if (lives) this.#unreferenced.add(state);
  }

  hasUnreferenced(state: ConnectionState | ListenerState): boolean {
    return this.#unreferenced.has(state);
  }

  /** Forget all. */
  clear(): void {
    this.#last = undefined;
    this.#connections.clear();
    this.#listeners.clear();
    this.#unreferenced.clear();
  }
}
