/** Many senders at once into one receiver. */
import type { Figure } from "../figure.ts";
import type { Effort, Part } from "../benchmark.ts";
import { connectPair, rateOf, sleep, startHosts, Stream } from "../load.ts";
import { median } from "../statistics.ts";

const HOSTS = 5;
const STREAMS_PER_HOST = 2;
const SIZE = 8 * 1024;

/** What gets lost when everybody sends to one host. */
export const incast: Part = {
  name: "incast",
  conditions: `${HOSTS * STREAMS_PER_HOST} connections from ${HOSTS} hosts ` +
    `send ${SIZE / 1024} kB messages to one over the fabric`,
  async measure({ seconds, rounds }: Effort): Promise<Figure[]> {
    await using hosts = await startHosts({ hosts: 1 + HOSTS, seed: 7 });
    const { lab, server, clients } = hosts;
    const streams: Stream[] = [];
    for (let i = 0; i < HOSTS * STREAMS_PER_HOST; i++) {
      const ends = await connectPair(clients[i % HOSTS]!, server);
      streams.push(new Stream(ends, SIZE));
    }
    await sleep(1000 * seconds);
    const rates: number[] = [];
    for (let round = 0; round < rounds; round++) {
      rates.push(await rateOf(streams, seconds));
    }
    await Promise.all(streams.map((stream) => stream.finish()));
    const [vnic] = await lab.stats();
    const received = streams.map((stream) => stream.received);
    return [
      {
        name: "goodput of all",
        value: median(rates) * SIZE * 8 / 1e6,
        unit: "Mbit/s",
      },
      {
        name: "packets dropped at the receiver's full RX queue",
        value: vnic!.drop_depth,
        target: { most: 0 },
      },
      {
        name: "slowest sender, of the average",
        value: Math.min(...received) * received.length /
          received.reduce((a, b) => a + b),
      },
    ];
  },
};
