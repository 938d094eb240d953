import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Channel,
  type Connection,
  Lab,
  type Listener,
  MachnetError,
} from "../../mod.ts";
import { connectPair, PATIENCE_MS, skip, until } from "../testing/hosts.ts";
import { matches, pattern } from "../testing/pattern.ts";
import { startScript } from "../testing/script.ts";

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

async function closeAll(
  ...groups: (readonly { close(): Promise<void> }[])[]
): Promise<void> {
  for (const group of groups) {
    await Promise.all(group.map((one) => one.close()));
  }
}

/** So many connections from whichever listeners get them. */
async function acceptSome(
  listeners: readonly Listener[],
  count: number,
): Promise<Connection[]> {
  const accepted: Connection[] = [];
  const stop = new AbortController();
  await Promise.allSettled(listeners.map(async (listener) => {
    for (;;) {
      accepted.push(await listener.accept({ signal: stop.signal }));
      if (accepted.length === count) stop.abort();
    }
  }));
  return accepted;
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
    await closeAll(pairs.flat(), listeners);
    await closeAll(servers, clients);
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
    await until(async () =>
      (await host!.stats()).sidecar["engine2_channels"] === 0
    );
    await using fourth = await host!.attach();
    assert.equal(fourth.engine, 2);
    await assert.rejects(
      host!.attach({ engine: 3 }),
      (error: unknown) =>
        error instanceof MachnetError && error.code === "INVALID_ARGUMENT",
    );
  },
);

test("a port is shared by channels on all engines, whichever a SYN reaches", {
  skip,
}, async () => {
  const engines = 4;
  await using lab = await Lab.start({ hosts: 2, queues: engines });
  const servers = await attachAll(lab, 0, engines);
  const clients = await attachAll(lab, 1, engines);
  const listeners = await Promise.all(
    servers.map((server) => server.listen({ port: PORT, reuse: true })),
  );
  await assert.rejects(servers[0]!.listen({ port: PORT }), {
    code: "ADDRESS_IN_USE",
  });
  const place = {
    hostname: lab.hosts[0]!.address,
    port: PORT,
    timeout: PATIENCE_MS,
  };
  for (let listening = engines; listening > 0; listening--) {
    const connections = await Promise.all(
      clients.map((client) => client.connect(place)),
    );
    const accepting = listeners.slice(engines - listening);
    const accepted = await acceptSome(accepting, connections.length);
    for (const [index, connection] of connections.entries()) {
      await connection.send(pattern(index, 100));
    }
    const numbers = await Promise.all(accepted.map(async (connection) => {
      using message = await connection.receive();
      return connections.findIndex((_, index) =>
        matches(message.data, index, 100)
      );
    }));
    assert.deepEqual(numbers.sort(), connections.map((_, index) => index));
    await closeAll(connections, accepted, [accepting[0]!]);
  }
  await assert.rejects(clients[0]!.connect(place), {
    code: "CONNECTION_REFUSED",
  });
  await closeAll(servers, clients);
});

test(
  "an application that is killed disturbs none of the others, on any engine",
  {
    skip,
  },
  async () => {
    const engines = 3;
    await using lab = await Lab.start({ hosts: 2, queues: engines });
    const servers = await attachAll(lab, 0, engines);
    const clients = await attachAll(lab, 1, engines);
    const listeners = await Promise.all(
      servers.map((server, index) => server.listen({ port: PORT + index })),
    );
    const pairs = await connectAll(clients, listeners);
    const script = startScript("hold.ts", [lab.hosts[0]!.socket]);
    assert.equal(await script.line(), "listening");
    const toScript = await Promise.all(
      clients.map((client) =>
        client.connect({
          hostname: lab.hosts[0]!.address,
          port: 999,
          timeout: PATIENCE_MS,
        })
      ),
    );
    await Promise.all(toScript.map((one) => one.send(pattern(1, 50_000))));
    script.process.kill("SIGKILL");
    const ends = Promise.all(
      toScript.map((one) =>
        assert.rejects(one.receive(), { code: "CONNECTION_RESET" })
      ),
    );
    for (let round = 0; round < 10; round++) {
      await Promise.all(
        pairs.map(([client, server], index) =>
          pass(client, server, round + index)
        ),
      );
    }
    await ends;
    await closeAll(pairs.flat(), listeners);
    await closeAll(servers, clients);
  },
);
