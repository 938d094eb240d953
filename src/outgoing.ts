/**
 * Messages that are written where they will be sent from.
 *
 * @module
 */
import { failure, MachnetError } from "../ffi/error.ts";
import { Status } from "../ffi/status.ts";
import { refusal, revoke } from "./debug.ts";
import type { Sender } from "./sender.ts";

/**
 * Room in the channel for one message, to be written in place.
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
  /** Bytes that there is room for. */
  readonly length: number;

  /**
   * The room. Its contents are undefined at first. The view must not be used
   * after `send()` or `release()`.
   *
   * @throws {MachnetError} CLOSED if it was sent, released, or the channel
   * closed; SIDECAR_GONE, SIDECAR_STOPPED or CHANNEL_CORRUPT if it was lost.
   */
  readonly data: Uint8Array<ArrayBuffer>;

  /**
   * Send what was written.
   *
   * @param length Bytes of the message, from the start of the room; all of it
   * by default.
   * @returns A promise that resolves when the message is in the channel.
   * @throws {RangeError} If the length is not within the room.
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

/** The implementation of {@linkcode OutgoingMessage}. */
export class AllocatedMessage implements OutgoingMessage {
  readonly #sender: Sender;
  readonly #offset: number;
  readonly #length: number;
  #data: Uint8Array<ArrayBuffer> | undefined;
  #given = false;

  constructor(sender: Sender, offset: number, length: number) {
    this.#sender = sender;
    this.#offset = offset;
    this.#length = length;
  }

  get length(): number {
    return this.#length;
  }

  get data(): Uint8Array<ArrayBuffer> {
    const { core } = this.#sender;
    if (this.#given) {
      throw new MachnetError(
        "CLOSED",
        "Cannot write message: it was sent or released",
      );
    }
    if (core.over !== Status.OK) {
      throw failure(core.over, "Cannot write message");
    }
    return this.#data ??= core.view(this.#offset, this.#length);
  }

  send(length: number = this.#length): Promise<void> {
    if (this.#given) {
      return Promise.reject(
        new MachnetError(
          "CLOSED",
          "Cannot send message: it was sent or released",
        ),
      );
    }
    if (!Number.isInteger(length) || length < 0 || length > this.#length) {
      return Promise.reject(
        new RangeError(
          `Cannot send message: length ${length} is not within 0 to ${this.#length}`,
        ),
      );
    }
    this.#give("sent");
    return this.#sender.sendAllocated(this.#offset, this.#length, length);
  }

  #give(fate: string): void {
    this.#given = true;
    if (this.#data !== undefined && this.#sender.core.debugging) {
      const what = `message of ${this.#length} bytes`;
      revoke(this.#data, refusal(`Cannot write ${what}`, fate));
    }
    this.#data = undefined;
  }

  release(): void {
    if (this.#given) return;
    this.#give("released");
    this.#sender.core.release(this.#offset, this.#length);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}
