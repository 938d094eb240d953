/**
 * The inside of a channel: its memory, its loop, and who gets which event.
 *
 * @module
 */
import type { Library } from "../ffi/library.ts";
import { Status } from "../ffi/status.ts";
import { type ChannelInfo, EventKind, STRUCTS } from "../ffi/structs.ts";
import type { ClientCalls } from "../ffi/symbols.ts";
import type { Watcher } from "../ffi/watch.ts";
import { formatIPv4 } from "./address.ts";
import { ConnectionState } from "./connection_state.ts";
import { type ConnectionPath, readPath } from "./path.ts";
import type { Leakable } from "./leaks.ts";
import type { ListenerState } from "./listener_state.ts";
import {
  isAwake,
  kick,
  pump,
  type Pumped,
  SPIN_US_DEFAULT,
  unpump,
} from "./pump.ts";
import { type Answer, EngineRequests, noAnswer } from "./engine_requests.ts";
import { Returns } from "./returns.ts";
import { Residents } from "./residents.ts";
import { RoomQueue } from "./room.ts";
import { truncate } from "./truncate.ts";
import { Views } from "./views.ts";

const EVENTS = 64;
const EVENT_WORDS = STRUCTS.machnet_event.size / 4;

// What C gets for an empty message: runtimes pass NULL for empty arrays, or not.
const NOTHING = new Uint8Array(1);

// Looks that are not worth a turn of the event loop each, whose timers and sockets
// wait meanwhile: a few however long the script takes for what they find, others
// as long as the turn is young.
const LOOKS_PER_TURN = 4;
const LOOK_AHEAD_MS = 0.1;

// How much longer than the loop's a look ahead may wait: each that finds nothing
// costs a turn of the event loop, 1 us in Deno.
const LOOK_AHEAD_WAITS = 3;

// Messages that go out before timers and sockets have their turn, or before another
// look while the turn is young.
const SENDS_PER_TURN = 512;

const decoder = new TextDecoder();

/** The inside of a channel. */
export class Core implements Pumped, Leakable {
  readonly calls: ClientCalls;
  /** Whether uses of messages after their release are to be found. */
  readonly debugging: boolean;
  /** Its handle in C. */
  readonly channel: number;
  /** IPv4 address of the sidecar. */
  readonly hostname: string;
  /** The engine that serves it. */
  readonly engine: number;
  readonly spinUs: number;
  /** OK while the channel is open, then why it is not. */
  over: number = Status.OK;

  readonly #master: Uint8Array<ArrayBuffer>;
  readonly #lent: Views;
  // Apart, because the two areas would take places from each other.
  readonly #borrowed: Views;
  readonly #bell: Watcher;
  readonly #eventBytes = new Uint8Array(EVENTS * STRUCTS.machnet_event.size);
  readonly #events = new Uint32Array(this.#eventBytes.buffer);
  readonly #residents = new Residents();
  readonly #returns: Returns;
  readonly #sends = new RoomQueue();
  readonly #requests = new EngineRequests();
  // Of connections that are yet to be announced.
  readonly #paths = new Map<number, ConnectionPath>();
  // Connections with readers or handlers for whom something came in this turn.
  readonly #served: ConnectionState[] = [];
  /** Whether the last that was said of something on it was `unref()`. */
  isUnreferenced = false;
  #closing: Promise<void> | undefined;
  #looksLeft = 0;
  // By performance.now(); 0: no more looks in this turn.
  #lookAheadUntil = 0;
  #lookAheadUs = 0;
  #sendsLeft = SENDS_PER_TURN;
  // Whether a look is under way, or one ahead about to be.
  #looking = false;
  #looksSoon = false;
  // How many the last look found something for, and whether anything was sent since.
  #servedCount = 0;
  #sent = false;
  #used = false;
  // That the script holds too many messages: once is enough.
  #warned = false;
  // The bell keeps the process alive at first.
  keepsAlive = true;

  constructor(
    library: Library,
    channel: number,
    info: ChannelInfo,
    doorbell: number,
    spinUs: number = SPIN_US_DEFAULT,
  ) {
    this.spinUs = spinUs;
    this.calls = library.calls;
    this.debugging = library.debugging;
    this.channel = channel;
    this.#returns = new Returns(this.calls, channel);
    this.hostname = formatIPv4(info.address);
    this.engine = info.engine;
    this.#master = new Uint8Array(library.map(info.base, info.bytes));
    this.#lent = new Views(this.#master);
    this.#borrowed = new Views(this.#master);
    this.#bell = library.watch(
      doorbell,
      kick,
      () => this.#lose(),
    );
    this.#watchIfUsed();
  }

  // Data path

  /** Bytes of the shared memory. */
  view(offset: number, length: number): Uint8Array<ArrayBuffer> {
    return this.#master.subarray(offset, offset + length);
  }

  /** Bytes that were lent to us, as the only one who has them. */
  lent(offset: number, length: number): Uint8Array<ArrayBuffer> {
    return this.debugging
      ? this.view(offset, length) // which will be revoked
      : this.#lent.get(offset, length);
  }

  /** Bytes of room that we borrowed, in the same way. */
  borrowed(offset: number, length: number): Uint8Array<ArrayBuffer> {
    return this.debugging
      ? this.view(offset, length)
      : this.#borrowed.get(offset, length);
  }

  /** Give back what was lent. */
  release(offset: number, length: number): void {
    if (length === 0 || this.over !== Status.OK) return;
    this.#returns.add(offset);
    // Else the next look takes them along.
    if (!this.#used || !isAwake()) this.#returns.flush();
  }

  /** Send a copy, or AGAIN. */
  send(connection: number, bytes: Uint8Array): number {
    const { length } = bytes;
    const status = this.calls.machnet_send(
      this.channel,
      connection,
      length === 0 ? NOTHING : bytes,
      length,
    );
    return this.#asked(status);
  }

  /** Send a copy as a message of a request, or AGAIN. */
  sendTagged(
    connection: number,
    bytes: Uint8Array,
    kind: number,
    request: number,
  ): number {
    const { length } = bytes;
    const status = this.calls.machnet_send_tagged(
      this.channel,
      connection,
      length === 0 ? NOTHING : bytes,
      length,
      kind,
      request,
    );
    return this.#asked(status);
  }

  // What was refused will be tried again, which is no reason to stay awake.
  #asked(status: number): number {
    if (status === Status.OK) {
      this.#sent = true;
      kick();
    }
    return status;
  }

  /** Whether more may be sent in this turn of the event loop. */
  mayGoOn(): boolean {
    return this.#sendsLeft-- > 0;
  }

  /** Borrow room: its offset, or AGAIN. */
  allocate(connection: number, length: number): number {
    return this.calls.machnet_allocate(this.channel, connection, length);
  }

  /** Send what was written in borrowed room. */
  sendAllocated(connection: number, offset: number, length: number): number {
    const status = this.calls.machnet_send_allocated(
      this.channel,
      connection,
      offset,
      length,
    );
    return this.#asked(status);
  }

  /** The same as a message of a request. */
  sendAllocatedTagged(
    connection: number,
    offset: number,
    length: number,
    kind: number,
    request: number,
  ): number {
    const status = this.calls.machnet_send_allocated_tagged(
      this.channel,
      connection,
      offset,
      length,
      kind,
      request,
    );
    return this.#asked(status);
  }

  /**
   * Wait until `attempt` gives something other than AGAIN, behind what waits of
   * the same owner already.
   *
   * @returns A function that gives up.
   */
  waitForRoom(
    owner: object,
    attempt: () => number,
    settle: (status: number) => void,
  ): () => void {
    const item = { owner, attempt, settle };
    this.#sends.push(item);
    kick();
    return () => this.#sends.remove(item);
  }

  /** Settle what a connection waits to send. */
  failWaiting(owner: object, status: number): void {
    this.#sends.fail(status, owner);
  }

  // What is asked of the engine

  /** See {@linkcode EngineRequests.request}. */
  request(
    owner: object,
    attempt: () => number,
    settle: (status: number) => void = () => {},
  ): boolean {
    if (this.over === Status.OK) {
      return this.#requests.request(owner, attempt, settle);
    }
    settle(this.over);
    return false;
  }

  /** See {@linkcode EngineRequests.ask}. */
  ask(
    attempt: (token: number) => number,
    answered: (answer: Answer) => void,
  ): void {
    if (this.over === Status.OK) {
      this.#requests.ask(attempt, answered);
      this.#watchIfUsed();
    } else answered(noAnswer(this.over));
  }

  // What lives on the channel

  /** Take in a connection that the engine opened. */
  addConnection(
    id: number,
    remote: { address: number; port: number },
    localPort: number,
  ): ConnectionState {
    const connection = new ConnectionState(
      this,
      id,
      { hostname: formatIPv4(remote.address), port: remote.port },
      { hostname: this.hostname, port: localPort },
      this.#paths.get(id)!,
    );
    this.#paths.delete(id);
    this.#residents.addConnection(connection);
    this.#watchIfUsed();
    return connection;
  }

  /** Take in a listener. */
  addListener(listener: ListenerState): void {
    this.#residents.addListener(listener);
    this.#watchIfUsed();
  }

  /** All connections that are not over. */
  get connections(): ConnectionState[] {
    return this.#residents.connections;
  }

  /** All listeners that are not closed. */
  get listeners(): ListenerState[] {
    return this.#residents.listeners;
  }

  /** Whether the process is to live for a connection or listener. */
  reference(state: ConnectionState | ListenerState, yes: boolean): void {
    this.#residents.reference(state, yes);
    this.isUnreferenced = !yes;
    this.#watchIfUsed();
  }

  /** Whether the process is not to live for a connection or listener. */
  hasUnreferenced(state: ConnectionState | ListenerState): boolean {
    return this.#residents.hasUnreferenced(state);
  }

  // A channel on which nothing can happen is not looked into, and does not keep
  // the process alive; that its sidecar is gone, the doorbell says.
  #watchIfUsed(): void {
    if (this.over !== Status.OK) return;
    const used = !this.#residents.none || this.#requests.pending;
    if (used !== this.#used) {
      this.#used = used;
      if (used) pump(this);
      else unpump(this);
    }
    const keepsAlive = this.#residents.keepAlive || this.#requests.pending;
    if (keepsAlive !== this.keepsAlive) {
      this.keepsAlive = keepsAlive;
      this.#bell.keepAlive(keepsAlive);
    }
  }

  // The loop

  look(spinUs: number): number {
    this.#looksLeft = LOOKS_PER_TURN;
    this.#lookAheadUntil = performance.now() + LOOK_AHEAD_MS;
    this.#lookAheadUs = LOOK_AHEAD_WAITS * spinUs;
    this.#sendsLeft = SENDS_PER_TURN;
    return this.#look(spinUs);
  }

  /**
   * Look now, in the middle of a turn of the event loop, which is spared for as
   * long as it may be without keeping the rest of the script waiting. It waits
   * where who looks is the only one whom something came for, and has answered:
   * else others may be about to run who have yet to ask for what would come.
   */
  lookAhead(): void {
    // Who is called in the middle of a look may ask for more.
    if (this.#lookAheadUntil === 0 || this.#looking) return;
    if (this.#looksLeft > 0) this.#looksLeft--;
    else if (performance.now() > this.#lookAheadUntil) {
      this.#lookAheadUntil = 0;
      return;
    } else this.#sendsLeft = SENDS_PER_TURN;
    const alone = this.#sent && this.#servedCount <= 1;
    // When a look finds nothing, the next would not find much.
    if (this.#look(alone ? this.#lookAheadUs : 0) === 0) {
      this.#lookAheadUntil = 0;
    }
  }

  /**
   * The same once the caller awaits something: who sends a request waits for its
   * reply, and who replies for the next request, but may send others before.
   */
  lookAheadSoon(): void {
    if (this.#looksSoon || this.#lookAheadUntil === 0) return;
    this.#looksSoon = true;
    queueMicrotask(this.#lookAheadNow);
  }

  readonly #lookAheadNow = (): void => {
    this.#looksSoon = false;
    this.lookAhead();
  };

  #look(spinUs: number): number {
    if (this.over !== Status.OK) return 0;
    if (this.#isTransferred) {
      this.#giveUp();
      return 0;
    }
    this.#looking = true;
    try {
      return this.#lookFor(spinUs);
    } finally {
      this.#looking = false;
    }
  }

  #lookFor(spinUs: number): number {
    this.#servedCount = 0;
    this.#sent = false;
    this.#returns.flush();
    const count = this.calls.machnet_poll(
      this.channel,
      this.#eventBytes,
      EVENTS,
      spinUs,
    );
    if (count < 0) {
      this.#lose();
      return 0;
    }
    for (let index = 0; index < count; index++) {
      this.#dispatch(index * EVENT_WORDS);
    }
    this.#serve();
    this.#requests.retry();
    if (this.#sends.waiting) this.#sends.retry();
    // It may have been the last look.
    this.#returns.flush();
    return count;
  }

  /** Serve the readers of a connection when all that came is with it. */
  serveLater(connection: ConnectionState): void {
    this.#served.push(connection);
  }

  #serve(): void {
    const served = this.#served;
    for (const connection of served) this.#servedCount += connection.serve();
    truncate(served, 0);
  }

  prepareSleep(): boolean {
    const room = this.#sends.waiting || this.#requests.waiting ? 1 : 0;
    const status = this.calls.machnet_wait(this.channel, room);
    if (status < 0) this.#lose();
    return status <= 0;
  }

  // The words of an event: kind and port, connection, offset, length, token,
  // status, address, listener. The test of ffi/structs.ts checks the offsets.
  #dispatch(at: number): void {
    const events = this.#events;
    const kind = events[at]! & 0xffff;
    const id = events[at + 1]!;
    if (kind === EventKind.MESSAGE) {
      const offset = events[at + 2]!;
      const length = events[at + 3]!;
      const connection = this.#residents.connection(id);
      if (connection !== undefined) connection.deliver(offset, length);
      else this.release(offset, length);
      return;
    }
    if (kind === EventKind.PATH) {
      const path = readPath(this.#eventBytes, 4 * at);
      const connection = this.#residents.connection(id);
      if (connection !== undefined) connection.path = path;
      else this.#paths.set(id, path);
      return;
    }
    if (kind === EventKind.STARVED) {
      this.#starved(id, events[at + 4]!);
      return;
    }
    if (kind >= EventKind.REQUEST) {
      const offset = events[at + 2]!;
      const length = events[at + 3]!;
      const connection = this.#residents.connection(id);
      if (connection === undefined) this.release(offset, length);
      else connection.deliverTagged(kind, events[at + 4]!, offset, length);
      if (kind !== EventKind.REQUEST) this.#servedCount++;
      return;
    }
    const answer: Answer = {
      status: events[at + 5]! | 0,
      connection: id,
      listener: events[at + 7]!,
      address: events[at + 6]!,
      port: events[at]! >>> 16,
    };
    switch (kind) {
      case EventKind.LISTENING:
      case EventKind.CONNECTED:
        this.#requests.answer(events[at + 4]!, answer);
        break;
      case EventKind.ACCEPTED:
        this.#accepted(answer);
        break;
      case EventKind.CLOSED:
        this.#closed(answer, events[at + 2]!, events[at + 3]!);
        break;
      case EventKind.UNLISTENED:
        this.#residents.removeListener(answer.listener)?.over();
        break;
    }
    this.#watchIfUsed();
  }

  // A peer waits for memory that holds messages of one connection, or of all.
  #starved(id: number, lent: number): void {
    const connection = this.#residents.connection(id);
    if (this.#warned || (id !== 0 && connection === undefined)) return;
    const connections = connection === undefined
      ? this.connections
      : [connection];
    const unread = connections.reduce((sum, one) => sum + one.unread, 0);
    const held = lent - unread;
    // Not to read is a way to let a peer wait, and nobody's fault.
    if (held <= unread) return;
    this.#warned = true;
    console.warn(
      `machnet: ${(connection ?? this).label} has no room for new messages, ` +
        `because the script holds ${held}. release() them when they are ` +
        "read, and keep a copy()",
    );
  }

  #accepted(answer: Answer): void {
    const listener = this.#residents.listener(answer.listener);
    const connection = this.addConnection(
      answer.connection,
      answer,
      listener?.endpoint.port ?? 0,
    );
    if (listener !== undefined) listener.deliver(connection);
    else connection.reset("the listener was closed");
  }

  #closed(answer: Answer, offset: number, length: number): void {
    const reason = length === 0 || this.#isTransferred
      ? ""
      : decoder.decode(this.view(offset, length));
    this.release(offset, length);
    const connection = this.#residents.removeConnection(answer.connection);
    connection?.end(answer.status, reason);
  }

  // The end

  get label(): string {
    return `channel to the sidecar at ${this.hostname}`;
  }

  get isClosed(): boolean {
    return this.over !== Status.OK || this.#closing !== undefined;
  }

  /** Close what lives on the channel, then the channel. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    await Promise.all(this.listeners.map((listener) => listener.close()));
    // Also those that were opened meanwhile, and those being closed already.
    while (this.connections.length > 0) {
      await Promise.allSettled(
        this.connections.map((connection) => connection.close()),
      );
      if (this.connections.every((connection) => connection.isOver)) break;
    }
    if (this.over !== Status.OK) return;
    this.calls.machnet_channel_close(this.channel);
    this.#end(Status.CLOSED);
  }

  // Who transfers the ArrayBuffer of a message takes all of the memory away.
  get #isTransferred(): boolean {
    return this.#master.length === 0;
  }

  #giveUp(): void {
    console.warn(
      `machnet: ${this.label} is lost, because the script transferred the ` +
        "ArrayBuffer of a message, which is all of its memory. Transfer that " +
        "of a copy()",
    );
    this.calls.machnet_channel_close(this.channel);
    this.#end(Status.CHANNEL_CORRUPT);
  }

  #lose(): void {
    if (this.over !== Status.OK) return;
    const reason = this.calls.machnet_channel_lost(this.channel);
    // The handle and the mapping behind it are free only then.
    this.calls.machnet_channel_close(this.channel);
    this.#end(reason < 0 ? reason : Status.SIDECAR_GONE);
  }

  #end(status: number): void {
    this.over = status;
    unpump(this);
    this.#bell.close();
    const { connections, listeners } = this;
    this.#residents.clear();
    this.#paths.clear();
    this.#sends.fail(status);
    this.#requests.fail(status);
    for (const listener of listeners) listener.over(status);
    for (const connection of connections) connection.end(status, "");
  }
}
