import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Channel,
  type Connection,
  Lab,
  type Listener,
  MachnetError,
} from "../../mod.ts";
import { connectPair, skip, sleep } from "../testing/hosts.ts";
import { matches, pattern } from "../testing/pattern.ts";

const PORT = 900;

/** A channel on every engine of a host. */
function attachAll(
  lab: Lab,
  host: number,
  engines: number,
): Promise<Channel[]> {
  return Promise.all(
    Array.from(
      { length: engines },
      (_, engine) => lab.hosts[host]!.attach({ engine }),
    ),
  );
}

/** Both ends of a connection from each engine of one host to each of another. */
async function connectAll(
  clients: readonly Channel[],
  listeners: readonly Listener[],
): Promise<[Connection, Connection][]> {
  const pairs: [Connection, Connection][] = [];
  for (const client of clients) {
    for (const listener of listeners) {
      pairs.push(await connectPair({ client, listener }));
    }
  }
  return pairs;
}

async function pass(
  from: Connection,
  to: Connection,
  number: number,
): Promise<void> {
  const length = number * 997 % 20_000;
  await from.send(pattern(number, length));
  using message = await to.receive();
  assert.ok(matches(message.data, number, length));
}

for (const engines of [1, 2, 3, 4, 8, 16]) {
  test(`messages pass between all pairs of ${engines} engines`, {
    skip,
  }, async () => {
    await using lab = await Lab.start({ hosts: 2, queues: engines });
    const servers = await attachAll(lab, 0, engines);
    const clients = await attachAll(lab, 1, engines);
    servers.forEach(({ engine }, index) => assert.equal(engine, index));
    const listeners = await Promise.all(
      servers.map((server, index) => server.listen({ port: PORT + index })),
    );
    const pairs = await connectAll(clients, listeners);
    for (const [index, [client, server]] of pairs.entries()) {
      await pass(client, server, 2 * index);
      await pass(server, client, 2 * index + 1);
    }
    for (const host of lab.hosts) {
      const { sidecar } = await host.stats();
      const { connections_opened: opened, connections_accepted: accepted } =
        sidecar;
      assert.equal(sidecar["engines"], engines);
      assert.equal(opened! + accepted!, engines ** 2);
      for (let engine = 0; engine < engines; engine++) {
        assert.equal(sidecar[`engine${engine}_channels`], 1);
        assert.equal(sidecar[`engine${engine}_connections`], engines);
      }
    }
    await Promise.all([...servers, ...clients].map((one) => one.close()));
  });
}

test(
  "attach() takes the engine with the fewest channels, or the one asked for",
  {
    skip,
  },
  async () => {
    await using lab = await Lab.start({ hosts: 1, queues: 3 });
    const [host] = lab.hosts;
    await using one = await host!.attach({ engine: 1 });
    await using first = await host!.attach();
    await using second = await host!.attach();
    await using third = await host!.attach();
    assert.deepEqual(
      [one, first, second, third].map(({ engine }) => engine),
      [1, 0, 2, 0],
    );
    await second.close();
    while ((await host!.stats()).sidecar["engine2_channels"] !== 0) {
      await sleep(1);
    }
    await using fourth = await host!.attach();
    assert.equal(fourth.engine, 2);
    await assert.rejects(
      host!.attach({ engine: 3 }),
      (error: unknown) =>
        error instanceof MachnetError && error.code === "INVALID_ARGUMENT",
    );
  },
);
