/**
 * The error that scripts see.
 *
 * @module
 */
import { statusMessage, type StatusName, statusName } from "./status.ts";

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
export type ErrorCode = Exclude<StatusName, "OK" | "AGAIN">;

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
 */
export function failure(
  status: number,
  attempt: string,
  detail?: string,
): MachnetError {
  return new MachnetError(
    statusName(status) as ErrorCode,
    `${attempt}: ${detail || statusMessage(status)}`,
  );
}
