/**
 * What `MACHNET_DEBUG=1` adds: messages whose views tell on those who use them
 * after their release.
 *
 * @module
 */
import { MachnetError } from "../ffi/error.ts";
import { Status } from "../ffi/status.ts";
import type { Core } from "./core.ts";
import { ReceivedMessage } from "./message.ts";

/** What the bytes of a released message read. */
export const POISON = 0xdb;

/** A message that knows what became of it. */
export class TracedMessage extends ReceivedMessage {
  readonly #core: Core;
  readonly #offset: number;
  readonly #what: string;
  #view: Uint8Array<ArrayBuffer> | undefined;
  #refusal: MachnetError | undefined;

  /** @param what Which message: `message 7 from 10.0.0.2:888`. */
  constructor(core: Core, offset: number, length: number, what: string) {
    super(core, offset, length);
    this.#core = core;
    this.#offset = offset;
    this.#what = `${what} (${length} bytes)`;
  }

  override get data(): Uint8Array<ArrayBuffer> {
    if (this.#refusal !== undefined) throw this.#refusal;
    return this.#view ??= super.data;
  }

  override release(): void {
    if (this.#refusal !== undefined) return;
    this.#refusal = refusal(`Cannot read ${this.#what}`, "released");
    // Not the view's own bytes: it may have been moved elsewhere.
    if (this.#core.over === Status.OK) {
      this.#core.view(this.#offset, this.length).fill(POISON);
    }
    if (this.#view !== undefined) revoke(this.#view, this.#refusal);
    super.release();
  }
}

/**
 * The error of whoever uses something that is no longer his.
 *
 * @param attempt What is attempted then: `Cannot read message 7`.
 * @param fate What became of it: `released`.
 */
export function refusal(attempt: string, fate: string): MachnetError {
  // Made now, because where this happens is what one will want to know.
  const here = new Error(`It was ${fate} here`);
  return new MachnetError(
    "CLOSED",
    `${attempt}: it was ${fate}${caller(here.stack)}`,
    { cause: here },
  );
}

// The first line of a stack that is not this library's.
function caller(stack: string = ""): string {
  const place = stack.split("\n").find((line) =>
    /:\d+:\d+\)?$/.test(line) && !line.includes(import.meta.url) &&
    !OURS.test(line)
  );
  return place === undefined ? "" : ` ${place.trim()}`;
}

const OURS =
  /\/src\/(debug|message|message_iterator|outgoing|connection|sender)\.ts:/;

/**
 * Let every use of a view throw that asks for more than a single byte: its
 * bytes are read past all objects, so that these can only be poisoned.
 */
export function revoke(view: Uint8Array, error: MachnetError): void {
  const refuse = (): never => {
    throw error;
  };
  Object.setPrototypeOf(
    view,
    new Proxy(Uint8Array.prototype, {
      get: refuse,
      has: refuse,
      getPrototypeOf: refuse,
    }),
  );
}
