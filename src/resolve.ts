/**
 * From host names to IPv4 addresses.
 *
 * @module
 */
import { failure, MachnetError } from "../ffi/error.ts";
import type { Library } from "../ffi/library.ts";
import { Status } from "../ffi/status.ts";
import { cString } from "../ffi/structs.ts";
import { parseIPv4 } from "./address.ts";
import { runJob } from "./job.ts";

/**
 * The address of a host, by the system's resolver unless it is a literal.
 *
 * @param attempt What the caller wants: `Cannot connect to server:888`.
 * @throws {MachnetError} NAME_NOT_FOUND, with what the resolver said as cause.
 */
export async function resolveHostname(
  library: Library,
  hostname: string,
  attempt: string,
  signal: AbortSignal | undefined,
): Promise<number> {
  const literal = parseIPv4(hostname);
  if (literal !== undefined) return literal;
  const { calls } = library;
  const name = cString(hostname);
  const address = new Uint32Array(1);
  const addressBytes = new Uint8Array(address.buffer);
  try {
    await runJob(library, {
      attempt: `Cannot resolve "${hostname}"`,
      begin: (fd, error) => calls.machnet_resolve_begin(name, fd, error),
      end: (job, error) => calls.machnet_resolve_end(job, addressBytes, error),
    }, signal);
  } catch (error) {
    if (!(error instanceof MachnetError)) throw error;
    throw failure(Status[error.code], attempt, undefined, error);
  }
  return address[0]!;
}
