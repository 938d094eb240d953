/**
 * A sidecar inside the script's own process.
 *
 * @module
 */
import { z } from "zod";
import { MachnetError } from "../ffi/error.ts";
import { engineLibrary, library } from "../ffi/library.ts";
import { Status } from "../ffi/status.ts";
import {
  Drive,
  engineOptions,
  ErrorBuffer,
  fromCString,
  LIMITS,
  PollMode,
} from "../ffi/structs.ts";
import type { EngineCalls } from "../ffi/symbols.ts";
import { onAbort } from "./abort.ts";
import { parseIPv4 } from "./address.ts";
import { type AttachOptions, attachTo } from "./attach.ts";
import type { Channel } from "./channel.ts";
import { closeIfLeaked, type Leakable } from "./leaks.ts";
import { parseOptions, peerTimeoutMs, signal } from "./options.ts";
import { sidecarStats, type Stats } from "./stats.ts";

/**
 * Options of {@linkcode Engine.start}.
 *
 * @example
 * ```ts
 * import { Engine, type EngineOptions } from "machnet";
 *
 * const options: EngineOptions = {
 *   device: "memif:/tmp/options.memif,server",
 *   ip: "10.0.0.1/24",
 *   gateway: "10.0.0.254",
 *   mtu: 9000,
 *   socket: "/tmp/options.sock",
 * };
 * await using engine = await Engine.start(options);
 * console.log(engine.socket);
 * ```
 */
export interface EngineOptions {
  /**
   * What to drive: `memif:PATH` or `memif:PATH,server`, `af_packet:INTERFACE`,
   * `af_xdp:INTERFACE`, `tap:INTERFACE`, or a PCI address.
   */
  readonly device: string;
  /** IPv4 address and prefix length of the device: `10.0.0.1/24`. */
  readonly ip: string;
  /** IPv4 address of the router to other networks. */
  readonly gateway?: string | undefined;
  /** Bytes in an IP packet; by default what the device says. */
  readonly mtu?: number | undefined;
  /** Path of the control socket; by default as with `attach()`. */
  readonly socket?: string | undefined;
  /** `busy` never sleeps, for dedicated cores; `adaptive` is the default. */
  readonly poll?: "adaptive" | "busy" | undefined;
  /**
   * Engines, each a thread with a queue pair of the device, its own connections
   * and its own channels: 1, the default, to 64.
   */
  readonly engines?: number | undefined;
  /** A core for each engine; by default the kernel chooses. */
  readonly cores?: readonly number[] | undefined;
  /**
   * Milliseconds of silence after which another host is lost, and connections
   * to it end with `CONNECTION_LOST`: 100 to 60 000, by default 3000.
   */
  readonly peerTimeoutMs?: number | undefined;
  /**
   * Who runs the engine: `thread`, the default, or `inline`: this script
   * whenever it looks into a channel of `engine.attach()`, so that nothing
   * passes from thread to thread, and a helper thread while it sleeps or is
   * busy. For small machines; with one engine, and `adaptive`.
   */
  readonly drive?: "thread" | "inline" | undefined;
  /** Stops starting. */
  readonly signal?: AbortSignal | undefined;
}

const schema = z.strictObject({
  device: z.string().min(1).max(LIMITS.MACHNET_DEVICE_BYTES - 1),
  ip: z.string().refine(isNetwork, "Not an address and a prefix length"),
  gateway: z.string()
    .refine((text) => parseIPv4(text) !== undefined, "Not an IPv4 address")
    .optional(),
  mtu: z.int().min(576).max(65535).optional(),
  socket: z.string().min(1).max(LIMITS.MACHNET_SOCKET_PATH_BYTES - 1)
    .optional(),
  poll: z.enum(["adaptive", "busy"]).optional(),
  engines: z.int().min(1).max(64).optional(),
  cores: z.array(z.int().min(0).max(1023)).readonly().optional(),
  peerTimeoutMs,
  drive: z.enum(["thread", "inline"]).optional(),
  signal,
}).refine(
  ({ engines = 1, cores }) => cores === undefined || cores.length === engines,
  { path: ["cores"], message: "Not one for each engine" },
).refine(
  ({ drive, engines = 1, poll }) =>
    drive !== "inline" || (engines === 1 && poll !== "busy"),
  { path: ["drive"], message: "For one engine that does not poll busily" },
) satisfies z.ZodType<EngineOptions>;

function isNetwork(text: string): boolean {
  const [address, prefix, ...rest] = text.split("/");
  return rest.length === 0 && parseIPv4(address!) !== undefined &&
    prefix !== undefined && /^\d{1,2}$/.test(prefix) &&
    Number(prefix) >= 1 && Number(prefix) <= 32;
}

/** What runs, apart from the object that stands for it. */
class RunningEngine implements Leakable {
  readonly label: string;
  readonly ended: Promise<void>;
  isClosed = false;
  readonly #calls: EngineCalls;
  /** Kept from the garbage collector while somebody waits for the end. */
  holder: object | undefined;

  constructor(label: string, calls: EngineCalls, ended: Promise<void>) {
    this.label = label;
    this.ended = ended;
    this.#calls = calls;
    ended.catch(() => {}).then(() => {
      this.isClosed = true;
      this.holder = undefined;
    });
  }

  async close(): Promise<void> {
    // Another engine may run meanwhile.
    if (!this.isClosed) this.#calls.machnet_engine_stop();
    this.isClosed = true;
    await this.ended.catch(() => {});
  }
}

/**
 * A sidecar inside this process: it drives a device, on threads of its own or
 * inline, and this script and others attach to it. There is one per process at a time; it
 * keeps the process alive until it is closed.
 *
 * @example
 * ```ts
 * import { Engine } from "machnet";
 *
 * await using engine = await Engine.start({
 *   device: "memif:/tmp/wire.memif,server",
 *   ip: "10.0.0.1/24",
 *   socket: "/tmp/engine.sock",
 * });
 * await using channel = await engine.attach();
 * console.log(channel.address); // 10.0.0.1
 * ```
 */
export class Engine implements AsyncDisposable {
  /** Path of the control socket, for `attach({ socket })` elsewhere. */
  readonly socket: string;

  readonly #running: RunningEngine;
  readonly #driver: unknown;

  private constructor(
    socket: string,
    running: RunningEngine,
    driver: unknown,
  ) {
    this.socket = socket;
    this.#running = running;
    this.#driver = driver;
    closeIfLeaked(this, running);
  }

  /**
   * Start a sidecar in this process.
   *
   * @param options The device and the address.
   * @returns The engine, when applications can attach.
   * @throws {TypeError} If an option has the wrong type or an unknown name.
   * @throws {RangeError} If an option is out of range.
   * @throws {MachnetError} ENGINE_ALREADY_RUNNING, DEVICE_NOT_FOUND,
   * DEVICE_FAILED, ADDRESS_IN_USE if the address, the control socket or the
   * device is another's, INVALID_ARGUMENT if no host can have the address or
   * options do not go together; LIBRARY_NOT_FOUND or FFI_NOT_ALLOWED.
   *
   * @example
   * ```ts
   * import { Engine } from "machnet";
   *
   * await using engine = await Engine.start({
   *   device: "memif:/tmp/wire.memif,server",
   *   ip: "10.0.0.1/24",
   *   socket: "/tmp/engine.sock",
   * });
   * console.log(engine.socket);
   * ```
   */
  static async start(options: EngineOptions): Promise<Engine> {
    const attempt = "Cannot start engine";
    const checked = parseOptions(schema, options, attempt);
    const { device, ip, gateway, mtu, socket, poll, signal } = checked;
    signal?.throwIfAborted();
    const native = await library();
    const calls = await engineLibrary();
    signal?.throwIfAborted();
    const fields = engineOptions({
      device,
      ip,
      gateway: gateway ?? "",
      socket: socket ?? "",
      mtu: mtu ?? 0,
      engines: checked.engines ?? 1,
      poll: PollMode[poll ?? "adaptive"],
      peerTimeoutMs: checked.peerTimeoutMs ?? 0,
      cores: checked.cores?.join() ?? "",
      drive: Drive[checked.drive ?? "thread"],
    });
    const error = new ErrorBuffer();
    const fd = new Int32Array(1);
    const status = calls.machnet_engine_start(
      fields,
      new Uint8Array(fd.buffer),
      error.bytes,
    );
    if (status < 0) throw error.toError(status, attempt);

    const ready = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    ended.promise.catch(() => {}); // who wants to know, listens
    native.watch(fd[0]!, ready.resolve, () => {
      const status = calls.machnet_engine_result(error.bytes);
      if (status === Status.OK) ended.resolve();
      else ended.reject(error.toError(status, attempt));
    });
    const forget = onAbort(signal, () => calls.machnet_engine_stop());
    try {
      await Promise.race([ready.promise, ended.promise]);
      if (signal?.aborted) {
        // A new engine can start only when this one is through.
        await ended.promise.catch(() => {});
        throw signal.reason;
      }
    } finally {
      forget();
    }
    const path = new Uint8Array(LIMITS.MACHNET_SOCKET_PATH_BYTES);
    if (calls.machnet_engine_socket(path, path.length) < 0) {
      throw new MachnetError(
        "ENGINE_NOT_RUNNING",
        `${attempt}: it was stopped meanwhile`,
      );
    }
    return new Engine(
      fromCString(path),
      new RunningEngine(`engine on ${device}`, calls, ended.promise),
      checked.drive === "inline" ? calls.machnet_engine_driver() : undefined,
    );
  }

  /**
   * Resolves when the engine was closed, rejects with a
   * {@linkcode MachnetError} when it failed. It may be left alone: no unhandled
   * rejection comes of it.
   *
   * @example
   * ```ts
   * import { Engine } from "machnet";
   *
   * await using engine = await Engine.start({
   *   device: "memif:/tmp/closed.memif,server",
   *   ip: "10.0.0.1/24",
   *   socket: "/tmp/closed.sock",
   * });
   * engine.closed.then(
   *   () => console.log("the engine was closed"),
   *   (error) => console.error(`${error}`),
   * );
   * ```
   */
  get closed(): Promise<void> {
    if (!this.#running.isClosed) this.#running.holder = this;
    return this.#running.ended;
  }

  /**
   * Attach to this engine.
   *
   * @param options As for `attach()`, without the socket.
   * @returns A channel.
   * @throws {MachnetError} As `attach()`.
   *
   * @example
   * ```ts
   * import { Engine } from "machnet";
   *
   * await using engine = await Engine.start({
   *   device: "memif:/tmp/attach.memif,server",
   *   ip: "10.0.0.1/24",
   *   socket: "/tmp/attach.sock",
   * });
   * await using channel = await engine.attach({ spinUs: 1000 });
   * console.log(channel.address); // 10.0.0.1
   * ```
   */
  attach(options?: Omit<AttachOptions, "socket">): Promise<Channel> {
    return attachTo(this, { ...options, socket: this.socket }, this.#driver);
  }

  /**
   * Read the engine's counters.
   *
   * @returns The counters by name.
   * @throws {MachnetError} SIDECAR_NOT_RUNNING if it was closed.
   *
   * @example
   * ```ts
   * import { Engine } from "machnet";
   *
   * await using engine = await Engine.start({
   *   device: "memif:/tmp/stats.memif,server",
   *   ip: "10.0.0.1/24",
   *   socket: "/tmp/stats.sock",
   * });
   * const { channels } = await engine.stats();
   * console.log(channels); // 0
   * ```
   */
  stats(): Promise<Stats> {
    return sidecarStats(this.socket);
  }

  /**
   * Stop the engine: its applications get SIDECAR_STOPPED, their peers
   * CONNECTION_RESET. Another one can start afterwards.
   *
   * @returns A promise that resolves when all is stopped and removed.
   *
   * @example
   * ```ts
   * import { Engine } from "machnet";
   *
   * const engine = await Engine.start({
   *   device: "memif:/tmp/close.memif,server",
   *   ip: "10.0.0.1/24",
   *   socket: "/tmp/close.sock",
   * });
   * await engine.close();
   * ```
   */
  async close(): Promise<void> {
    await this.#running.close();
  }

  /** As `close()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
