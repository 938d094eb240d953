/**
 * Two sidecars on `af_packet`, joined by a veth pair of the kernel's. Each end
 * of it is in a network namespace of its own, in which nothing else lives.
 */
import {
  type ChildProcessWithoutNullStreams,
  spawn,
  spawnSync,
} from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import process from "node:process";
import { attach, type LabHost } from "../../mod.ts";
import { NativeProcess } from "../native_process.ts";
import { sidecarStats } from "../stats.ts";
import type { Wire } from "./hosts.ts";

// Of directories; the id of the process that made it follows.
const PREFIX = "machnet-test-";
const DIRECTORIES = "/tmp";

const directories = new Set<string>();
process.once("exit", () => directories.forEach(removeDirectory));

function run(command: string, ...parameters: string[]): void {
  const { status, stderr, error } = spawnSync(command, parameters, {
    encoding: "utf8",
  });
  if (status === 0) return;
  throw new Error(`Cannot run ${command} ${parameters.join(" ")}`, {
    cause: error ?? stderr.trim(),
  });
}

/**
 * A network namespace without a name: it lives as long as the processes in it,
 * the first of which ends when it hears the end of its input, however this one
 * ends.
 */
class Namespace {
  readonly #keeper: ChildProcessWithoutNullStreams;

  private constructor(keeper: ChildProcessWithoutNullStreams) {
    this.#keeper = keeper;
  }

  static async create(): Promise<Namespace> {
    const keeper = spawn("unshare", ["--net", "cat"]);
    keeper.stdin.write("\n");
    await once(keeper.stdout, "data"); // it is there, as cat runs
    // Only from here on: a loop that nothing refers to ends before.
    keeper.unref();
    for (const stream of [keeper.stdin, keeper.stdout, keeper.stderr]) {
      (stream as unknown as { unref?: () => void }).unref?.();
    }
    return new Namespace(keeper);
  }

  get pid(): number {
    return this.#keeper.pid!;
  }

  /** What stands before a command, for it to run here. */
  get prefix(): readonly string[] {
    return ["nsenter", "--target", `${this.pid}`, "--net"];
  }

  run(...command: string[]): void {
    const [first, ...rest] = [...this.prefix, ...command];
    run(first!, ...rest);
  }

  remove(): void {
    this.#keeper.kill();
  }
}

/** Make a directory for sockets, which goes with this process at the latest. */
export function addDirectory(): string {
  const path = mkdtempSync(`${DIRECTORIES}/${PREFIX}${process.pid}-`);
  directories.add(path);
  return path;
}

/** Remove it, with what is in it. */
export function removeDirectory(path: string): void {
  directories.delete(path);
  rmSync(path, { recursive: true, force: true });
}

// Of tests that were killed; their sidecars ended with them.
function removeLeftovers(): void {
  for (const name of readdirSync(DIRECTORIES)) {
    if (!name.startsWith(PREFIX)) continue;
    const pid = parseInt(name.slice(PREFIX.length));
    if (!existsSync(`/proc/${pid}`)) removeDirectory(`${DIRECTORIES}/${name}`);
  }
}

/** Whether this process may make network namespaces. */
export function canMakeNamespaces(): boolean {
  return process.getuid?.() === 0 &&
    spawnSync("unshare", ["--net", "true"]).status === 0;
}

/** Two network namespaces, and a veth pair between them. */
export interface Cable {
  /** What stands before a command, for it to run at either end. */
  readonly prefixes: readonly [readonly string[], readonly string[]];
  remove(): void;
}

/** Name of the interface at either end of a cable. */
export const INTERFACE = "wire0";

/**
 * Lay a cable. It goes with this process, and those at its ends.
 *
 * @param addresses Of the kernel at its ends, with prefix length; none if left
 * out.
 */
export async function layCable(
  mtu: number,
  addresses?: readonly [string, string],
): Promise<Cable> {
  const one = await Namespace.create();
  const other = await Namespace.create();
  const remove = (): void => [one, other].forEach((each) => each.remove());
  try {
    one.run(
      ...["ip", "link", "add", INTERFACE, "mtu", `${mtu}`],
      ...["type", "veth", "peer", "name", INTERFACE, "mtu", `${mtu}`],
      ...["netns", `${other.pid}`],
    );
    for (const [index, end] of [one, other].entries()) {
      const address = addresses?.[index];
      if (address !== undefined) {
        end.run("ip", "address", "add", address, "dev", INTERFACE);
      }
      end.run("ip", "link", "set", INTERFACE, "up");
    }
  } catch (error) {
    remove();
    throw error;
  }
  return { prefixes: [one.prefix, other.prefix], remove };
}

/** Start both sidecars, 10.90.0.1 and 10.90.0.2. */
export async function startVeth(
  mtu: number = 1500,
  driver: "af_packet" | "af_xdp" = "af_packet",
  engines: number = 1,
): Promise<Wire> {
  removeLeftovers();
  const cable = await layCable(mtu);
  const directory = addDirectory();
  const processes: NativeProcess[] = [];
  async function stop(): Promise<void> {
    await Promise.all(processes.map((process) => process.stop()));
    cable.remove();
    removeDirectory(directory);
  }
  try {
    const hosts: LabHost[] = [];
    for (const prefix of cable.prefixes) {
      const address = `10.90.0.${hosts.length + 1}`;
      const socket = `${directory}/${address}.sock`;
      const process = await NativeProcess.start({
        file: "machnetd",
        through: prefix,
        parameters: [
          ...["--device", `${driver}:${INTERFACE}`],
          ...["--ip", `${address}/24`, "--socket", socket],
          ...["--mtu", `${mtu}`, "--engines", `${engines}`],
        ],
        ready: "ready",
        signal: undefined,
      });
      processes.push(process);
      hosts.push({
        address,
        socket,
        pid: process.pid,
        attach: (options) => attach({ ...options, socket }),
        stats: async () => ({ sidecar: await sidecarStats(socket) }),
      });
    }
    return { hosts, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
