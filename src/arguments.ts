/**
 * Checking arguments of calls that are so frequent that a schema would cost too
 * much.
 *
 * @module
 */
import type { WaitOptions } from "./connection.ts";

const WAIT = ["signal"];
const LIMIT = ["signal", "timeout"];

// What timers take.
const TIMEOUT_MS_MAX = 2 ** 31 - 1;

/**
 * Check the options of a call that may wait.
 *
 * @param attempt What the caller wants: `Cannot send message`.
 * @returns The signal, which has not aborted.
 * @throws {TypeError} If something has the wrong type or an unknown name.
 */
export function checkWait(
  options: WaitOptions | undefined,
  attempt: string,
): AbortSignal | undefined {
  if (options === undefined) return undefined;
  checkNames(options, WAIT, attempt);
  return checkSignal(options.signal, attempt);
}

/**
 * Check the options of a call that may wait for so long.
 *
 * @throws {TypeError} As {@linkcode checkWait}.
 * @throws {RangeError} If the timeout is not a positive integer.
 */
export function checkLimits(
  options: WaitOptions & { readonly timeout?: number | undefined } | undefined,
  attempt: string,
): void {
  if (options === undefined) return;
  checkNames(options, LIMIT, attempt);
  const { timeout } = options;
  if (timeout !== undefined) {
    checkInteger(timeout, "timeout", 1, TIMEOUT_MS_MAX, attempt);
  }
  checkSignal(options.signal, attempt);
}

/** @throws {TypeError} If there are options that nobody knows. */
export function checkNames(
  options: object,
  known: readonly string[],
  attempt: string,
): void {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`${attempt}: options are ${kindOf(options)}`);
  }
  for (const name in options) {
    if (known.includes(name)) continue;
    throw new TypeError(`${attempt}: there is no option "${name}"`);
  }
}

function checkSignal(
  signal: AbortSignal | undefined,
  attempt: string,
): AbortSignal | undefined {
  if (signal === undefined) return undefined;
  if (!(signal instanceof AbortSignal)) {
    throw new TypeError(`${attempt}: signal is not an AbortSignal`);
  }
  signal.throwIfAborted();
  return signal;
}

/**
 * @throws {TypeError} If it is not a number.
 * @throws {RangeError} If it is not an integer within the bounds.
 */
export function checkInteger(
  value: number,
  name: string,
  least: number,
  most: number,
  attempt: string,
): void {
  if (typeof value !== "number") {
    throw new TypeError(`${attempt}: ${name} is ${kindOf(value)}`);
  }
  if (Number.isInteger(value) && value >= least && value <= most) return;
  const bounds = most === Infinity
    ? `of at least ${least}`
    : `from ${least} to ${most}`;
  throw new RangeError(
    `${attempt}: ${name} ${value} is not an integer ${bounds}`,
  );
}

/** What a value is that should be something else. */
export function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (typeof value !== "object") return `of type ${typeof value}`;
  return `of type ${value.constructor?.name ?? "object"}`;
}
