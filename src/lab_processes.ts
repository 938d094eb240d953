/**
 * The processes of a lab: which there are, and how they are joined.
 *
 * @module
 */
import { mkdtempSync, rmSync } from "node:fs";
import globals from "node:process";
import { MachnetError } from "../ffi/error.ts";
import { environment } from "../ffi/library.ts";
import type { Leakable } from "./leaks.ts";
import { fabricParameters, type LabOptions } from "./lab_options.ts";
import { NativeProcess } from "./native_process.ts";

/** A host of a lab. */
export interface HostProcess {
  readonly address: string;
  readonly socket: string;
  readonly process: NativeProcess;
}

/** What runs, and where its files are. */
interface Parts {
  readonly directory: string;
  /** Bytes in an IP packet. */
  readonly mtu: number;
  readonly hosts: readonly HostProcess[];
  /** Absent where the wire is direct. */
  readonly fabric?: {
    readonly socket: string;
    readonly process: NativeProcess;
  };
}

/** All that runs for a lab. */
export class LabProcesses implements Leakable {
  readonly label = "lab";
  readonly mtu: Parts["mtu"];
  readonly hosts: Parts["hosts"];
  readonly fabric: Parts["fabric"];
  readonly #directory: string;
  #closing: Promise<void> | undefined;

  constructor({ directory, mtu, hosts, fabric }: Parts) {
    this.mtu = mtu;
    this.hosts = hosts;
    this.fabric = fabric;
    this.#directory = directory;
  }

  get isClosed(): boolean {
    return this.#closing !== undefined;
  }

  /** Stop all, and remove what is left of them. */
  close(): Promise<void> {
    if (this.#closing === undefined) {
      const all = this.hosts.map(({ process }) => process);
      if (this.fabric !== undefined) all.push(this.fabric.process);
      this.#closing = stop(all, this.#directory);
    }
    return this.#closing;
  }
}

// Of a direct wire; see native/port/attach.c.
const MTU_DEFAULT = 1500;

/** Start all, or nothing. */
export async function startProcesses(
  options: LabOptions,
): Promise<LabProcesses> {
  const base = await environment("TMPDIR") || "/tmp";
  const directory = mkdtempSync(`${base}/machnet-lab-`);
  directories.add(directory);
  const started: NativeProcess[] = [];
  try {
    const parts = options.wire === "direct"
      ? await startDirect(directory, options, started)
      : await startFabric(directory, options, started);
    return new LabProcesses(parts);
  } catch (error) {
    await stop(started, directory);
    throw error;
  }
}

async function stop(
  processes: readonly NativeProcess[],
  directory: string,
): Promise<void> {
  await Promise.all(processes.map((process) => process.stop()));
  remove(directory);
}

// Of labs that nobody closed yet. Their processes end with this one, but
// cannot remove what is not theirs.
const directories = new Set<string>();
globals.once("exit", () => directories.forEach(remove));

function remove(directory: string): void {
  directories.delete(directory);
  rmSync(directory, { recursive: true, force: true });
}

async function startDirect(
  directory: string,
  options: LabOptions,
  started: NativeProcess[],
): Promise<Parts> {
  const wire = `memif:${directory}/wire.memif`;
  const devices = [`${wire},server`, wire];
  const hosts = await startHosts(directory, devices, options, started);
  return { directory, mtu: options.mtu ?? MTU_DEFAULT, hosts };
}

async function startFabric(
  directory: string,
  options: LabOptions,
  started: NativeProcess[],
): Promise<Parts> {
  const process = await startSwitch(directory, options);
  started.push(process);
  const fabric = { socket: `${directory}/fabric.sock`, process };
  const { mtu, queues } = parseReady(process.readyLine);
  const hosts = await startHosts(
    directory,
    Array.from(
      { length: options.hosts },
      (_, index) => `memif:${directory}/host${index}.memif`,
    ),
    { ...options, mtu },
    started,
    queues,
  );
  return { directory, mtu, hosts, fabric };
}

// All of them, or the first failure: the others may wait for that host's link.
async function startHosts(
  directory: string,
  devices: readonly string[],
  options: LabOptions,
  started: NativeProcess[],
  engines: readonly number[] = [],
): Promise<HostProcess[]> {
  const failed = new AbortController();
  const signals = [failed.signal];
  if (options.signal !== undefined) signals.push(options.signal);
  const signal = AbortSignal.any(signals);
  const hosts: HostProcess[] = [];
  await Promise.all(devices.map(async (device, index) => {
    try {
      const host = await startHost(
        directory,
        index,
        device,
        { ...options, signal },
        engines[index],
      );
      started.push(host.process);
      hosts[index] = host;
    } catch (error) {
      failed.abort(error);
    }
  }));
  signal.throwIfAborted();
  return hosts;
}

// What a profile says of hosts is known to the fabric alone. It tells without
// being asked: that would need one more permission, for sockets.
function parseReady(line: string): { mtu: number; queues: number[] } {
  const [, mtu, queues] = /mtu (\d+), queues ([\d,]+)$/.exec(line) ?? [];
  if (mtu === undefined || queues === undefined) {
    throw new MachnetError(
      "SYSTEM_ERROR",
      `Cannot start machnet-fabric: it is of another version and said: ${line}`,
    );
  }
  return { mtu: Number(mtu), queues: queues.split(",").map(Number) };
}

async function startHost(
  directory: string,
  index: number,
  device: string,
  { mtu, peerTimeoutMs, signal }: LabOptions,
  engines?: number,
): Promise<HostProcess> {
  const address = `10.90.0.${index + 1}`;
  const socket = `${directory}/host${index}.sock`;
  const parameters = [
    ...["--device", device],
    ...["--ip", `${address}/24`],
    ...["--socket", socket],
  ];
  if (mtu !== undefined) parameters.push("--mtu", `${mtu}`);
  if (peerTimeoutMs !== undefined) {
    parameters.push("--peer-timeout", `${peerTimeoutMs}`);
  }
  if (engines !== undefined) parameters.push("--engines", `${engines}`);
  const process = await NativeProcess.start({
    file: "machnetd",
    parameters,
    // Said after "ready". What is sent before that, nobody gets.
    ready: "machnetd: link up",
    signal,
  });
  return { address, socket, process };
}

function startSwitch(
  directory: string,
  options: LabOptions,
): Promise<NativeProcess> {
  return NativeProcess.start({
    file: "machnet-fabric",
    parameters: ["--directory", directory, ...fabricParameters(options)],
    ready: "machnet-fabric: ready",
    signal: options.signal,
  });
}
