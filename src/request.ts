/**
 * What requests and replies are made of, at both ends.
 *
 * @module
 */
import type { WaitOptions } from "./connection.ts";
import type { Message } from "./message.ts";
import type { OutgoingMessage } from "./outgoing.ts";

/**
 * Options of {@linkcode Connection.request}.
 *
 * @example
 * ```ts
 * import { attach, MachnetError, type RequestOptions } from "machnet";
 *
 * await using channel = await attach();
 * await using connection = await channel.connect({
 *   hostname: "10.0.0.2",
 *   port: 888,
 * });
 * const options: RequestOptions = { timeout: 1000 };
 * try {
 *   using reply = await connection.request(new Uint8Array(8), options);
 *   console.log(reply.length);
 * } catch (error) {
 *   if (!(error instanceof MachnetError && error.code === "TIMED_OUT")) throw error;
 *   console.log("no reply within a second");
 * }
 * ```
 */
export interface RequestOptions extends WaitOptions {
  /** Milliseconds to wait for the reply; by default no such bound. */
  readonly timeout?: number | undefined;
}

/**
 * Options of {@linkcode Connection.serve}.
 *
 * @example
 * ```ts
 * import { attach, type ServeOptions } from "machnet";
 *
 * const options: ServeOptions = { concurrency: 16 };
 * await using channel = await attach();
 * await using listener = await channel.listen({ port: 888 });
 * for await (const connection of listener) {
 *   connection.serve(async ({ data }) => {
 *     const hash = await crypto.subtle.digest("SHA-256", data);
 *     return new Uint8Array(hash);
 *   }, options);
 * }
 * ```
 */
export interface ServeOptions {
  /**
   * Requests that are handled at the same time; by default all. The others wait
   * for their turn in the channel's memory, until the peer has to wait as well.
   */
  readonly concurrency?: number | undefined;
}

/**
 * A request, as its handler sees it. Its bytes are valid until the reply is in
 * the channel; they may be the reply.
 *
 * @example
 * ```ts
 * import { attach, type IncomingRequest } from "machnet";
 *
 * async function answer(request: IncomingRequest): Promise<Uint8Array> {
 *   const path = new TextDecoder().decode(request.data);
 *   const { signal } = request; // whoever asked may lose interest
 *   const response = await fetch(`http://127.0.0.1:8000${path}`, { signal });
 *   return new Uint8Array(await response.arrayBuffer());
 * }
 *
 * await using channel = await attach();
 * await using listener = await channel.listen({ port: 888 });
 * for await (const connection of listener) connection.serve(answer);
 * ```
 */
export interface IncomingRequest extends Message {
  /**
   * Aborts when the peer does not want the reply any more, and when the
   * connection is over.
   */
  readonly signal: AbortSignal;
}

/**
 * Answers requests, as many at a time as `ServeOptions` let it. What it throws
 * reaches the peer as a {@linkcode RequestError}.
 *
 * @param request The request.
 * @returns The reply: bytes, which the channel has copied when the request is
 * over, or room of the same connection's `allocate()`, which it sends from.
 *
 * @example
 * ```ts
 * import { attach, type RequestHandler } from "machnet";
 *
 * const reverse: RequestHandler = (request) => request.data.toReversed();
 *
 * await using channel = await attach();
 * await using listener = await channel.listen({ port: 888 });
 * for await (const connection of listener) connection.serve(reverse);
 * ```
 */
export type RequestHandler = (
  request: IncomingRequest,
) => Uint8Array | OutgoingMessage | PromiseLike<Uint8Array | OutgoingMessage>;

const CODE = /^[\w.:-]{1,64}$/;

/**
 * The reply to a request is an error. Thrown by a handler it reaches whoever
 * asked, with its code and its message.
 *
 * Other errors that a handler throws arrive with their message, and with their
 * code where they have one of that form, else with HANDLER_FAILED. No stack
 * leaves the process.
 *
 * @example
 * ```ts
 * import { attach, RequestError } from "machnet";
 *
 * await using channel = await attach();
 * await using listener = await channel.listen({ port: 888 });
 * for await (const connection of listener) {
 *   connection.serve((request) => {
 *     if (request.length > 0) return request.data;
 *     throw new RequestError("EMPTY", "Cannot echo an empty request");
 *   });
 * }
 * ```
 */
export class RequestError extends Error {
  /** The class's name, for logs. */
  override readonly name: string = "RequestError";
  /** What went wrong, for programs. */
  readonly code: string;

  /**
   * Make an error.
   *
   * @param code What went wrong, for programs: 1 to 64 letters, digits and
   * `_ . : -`.
   * @param message What was attempted and why it failed, for people; the peer
   * gets the first 4096 bytes of it.
   * @param options The `cause`, which stays here.
   * @throws {RangeError} If the code is not of that form.
   */
  constructor(code: string, message: string, options?: ErrorOptions) {
    if (!CODE.test(code)) {
      throw new RangeError(`Cannot make RequestError: "${code}" is no code`);
    }
    super(message, options);
    this.code = code;
  }
}

const MESSAGE_BYTES_MAX = 4096;
const CODE_OF_OTHERS = "HANDLER_FAILED";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** How an error travels: its code, a line feed, its message. */
export function encodeError(error: unknown): Uint8Array {
  const { code, message } = error instanceof Error
    ? error as Error & { code?: unknown }
    : { code: undefined, message: String(error) };
  const known = typeof code === "string" && CODE.test(code);
  const head = `${known ? code : CODE_OF_OTHERS}\n`;
  const bytes = new Uint8Array(head.length + MESSAGE_BYTES_MAX);
  const { written } = encoder.encodeInto(head + message, bytes);
  return bytes.subarray(0, written);
}

/** The error that a peer sent, whatever it sent. */
export function decodeError(bytes: Uint8Array): RequestError {
  const text = decoder.decode(bytes.subarray(0, 2 * MESSAGE_BYTES_MAX));
  const end = text.indexOf("\n");
  const code = text.slice(0, Math.max(0, end));
  return new RequestError(
    CODE.test(code) ? code : CODE_OF_OTHERS,
    text.slice(end + 1),
  );
}

/** Requests of one connection, in one direction, that may be without reply. */
export const REQUESTS_MAX = 16384;

/**
 * The number of a request has two parts: a slot, which it holds until its reply
 * came, and above it a generation, which tells it from those that held the slot
 * before, from 1 on. So whoever serves can tell a cancellation that comes late
 * from one that overtook its request, and both ends find requests by slot.
 */
export function slotOf(request: number): number {
  return request % REQUESTS_MAX;
}

/** The next request in the same slot. */
export function successor(request: number): number {
  return (request + REQUESTS_MAX) >>> 0;
}

/** Whether a request comes behind another one of the same slot. */
export function isLater(request: number, than: number): boolean {
  return ((request - than) | 0) > 0;
}
