/**
 * Messages: bytes in the channel's shared memory.
 *
 * @module
 */
import { failure, MachnetError } from "../ffi/error.ts";
import { Status } from "../ffi/status.ts";
import type { Core } from "./core.ts";

/**
 * A message that was received.
 *
 * Its bytes lie in memory that this process shares with the sidecar. From the
 * iterator of a connection a message is valid until the next one is taken, from
 * `batches()` until the next batch, from `receive()` until `release()` or the
 * end of a `using` block. While messages are held, the memory that they occupy
 * is missing for new ones: once a peer has waited for it for a second, a warning
 * on the console tells how many there are.
 *
 * Iterators lend the same object again and again: keep a `copy()`, not the
 * message. A view that is used too late reads another message. Run the script
 * with `MACHNET_DEBUG=1` to find out where: released messages then read 0xDB,
 * and whoever asks a view of one for more than a single byte is told which
 * message it was, and where it was released.
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
 * using message = await connection.receive();
 * console.log(new TextDecoder().decode(message.data));
 * ```
 */
export interface Message extends Disposable {
  /** Bytes in the message. */
  readonly length: number;

  /**
   * The bytes, in place. The view must not be used after the message was
   * released: other messages will lie there, and one as long may have the very
   * same object for its view. So nothing is to be hung on it, as in a WeakMap,
   * that does not hold for them. After the channel was closed it reads zeros.
   * Its ArrayBuffer is all of the channel's memory: to transfer it ends the
   * channel with CHANNEL_CORRUPT; transfer that of a `copy()`.
   *
   * @throws {MachnetError} CLOSED if the message was released or the channel
   * closed; SIDECAR_GONE, SIDECAR_STOPPED or CHANNEL_CORRUPT if it was lost.
   */
  readonly data: Uint8Array<ArrayBuffer>;

  /**
   * The bytes, in memory of their own.
   *
   * @returns A copy that stays valid.
   * @throws {MachnetError} As `data`.
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
   * const kept: Uint8Array[] = [];
   * for await (const message of connection) {
   *   kept.push(message.copy()); // the message is only ours until the next
   *   if (kept.length === 1) break;
   * }
   * console.log(kept.length);
   * ```
   */
  copy(): Uint8Array<ArrayBuffer>;

  /**
   * Give the memory back. Once is enough, twice does no harm.
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
   * const message = await connection.receive();
   * console.log(message.data.length);
   * message.release(); // `using` does the same
   * ```
   */
  release(): void;
}

/** The implementation of {@linkcode Message}. */
export class ReceivedMessage implements Message {
  readonly #core: Core;
  #offset: number;
  #length: number;
  #data: Uint8Array<ArrayBuffer> | undefined;
  #released = false;

  constructor(core: Core, offset: number, length: number) {
    this.#core = core;
    this.#offset = offset;
    this.#length = length;
  }

  /** Be another message. */
  lend(offset: number, length: number): this {
    this.#offset = offset;
    this.#length = length;
    this.#data = undefined;
    this.#released = false;
    return this;
  }

  get length(): number {
    return this.#length;
  }

  get data(): Uint8Array<ArrayBuffer> {
    if (this.#released || this.#core.over !== Status.OK) this.#refuse();
    return this.#data ??= this.#core.lent(this.#offset, this.#length);
  }

  copy(): Uint8Array<ArrayBuffer> {
    return this.data.slice();
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#data = undefined;
    this.#core.release(this.#offset, this.#length);
  }

  [Symbol.dispose](): void {
    this.release();
  }

  #refuse(): never {
    throw this.#released
      ? new MachnetError("CLOSED", "Cannot read message: it was released")
      : failure(this.#core.over, "Cannot read message");
  }
}
