/** SYNs in the name of others. */
import { Lab } from "machnet";
import { execFile } from "node:child_process";
import { dirname, resolve } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import type { Figure } from "../figure.ts";
import { median, memory, rateOf, sleep, Stream } from "../load.ts";
import type { Effort, Measurement } from "../measurement.ts";
import { ROOT } from "../processes.ts";
import { Mesh } from "./mesh.ts";

const PROGRAM = resolve(ROOT, "native/build/bench/syn-flood");
const ENGINES = 4;
const PER_SECOND = 100_000;
const SIZE = 1024;

const run = promisify(execFile);

/** How much of it. */
export interface FloodEffort extends Effort {
  /** Forged SYNs. */
  readonly syns: number;
}

/** What a flood of them does to connections that are there. */
export const flood: Measurement<FloodEffort> = {
  name: "flood",
  conditions: `forged SYNs, ${PER_SECOND} a second, from a host that answers ` +
    `for the forged addresses, while 16 connections stream ${SIZE} B messages`,
  async measure({ syns, seconds, rounds }: FloodEffort): Promise<Figure[]> {
    await using lab = await Lab.start({ hosts: 3, queues: ENGINES, seed: 7 });
    const [server, , attacker] = lab.hosts;
    const device = `memif:${dirname(attacker!.socket)}/host2.memif`;
    process.kill(attacker!.pid, "SIGTERM"); // its place is taken
    await using mesh = await Mesh.open(lab.hosts, ENGINES);
    await using listener = await (await server!.attach()).listen({ port: 888 });
    await mesh.connect(ENGINES ** 2);
    const streams = mesh.pairs.map((ends) => new Stream(ends, SIZE));
    await sleep(1000 * seconds);
    const attack = (count: number): Promise<{ stdout: string }> =>
      run(PROGRAM, [
        ...[device, server!.address, `${listener.port}`],
        ...[`${count}`, `${PER_SECOND}`],
      ]);

    const before = await server!.stats();
    await attack(Math.min(syns, 1000)); // what is allocated once, is by now
    const bytes = memory(server!.pid);
    const kept: number[] = [];
    let answers = 0;
    for (let round = 0; round < rounds; round++) {
      const calm = await rateOf(streams, seconds);
      const attacking = attack(Math.round(syns / rounds));
      await sleep(500);
      const share = Math.min(seconds, syns / rounds / PER_SECOND);
      kept.push(await rateOf(streams, share) / calm);
      const { stdout } = await attacking;
      answers += Number(/answers (\d+)/.exec(stdout)![1]);
    }
    const after = await server!.stats();
    const grown = memory(server!.pid) - bytes;
    // Throws if a message is missing, comes twice or out of turn.
    await Promise.all(streams.map((stream) => stream.finish()));
    const vnics = await lab.stats();
    const name = "packets_unanswered";
    return [
      { name: "forged SYNs", value: vnics[2]!.syns_sent },
      { name: "answers", value: answers },
      {
        name: "SYNs beyond what a turn of an engine answers",
        value: after.sidecar[name]! - before.sidecar[name]!,
      },
      {
        name: "packets dropped at the server's full RX queues",
        value: after.vnic!.drop_depth - before.vnic!.drop_depth,
      },
      {
        name: "rate while they come, of that before",
        value: median(kept),
        target: { least: 0.8 },
      },
      {
        name: "memory that the server's sidecar took for them",
        value: grown / 1024,
        unit: "kB",
        target: { most: 1024 },
      },
    ];
  },
};
