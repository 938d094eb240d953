/**
 * Attaching to a sidecar.
 *
 * @module
 */
import { z } from "zod";
import { failure } from "../ffi/error.ts";
import { type Library, library } from "../ffi/library.ts";
import {
  attachOptions,
  cString,
  LIMITS,
  readChannelInfo,
  STRUCTS,
} from "../ffi/structs.ts";
import { type Channel, ChannelHandle } from "./channel.ts";
import { Core } from "./core.ts";
import { runJob } from "./job.ts";
import { milliseconds, parseOptions, signal } from "./options.ts";

/**
 * Options of {@linkcode attach}.
 *
 * @example
 * ```ts
 * import { attach, type AttachOptions } from "machnet";
 *
 * // A script that answers seldom, and leaves the processor to others.
 * const options: AttachOptions = { spinUs: 0, arenaBytes: 32 * 2 ** 20 };
 * await using channel = await attach(options);
 * console.log(channel.engine);
 * ```
 */
export interface AttachOptions {
  /**
   * Path of the sidecar's control socket. By default what MACHNET_SOCKET says,
   * else /run/machnet/machnet.sock for root, else $XDG_RUNTIME_DIR/machnet.sock.
   */
  readonly socket?: string | undefined;
  /**
   * Memory for messages in each direction: a power of two, 32 MiB to 512 MiB;
   * 64 MiB by default. Pages that were never used cost nothing.
   */
  readonly arenaBytes?: number | undefined;
  /**
   * Microseconds for which the script goes on looking for messages after the
   * last one, before it sleeps until the sidecar wakes it; 0 to 100 000, 300 by
   * default. While it looks it takes the processor where nobody else wants it,
   * and timers and sockets go on; waking up costs 30 to 50 microseconds. With
   * several channels on a thread the longest counts.
   */
  readonly spinUs?: number | undefined;
  /** The engine to live on; by default the one with the least to do. */
  readonly engine?: number | undefined;
  /** Milliseconds to wait for the sidecar; 1000 by default. */
  readonly timeout?: number | undefined;
  /** Stops attaching. */
  readonly signal?: AbortSignal | undefined;
}

const schema = z.strictObject({
  socket: z.string().min(1).max(LIMITS.MACHNET_SOCKET_PATH_BYTES - 1)
    .optional(),
  arenaBytes: z.int()
    .min(LIMITS.MACHNET_ARENA_BYTES_MIN)
    .max(LIMITS.MACHNET_ARENA_BYTES_MAX)
    .refine((bytes) => (bytes & (bytes - 1)) === 0, "Not a power of two")
    .optional(),
  spinUs: z.int().min(0).max(100_000).optional(),
  engine: z.int().min(0).max(65535).optional(),
  timeout: milliseconds,
  signal,
}) satisfies z.ZodType<AttachOptions>;

/**
 * Attach to the sidecar of this machine, or to that of a lab's host.
 *
 * Under Deno this needs the permission `--allow-ffi` and no other.
 *
 * @param options Which sidecar, and how.
 * @returns A channel to it.
 * @throws {TypeError} If an option has the wrong type or an unknown name, or
 * `arenaBytes` is no power of two.
 * @throws {RangeError} If an option is out of range.
 * @throws {MachnetError} SIDECAR_NOT_RUNNING, SIDECAR_GONE, TIMED_OUT,
 * ABI_MISMATCH, TOO_MANY_CHANNELS, or INVALID_ARGUMENT if it has no such engine;
 * SYSTEM_ERROR if this user may not reach it; LIBRARY_NOT_FOUND or
 * FFI_NOT_ALLOWED by this process's doing.
 *
 * @example
 * ```ts
 * import { attach } from "machnet";
 *
 * await using channel = await attach();
 * console.log(`attached to the sidecar at ${channel.address}`);
 * ```
 */
export async function attach(options: AttachOptions = {}): Promise<Channel> {
  return await attachTo(undefined, options);
}

/**
 * Attach to a sidecar that an object of this process stands for.
 *
 * @param sidecar Not to be taken for leaked while there is the channel.
 * @param driver Runs its engine, where scripts are to do that.
 */
export async function attachTo(
  sidecar: object | undefined,
  options: AttachOptions,
  driver?: unknown,
): Promise<Channel> {
  const attempt = "Cannot attach to the sidecar";
  const { socket, arenaBytes, spinUs, engine, timeout, signal } = parseOptions(
    schema,
    options,
    attempt,
  );
  signal?.throwIfAborted();
  const native = await library();
  const { calls } = native;
  const path = socket === undefined ? null : cString(socket);
  const fields = attachOptions({
    arenaBytes: arenaBytes ?? 0,
    engine: engine ?? -1,
    timeoutMs: timeout ?? 0,
  });
  const channel = new Uint32Array(1);
  const channelBytes = new Uint8Array(channel.buffer);
  await runJob(native, {
    attempt: socket === undefined ? attempt : `Cannot attach to ${socket}`,
    begin: (fd, error) => calls.machnet_attach_begin(path, fields, fd, error),
    end: (job, error) => calls.machnet_attach_end(job, channelBytes, error),
  }, signal);
  if (driver !== undefined) calls.machnet_channel_drive(channel[0]!, driver);
  return new ChannelHandle(openCore(native, channel[0]!, spinUs), sidecar);
}

function openCore(
  native: Library,
  channel: number,
  spinUs: number | undefined,
): Core {
  const { calls } = native;
  const info = new Uint8Array(STRUCTS.machnet_channel_info.size);
  const status = calls.machnet_channel_info(channel, info);
  const doorbell = status < 0
    ? status
    : calls.machnet_channel_doorbell(channel);
  if (doorbell < 0) {
    calls.machnet_channel_close(channel);
    throw failure(doorbell, "Cannot open channel");
  }
  return new Core(native, channel, readChannelInfo(info), doorbell, spinUs);
}
