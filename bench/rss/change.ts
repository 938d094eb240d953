/** What becomes of connections when their vNICs change. */
import { Lab } from "machnet";
import type { Figure } from "../figure.ts";
import { median, sleep, Stream } from "../load.ts";
import type { Effort, Measurement } from "../measurement.ts";
import { cpuSeconds } from "../system/program.ts";
import { Mesh } from "./mesh.ts";

const ENGINES = 4;
const CONNECTIONS = 64;
const SIZE = 64;
const WATCH_MS = 2000;

/** New keys under traffic. */
export const rekey: Measurement = {
  name: "rekey",
  conditions: `new keys at both hosts while ${CONNECTIONS} connections over ` +
    `all pairs of ${ENGINES} engines stream ${SIZE} B messages, each checked`,
  async measure({ rounds }: Effort): Promise<Figure[]> {
    await using lab = await Lab.start({ hosts: 2, queues: ENGINES, seed: 7 });
    await using mesh = await Mesh.open(lab.hosts, ENGINES);
    await mesh.connect(CONNECTIONS);
    const streams = mesh.pairs.map((ends) => new Stream(ends, SIZE));
    await sleep(1000);
    const back: number[] = [];
    const moved: number[] = [];
    for (let round = 0; round < rounds; round++) {
      let count = await mesh.handedOver();
      const before = count;
      await lab.rekey();
      const begun = performance.now();
      let last = begun;
      while (performance.now() < begun + WATCH_MS) {
        await sleep(5);
        const now = await mesh.handedOver();
        if (now > count) last = performance.now();
        count = now;
      }
      back.push(last - begun);
      moved.push(count - before);
    }
    // Throws if a message is missing, comes twice or out of turn.
    await Promise.all(streams.map((stream) => stream.finish()));
    return [
      {
        name: "all back on their engines after, at the longest",
        value: Math.max(...back),
        unit: "ms",
        target: { most: 1000 },
      },
      { name: "packets handed over until then", value: median(moved) },
      {
        name: "messages delivered, each once and in order",
        value: streams.reduce((sum, { received }) => sum + received, 0),
      },
    ];
  },
};

/** What handing every packet over costs. */
export const portless: Measurement = {
  name: "portless",
  conditions:
    "16 connections over all pairs of 4 engines stream 64 B messages " +
    "past a hash that ignores UDP ports, and past one that does not, in turns",
  async measure({ seconds, rounds }: Effort): Promise<Figure[]> {
    await using plain = await streaming("toeplitz");
    await using ignoring = await streaming("no-udp-ports");
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

/** Per message. */
interface Cost {
  readonly cpuNs: number;
  readonly handedOver: number;
}

interface Streaming extends AsyncDisposable {
  /** Stream for so long. */
  run(seconds: number): Promise<Cost>;
}

async function streaming(
  hash: "toeplitz" | "no-udp-ports",
): Promise<Streaming> {
  const lab = await Lab.start({ hosts: 2, queues: ENGINES, seed: 7, hash });
  return {
    async run(seconds: number): Promise<Cost> {
      await using mesh = await Mesh.open(lab.hosts, ENGINES);
      await mesh.connect(ENGINES ** 2);
      await mesh.pass(10);
      const streams = mesh.pairs.map((ends) => new Stream(ends, SIZE));
      await sleep(200 * seconds);
      const read = async (): Promise<number[]> => [
        1e9 * cpuSeconds(lab.hosts.map(({ pid }) => pid)),
        await mesh.handedOver(),
        streams.reduce((sum, { received }) => sum + received, 0),
      ];
      const before = await read();
      await sleep(1000 * seconds);
      const after = await read();
      await Promise.all(streams.map((stream) => stream.finish()));
      const [cpu, handed, messages] = after.map((value, index) =>
        value - before[index]!
      );
      return { cpuNs: cpu! / messages!, handedOver: handed! / messages! };
    },
    [Symbol.asyncDispose]: () => lab.close(),
  };
}
