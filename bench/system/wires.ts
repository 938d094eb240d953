/** What the contenders send through, each made once, when it is first needed. */
import process from "node:process";
import { Lab, type LabHost } from "machnet";
import { INTERFACE, layCable, startVeth } from "../../src/testing/veth.ts";
import { packetsSent, signal } from "./program.ts";

/** What packets go through. */
export type WireName = "memif" | "af_packet" | "af_xdp" | "veth";

/** One end of a wire. */
export interface WireEnd {
  readonly address: string;
  /** Commands before a command, for it to run at this end. */
  readonly prefix: readonly string[];
  /** Control socket of the sidecar here, if there is one. */
  readonly socket?: string;
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
    async packets(): Promise<number> {
      const all = await Promise.all(hosts.map((host) => host.stats()));
      return all.reduce(
        (sum, { sidecar }) => sum + sidecar["packets_sent"]!,
        0,
      );
    },
    [Symbol.asyncDispose]: stop,
  };
}

function ofKernel(mtu: number): Wire {
  const cable = layCable(mtu, ["10.91.0.1/24", "10.91.0.2/24"]);
  const [server, client] = cable.namespaces.map((name, index) => ({
    address: `10.91.0.${index + 1}`,
    prefix: ["ip", "netns", "exec", name],
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

// What stands still does not even end with this process.
const sidecars = new Set<number>();
process.once("exit", () => signal([...sidecars], "SIGCONT"));

async function start(name: WireName, mtu: number): Promise<Wire> {
  if (name === "veth") return ofKernel(mtu);
  const wire = name === "memif"
    ? await Lab.start({ hosts: 2, wire: "direct", mtu })
    : await startVeth(mtu, name);
  const pids = wire.hosts.map(({ pid }) => pid);
  for (const pid of pids) sidecars.add(pid);
  return ofSidecars(wire.hosts, async () => {
    signal(pids, "SIGCONT");
    for (const pid of pids) sidecars.delete(pid);
    await wire[Symbol.asyncDispose]();
  });
}

/** All wires in use. */
export class Wires implements AsyncDisposable {
  readonly #wires = new Map<string, Promise<Wire>>();

  get(name: WireName, mtu: number): Promise<Wire> {
    const key = `${name} ${mtu}`;
    const known = this.#wires.get(key);
    if (known !== undefined) return known;
    const wire = start(name, mtu);
    this.#wires.set(key, wire);
    return wire;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const result of await Promise.allSettled(this.#wires.values())) {
      if (result.status === "fulfilled") {
        await result.value[Symbol.asyncDispose]();
      }
    }
  }
}
