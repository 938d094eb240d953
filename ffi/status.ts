/**
 * The statuses of the C ABI. A test holds this list against
 * native/include/machnet/status.h, where it comes from.
 *
 * @module
 */

/** Name, value and message of every status. */
export const STATUSES = [
  ["OK", 0, "success"],
  ["AGAIN", -1, "no room now, try again later"],
  ["INVALID_ARGUMENT", -2, "an argument is invalid"],
  ["CLOSED", -3, "the object was closed"],
  ["SYSTEM_ERROR", -4, "a system call failed"],
  ["OUT_OF_MEMORY", -5, "out of memory"],
  ["TIMED_OUT", -6, "the time for it ran out"],
  ["LIBRARY_NOT_FOUND", -7, "the native library was not found"],
  ["FFI_NOT_ALLOWED", -8, "the runtime does not allow FFI"],
  ["ABI_MISMATCH", -9, "library and sidecar speak different ABIs"],
  ["SIDECAR_NOT_RUNNING", -10, "no sidecar listens on the socket"],
  ["SIDECAR_GONE", -11, "the sidecar ended without a word"],
  ["SIDECAR_STOPPED", -12, "the sidecar was stopped"],
  ["CHANNEL_CORRUPT", -13, "the channel's shared memory is invalid"],
  ["TOO_MANY_CHANNELS", -14, "the sidecar has no channel left"],
  ["TOO_MANY_CONNECTIONS", -15, "the engine has no connection left"],
  ["TOO_MANY_LISTENERS", -16, "the sidecar has no listener left"],
  ["MESSAGE_TOO_LARGE", -17, "a message has at most 8 MiB"],
  ["ADDRESS_IN_USE", -18, "the address or port is taken"],
  ["ADDRESS_NOT_AVAILABLE", -19, "the address is not the sidecar's"],
  ["NAME_NOT_FOUND", -20, "no IPv4 address was found for the host name"],
  [
    "HOST_UNREACHABLE",
    -21,
    "no host answers for the address; is the sidecar there running?",
  ],
  ["CONNECTION_REFUSED", -22, "nobody listens on the port"],
  [
    "CONNECTION_TIMED_OUT",
    -23,
    "the host did not answer in time; if it is up, firewalls must let UDP ports 30720 to 31743 in, at both ends",
  ],
  ["CONNECTION_RESET", -24, "the peer reset the connection"],
  ["CONNECTION_CLOSED", -25, "the connection is closed"],
  ["CONNECTION_LOST", -26, "the peer's host stopped answering"],
  ["CLOSE_TIMED_OUT", -27, "the peer did not acknowledge in time"],
  ["DEVICE_NOT_FOUND", -28, "no such device"],
  ["DEVICE_FAILED", -29, "the device could not be started"],
  ["ENGINE_ALREADY_RUNNING", -30, "this process runs an engine already"],
  ["ENGINE_NOT_RUNNING", -31, "this process runs no engine"],
  ["TOO_MANY_REQUESTS", -32, "16384 requests of it wait for replies"],
] as const;

/** Name of a status. */
export type StatusName = (typeof STATUSES)[number][0];

/** `Status.AGAIN` is the number that the C ABI returns for it. */
export const Status: { readonly [Name in StatusName]: number } = Object
  .fromEntries(STATUSES.map(([name, value]) => [name, value])) as {
    [Name in StatusName]: number;
  };

// Values count down from 0 without a gap, so a status is an index; the test
// of this file checks it.
function entry(status: number): (typeof STATUSES)[number] {
  return STATUSES[-status] ?? STATUSES[4];
}

/** Name of a status; one that this list does not know is a system error. */
export function statusName(status: number): StatusName {
  return entry(status)[0];
}

/** Sentence for a status, lower case, no full stop. */
export function statusMessage(status: number): string {
  return entry(status)[2];
}
