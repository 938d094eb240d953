/**
 * Checking what callers pass.
 *
 * @module
 */
import { z } from "zod";

/** A TCP-like port: of a peer, or of our own where 0 picks one. */
export const port = (least: 0 | 1): z.ZodNumber =>
  z.int().min(least).max(65535);

/** A bound on waiting, in milliseconds. */
export const milliseconds: z.ZodOptional<z.ZodNumber> = z.int().min(1)
  .max(2 ** 31 - 1).optional();

/** Silence after which another host is lost, in milliseconds. */
export const peerTimeoutMs: z.ZodOptional<z.ZodNumber> = z.int().min(100)
  .max(60_000).optional();

/** An optional AbortSignal. */
export const signal: z.ZodOptional<z.ZodType<AbortSignal>> = z.instanceof(
  AbortSignal,
).optional();

/**
 * Check options.
 *
 * @param attempt What the caller wants: `Cannot connect`.
 * @throws {RangeError} If all that is wrong is a number out of range.
 * @throws {TypeError} If anything else is wrong, a misspelt name included.
 */
export function parseOptions<Options>(
  schema: z.ZodType<Options>,
  value: unknown,
  attempt: string,
): Options {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { issues } = result.error;
  const range = issues.every(({ code }) =>
    code === "too_small" || code === "too_big"
  );
  const message = `${attempt}: ${z.prettifyError(result.error)}`;
  const options = { cause: result.error };
  throw range
    ? new RangeError(message, options)
    : new TypeError(message, options);
}
