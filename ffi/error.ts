/**
 * The error that scripts see.
 *
 * @module
 */
import { statusMessage, statusName } from "./status.ts";

/**
 * What a {@linkcode MachnetError} is about.
 *
 * @example
 * ```ts
 * import type { ErrorCode } from "machnet";
 *
 * const worthARetry: ErrorCode[] = ["CONNECTION_REFUSED", "SIDECAR_GONE"];
 * console.log(worthARetry.length);
 * ```
 */
export type ErrorCode =
  | "INVALID_ARGUMENT"
  | "CLOSED"
  | "SYSTEM_ERROR"
  | "OUT_OF_MEMORY"
  | "TIMED_OUT"
  | "LIBRARY_NOT_FOUND"
  | "FFI_NOT_ALLOWED"
  | "ABI_MISMATCH"
  | "SIDECAR_NOT_RUNNING"
  | "SIDECAR_GONE"
  | "SIDECAR_STOPPED"
  | "CHANNEL_CORRUPT"
  | "TOO_MANY_CHANNELS"
  | "TOO_MANY_CONNECTIONS"
  | "TOO_MANY_LISTENERS"
  | "MESSAGE_TOO_LARGE"
  | "ADDRESS_IN_USE"
  | "ADDRESS_NOT_AVAILABLE"
  | "NAME_NOT_FOUND"
  | "HOST_UNREACHABLE"
  | "CONNECTION_REFUSED"
  | "CONNECTION_TIMED_OUT"
  | "CONNECTION_RESET"
  | "CONNECTION_CLOSED"
  | "CONNECTION_LOST"
  | "CLOSE_TIMED_OUT"
  | "DEVICE_NOT_FOUND"
  | "DEVICE_FAILED"
  | "ENGINE_ALREADY_RUNNING"
  | "ENGINE_NOT_RUNNING"
  | "TOO_MANY_REQUESTS";

/**
 * An operation of machnet failed.
 *
 * @example
 * ```ts
 * import { attach, MachnetError } from "machnet";
 *
 * try {
 *   await using channel = await attach({ socket: "/nowhere.sock" });
 *   console.log(channel.address);
 * } catch (error) {
 *   if (!(error instanceof MachnetError)) throw error;
 *   console.log(error.code); // SIDECAR_NOT_RUNNING
 * }
 * ```
 */
export class MachnetError extends Error {
  /** The class's name, for logs. */
  override readonly name: string = "MachnetError";
  /** What went wrong, for programs. */
  readonly code: ErrorCode;

  /**
   * Make an error.
   *
   * @param code What went wrong, for programs.
   * @param message What was attempted and why it failed, for people.
   * @param options The `cause`.
   */
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * The error for a status that the C ABI returned.
 *
 * @param status A negative status.
 * @param attempt What was attempted: `Cannot connect to 10.0.0.9:888`.
 * @param detail Said instead of the status's own sentence.
 * @param cause The error behind it.
 */
export function failure(
  status: number,
  attempt: string,
  detail?: string,
  cause?: unknown,
): MachnetError {
  return new MachnetError(
    statusName(status) as ErrorCode,
    `${attempt}: ${detail ?? statusMessage(status)}`,
    cause === undefined ? undefined : { cause },
  );
}
