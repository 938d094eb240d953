/** Many connections that do nothing beside one that is busy. */
import { Lab } from "machnet";
import process from "node:process";
import { Script } from "../processes.ts";
import type { Figure } from "../figure.ts";
import type { Part, RealtimeEffort } from "../benchmark.ts";
import { connectPair, echo, requestReply, sleep } from "../load.ts";
import { median } from "../statistics.ts";
import { memory, pin, takeTurns } from "../proc.ts";

/** One in so many is there before memory is measured, so that what channels and
 * opening connections take is not counted as that of a connection. */
const FIRST = 10;

/** How much of it. */
export interface IdleEffort extends RealtimeEffort {
  /** Connections that idle. */
  readonly idle: number;
}

/** What a busy connection notices of many idle ones, and what they cost. */
export const idle: Part<IdleEffort> = {
  name: "idle",
  conditions: "64 B request-reply at window 1 over a direct wire, with and " +
    "without idle connections of other applications between the same two " +
    "hosts; SCHED_RR where that is allowed",
  async measure(
    { seconds, rounds, realtime, idle: count }: IdleEffort,
  ): Promise<Figure[]> {
    await using calm = await Lab.start({ hosts: 2, wire: "direct" });
    await using crowded = await Lab.start({ hosts: 2, wire: "direct" });
    // Who shares a core with whom makes a round trip 15 us or 30.
    using _ = pin(process.pid, 0);
    for (const lab of [calm, crowded]) {
      for (const { pid } of lab.hosts) pin(pid, 1);
      await busyP50(lab, seconds);
    }

    const { hosts } = crowded;
    const first = Math.floor(count / FIRST);
    await using crowd = Script.start({
      file: "bench/transport/crowd.ts",
      parameters: [
        ...hosts.map(({ socket }) => socket),
        `${count}`,
        `${first}`,
      ],
    });
    await crowd.line(/^begun$/);
    const before = hosts.map(({ pid }) => memory(pid));
    process.kill(crowd.pid, "SIGINT");
    await crowd.line(/^open$/);
    await sleep(1000); // until the last of them is idle, too
    const bytes = hosts.map(({ pid }, index) =>
      (memory(pid) - before[index]!) / (count - first)
    );

    const pids = [calm, crowded].flatMap(({ hosts }) => hosts)
      .map(({ pid }) => pid);
    using _turns = takeTurns(realtime === 0 ? [] : [process.pid, ...pids]);
    const p50s: number[][] = [[], []];
    for (let round = 0; round < rounds; round++) {
      for (const [index, lab] of [calm, crowded].entries()) {
        p50s[index]!.push(await busyP50(lab, seconds));
      }
    }
    const [without, beside] = p50s.map(median);
    return [
      { name: "idle connections", value: count },
      { name: "p50 without them", value: without! / 1000, unit: "us" },
      {
        name: "p50 with them, of that",
        value: beside! / without!,
        target: { most: 1.1 },
      },
      {
        name: "memory of the server's sidecar for each",
        value: bytes[0]!,
        unit: "B",
        target: { most: 512 },
      },
      {
        name: "memory of the client's sidecar for each",
        value: bytes[1]!,
        unit: "B",
        target: { most: 512 },
      },
    ];
  },
};

/** Of a connection between the two hosts, with no other channel in this
 * process: a script looks into all that it has. */
async function busyP50(lab: Lab, seconds: number): Promise<number> {
  await using server = await lab.hosts[0]!.attach();
  await using client = await lab.hosts[1]!.attach();
  const [connection, accepted] = await connectPair(client, server);
  echo(accepted).catch(() => {});
  const { p50 } = await requestReply(connection, {
    size: 64,
    window: 1,
    seconds,
  });
  await connection.close();
  return p50;
}
