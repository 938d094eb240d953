/** SYNs in the name of others. */
import { Lab, type LabHost } from "machnet";
import { dirname, resolve } from "node:path";
import process from "node:process";
import type { Figure } from "../figure.ts";
import { median } from "../statistics.ts";
import { privateMemory } from "../proc.ts";
import { rateOf, sleep, Stream } from "../load.ts";
import type { Effort, Part } from "../benchmark.ts";
import { ROOT } from "../processes.ts";
import { Program } from "../system/program.ts";
import { Mesh } from "./mesh.ts";

const PROGRAM = resolve(ROOT, "native/build/bench/syn-flood");
const ENGINES = 4;
const PER_SECOND = 100_000;
const SIZE = 1024;
const ANSWER_MS = 60_000;

/** How much of it. */
export interface FloodEffort extends Effort {
  /** Forged SYNs. */
  readonly syns: number;
}

/** What a flood of them does to connections that are there. Whoever makes it,
 * and the network, take time from them, too, on a machine of few cores: so the
 * same packets come to other UDP ports in turn, which costs the rest of it. */
export const flood: Part<FloodEffort> = {
  name: "flood",
  conditions: `forged SYNs, ${PER_SECOND} a second, from a host that answers ` +
    "for the forged addresses; as many strays, which are the same to UDP " +
    `ports of nobody; neither; in turns, while ${ENGINES ** 2} connections ` +
    `stream ${SIZE} B messages`,
  async measure({ syns, rounds }: FloodEffort): Promise<Figure[]> {
    await using lab = await Lab.start({ hosts: 3, queues: ENGINES, seed: 7 });
    const [server, , attacker] = lab.hosts;
    await using mesh = await Mesh.open(lab.hosts, ENGINES);
    await using listener = await (await server!.attach()).listen({ port: 888 });
    await mesh.connect(ENGINES ** 2);
    await using host = await Attacker.replace(
      attacker!,
      server!,
      listener.port,
    );
    const streams = mesh.pairs.map((ends) => new Stream(ends, SIZE));
    const count = Math.round(syns / rounds);
    const calm = (): Promise<number> => rateOf(streams, count / PER_SECOND);
    const under = async (kind: Kind): Promise<number> => {
      const over = host.send(kind, count);
      const rate = await calm();
      await over;
      return rate;
    };
    const phases = {
      calm,
      strays: () => under("strays"),
      syns: () => under("syns"),
    } as const;
    // What is allocated once is, then.
    for (const measure of Object.values(phases)) await measure();

    const before = await server!.stats();
    let grown = 0;
    const ofCalm: number[] = [];
    const ofStrays: number[] = [];
    host.answers = 0;
    for (let round = 0; round < rounds; round++) {
      const order = ["calm", "strays", "syns"] as const;
      const rates = { calm: 0, strays: 0, syns: 0 };
      for (let turn = 0; turn < order.length; turn++) {
        const name = order[(round + turn) % order.length]!;
        const memory = privateMemory(server!.pid);
        rates[name] = await phases[name]();
        if (name === "syns") grown += privateMemory(server!.pid) - memory;
      }
      ofCalm.push(rates.syns / rates.calm);
      ofStrays.push(rates.syns / rates.strays);
    }
    const after = await server!.stats();
    // Throws if a message is missing, comes twice or out of turn.
    await Promise.all(streams.map((stream) => stream.finish()));
    const difference = (name: string): number =>
      after.sidecar[name]! - before.sidecar[name]!;
    return [
      { name: "forged SYNs", value: count * rounds },
      { name: "answers", value: host.answers },
      {
        name: "SYNs beyond what an engine answers in the time",
        value: difference("syns_dropped"),
      },
      {
        name: "packets dropped at the server's full RX queues",
        value: after.vnic!.drop_depth - before.vnic!.drop_depth,
      },
      {
        name: "rate while they come, of that while nothing does",
        value: median(ofCalm),
        target: { least: 0.8 },
      },
      {
        name: "rate while they come, of that while strays do",
        value: median(ofStrays),
        target: { least: 0.8 },
      },
      {
        // Connections take some meanwhile; a byte for each SYN would be more.
        name: "memory that the server's sidecar took meanwhile",
        value: grown / 1024,
        unit: "kB",
        target: { most: syns / 1024 },
      },
    ];
  },
};

type Kind = "syns" | "strays";

/** A program in place of a host's sidecar. */
class Attacker implements AsyncDisposable {
  /** To what it sent. */
  answers = 0;
  readonly #program: Program;

  private constructor(program: Program) {
    this.#program = program;
  }

  static async replace(
    host: LabHost,
    target: LabHost,
    port: number,
  ): Promise<Attacker> {
    process.kill(host.pid, "SIGTERM");
    while (isAlive(host.pid)) await sleep(1);
    const folder = dirname(host.socket);
    const device = `memif:${folder}/host2.memif`;
    return new Attacker(
      new Program([PROGRAM, device, target.address, `${port}`], folder),
    );
  }

  /** Send so many packets. */
  async send(kind: Kind, count: number): Promise<void> {
    const line = `${kind} ${count} ${PER_SECOND}`;
    const told = JSON.parse(await this.#program.ask(line, ANSWER_MS));
    this.answers += told.answers;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#program.stop();
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
