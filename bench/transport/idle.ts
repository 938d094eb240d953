/** Many connections that do nothing beside one that is busy. */
import type { Channel, Connection } from "machnet";
import type { Effort, Figure, Measurement } from "./figure.ts";
import {
  connectPair,
  echo,
  type Hosts,
  median,
  memory,
  requestReply,
  sleep,
  startHosts,
} from "./load.ts";

const CHANNELS = 4;
/** Being opened at a time, by a channel. */
const OPENING = 16;

/** What a busy connection notices of many idle ones, and what they cost. */
export const idle: Measurement = {
  name: "idle",
  conditions: "64 B request-reply at window 1 over a direct wire, with and " +
    "without idle connections between the same two hosts",
  async measure({ seconds, rounds, idle: count }: Effort): Promise<Figure[]> {
    await using calm = await startHosts({ hosts: 2, wire: "direct" });
    await using crowded = await startHosts({ hosts: 2, wire: "direct" });
    const busy: Connection[] = [];
    for (const { clients, server } of [calm, crowded]) {
      const [client, accepted] = await connectPair(clients[0]!, server);
      echo(accepted).catch(() => {});
      busy.push(client);
      await requestReply(client, { size: 64, window: 1, seconds });
    }

    const { hosts } = crowded.lab;
    const before = hosts.map(({ pid }) => memory(pid));
    using _crowd = await openMany(crowded, count);
    await sleep(1000); // until the last of them is idle, too
    const bytes = hosts.map(({ pid }, index) =>
      (memory(pid) - before[index]!) / count
    );

    const p50s: number[][] = [[], []];
    for (let round = 0; round < rounds; round++) {
      for (const [index, connection] of busy.entries()) {
        const load = { size: 64, window: 1, seconds };
        p50s[index]!.push((await requestReply(connection, load)).p50);
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

/** Open connections, and hold them until they are disposed of. */
async function openMany(
  { lab, server }: Hosts,
  count: number,
): Promise<Disposable> {
  const held: unknown[] = [];
  const listener = await server.listen({ port: 0, backlog: 4096 });
  const { hostname, port } = listener;
  const accepting = (async (): Promise<void> => {
    for (let i = 0; i < count; i++) held.push(await listener.accept());
  })();
  let left = count;
  const open = async (channel: Channel): Promise<void> => {
    while (left-- > 0) {
      held.push(await channel.connect({ hostname, port, timeout: 30_000 }));
    }
  };
  for (let i = 0; i < CHANNELS; i++) {
    const channel = await lab.hosts[1]!.attach();
    left = Math.ceil(count * (i + 1) / CHANNELS) -
      Math.ceil(count * i / CHANNELS);
    await Promise.all(Array.from({ length: OPENING }, () => open(channel)));
  }
  await accepting;
  return { [Symbol.dispose]: () => held.splice(0) };
}
