/** A network of limited bandwidth, that marks packets or does not. */
import type { Figure } from "../figure.ts";
import type { Effort, Part } from "../benchmark.ts";
import { connectPair, rateOf, sleep, startHosts, Stream } from "../load.ts";
import { medians } from "../statistics.ts";

const HOSTS = 4;
const SIZE = 8 * 1024;
const BANDWIDTH_MBPS = 200;
// Above bandwidth x round trip / 7, less than 1 here (M. Alizadeh et al., Data
// Center TCP, SIGCOMM 2010, section 3.4), and below what queues grow to when
// delay alone controls them.
const THRESHOLD = 5;

/** What marks are good for. */
export const ecn: Part = {
  name: "ecn",
  conditions: `${HOSTS} hosts send ${SIZE / 1024} kB messages to one through ` +
    `${BANDWIDTH_MBPS} Mbit/s, 20 us away; marks above ${THRESHOLD} packets`,
  async measure({ seconds, rounds }: Effort): Promise<Figure[]> {
    const without: Run[] = [];
    const marking: Run[] = [];
    for (let round = 0; round < rounds; round++) {
      without.push(await run(undefined, seconds));
      marking.push(await run(THRESHOLD, seconds));
    }
    const plain = medians(without);
    const marked = medians(marking);
    return [
      {
        name: "goodput without marks",
        value: plain.goodput,
        unit: "Mbit/s",
      },
      { name: "drops without marks", value: plain.drops, unit: "/s" },
      { name: "goodput with marks", value: marked.goodput, unit: "Mbit/s" },
      { name: "drops with marks", value: marked.drops, unit: "/s" },
      {
        name: "marks",
        value: marked.marks,
        unit: "/s",
        target: { least: 1 },
      },
    ];
  },
};

interface Run extends Record<"goodput" | "drops" | "marks", number> {}

async function run(
  ecnThreshold: number | undefined,
  seconds: number,
): Promise<Run> {
  await using hosts = await startHosts({
    hosts: 1 + HOSTS,
    seed: 7,
    latencyUs: 20,
    bandwidthMbps: BANDWIDTH_MBPS,
    ecnThreshold,
  });
  const { lab, server, clients } = hosts;
  const streams: Stream[] = [];
  for (const client of clients) {
    streams.push(new Stream(await connectPair(client, server), SIZE));
  }
  await sleep(1000 * seconds);
  const [before] = await lab.stats();
  const rate = await rateOf(streams, seconds);
  const [after] = await lab.stats();
  await Promise.all(streams.map((stream) => stream.finish()));
  const perSecond = (
    name: "drop_bandwidth" | "drop_depth" | "ecn_marked",
  ): number => (after![name] - before![name]) / seconds;
  return {
    goodput: rate * SIZE * 8 / 1e6,
    drops: perSecond("drop_bandwidth") + perSecond("drop_depth"),
    marks: perSecond("ecn_marked"),
  };
}
