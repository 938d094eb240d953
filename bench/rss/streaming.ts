/** What messages cost on their engines and off them, on few and on many. */
import { Lab, type LabOptions } from "machnet";
import type { Figure } from "../figure.ts";
import { median, sleep, Stream } from "../load.ts";
import type { Effort, Measurement } from "../measurement.ts";
import { cpuSeconds } from "../system/program.ts";
import { Mesh } from "./mesh.ts";

const CONNECTIONS = 16;
const SIZE = 64;
const ENGINES = [1, 2, 4] as const;

/** Streams over several engines. */
export const engines: Measurement = {
  name: "engines",
  conditions:
    `${CONNECTIONS} connections of a script over all pairs of engines ` +
    `stream ${SIZE} B messages; more engines than cores take turns`,
  async measure({ seconds, rounds }: Effort): Promise<Figure[]> {
    const rates: number[][] = ENGINES.map(() => []);
    for (let round = 0; round < rounds; round++) {
      for (const [index, queues] of ENGINES.entries()) {
        await using lab = await streaming({ queues });
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
export const portless: Measurement = {
  name: "portless",
  conditions:
    "16 connections over all pairs of 4 engines stream 64 B messages " +
    "past a hash that ignores UDP ports, and past one that does not, in turns",
  async measure({ seconds, rounds }: Effort): Promise<Figure[]> {
    await using plain = await streaming({ queues: 4 });
    await using ignoring = await streaming({ queues: 4, hash: "no-udp-ports" });
    const ratios: number[] = [];
    const off: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const expected = await plain.run(seconds);
      const measured = await ignoring.run(seconds);
      ratios.push(measured.cpuNs / expected.cpuNs);
      off.push(measured.handedOver);
    }
    return [
      {
        name: "CPU of both sidecars per message, of that on their engines",
        value: median(ratios),
        target: { most: 2 },
      },
      { name: "packets handed over per message", value: median(off) },
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
  /** Stream for so long. */
  run(seconds: number): Promise<Cost>;
}

async function streaming(
  options: Pick<LabOptions, "hash"> & { readonly queues: number },
): Promise<Streaming> {
  const lab = await Lab.start({ ...options, hosts: 2, seed: 7 });
  return {
    async run(seconds: number): Promise<Cost> {
      await using mesh = await Mesh.open(lab.hosts, options.queues);
      await mesh.connect(CONNECTIONS);
      await mesh.pass(10);
      const streams = mesh.pairs.map((ends) => new Stream(ends, SIZE));
      await sleep(200 * seconds);
      const read = async (): Promise<number[]> => [
        1e9 * cpuSeconds(lab.hosts.map(({ pid }) => pid)),
        await mesh.handedOver(),
        streams.reduce((sum, { received }) => sum + received, 0),
      ];
      const before = await read();
      const begun = performance.now();
      await sleep(1000 * seconds);
      const elapsed = (performance.now() - begun) / 1000;
      const after = await read();
      await Promise.all(streams.map((stream) => stream.finish()));
      const [cpu, handed, messages] = after.map((value, index) =>
        value - before[index]!
      );
      return {
        rate: messages! / elapsed,
        cpuNs: cpu! / messages!,
        handedOver: handed! / messages!,
      };
    },
    [Symbol.asyncDispose]: () => lab.close(),
  };
}
