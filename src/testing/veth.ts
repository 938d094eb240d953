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
const INTERFACE = "wire0";

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

function addDirectory(): string {
  const path = mkdtempSync(`${DIRECTORIES}/${PREFIX}${process.pid}-`);
  directories.add(path);
  return path;
}

function removeDirectory(path: string): void {
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

/** Start both sidecars, 10.90.0.1 and 10.90.0.2. */
export async function startVeth(mtu: number = 1500): Promise<Wire> {
  leftovers(NAMESPACES).forEach(removeNamespace);
  for (const name of leftovers(DIRECTORIES)) {
    removeDirectory(`${DIRECTORIES}/${name}`);
  }
  const number = count++;
  const names = [addNamespace(`${number}a`), addNamespace(`${number}b`)];
  const directory = addDirectory();
  const processes: NativeProcess[] = [];
  async function stop(): Promise<void> {
    await Promise.all(processes.map((process) => process.stop()));
    names.forEach(removeNamespace);
    removeDirectory(directory);
  }
  try {
    join(names[0]!, names[1]!, mtu);
    const hosts: LabHost[] = [];
    for (const name of names) {
      const address = `10.90.0.${hosts.length + 1}`;
      const socket = `${directory}/${address}.sock`;
      const process = await NativeProcess.start({
        file: "machnetd",
        through: ["ip", "netns", "exec", name],
        parameters: [
          ...["--device", `af_packet:${INTERFACE}`],
          ...["--ip", `${address}/24`, "--socket", socket],
          ...["--mtu", `${mtu}`],
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
        stats: () => sidecarStats(socket),
      });
    }
    return { hosts, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function join(one: string, other: string, mtu: number): void {
  ip(
    ...["-netns", one, "link", "add", INTERFACE, "mtu", `${mtu}`],
    ...["type", "veth", "peer", "name", INTERFACE, "mtu", `${mtu}`],
    ...["netns", other],
  );
  for (const name of [one, other]) {
    ip("-netns", name, "link", "set", INTERFACE, "up");
  }
}
