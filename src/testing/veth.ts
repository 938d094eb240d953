/**
 * Two sidecars on `af_packet`, joined by a veth pair of the kernel's. Each end
 * of it is in a network namespace of its own, in which nothing else lives.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import process from "node:process";
import { attach, type LabHost } from "../../mod.ts";
import { NativeProcess } from "../native_process.ts";
import { sidecarStats } from "../stats.ts";
import type { Wire } from "./hosts.ts";

// Of namespaces and directories; the id of the process that made it follows.
const PREFIX = "machnet-test-";
const DIRECTORIES = "/tmp";
const NAMESPACES = "/run/netns";

const mine = new Set<string>();
const directories = new Set<string>();
process.once("exit", () => {
  mine.forEach(removeNamespace);
  directories.forEach(removeDirectory);
});

function ip(...parameters: string[]): void {
  const { status, stderr, error } = spawnSync("ip", parameters, {
    encoding: "utf8",
  });
  if (status === 0) return;
  throw new Error(`Cannot run ip ${parameters.join(" ")}`, {
    cause: error ?? stderr.trim(),
  });
}

function addNamespace(suffix: string): string {
  const name = `${PREFIX}${process.pid}-${suffix}`;
  mine.add(name);
  ip("netns", "add", name);
  return name;
}

// With the namespace goes its end of the pair, and with that the other one.
function removeNamespace(name: string): void {
  mine.delete(name);
  spawnSync("ip", ["netns", "delete", name]);
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

// What is left of tests that were killed; their sidecars ended with them.
function leftovers(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).filter((name) =>
    name.startsWith(PREFIX) &&
    !existsSync(`/proc/${parseInt(name.slice(PREFIX.length))}`)
  );
}

/** Whether this process may make network namespaces. */
export function canMakeNamespaces(): boolean {
  if (process.getuid?.() !== 0) return false;
  try {
    removeNamespace(addNamespace("probe"));
    return true;
  } catch {
    return false;
  }
}

let count = 0;

/** Two network namespaces, and a veth pair between them. */
export interface Cable {
  readonly namespaces: readonly [string, string];
  remove(): void;
}

/** Name of the interface at either end of a cable. */
export const INTERFACE = "wire0";

/**
 * Lay a cable.
 *
 * @param addresses Of the kernel at its ends, with prefix length; none if left
 * out.
 */
export function layCable(
  mtu: number,
  addresses?: readonly [string, string],
): Cable {
  leftovers(NAMESPACES).forEach(removeNamespace);
  const number = count++;
  const one = addNamespace(`${number}a`);
  const other = addNamespace(`${number}b`);
  const remove = (): void => [one, other].forEach(removeNamespace);
  try {
    ip(
      ...["-netns", one, "link", "add", INTERFACE, "mtu", `${mtu}`],
      ...["type", "veth", "peer", "name", INTERFACE, "mtu", `${mtu}`],
      ...["netns", other],
    );
    for (const [index, name] of [one, other].entries()) {
      const address = addresses?.[index];
      if (address !== undefined) {
        ip("-netns", name, "address", "add", address, "dev", INTERFACE);
      }
      ip("-netns", name, "link", "set", INTERFACE, "up");
    }
  } catch (error) {
    remove();
    throw error;
  }
  return { namespaces: [one, other], remove };
}

/** Start both sidecars, 10.90.0.1 and 10.90.0.2. */
export async function startVeth(
  mtu: number = 1500,
  driver: "af_packet" | "af_xdp" = "af_packet",
  engines: number = 1,
): Promise<Wire> {
  for (const name of leftovers(DIRECTORIES)) {
    removeDirectory(`${DIRECTORIES}/${name}`);
  }
  const cable = layCable(mtu);
  const directory = addDirectory();
  const processes: NativeProcess[] = [];
  async function stop(): Promise<void> {
    await Promise.all(processes.map((process) => process.stop()));
    cable.remove();
    removeDirectory(directory);
  }
  try {
    const hosts: LabHost[] = [];
    for (const name of cable.namespaces) {
      const address = `10.90.0.${hosts.length + 1}`;
      const socket = `${directory}/${address}.sock`;
      const process = await NativeProcess.start({
        file: "machnetd",
        through: ["ip", "netns", "exec", name],
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
