/**
 * A libmachnet in JavaScript, for tests of what lies above the C ABI: it plays
 * the engine's part when the test says so, and never by itself.
 */
import assert from "node:assert/strict";
import { failure } from "../../ffi/error.ts";
import type { Library } from "../../ffi/library.ts";
import { Status } from "../../ffi/status.ts";
import { EventKind, STRUCTS } from "../../ffi/structs.ts";
import type { ClientCalls } from "../../ffi/symbols.ts";
import { type Channel, ChannelHandle } from "../channel.ts";
import type { Connection } from "../connection.ts";
import { Core } from "../core.ts";

// Tests of this kind leave open what they opened, and need not hear of it.
console.warn = (): void => {};

const BYTES = 1 << 20;
const BLOCK = 256;
const EVENT_BYTES = STRUCTS.machnet_event.size;

/** Fields of an event; those that are left out are 0. */
export interface FakeEvent {
  kind: typeof EventKind[keyof typeof EventKind];
  port?: number;
  connection?: number;
  offset?: number;
  length?: number;
  token?: number;
  status?: number;
  address?: number;
  listener?: number;
}

/** One call that came: its name without the prefix, and its arguments. */
export type FakeCall = [name: string, ...values: unknown[]];

/** The engine, as the test plays it. */
export class FakeLibrary {
  readonly memory: Uint8Array = new Uint8Array(BYTES);
  /** Calls that came, but for those of the loop. */
  readonly calls: FakeCall[] = [];
  /** Messages that were sent. */
  readonly sent: { connection: number; text: string }[] = [];
  /** Messages of requests that were sent. */
  readonly tagged: { kind: number; request: number; text: string }[] = [];
  /** Sends that are possible before the channel is full. */
  room: number = Infinity;
  /** Connections that hold as much as they may. */
  readonly unread: Set<number> = new Set();
  /** Requests that are possible before the channel is full. */
  requestRoom: number = Infinity;
  /** Blocks that are lent to the application. */
  readonly lent: Set<number> = new Set();
  /** What machnet_channel_lost says. */
  lostReason: number = Status.SIDECAR_GONE;
  /** Whether the doorbell keeps the process alive. */
  keepsAlive = true;
  bellOpen = true;
  asleep = false;
  /** Whether the checks of MACHNET_DEBUG are on, for channels opened later. */
  debugging = false;

  /** Of the channel that was opened last. */
  core!: Core;
  /** How long each look might have waited. */
  readonly spins: number[] = [];

  readonly #events: FakeEvent[] = [];
  #next = BLOCK;
  // Given back, and lent again before what was never used, as the engine does.
  readonly #free: number[] = [];
  #ring: () => void = () => {};
  #end: () => void = () => {};

  /** A channel on it. */
  open(): Channel {
    const info = {
      base: 0n,
      bytes: BYTES,
      address: 0x0a00_0001,
      engine: 0,
      arenaBytes: BYTES,
    };
    this.core = new Core(this.library, 1, info, 3);
    return new ChannelHandle(this.core);
  }

  /** A connection of a channel on it, to 10.0.0.9:888. */
  async connect(channel: Channel, id: number): Promise<Connection> {
    const pending = channel.connect({ hostname: "10.0.0.9", port: 888 });
    await turns();
    const [token] = this.called("connect").at(-1) as [number];
    this.post({
      kind: EventKind.CONNECTED,
      token,
      connection: id,
      address: 0x0a00_0009,
      port: 888,
    });
    return await pending;
  }

  /** Let something happen, and wake the application. */
  post(...events: FakeEvent[]): void {
    this.#events.push(...events);
    if (this.asleep) {
      this.asleep = false;
      this.#ring();
    }
  }

  /** Let a message arrive. */
  message(connection: number, text: string): void {
    const bytes = new TextEncoder().encode(text);
    const offset = bytes.length === 0 ? 0 : this.#lend(bytes);
    this.post({
      kind: EventKind.MESSAGE,
      connection,
      offset,
      length: bytes.length,
    });
  }

  /** Let a connection end. */
  closed(connection: number, status: number, reason: string = ""): void {
    const bytes = new TextEncoder().encode(reason);
    const offset = bytes.length === 0 ? 0 : this.#lend(bytes);
    this.post({
      kind: EventKind.CLOSED,
      connection,
      status,
      offset,
      length: bytes.length,
    });
  }

  /** Let a message of a request arrive. */
  messageTagged(
    connection: number,
    kind: FakeEvent["kind"],
    token: number,
    text: string = "",
  ): void {
    const bytes = new TextEncoder().encode(text);
    const { length } = bytes;
    const offset = length === 0 ? 0 : this.#lend(bytes);
    this.post({ kind, connection, token, offset, length });
  }

  #lend(bytes: Uint8Array): number {
    const used = bytes.length <= BLOCK ? this.#free.pop() : undefined;
    const offset = used ?? this.#next;
    if (used === undefined) {
      this.#next += BLOCK * Math.max(1, Math.ceil(bytes.length / BLOCK));
    }
    this.memory.set(bytes, offset);
    this.lent.add(offset);
    return offset;
  }

  #takeBack(offset: number): void {
    assert(this.lent.delete(offset), "given back what was not lent");
    this.#free.push(offset);
  }

  /** Let the sidecar end. */
  end(): void {
    this.#end();
  }

  /** Arguments of the calls with a name, in order. */
  called(name: string): unknown[][] {
    return this.calls.filter(([one]) => one === name)
      .map(([, ...values]) => values);
  }

  #request(name: string, ...values: unknown[]): number {
    if (this.requestRoom-- <= 0) return Status.AGAIN;
    this.calls.push([name, ...values]);
    return Status.OK;
  }

  #poll(into: Uint8Array, capacity: number): number {
    const events = this.#events.splice(0, capacity);
    const view = new DataView(into.buffer);
    events.forEach((event, index) => {
      const at = index * EVENT_BYTES;
      view.setUint16(at, event.kind, true);
      view.setUint16(at + 2, event.port ?? 0, true);
      view.setUint32(at + 4, event.connection ?? 0, true);
      view.setUint32(at + 8, event.offset ?? 0, true);
      view.setUint32(at + 12, event.length ?? 0, true);
      view.setUint32(at + 16, event.token ?? 0, true);
      view.setInt32(at + 20, event.status ?? 0, true);
      view.setUint32(at + 24, event.address ?? 0, true);
      view.setUint32(at + 28, event.listener ?? 0, true);
    });
    return events.length;
  }

  #takeRoom(connection: number): boolean {
    if (this.unread.has(connection)) return false;
    return this.room-- > 0;
  }

  #send(connection: number, bytes: Uint8Array): number {
    if (bytes.length > 8 << 20) return Status.MESSAGE_TOO_LARGE;
    if (!this.#takeRoom(connection)) return Status.AGAIN;
    this.sent.push({ connection, text: new TextDecoder().decode(bytes) });
    return Status.OK;
  }

  /** Look once, let everybody answer. @returns how long each look might wait */
  async lookOnce(): Promise<readonly number[]> {
    this.spins.length = 0;
    this.core.look(7);
    // The event loop does not turn meanwhile.
    for (let count = 0; count < 20; count++) await undefined;
    return [...this.spins];
  }

  /** What the code under test sees. */
  get library(): Library {
    const calls: Partial<ClientCalls> = {
      machnet_poll: (_channel, events, capacity, spinUs) => {
        this.spins.push(spinUs);
        return this.#poll(events!, capacity);
      },
      machnet_wait: () => {
        this.asleep = this.#events.length === 0;
        return this.asleep ? 0 : 1;
      },
      machnet_send: (_channel, connection, bytes, length) =>
        this.#send(connection, bytes!.subarray(0, length)),
      machnet_send_tagged: (_channel, id, bytes, length, kind, request) => {
        if (length > 8 << 20) return Status.MESSAGE_TOO_LARGE;
        if (length > 0 && !this.#takeRoom(id)) return Status.AGAIN;
        const text = new TextDecoder().decode(bytes!.subarray(0, length));
        this.tagged.push({ kind, request, text });
        return Status.OK;
      },
      machnet_allocate: (_channel, connection, length) => {
        if (length > 8 << 20) return Status.MESSAGE_TOO_LARGE;
        return this.#takeRoom(connection)
          ? this.#lend(new Uint8Array(length))
          : Status.AGAIN;
      },
      machnet_send_allocated: (_channel, connection, offset, length) => {
        const bytes = this.memory.subarray(offset, offset + length);
        const status = this.#send(connection, bytes);
        if (status === Status.OK) this.#takeBack(offset);
        return status;
      },
      machnet_send_allocated_tagged: (
        _channel,
        id,
        offset,
        length,
        kind,
        request,
      ) => {
        assert(this.lent.has(offset), "sent from what is not lent");
        if (length > 0 && !this.#takeRoom(id)) return Status.AGAIN;
        const bytes = this.memory.subarray(offset, offset + length);
        const text = new TextDecoder().decode(bytes);
        this.tagged.push({ kind, request, text });
        this.#takeBack(offset);
        return Status.OK;
      },
      machnet_release_many: (_channel, bytes, count) => {
        const offsets = new Uint32Array(bytes!.buffer, 0, count);
        for (const offset of offsets) {
          this.#takeBack(offset);
        }
        return Status.OK;
      },
      machnet_reset: (_channel, connection, reason, length) => {
        const bytes = reason!.subarray(0, length);
        const text = new TextDecoder().decode(bytes);
        return this.#request("reset", connection, text);
      },
      machnet_connect: (_channel, ...values) =>
        this.#request("connect", ...values),
      machnet_listen: (_channel, ...values) =>
        this.#request("listen", ...values),
      machnet_unlisten: (_channel, ...values) =>
        this.#request("unlisten", ...values),
      machnet_accept: (_channel, ...values) =>
        this.#request("accept", ...values),
      machnet_close: (_channel, ...values) => this.#request("close", ...values),
      machnet_channel_lost: () => {
        this.memory.fill(0);
        return this.lostReason;
      },
      machnet_channel_close: () => {
        this.memory.fill(0);
        this.calls.push(["channel_close"]);
        return Status.OK;
      },
    };
    return {
      calls: calls as ClientCalls,
      debugging: this.debugging,
      map: () => this.memory.buffer as ArrayBuffer,
      watch: (_fd, onRing, onEnd) => {
        this.#ring = onRing;
        this.#end = onEnd;
        return {
          keepAlive: (yes) => this.keepsAlive = yes,
          close: () => this.bellOpen = false,
        };
      },
    };
  }
}

/** Let the loop of a channel turn a few times. */
export async function turns(): Promise<void> {
  for (let count = 0; count < 5; count++) {
    await new Promise((resolve) => setTimeout(resolve));
  }
}

/** Assert that a promise is settled neither way. */
export async function assertPending(promise: Promise<unknown>): Promise<void> {
  const pending = Symbol();
  await turns();
  if (await Promise.race([promise, Promise.resolve(pending)]) !== pending) {
    throw failure(Status.INVALID_ARGUMENT, "Cannot wait", "it is settled");
  }
}
