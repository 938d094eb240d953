/**
 * Several hosts on one machine.
 *
 * @module
 */
import { z } from "zod";
import { attach, type AttachOptions } from "./attach.ts";
import type { Channel } from "./channel.ts";
import {
  FABRIC_OPTIONS,
  type LabProcesses,
  startProcesses,
  stopProcesses,
} from "./lab_processes.ts";
import { parseOptions, signal } from "./options.ts";
import { fabricStats, sidecarStats, type Stats } from "./stats.ts";

/** Options of {@linkcode Lab.start}. */
export interface LabOptions {
  /** How many hosts: 1 to 32. */
  readonly hosts: number;
  /**
   * What joins them: `fabric`, the default, is a switch that can misbehave;
   * `direct` is a wire between exactly two hosts.
   */
  readonly wire?: "fabric" | "direct" | undefined;
  /** Where the fabric's chance begins; the same seed, the same misfortune. */
  readonly seed?: number | undefined;
  /** Share of packets that the fabric loses, 0 to 1. */
  readonly loss?: number | undefined;
  /** Share of packets that it delivers twice. */
  readonly duplicate?: number | undefined;
  /** Share of packets that it delivers late. */
  readonly reorder?: number | undefined;
  /** Share of packets in which it changes a bit. */
  readonly corrupt?: number | undefined;
  /** Microseconds that a packet takes. */
  readonly latencyUs?: number | undefined;
  /** Megabits per second that a host can send. */
  readonly bandwidthMbps?: number | undefined;
  /** Packets that a host's RX queue holds, 256 or more; 256 by default. */
  readonly depth?: number | undefined;
  /**
   * Packets that find more than so many others waiting are marked as having
   * met congestion (ECN); none by default. Those in the first 256 places of an
   * RX queue do not count.
   */
  readonly ecnThreshold?: number | undefined;
  /** Bytes in an IP packet, 1280 to 9216; 1500 by default. */
  readonly mtu?: number | undefined;
  /** Stops starting. */
  readonly signal?: AbortSignal | undefined;
}

const share = z.number().min(0).max(1).optional();

const schema = z.strictObject({
  hosts: z.int().min(1).max(32),
  wire: z.enum(["fabric", "direct"]).optional(),
  seed: z.int().min(0).optional(),
  loss: share,
  duplicate: share,
  reorder: share,
  corrupt: share,
  latencyUs: z.number().min(0).max(10_000_000).optional(),
  bandwidthMbps: z.number().positive().max(1_000_000).optional(),
  depth: z.int().min(256).max(16384).optional(),
  ecnThreshold: z.int().min(1).max(16384).optional(),
  mtu: z.int().min(1280).max(9216).optional(),
  signal,
}).superRefine((options, context) => {
  if (options.wire !== "direct") return;
  if (options.hosts !== 2) {
    context.addIssue({
      code: "custom",
      path: ["hosts"],
      message: "A direct wire joins 2 hosts",
    });
  }
  for (const name of FABRIC_OPTIONS) {
    if (options[name] === undefined) continue;
    context.addIssue({
      code: "custom",
      path: [name],
      message: "A direct wire has no fabric to do this",
    });
  }
}) satisfies z.ZodType<LabOptions>;

/**
 * One host of a {@linkcode Lab}: a sidecar with an address of its own.
 *
 * @example
 * ```ts
 * import { Lab } from "machnet";
 *
 * await using lab = await Lab.start({ hosts: 2 });
 * for (const host of lab.hosts) console.log(host.address, host.socket);
 * ```
 */
export interface LabHost {
  /** Its IPv4 address. */
  readonly address: string;

  /** Path of its control socket, for `attach()` in other processes. */
  readonly socket: string;

  /** Process id of its sidecar. */
  readonly pid: number;

  /**
   * Attach to this host.
   *
   * @param options As for `attach()`, without the socket.
   * @returns A channel.
   * @throws {MachnetError} As `attach()`.
   */
  attach(options?: Omit<AttachOptions, "socket">): Promise<Channel>;

  /**
   * Read the counters of its sidecar.
   *
   * @returns The counters by name.
   * @throws {MachnetError} SIDECAR_NOT_RUNNING if it has ended.
   */
  stats(): Promise<Stats>;
}

/**
 * Several hosts on this machine, each with a sidecar of its own, for
 * development and tests: no network card, no root, no hugepages.
 *
 * Its processes end with this one. Under Deno it needs `--allow-ffi`,
 * `--allow-run`, `--allow-read`, `--allow-write` and `--allow-env`.
 *
 * @example
 * ```ts
 * import { Lab } from "machnet";
 *
 * await using lab = await Lab.start({ hosts: 2, seed: 7, loss: 0.01 });
 * await using server = await lab.hosts[0]!.attach();
 * await using client = await lab.hosts[1]!.attach();
 * await using listener = await server.listen({ port: 888 });
 *
 * await using connection = await client.connect({
 *   hostname: listener.hostname,
 *   port: listener.port,
 * });
 * await connection.send(new TextEncoder().encode("hello"));
 *
 * await using accepted = await listener.accept();
 * using message = await accepted.receive();
 * console.log(new TextDecoder().decode(message.data)); // hello
 * ```
 */
export class Lab implements AsyncDisposable {
  /** The hosts, 10.90.0.1 and following. */
  readonly hosts: readonly LabHost[];

  readonly #processes: LabProcesses;
  #closing: Promise<void> | undefined;

  private constructor(processes: LabProcesses) {
    this.#processes = processes;
    this.hosts = processes.hosts.map(({ address, socket, process }) => ({
      address,
      socket,
      pid: process.pid,
      attach: (options) => attach({ ...options, socket }),
      stats: () => sidecarStats(socket),
    }));
  }

  /**
   * Start a lab.
   *
   * @param options How many hosts, and what the fabric between them is like.
   * @returns The lab, when all its hosts are up.
   * @throws {TypeError} If an option has the wrong type or an unknown name, or
   * does not go with the others.
   * @throws {RangeError} If an option is out of range.
   * @throws {MachnetError} LIBRARY_NOT_FOUND if a program is missing,
   * SYSTEM_ERROR or TIMED_OUT with what it wrote if it does not start.
   *
   * @example
   * ```ts
   * import { Lab } from "machnet";
   *
   * await using lab = await Lab.start({ hosts: 2, wire: "direct" });
   * console.log(lab.hosts.length);
   * ```
   */
  static async start(options: LabOptions): Promise<Lab> {
    const checked = parseOptions(schema, options, "Cannot start lab");
    checked.signal?.throwIfAborted();
    return new Lab(await startProcesses(checked));
  }

  /** Process id of the fabric; `undefined` where the wire is direct. */
  get fabricPid(): number | undefined {
    return this.#processes.fabric?.process.pid;
  }

  /**
   * Read the fabric's counters.
   *
   * @returns The counters by name; none where the wire is direct.
   * @throws {Error} If the fabric does not answer.
   */
  stats(): Promise<Stats> {
    const { fabric } = this.#processes;
    return fabric === undefined
      ? Promise.resolve({})
      : fabricStats(fabric.socket);
  }

  /**
   * Stop all hosts and the fabric, and remove their files.
   *
   * @returns A promise that resolves when all is gone.
   */
  close(): Promise<void> {
    return this.#closing ??= stopProcesses(this.#processes);
  }

  /** As `close()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
