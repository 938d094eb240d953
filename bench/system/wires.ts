/** What the contenders send through. */
import { Lab, type LabHost } from "machnet";
import { sidecarStats } from "../../src/stats.ts";
import {
  addDirectory,
  INTERFACE,
  layCable,
  removeDirectory,
  startVeth,
} from "../../src/testing/veth.ts";
import type { InlineEngine } from "../ends/end.ts";
import type { Contender } from "./contender.ts";
import { ROOT } from "../processes.ts";
import { forget, keep } from "./keeper.ts";
import { packetsSent } from "../proc.ts";
import { Program } from "./program.ts";

/** What packets go through. */
export type WireName = "memif" | "af_packet" | "af_xdp" | "veth" | "shm";

/** One end of a wire. */
export interface WireEnd {
  readonly address: string;
  /** Commands before a command, for it to run at this end. */
  readonly prefix: readonly string[];
  /** Control socket of the sidecar or the engine here, if there is one. */
  readonly socket?: string;
  /** What the script here is to run, in place of a sidecar. */
  readonly engine?: InlineEngine;
}

/** A wire with two hosts. */
export interface Wire extends AsyncDisposable {
  readonly server: WireEnd;
  readonly client: WireEnd;
  /** Of sidecars. */
  readonly pids: readonly number[];
  /** Packets sent by both hosts; a process at each end is given. */
  packets(pids: readonly [number, number]): Promise<number>;
}

function ofSidecars(
  hosts: readonly LabHost[],
  stop: () => Promise<void>,
): Wire {
  const [server, client] = hosts.map(({ address, socket }) => ({
    address,
    socket,
    prefix: [],
  }));
  return {
    server: server!,
    client: client!,
    pids: hosts.map(({ pid }) => pid),
    packets: () => enginePackets(hosts),
    [Symbol.asyncDispose]: stop,
  };
}

async function enginePackets(
  ends: readonly { readonly socket?: string }[],
): Promise<number> {
  let sum = 0;
  for (const { socket } of ends) {
    sum += (await sidecarStats(socket!))["packets_sent"]!;
  }
  return sum;
}

/** For two scripts with engines of their own. */
async function ofEngines(
  name: "memif" | "af_packet",
  mtu: number,
): Promise<Wire> {
  const directory = addDirectory();
  const cable = name === "af_packet" ? await layCable(mtu) : undefined;
  const memif = `memif:${directory}/wire.memif`;
  const devices = cable === undefined
    ? [`${memif},server`, memif]
    : [`af_packet:${INTERFACE}`, `af_packet:${INTERFACE}`];
  const ends = devices.map((device, index): WireEnd => {
    const address = `10.90.0.${index + 1}`;
    return {
      address,
      prefix: cable?.prefixes[index] ?? [],
      socket: `${directory}/${address}.sock`,
      engine: { device, ip: `${address}/24`, mtu },
    };
  });
  return {
    server: ends[0]!,
    client: ends[1]!,
    pids: [],
    packets: () => enginePackets(ends),
    [Symbol.asyncDispose](): Promise<void> {
      cable?.remove();
      removeDirectory(directory);
      return Promise.resolve();
    },
  };
}

async function ofKernel(mtu: number): Promise<Wire> {
  const cable = await layCable(mtu, ["10.91.0.1/24", "10.91.0.2/24"]);
  const [server, client] = cable.prefixes.map((prefix, index) => ({
    address: `10.91.0.${index + 1}`,
    prefix,
  }));
  return {
    server: server!,
    client: client!,
    pids: [],
    packets: (pids) =>
      Promise.resolve(
        pids.reduce((sum, pid) => sum + packetsSent(pid, INTERFACE), 0),
      ),
    [Symbol.asyncDispose]: () => Promise.resolve(cable.remove()),
  };
}

/** Engines that hand over, and make no packet. */
function ofHandovers(): Wire {
  const directory = addDirectory();
  const address = `${directory}/way`;
  const engines = ["server-engine", "client-engine"].map((role) =>
    new Program(["native/build/bench/handover", role, address], ROOT)
  );
  return {
    server: { address, prefix: [] },
    client: { address, prefix: [] },
    pids: engines.map(({ pid }) => pid),
    packets: () => Promise.resolve(0),
    async [Symbol.asyncDispose](): Promise<void> {
      await Promise.all(engines.map((engine) => engine.stop()));
      removeDirectory(directory);
    },
  };
}

/** Make the wire of a contender, with its sidecars, if it has any. */
export async function startWire(
  { wire: name, mtu, mode }: Contender,
): Promise<Wire> {
  if (name === "veth") return ofKernel(mtu);
  if (name === "shm") return ofHandovers();
  if (mode === "inline") {
    if (name === "memif" || name === "af_packet") return ofEngines(name, mtu);
    throw new TypeError(`Cannot run an engine inline on ${name}`);
  }
  const wire = name === "memif"
    ? await Lab.start({ hosts: 2, wire: "direct", mtu })
    : await startVeth(mtu, name);
  const pids = wire.hosts.map(({ pid }) => pid);
  // It ends with its parent, unless it stands still.
  for (const pid of pids) keep(pid, "CONT");
  return ofSidecars(wire.hosts, async () => {
    await wire[Symbol.asyncDispose]();
    pids.forEach(forget);
  });
}
