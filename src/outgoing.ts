/**
 * Messages that are written where they will be sent from.
 *
 * @module
 */
import { failure, MachnetError } from "../ffi/error.ts";
import { Status } from "../ffi/status.ts";
import { checkInteger } from "./arguments.ts";
import { refusal, revoke } from "./debug.ts";
import type { Sender } from "./sender.ts";

/**
 * Room in the channel for one message, to be written in place: then to be sent,
 * or made a request of (`connection.request()`), or the reply to one, without
 * being copied.
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
 * using outgoing = await connection.allocate(1024);
 * const { written } = new TextEncoder().encodeInto("hello", outgoing.data);
 * await outgoing.send(written);
 * ```
 */
export interface OutgoingMessage extends Disposable {
  /**
   * Bytes of the message: as many as there is room for, until `truncate()`.
   */
  readonly length: number;

  /**
   * All of the room. Its contents are undefined at first. The view must not be used
   * after `send()` or `release()`, nor once it is a request or a reply: other room as
   * large may have the very same object for its view, as with `Message.data`.
   *
   * @throws {MachnetError} CLOSED if it was sent, released, or the channel
   * closed; SIDECAR_GONE, SIDECAR_STOPPED or CHANNEL_CORRUPT if it was lost.
   */
  readonly data: Uint8Array<ArrayBuffer>;

  /**
   * Send what was written.
   *
   * @param length Bytes of the message, as `truncate()` takes them; by default
   * what it has.
   * @returns A promise that resolves when the message is in the channel.
   * @throws {TypeError} If the length is not a number.
   * @throws {RangeError} If the length is not from 0 to `length`.
   * @throws {MachnetError} As {@linkcode Connection.send}, and CLOSED if it was
   * sent or released already.
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
   * using room = await connection.allocate(1024);
   * const { written } = new TextEncoder().encodeInto("hello", room.data);
   * await room.send(written);
   * ```
   */
  send(length?: number): Promise<void>;

  /**
   * Shorten the message, where its length turns out while it is written.
   *
   * @param length Bytes of the message, from the start of the room.
   * @returns This message.
   * @throws {TypeError} If the length is not a number.
   * @throws {RangeError} If the length is not from 0 to `length`.
   * @throws {MachnetError} CLOSED if it was sent or released.
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
   * using room = await connection.allocate(1024);
   * const { written } = new TextEncoder().encodeInto("what time?", room.data);
   * using reply = await connection.request(room.truncate(written));
   * console.log(new TextDecoder().decode(reply.data));
   * ```
   */
  truncate(length: number): this;

  /**
   * Give up the room. Does nothing after `send()`.
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
   * const room = await connection.allocate(1024);
   * room.release(); // changed our mind
   * ```
   */
  release(): void;
}

/** What a message is sent from: a copy of bytes, or room that was claimed. */
export type Payload = Uint8Array | AllocatedMessage;

const NOTHING = new Uint8Array(0);

/** The implementation of {@linkcode OutgoingMessage}. */
export class AllocatedMessage implements OutgoingMessage {
  readonly #sender: Sender;
  readonly #offset: number;
  readonly #size: number;
  #length: number;
  #data: Uint8Array<ArrayBuffer> | undefined;
  #given = false;

  constructor(sender: Sender, offset: number, size: number) {
    this.#sender = sender;
    this.#offset = offset;
    this.#length = this.#size = size;
  }

  /** Where it is. */
  get offset(): number {
    return this.#offset;
  }

  /** Bytes of the room. */
  get size(): number {
    return this.#size;
  }

  get length(): number {
    return this.#length;
  }

  get data(): Uint8Array<ArrayBuffer> {
    const { core } = this.#sender;
    this.#assertOurs("write");
    if (core.over !== Status.OK) {
      throw failure(core.over, "Cannot write message");
    }
    return this.#data ??= core.borrowed(this.#offset, this.#size);
  }

  truncate(length: number): this {
    this.#shorten(length, "truncate");
    return this;
  }

  send(length: number = this.#length): Promise<void> {
    try {
      this.#shorten(length, "send");
    } catch (error) {
      return Promise.reject(error);
    }
    this.#give("sent");
    return this.#size === 0
      ? this.#sender.send(NOTHING, undefined)
      : this.#sender.sendAllocated(this);
  }

  /**
   * Take it away from whoever wrote it.
   *
   * @param sender Of the connection that is to send it.
   * @returns This room, or bytes to send where an empty message has none.
   * @throws {TypeError} If it was allocated on another connection.
   * @throws {MachnetError} CLOSED if it was sent or released.
   */
  claim(sender: Sender): Payload {
    this.#assertOurs("send");
    if (sender !== this.#sender) {
      throw new TypeError(
        "Cannot send message: it was allocated on another connection",
      );
    }
    this.#give("sent");
    return this.#size === 0 ? NOTHING : this;
  }

  #shorten(length: number, verb: string): void {
    this.#assertOurs(verb);
    checkInteger(length, "length", 0, this.#length, `Cannot ${verb} message`);
    this.#length = length;
  }

  #assertOurs(verb: string): void {
    if (!this.#given) return;
    throw new MachnetError(
      "CLOSED",
      `Cannot ${verb} message: it was sent or released`,
    );
  }

  #give(fate: string): void {
    this.#given = true;
    if (this.#data !== undefined && this.#sender.core.debugging) {
      const what = `message of ${this.#size} bytes`;
      revoke(this.#data, refusal(`Cannot write ${what}`, fate));
    }
    this.#data = undefined;
  }

  release(): void {
    if (this.#given) return;
    this.#give("released");
    this.#sender.core.release(this.#offset, this.#size);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}
