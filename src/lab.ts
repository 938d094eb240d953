/**
 * Several hosts on one machine.
 *
 * @module
 */
import { type AttachOptions, attachTo } from "./attach.ts";
import type { Channel } from "./channel.ts";
import { fabricCommand, fabricStats, type VnicStats } from "./fabric.ts";
import {
  type LabHash,
  type LabOptions,
  labOptions,
  orderOptions,
} from "./lab_options.ts";
import { type LabProcesses, startProcesses } from "./lab_processes.ts";
import { closeIfLeaked } from "./leaks.ts";
import { parseOptions } from "./options.ts";
import { sidecarStats, type Stats } from "./stats.ts";

/**
 * Counters of one host of a {@linkcode Lab}.
 *
 * @example
 * ```ts
 * import { Lab } from "machnet";
 *
 * await using lab = await Lab.start({ hosts: 2, queues: 4 });
 * const { sidecar, vnic } = await lab.hosts[0]!.stats();
 * console.log(sidecar["packets_received"], vnic?.packets_received);
 * ```
 */
export interface LabHostStats {
  /** What its sidecar counts. */
  readonly sidecar: Stats;
  /** What the fabric counts at its vNIC; absent where the wire is direct. */
  readonly vnic?: VnicStats;
}

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
   *
   * @example
   * ```ts
   * import { Lab } from "machnet";
   *
   * await using lab = await Lab.start({ hosts: 2 });
   * await using channel = await lab.hosts[1]!.attach({ engine: 0 });
   * console.log(channel.address); // 10.90.0.2
   * ```
   */
  attach(options?: Omit<AttachOptions, "socket">): Promise<Channel>;

  /**
   * Read the counters of its sidecar and of its vNIC.
   *
   * @returns The counters, by name.
   * @throws {MachnetError} SIDECAR_NOT_RUNNING if the sidecar has ended,
   * SYSTEM_ERROR if the fabric has.
   *
   * @example
   * ```ts
   * import { Lab } from "machnet";
   *
   * await using lab = await Lab.start({ hosts: 2 });
   * const { sidecar } = await lab.hosts[0]!.stats();
   * console.log(sidecar["packets_sent"]);
   * ```
   */
  stats(): Promise<LabHostStats>;
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

  private constructor(processes: LabProcesses) {
    this.#processes = processes;
    closeIfLeaked(this, processes);
    this.hosts = processes.hosts.map(({ address, socket, process }, index) => ({
      address,
      socket,
      pid: process.pid,
      attach: (options) => attachTo(this, { ...options, socket }),
      stats: () => this.#hostStats(index),
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
    const checked = parseOptions(labOptions, options, "Cannot start lab");
    checked.signal?.throwIfAborted();
    return new Lab(await startProcesses(checked));
  }

  /** Bytes in an IP packet, which the profile or an option said. */
  get mtu(): number {
    return this.#processes.mtu;
  }

  /** Process id of the fabric; `undefined` where the wire is direct. */
  get fabricPid(): number | undefined {
    return this.#processes.fabric?.process.pid;
  }

  /**
   * Read the counters of all vNICs, at one moment.
   *
   * @returns Those of each host; none where the wire is direct.
   * @throws {MachnetError} SYSTEM_ERROR if the fabric has ended, TIMED_OUT if
   * it does not answer.
   *
   * @example
   * ```ts
   * import { Lab } from "machnet";
   *
   * await using lab = await Lab.start({ hosts: 3, loss: 0.01 });
   * for (const vnic of await lab.stats()) console.log(vnic.drop_loss);
   * ```
   */
  async stats(): Promise<readonly VnicStats[]> {
    const { fabric } = this.#processes;
    return fabric === undefined ? [] : (await fabricStats(fabric.socket)).vnics;
  }

  async #hostStats(index: number): Promise<LabHostStats> {
    const sidecar = await sidecarStats(this.hosts[index]!.socket);
    const vnic = (await this.stats())[index];
    return vnic === undefined ? { sidecar } : { sidecar, vnic };
  }

  /**
   * Give vNICs new keys, as after a live migration: packets arrive on other
   * queues than before.
   *
   * @param host Index of a host, or nothing for all of them.
   * @throws {TypeError} If the wire is direct.
   * @throws {RangeError} If there is no such host.
   * @throws {MachnetError} SYSTEM_ERROR if the fabric has ended, TIMED_OUT if
   * it does not answer.
   *
   * @example
   * ```ts
   * import { Lab } from "machnet";
   *
   * await using lab = await Lab.start({ hosts: 2, queues: 4, seed: 7 });
   * await lab.rekey();
   * ```
   */
  rekey(host?: number): Promise<void> {
    return host === undefined
      ? this.#order("re-key all hosts", "rekey")
      : this.#order("re-key a host", "rekey", { host });
  }

  /**
   * Cut the cable of a host for a time: it neither sends nor receives.
   *
   * @param host Index of the host.
   * @param options How long, in milliseconds from now; 0 mends it at once.
   * @throws {TypeError} If the wire is direct.
   * @throws {RangeError} If there is no such host, or `ms` is out of range.
   * @throws {MachnetError} SYSTEM_ERROR if the fabric has ended, TIMED_OUT if
   * it does not answer.
   *
   * @example
   * ```ts
   * import { Lab } from "machnet";
   *
   * await using lab = await Lab.start({ hosts: 2 });
   * await lab.cut(1, { ms: 50 });
   * ```
   */
  cut(host: number, { ms }: { readonly ms: number }): Promise<void> {
    return this.#order("cut a cable", "cut", { host, ms });
  }

  /**
   * Let all that a host receives take the synthetic path of its vNIC for a
   * time, as on Azure while the fast path is away: all UDP packets of a peer
   * arrive on one queue, most often not their own.
   *
   * @param host Index of the host.
   * @param options How long, in milliseconds from now.
   * @throws As `cut()`.
   *
   * @example
   * ```ts
   * import { Lab } from "machnet";
   *
   * await using lab = await Lab.start({ hosts: 2, queues: 4, profile: "azure" });
   * await lab.synthetic(0, { ms: 100 });
   * ```
   */
  synthetic(host: number, { ms }: { readonly ms: number }): Promise<void> {
    return this.#order("use the synthetic path", "synthetic", { host, ms });
  }

  /**
   * Let a host's vNIC choose queues in another way.
   *
   * @param host Index of the host.
   * @param hash As the option of `Lab.start()`.
   * @throws {TypeError} If the wire is direct, or there is no such hash.
   * @throws {RangeError} If there is no such host.
   * @throws {MachnetError} SYSTEM_ERROR if the fabric has ended, TIMED_OUT if
   * it does not answer.
   *
   * @example
   * ```ts
   * import { Lab } from "machnet";
   *
   * await using lab = await Lab.start({ hosts: 2, queues: 4 });
   * await lab.setHash(1, "no-udp-ports");
   * ```
   */
  setHash(host: number, hash: LabHash): Promise<void> {
    return this.#order("set a hash", "hash", { host, hash });
  }

  /**
   * Put a host behind a firewall that only answers pass, or take it away.
   *
   * @param host Index of the host.
   * @param on Whether it has one.
   * @throws As `rekey()`.
   *
   * @example
   * ```ts
   * import { Lab } from "machnet";
   *
   * await using lab = await Lab.start({ hosts: 2, queues: 2 });
   * await lab.setFirewall(1, true);
   * ```
   */
  setFirewall(host: number, on: boolean): Promise<void> {
    return this.#order("set a firewall", "firewall", {
      host,
      firewall: on ? "on" : "off",
    });
  }

  // Values in the order in which the command takes them.
  async #order(
    attempt: string,
    command: string,
    values: Record<string, unknown> = {},
  ): Promise<void> {
    const { fabric, hosts } = this.#processes;
    if (fabric === undefined) {
      throw new TypeError(`Cannot ${attempt}: a direct wire has no fabric`);
    }
    const schema = orderOptions(hosts.length);
    const checked = parseOptions(schema, values, `Cannot ${attempt}`);
    const line = [command, ...Object.values(checked)].join(" ");
    await fabricCommand(fabric.socket, line, `Cannot ${attempt}`);
  }

  /**
   * Stop all hosts and the fabric, and remove their files.
   *
   * @returns A promise that resolves when all is gone.
   *
   * @example
   * ```ts
   * import { Lab } from "machnet";
   *
   * const lab = await Lab.start({ hosts: 2 });
   * await lab.close();
   * ```
   */
  close(): Promise<void> {
    return this.#processes.close();
  }

  /** As `close()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
