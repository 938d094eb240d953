/** What messages cost on their engines and off them, on few and on many. */
import { Lab, type LabOptions } from "machnet";
import type { Figure } from "../figure.ts";
import { median } from "../statistics.ts";
import { sleep, Stream } from "../load.ts";
import type { Effort, Part } from "../benchmark.ts";
import { cpuSeconds } from "../proc.ts";
import { Mesh } from "./mesh.ts";

const CONNECTIONS = 16;
const SIZE = 64;
/** Large enough that each takes a packet. */
const PACKET_SIZE = 1024;
const ENGINES = [1, 2, 4] as const;

/** Streams over several engines. */
export const engines: Part = {
  name: "engines",
  conditions:
    `${CONNECTIONS} connections of a script over all pairs of engines ` +
    `stream ${SIZE} B messages; more engines than cores take turns`,
  async measure({ seconds, rounds }: Effort): Promise<Figure[]> {
    const rates: number[][] = ENGINES.map(() => []);
    for (let round = 0; round < rounds; round++) {
      for (const [index, queues] of ENGINES.entries()) {
        await using lab = await streaming({ queues }, SIZE);
        rates[index]!.push((await lab.run(seconds)).rate);
      }
    }
    return ENGINES.map((count, index) => ({
      name: count === 1 ? "1 engine" : `${count} engines`,
      value: Math.round(median(rates[index]!)),
      unit: "/s",
    }));
  },
};

/** What handing every packet over costs. */
export const portless: Part = {
  name: "portless",
  conditions: `${CONNECTIONS} connections over all pairs of 4 engines stream ` +
    `${PACKET_SIZE} B messages past a hash that ignores UDP ports, and past ` +
    "one that does not, in turns",
  async measure({ seconds, rounds }: Effort): Promise<Figure[]> {
    await using plain = await streaming({ queues: 4 }, PACKET_SIZE);
    await using ignoring = await streaming(
      { queues: 4, hash: "no-udp-ports" },
      PACKET_SIZE,
    );
    const labs = [plain, ignoring];
    const costs: Cost[][] = labs.map(() => []);
    for (let round = 0; round < 2 * rounds; round++) {
      // Each first in turn, as what else runs here comes and goes.
      for (const index of round % 2 === 0 ? [0, 1] : [1, 0]) {
        costs[index]!.push(await labs[index]!.run(seconds));
      }
    }
    const [on, off] = costs.map((all) => ({
      cpuNs: median(all.map(({ cpuNs }) => cpuNs)),
      handedOver: median(all.map(({ handedOver }) => handedOver)),
    }));
    return [
      {
        name: "CPU of both sidecars per message, of that on their engines",
        value: off!.cpuNs / on!.cpuNs,
        target: { most: 2 },
      },
      { name: "packets handed over per message", value: off!.handedOver },
    ];
  },
};

interface Cost {
  /** Messages per second. */
  readonly rate: number;
  /** Of both sidecars, per message. */
  readonly cpuNs: number;
  /** Packets per message. */
  readonly handedOver: number;
}

interface Streaming extends AsyncDisposable {
  /** Stream for so long; not in between. */
  run(seconds: number): Promise<Cost>;
}

async function streaming(
  options: Pick<LabOptions, "hash"> & { readonly queues: number },
  size: number,
): Promise<Streaming> {
  const lab = await Lab.start({ ...options, hosts: 2, seed: 7 });
  const mesh = await Mesh.open(lab.hosts, options.queues);
  await mesh.connect(CONNECTIONS);
  await mesh.pass(10);
  const streams = mesh.pairs.map((ends) => new Stream(ends, size));
  for (const stream of streams) stream.pause();
  const read = async (): Promise<number[]> => [
    1e9 * cpuSeconds(lab.hosts.map(({ pid }) => pid)),
    await mesh.handedOver(),
    streams.reduce((sum, { received }) => sum + received, 0),
  ];
  return {
    async run(seconds: number): Promise<Cost> {
      for (const stream of streams) stream.resume();
      await sleep(300 * seconds);
      const before = await read();
      const begun = performance.now();
      let cpuNs: number, handedOver: number, messages: number;
      do {
        await sleep(1000 * seconds);
        [cpuNs, handedOver, messages] = (await read()).map((value, index) =>
          value - before[index]!
        ) as [number, number, number];
        // Else a busy machine needs longer.
      } while (cpuNs === 0 || messages === 0);
      const elapsed = (performance.now() - begun) / 1000;
      for (const stream of streams) stream.pause();
      // Until the engines sleep.
      await sleep(100 * seconds);
      return {
        rate: messages / elapsed,
        cpuNs: cpuNs / messages,
        handedOver: handedOver / messages,
      };
    },
    async [Symbol.asyncDispose](): Promise<void> {
      for (const stream of streams) stream.resume();
      // Throws if a message is missing, comes twice or out of turn.
      await Promise.all(streams.map((stream) => stream.finish()));
      await mesh[Symbol.asyncDispose]();
      await lab.close();
    },
  };
}
