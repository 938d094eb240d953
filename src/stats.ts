/**
 * Counters of sidecars.
 *
 * @module
 */
import { library } from "../ffi/library.ts";
import { cString, ErrorBuffer, fromCString } from "../ffi/structs.ts";

/**
 * Counters by name.
 *
 * @example
 * ```ts
 * import { Lab, type Stats } from "machnet";
 *
 * await using lab = await Lab.start({ hosts: 2 });
 * const { sidecar } = await lab.hosts[0]!.stats();
 * const stats: Stats = sidecar;
 * for (const [name, value] of Object.entries(stats)) console.log(name, value);
 * ```
 */
export type Stats = Record<string, number>;

const TEXT_BYTES_MAX = 256 * 1024;
const TIMEOUT_MS = 1000;

/** The numbers of a text with a "name value" line each. */
export function parseStats(text: string): Stats {
  const stats: Stats = {};
  for (const line of text.split("\n")) {
    const [name, value] = line.trim().split(/\s+/);
    if (name && value !== undefined) stats[name] = Number(value);
  }
  return stats;
}

/**
 * Ask a sidecar. Keeps the thread for the fraction of a millisecond that it
 * takes a living sidecar to answer, and never longer than a second.
 *
 * @throws {MachnetError} SIDECAR_NOT_RUNNING or TIMED_OUT
 */
export async function sidecarStats(socket: string): Promise<Stats> {
  const { calls } = await library();
  const text = new Uint8Array(TEXT_BYTES_MAX);
  const error = new ErrorBuffer();
  const path = cString(socket);
  const length = calls.machnet_stats(
    path,
    text,
    text.length,
    TIMEOUT_MS,
    error.bytes,
  );
  if (length < 0) {
    throw error.toError(length, `Cannot read counters from ${socket}`);
  }
  return parseStats(fromCString(text));
}
