import assert from "node:assert/strict";
import { test } from "node:test";
import type { Connection } from "../../mod.ts";
import { catchWarnings } from "../testing/garbage.ts";
import {
  connectPair,
  type Hosts,
  PATIENCE_MS,
  skip,
  startHosts,
  until,
} from "../testing/hosts.ts";
import { matches, pattern } from "../testing/pattern.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

// All tests of this file share two hosts; the last one stops them.
const hosts: Hosts = skip === false ? await startHosts() : {} as Hosts;

/** Send more messages of 1 MiB than the peer has room for. */
async function fill(connection: Connection): Promise<number> {
  let sent = 0;
  await until(() => {
    while (connection.trySend(pattern(sent, 1 << 20))) sent++;
    return sent > 64;
  });
  return sent;
}

test("close() delivers all that was accepted", { skip }, async () => {
  for (const [count, size] of [[1000, 100], [40, 1 << 20]] as const) {
    const [client, server] = await connectPair(hosts);
    const closing = (async () => {
      for (let number = 0; number < count; number++) {
        await client.send(pattern(number, size));
      }
      await client.close({ timeout: PATIENCE_MS });
    })();
    let number = 0;
    for await (const message of server) {
      assert.ok(matches(message.data, number, size), `message ${number}`);
      number++;
    }
    assert.equal(number, count);
    await closing;
    await Promise.all([client.closed, server.closed]);
  }
});

test("close() delivers also what still waits to be accepted", {
  skip,
}, async () => {
  const [client, server] = await connectPair(hosts);
  // More than the 64 MiB that there is room for.
  const sends = Array.from(
    { length: 17 },
    (_, number) => client.send(pattern(number, 4 << 20)),
  );
  const closing = client.close({ timeout: PATIENCE_MS });
  let number = 0;
  for await (const message of server) {
    assert.ok(matches(message.data, number++, 4 << 20));
  }
  assert.equal(number, sends.length);
  await Promise.all([...sends, closing]);
});

test("both ends may close at the same time", { skip }, async () => {
  const [client, server] = await connectPair(hosts);
  await Promise.all([client.close(), server.close()]);
  await Promise.all([client.closed, server.closed]);
});

test("close() of the peer ends send() and receive()", { skip }, async () => {
  const [client, server] = await connectPair(hosts);
  // It may fail before the peer's close() is through.
  const pending = assert.rejects(client.receive(), {
    code: "CONNECTION_CLOSED",
  });
  await server.close();
  await pending;
  await assert.rejects(client.send(new Uint8Array(1)), {
    code: "CONNECTION_CLOSED",
  });
});

test("close() gives up on a peer that does not read", { skip }, async () => {
  const [client, server] = await connectPair(hosts);
  await fill(client);
  const started = performance.now();
  await assert.rejects(client.close({ timeout: 300 }), {
    code: "CLOSE_TIMED_OUT",
  });
  const took = performance.now() - started;
  assert.ok(took >= 250, `${took} ms`);
  await assert.rejects(server.closed, { code: "CONNECTION_RESET" });
});

test("reset() reaches the peer with its reason", { skip }, async () => {
  const [client, server] = await connectPair(hosts);
  const loop = (async () => {
    for await (const _ of server) assert.fail();
  })();
  client.reset("wrong password");
  await client.closed;
  await assert.rejects(loop, {
    code: "CONNECTION_RESET",
    message: /: wrong password$/,
  });
  await assert.rejects(server.closed, { code: "CONNECTION_RESET" });
  await server.close();
});

test("a connection can be reset while both ends send", { skip }, async () => {
  const [client, server] = await connectPair(hosts);
  const flood = async (one: typeof client): Promise<void> => {
    for (;;) await one.send(pattern(1, 10_000));
  };
  const sending = Promise.allSettled([flood(client), flood(server)]);
  await Promise.all([client.receive(), server.receive()]);
  client.reset();
  const results = await sending;
  assert.deepEqual(
    results.map((result) => result.status === "rejected" && result.reason.code),
    ["CONNECTION_CLOSED", "CONNECTION_RESET"],
  );
});

test("receive() can be aborted, and used again", { skip }, async () => {
  const [client, server] = await connectPair(hosts);
  const signal = AbortSignal.timeout(20);
  await assert.rejects(server.receive({ signal }), { name: "TimeoutError" });
  await client.send(encoder.encode("after"));
  using message = await server.receive();
  assert.equal(decoder.decode(message.data), "after");
  await client.close();
});

test("send() can be aborted while it waits for room", { skip }, async () => {
  const [client, server] = await connectPair(hosts);
  let accepted = await fill(client);
  // The sidecar may still make room.
  const send = (): Promise<boolean> =>
    client.send(pattern(accepted, 1 << 20), {
      signal: AbortSignal.timeout(20),
    }).then(() => true, (error) => {
      assert.equal(error.name, "TimeoutError");
      return false;
    });
  while (await send()) accepted++;
  const last = client.send(encoder.encode("last"));
  for (let taken = 0; taken < accepted; taken++) {
    using message = await server.receive();
    assert.ok(matches(message.data, taken, 1 << 20), `message ${taken}`);
  }
  await last;
  using message = await server.receive();
  assert.equal(decoder.decode(message.data), "last");
  await client.close();
});

test("accept() and connect() can be aborted", { skip }, async () => {
  const { listener, client } = hosts;
  await assert.rejects(
    listener.accept({ signal: AbortSignal.timeout(20) }),
    { name: "TimeoutError" },
  );
  const controller = new AbortController();
  const { signal } = controller;
  const place = { hostname: listener.hostname, port: listener.port };
  const connecting = client.connect({ ...place, signal });
  controller.abort();
  await assert.rejects(connecting, { name: "AbortError" });
});

test("connect() to a port on which nobody listens", { skip }, async () => {
  const { client, server } = hosts;
  await assert.rejects(
    client.connect({
      hostname: server.address,
      port: 999,
      timeout: PATIENCE_MS,
    }),
    {
      code: "CONNECTION_REFUSED",
      message: "Cannot connect to 10.90.0.1:999: nobody listens on the port",
    },
  );
});

test("connect() to an address that nobody has", { skip }, async () => {
  await assert.rejects(
    hosts.client.connect({
      hostname: "10.90.0.77",
      port: 1,
      timeout: PATIENCE_MS,
    }),
    {
      code: "HOST_UNREACHABLE",
      message: "Cannot connect to 10.90.0.77:1: no host answers for the " +
        "address; is the sidecar there running?",
    },
  );
});

test("attach() to an engine that there is not", { skip }, async () => {
  const host = hosts.sidecars[0]!;
  await assert.rejects(host.attach({ engine: 9 }), {
    code: "INVALID_ARGUMENT",
    message: `Cannot attach to the sidecar at "${host.socket}": ` +
      "no engine is number 9, the last is 0",
  });
});

test("a script that transfers the memory of messages loses its channel", {
  skip,
}, async () => {
  using warnings = catchWarnings();
  const channel = await hosts.sidecars[1]!.attach();
  await using listener = await hosts.server.listen({ port: 0 });
  const { hostname, port } = listener;
  const [connection, accepted] = await Promise.all([
    channel.connect({ hostname, port }),
    listener.accept(),
  ]);
  await accepted.send(new Uint8Array(3));
  const { data } = await connection.receive();
  structuredClone(data, { transfer: [data.buffer] });
  accepted.reset("which is to be read there");
  await assert.rejects(connection.receive(), { code: "CHANNEL_CORRUPT" });
  await assert.rejects(connection.closed, { code: "CHANNEL_CORRUPT" });
  await channel.close();
  assert.match(warnings.lines.join("\n"), /the script transferred/);
});

test("connect() to an address that no host can have", { skip }, async () => {
  for (const hostname of ["127.0.0.1", "10.90.0.255", "224.0.0.1"]) {
    await assert.rejects(
      hosts.client.connect({ hostname, port: 1, timeout: PATIENCE_MS }),
      {
        code: "INVALID_ARGUMENT",
        message:
          `Cannot connect to ${hostname}:1: no host of the network can ` +
          "have that address; connect to the one of the peer's sidecar",
      },
    );
  }
});

test("connect() to a name that does not exist", { skip }, async () => {
  await assert.rejects(
    hosts.client.connect({ hostname: "nobody.invalid", port: 1 }),
    (error: Error & { code: string }) => {
      assert.equal(error.code, "NAME_NOT_FOUND");
      assert.match(error.message, /^Cannot connect to nobody\.invalid:1: /);
      assert.ok(error.cause instanceof Error);
      return true;
    },
  );
});

test("listen() on a port that is taken, and again when it is free", {
  skip,
}, async () => {
  const { server } = hosts;
  await assert.rejects(server.listen({ port: 888 }), {
    code: "ADDRESS_IN_USE",
    message: "Cannot listen on 10.90.0.1:888: the address or port is taken",
  });
  const first = await server.listen({ port: 0 });
  assert.ok(first.port > 0);
  await first.close();
  const { port } = first;
  await using second = await server.listen({ port, hostname: "10.90.0.1" });
  assert.equal(second.port, port);
});

test("listen() on an address that is not the sidecar's", {
  skip,
}, async () => {
  await assert.rejects(
    hosts.server.listen({ hostname: "10.90.0.2", port: 5 }),
    { code: "ADDRESS_NOT_AVAILABLE" },
  );
});

test("leaving the iteration closes neither listener nor connection", {
  skip,
}, async () => {
  const { listener, client } = hosts;
  const { hostname, port } = listener;
  for (let round = 0; round < 2; round++) {
    const connecting = client.connect({ hostname, port, timeout: PATIENCE_MS });
    for await (const connection of listener) {
      const one = await connecting;
      await one.send(encoder.encode("a"));
      await one.send(encoder.encode("b"));
      for await (const _ of connection) break;
      using message = await connection.receive();
      assert.equal(decoder.decode(message.data), "b");
      await one.close();
      break;
    }
  }
});

test("a thousand connections open and close", { skip }, async () => {
  for (let round = 0; round < 10; round++) {
    const pairs = await Promise.all(
      Array.from({ length: 100 }, () => connectPair(hosts)),
    );
    await Promise.all(pairs.map(async ([client, server], index) => {
      await client.send(encoder.encode(`${index}`));
      using message = await server.receive();
      assert.ok(message.length > 0);
      await client.close();
      await server.closed;
    }));
  }
});

test("the hosts stop", { skip }, async () => {
  await hosts[Symbol.asyncDispose]();
});
