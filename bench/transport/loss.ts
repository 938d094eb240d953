/**
 * Request-reply over networks that lose packets.
 *
 * Sidecars, fabric and script may be more threads than there are cores. Linux
 * then takes a core from one of them at its next tick, of which there may be no
 * more than 250 in a second: many times what a lost packet costs. So they take
 * turns, and nobody else has one, but in pauses: real-time threads that leave
 * others nothing for most of a second are stopped for 50 ms of it
 * (sched_rt_runtime_us), longer than any loss would.
 */
import process from "node:process";
import type { Connection } from "machnet";
import type { Figure } from "../figure.ts";
import type { Effort, Part, RealtimeEffort } from "../benchmark.ts";
import {
  connectPair,
  echo,
  type Hosts,
  type LoadResult,
  requestReply,
  sleep,
  startHosts,
} from "../load.ts";
import { medians } from "../statistics.ts";
import { takeTurns } from "../proc.ts";

const SHARES = [0, 0.01, 0.05] as const;
/** As `request()` does it: a reply overtakes those that wait for a packet. */
const KINDS = [
  { ordered: false, windows: [1, 32] },
  // Everything waits behind a lost message: no target.
  { ordered: true, windows: [32] },
] as const;
const LATENCY_US = 20;
/** At a time, then others have their turn. */
const SECONDS_MAX = 0.5;
const PAUSE_MS = 100;

/** After so long a tail-loss probe is sent, as in recovery.c, if the round trip
 * takes about as long as a request and its reply. */
export function tailProbeNs(rttNs: number): number {
  const ackDelayNs = Math.min(Math.max(rttNs / 4, 50_000), 200_000);
  return Math.max(2 * rttNs + ackDelayNs, 200_000);
}

/** Goodput with loss, as a share of that without. */
export const loss: Part<RealtimeEffort> = {
  name: "loss",
  conditions:
    `1 kB request-reply over the fabric, ${LATENCY_US} us each way, ` +
    "loss per packet in both directions; SCHED_RR where that is allowed",
  async measure(
    { seconds, rounds, realtime }: RealtimeEffort,
  ): Promise<Figure[]> {
    await using stack = new AsyncDisposableStack();
    const labs: Hosts[] = [];
    for (const share of SHARES) {
      const hosts = stack.use(
        await startHosts({
          hosts: 2,
          seed: 7,
          loss: share,
          latencyUs: LATENCY_US,
        }),
      );
      labs.push(hosts);
    }
    const pids = labs.flatMap(({ lab: { fabricPid, hosts } }) => [
      fabricPid!,
      ...hosts.map(({ pid }) => pid),
    ]);
    using _ = takeTurns(realtime === 0 ? [] : [process.pid, ...pids]);
    const figures: Figure[] = [];
    for (const { ordered, windows } of KINDS) {
      const connections: Connection[] = [];
      for (const { clients, server } of labs) {
        const [client, accepted] = await connectPair(clients[0]!, server, {
          ordered,
        });
        echo(accepted).catch(() => {});
        connections.push(client);
      }
      for (const window of windows) {
        const loads = await inTurns(connections, window, { seconds, rounds });
        const name = ordered ? `window ${window}` : `unordered, ${window}`;
        figures.push(...figuresOf(name, loads, !ordered));
      }
    }
    return figures;
  },
};

async function inTurns(
  connections: readonly Connection[],
  window: number,
  effort: Effort,
): Promise<LoadResult[][]> {
  const loads: LoadResult[][] = connections.map(() => []);
  const seconds = Math.min(effort.seconds, SECONDS_MAX);
  const rounds = Math.ceil(effort.rounds * effort.seconds / seconds);
  for (let round = -1; round < rounds; round++) {
    for (const [index, connection] of connections.entries()) {
      await sleep(PAUSE_MS);
      const load = { size: 1024, window, seconds };
      const result = await requestReply(connection, load);
      if (round >= 0) loads[index]!.push(result);
    }
  }
  return loads;
}

function figuresOf(
  kind: string,
  loads: readonly LoadResult[][],
  judged: boolean,
): Figure[] {
  const [none, one, five] = loads.map((results) => medians(results));
  const name = (text: string): string => `${kind}: ${text}`;
  const target = (bound: Figure["target"]): Pick<Figure, "target"> =>
    judged && bound !== undefined ? { target: bound } : {};
  const stall = Math.max(...loads.flat().map((load) => load.stall));
  return [
    { name: name("rate without loss"), value: none!.rate, unit: "/s" },
    {
      name: name("rate at 1 % loss, of that"),
      value: one!.rate / none!.rate,
      ...target({ least: 0.8 }),
    },
    {
      name: name("rate at 5 % loss, of that"),
      value: five!.rate / none!.rate,
      ...target({ least: 0.5 }),
    },
    { name: name("p50 without loss"), value: none!.p50 / 1000, unit: "us" },
    { name: name("p99.9 without loss"), value: none!.p999 / 1000, unit: "us" },
    { name: name("p50 at 1 %"), value: one!.p50 / 1000, unit: "us" },
    { name: name("p99 at 1 %"), value: one!.p99 / 1000, unit: "us" },
    {
      name: name("p99.9 at 1 %"),
      value: one!.p999 / 1000,
      unit: "us",
      ...target({ most: (4 * one!.p50 + tailProbeNs(one!.p50)) / 1000 }),
    },
    {
      name: name("longest stall"),
      value: stall / 1e6,
      unit: "ms",
      ...target({ most: 1000 }),
    },
  ];
}
