// Several engines over af_packet: the kernel chooses their queues, by a hash
// whose key nobody can read or set. It has one per boot.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Channel, Connection } from "../../mod.ts";
import { connectPair, type Wire } from "../testing/hosts.ts";
import { matches, pattern } from "../testing/pattern.ts";
import { canMakeNamespaces, startVeth } from "../testing/veth.ts";

const skip = canMakeNamespaces() ? false : "network namespaces need root";
const PORT = 900;

type Pair = readonly [Connection, Connection];

/** A message from each end of each connection to the other. */
async function pass(pairs: readonly Pair[], round: number): Promise<void> {
  for (const [index, pair] of pairs.entries()) {
    for (const [from, to] of [pair, pair.toReversed()] as Pair[]) {
      const length = (round * 997 + index) % 4000;
      await from.send(pattern(index, length));
      using message = await to.receive();
      assert.ok(matches(message.data, index, length));
    }
  }
}

async function handedOver({ hosts }: Wire): Promise<number> {
  const all = await Promise.all(hosts.map((host) => host.stats()));
  return all.reduce(
    (sum, { sidecar }) => sum + sidecar["packets_handed_over"]!,
    0,
  );
}

for (const engines of [2, 3, 4]) {
  test(`the kernel's hash: ${engines} engines find their queues`, {
    skip,
  }, async () => {
    await using wire = await startVeth(1500, "af_packet", engines);
    const [servers, clients] = await Promise.all(
      wire.hosts.map((host) =>
        Promise.all(
          Array.from(
            { length: engines },
            (_, engine) => host.attach({ engine }),
          ),
        )
      ),
    ) as [Channel[], Channel[]];
    const pairs: Pair[] = [];
    for (const [index, server] of servers.entries()) {
      const listener = await server.listen({ port: PORT + index });
      for (const client of clients) {
        const pair = await connectPair({ client, listener });
        const { local, remote } = pair[0].path;
        assert.deepEqual([local, remote], [client.engine, server.engine]);
        pairs.push(pair);
      }
    }
    // What the search for ports left to the background is done some time.
    let before: number;
    let round = 0;
    do {
      before = await handedOver(wire);
      await pass(pairs, round++);
    } while (await handedOver(wire) > before && round < 1000);
    for (const end = round + 20; round < end; round++) await pass(pairs, round);
    assert.equal(await handedOver(wire), before);
    await Promise.all([...servers, ...clients].map((one) => one.close()));
  });
}
