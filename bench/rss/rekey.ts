/** What becomes of connections when their vNICs get new keys. */
import { Lab } from "machnet";
import type { Figure } from "../figure.ts";
import { median } from "../statistics.ts";
import { sleep, Stream } from "../load.ts";
import type { Effort, Part } from "../benchmark.ts";
import { Mesh } from "./mesh.ts";

const ENGINES = 4;
const CONNECTIONS = 64;
const SIZE = 64;
const WATCH_MS = 2000;

/** New keys under traffic. */
export const rekey: Part = {
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
