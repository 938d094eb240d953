/** How many packets messages take. */
import type { Figure } from "../figure.ts";
import type { Load } from "../measure.ts";
import type { Effort, Part } from "../benchmark.ts";
import { connectPair, echo, requestReply, startHosts } from "../load.ts";
import { median } from "../statistics.ts";

/** Packets and messages of both sidecars. */
interface Counts {
  readonly requests: number;
  readonly packets: number;
  readonly dataPackets: number;
  readonly messages: number;
}

/** Messages that share packets, packets of a request and its reply. */
export const packets: Part = {
  name: "packets",
  conditions: "64 B request-reply over the fabric, no loss",
  async measure({ seconds, rounds }: Effort): Promise<Figure[]> {
    await using hosts = await startHosts({ hosts: 2, seed: 7 });
    const [client, server] = await connectPair(hosts.clients[0]!, hosts.server);
    echo(server).catch(() => {});
    const totals = async (): Promise<Omit<Counts, "requests">> => {
      const all = await Promise.all(
        hosts.lab.hosts.map((each) => each.stats()),
      );
      const sum = (name: string): number =>
        all.reduce((total, { sidecar }) => total + (sidecar[name] ?? 0), 0);
      const packets = sum("packets_sent");
      return {
        packets,
        dataPackets: packets - sum("acks_sent") - sum("pings_sent"),
        messages: sum("messages_sent"),
      };
    };
    const count = async (load: Load): Promise<Counts> => {
      const before = await totals();
      const { count: requests } = await requestReply(client, load);
      const after = await totals();
      return {
        requests,
        packets: after.packets - before.packets,
        dataPackets: after.dataPackets - before.dataPackets,
        messages: after.messages - before.messages,
      };
    };
    const many: number[] = [];
    const single: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const busy = await count({ size: 64, window: 32, seconds });
      many.push(busy.messages / busy.dataPackets);
      const calm = await count({ size: 64, window: 1, seconds });
      single.push(calm.packets / calm.requests);
    }
    return [
      {
        name: "window 32: messages per data packet",
        value: median(many),
        target: { least: 8 },
      },
      {
        name: "window 1: packets per request-reply",
        value: median(single),
        target: { most: 2.1 },
      },
    ];
  },
};
