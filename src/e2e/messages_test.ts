import assert from "node:assert/strict";
import { test } from "node:test";
import type { Connection } from "../../mod.ts";
import {
  connectPair,
  type Hosts,
  mtu,
  skip,
  startHosts,
  until,
} from "../testing/hosts.ts";
import {
  boundarySizes,
  logUniform,
  matches,
  MESSAGE_BYTES_MAX,
  pattern,
  random,
} from "../testing/pattern.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

// All tests of this file share two hosts; the last one stops them.
const hosts: Hosts = skip === false ? await startHosts() : {} as Hosts;

async function sendAll(connection: Connection, sizes: number[]): Promise<void> {
  for (let number = 0; number < sizes.length; number++) {
    await connection.send(pattern(number, sizes[number]!));
  }
}

async function checkAll(
  connection: Connection,
  sizes: number[],
): Promise<void> {
  let number = 0;
  for await (const message of connection) {
    const size = sizes[number]!;
    if (!matches(message.data, number, size)) {
      assert.fail(
        `message ${number} of ${size} bytes came as ${message.length}`,
      );
    }
    if (++number === sizes.length) return;
  }
  assert.fail(`the connection ended after ${number} messages`);
}

/** Send sizes from both ends at once and check them at both. */
async function exchange(
  [one, other]: [Connection, Connection],
  sizes: number[],
): Promise<void> {
  await Promise.all([
    sendAll(one, sizes),
    sendAll(other, sizes),
    checkAll(one, sizes),
    checkAll(other, sizes),
  ]);
}

test("hello goes there and back", { skip }, async () => {
  const [client, server] = await connectPair(hosts);
  await client.send(encoder.encode("hello"));
  using question = await server.receive();
  assert.equal(decoder.decode(question.data), "hello");
  await server.send(encoder.encode("hello yourself"));
  using answer = await client.receive();
  assert.equal(decoder.decode(answer.data), "hello yourself");
  assert.equal(client.remote.hostname, hosts.server.address);
  assert.equal(client.remote.port, 888);
  assert.equal(server.remote.hostname, hosts.client.address);
  assert.equal(server.local.port, 888);
  await client.close();
  await server.closed;
});

test("every size around a boundary arrives as it was", { skip }, async () => {
  const pair = await connectPair(hosts);
  const sizes = boundarySizes(mtu);
  assert.ok(sizes.length > 300);
  await exchange(pair, sizes);
  await pair[0].close();
});

test("100 000 messages arrive once and in order, both ways", {
  skip,
}, async () => {
  const next = random(7);
  const pairs = [];
  for (let count = 0; count < 4; count++) pairs.push(await connectPair(hosts));
  await Promise.all(pairs.map((pair) => {
    const sizes = Array.from(
      { length: 12_500 },
      () => logUniform(next, 16 * 1024),
    );
    return exchange(pair, sizes);
  }));
  await Promise.all(pairs.map(([client]) => client.close()));
});

test("20 messages of 1 MiB and 4 of 8 MiB arrive both ways", {
  skip,
}, async () => {
  const pair = await connectPair(hosts);
  const sizes = Array.from({ length: 20 }, () => 2 ** 20);
  for (let count = 0; count < 4; count++) sizes.push(MESSAGE_BYTES_MAX);
  await exchange(pair, sizes);
  await pair[0].close();
});

test("a message over 8 MiB is refused, the connection unharmed", {
  skip,
}, async () => {
  const [client, server] = await connectPair(hosts);
  await assert.rejects(client.send(new Uint8Array(MESSAGE_BYTES_MAX + 1)), {
    code: "MESSAGE_TOO_LARGE",
  });
  await assert.rejects(client.allocate(MESSAGE_BYTES_MAX + 1), {
    code: "MESSAGE_TOO_LARGE",
  });
  await client.send(encoder.encode("still here"));
  using message = await server.receive();
  assert.equal(decoder.decode(message.data), "still here");
  await client.close();
});

test("messages written in place arrive", { skip }, async () => {
  const [client, server] = await connectPair(hosts);
  for (let number = 0; number < 500; number++) {
    const size = (number * 97) % 5000;
    using outgoing = await client.allocate(size + 10);
    outgoing.data.set(pattern(number, size));
    await outgoing.send(size);
    using message = await server.receive();
    assert.ok(matches(message.data, number, size), `message ${number}`);
  }
  await client.close();
});

test("the bytes are the caller's again when send() resolves", {
  skip,
}, async () => {
  const [client, server] = await connectPair(hosts);
  const bytes = new Uint8Array(100_000);
  const sending = (async () => {
    for (let number = 0; number < 200; number++) {
      bytes.fill(number);
      await client.send(bytes);
    }
  })();
  let number = 0;
  for await (const { data } of server) {
    assert.ok(data.every((byte) => byte === number), `message ${number}`);
    if (++number === 200) break;
  }
  await sending;
  await client.close();
});

test("an echo of a message's own view arrives as it was", {
  skip,
}, async () => {
  const [client, server] = await connectPair(hosts);
  const echo = (async () => {
    for await (const message of server) await server.send(message.data);
  })();
  const sizes = Array.from({ length: 1000 }, (_, index) => index * 13);
  await Promise.all([sendAll(client, sizes), checkAll(client, sizes)]);
  await client.close();
  await echo;
});

test("a receiver that does not read makes the sender wait, and only it", {
  skip,
}, async () => {
  const { sidecars, client } = hosts;
  const [slow, unread] = await connectPair(hosts);
  // To an application that reads.
  await using reader = await sidecars[0]!.attach();
  await using listener = await reader.listen({ port: 889 });
  const [quick, read] = await connectPair({ client, listener });
  const bytes = new Uint8Array(2 ** 20);
  // This end and the other one have room for 64 each.
  let sent = 0;
  const sending = Array.from(
    { length: 150 },
    () => slow.send(bytes).then(() => sent++),
  );
  const sizes = Array.from({ length: 200 }, (_, index) => index * 97);
  await until(() => sent > 64);
  await Promise.all([sendAll(quick, sizes), checkAll(read, sizes)]);
  assert.ok(sent <= 128, `${sent}`);
  let taken = 0;
  for await (const message of unread) {
    assert.equal(message.length, bytes.length);
    if (++taken === sending.length) break;
  }
  await Promise.all(sending);
  await slow.close();
  await quick.close();
});

test("several applications share a sidecar", { skip }, async () => {
  const { sidecars, listener } = hosts;
  const channels = await Promise.all(
    Array.from({ length: 4 }, () => sidecars[1]!.attach()),
  );
  for (const [index, channel] of channels.entries()) {
    const [client, server] = await connectPair({ client: channel, listener });
    await client.send(encoder.encode(`application ${index}`));
    using message = await server.receive();
    assert.equal(decoder.decode(message.data), `application ${index}`);
    await client.close();
  }
  await Promise.all(channels.map((channel) => channel.close()));
});

test("the hosts stop", { skip }, async () => {
  await hosts[Symbol.asyncDispose]();
});
