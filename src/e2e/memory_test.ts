import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Connection, Message } from "../../mod.ts";
import {
  connectPair,
  type Hosts,
  skip,
  sleep,
  startHosts,
} from "../testing/hosts.ts";
import { matches, pattern } from "../testing/pattern.ts";

// All tests of this file share two hosts; the last one stops them.
const hosts: Hosts = skip === false ? await startHosts() : {} as Hosts;

/** Make the garbage collector run, finalizers included. */
async function collectGarbage(): Promise<void> {
  const { Bun } = globalThis as { Bun?: { gc(force: boolean): void } };
  for (let round = 0; round < 40; round++) {
    Bun?.gc(true);
    new Uint8Array(10_000_000).fill(round);
    await sleep(2);
  }
}

/** How much of our address space is the memory of channels, in MiB. */
function mappedMiB(): number {
  const maps = readFileSync("/proc/self/maps", "utf8");
  let bytes = 0;
  for (const [, from, to] of maps.matchAll(/^(\w+)-(\w+) .*machnet/gm)) {
    bytes += parseInt(to!, 16) - parseInt(from!, 16);
  }
  return bytes / 2 ** 20;
}

test("views keep their bytes while garbage is collected", {
  skip,
}, async () => {
  const [client, server] = await connectPair(hosts);
  const held: Message[] = [];
  for (let number = 0; number < 500; number++) {
    await client.send(pattern(number, number * 20));
    held.push(await server.receive());
  }
  const views = held.map((message) => message.data);
  await collectGarbage();
  views.forEach((view, number) => {
    assert.ok(matches(view, number, number * 20), `message ${number}`);
  });
  for (const message of held) message.release();
  await client.close();
});

test("views read zeros after the channel was closed, and may be written", {
  skip,
}, async () => {
  const { lab, listener } = hosts;
  const views: Uint8Array[] = [];
  let message: Message;
  {
    await using channel = await lab.hosts[1]!.attach();
    const [client, server] = await Promise.all([
      channel.connect({ hostname: listener.hostname, port: listener.port }),
      listener.accept(),
    ]);
    await server.send(pattern(1, 1000));
    message = await client.receive();
    views.push(message.data);
    using outgoing = await client.allocate(1000);
    outgoing.data.fill(1);
    views.push(outgoing.data);
  }
  await collectGarbage();
  for (const view of views) {
    assert.equal(view.length, 1000);
    assert.ok(view.every((byte) => byte === 0));
    view.fill(9);
    assert.ok(view.every((byte) => byte === 9));
  }
  assert.throws(() => message.data, { code: "CLOSED" });
  assert.throws(() => message.copy(), { code: "CLOSED" });
  message.release();
});

test("a channel that nobody can reach any more is closed", {
  skip,
}, async () => {
  const before = mappedMiB();
  for (let count = 0; count < 10; count++) {
    await hosts.lab.hosts[1]!.attach();
  }
  await collectGarbage();
  const left = mappedMiB() - before;
  assert.ok(left <= 5 * 129, `${left} MiB are still mapped`);
});

test("a connection that nobody can reach any more is closed", {
  skip,
}, async () => {
  const { client, listener } = hosts;
  const { hostname, port } = listener;
  await (async () => {
    const connection = await client.connect({ hostname, port });
    await connection.send(pattern(5, 5000));
  })();
  const server = await listener.accept();
  await collectGarbage();
  // What was accepted is delivered all the same.
  const sizes: number[] = [];
  const done = (async () => {
    for await (const message of server) sizes.push(message.length);
  })();
  await Promise.race([done, sleep(3000)]);
  assert.deepEqual(sizes, [5000]);
  await Promise.race([server.closed, sleep(1)]);
});

test("a connection whose iteration waits is not taken for leaked", {
  skip,
}, async () => {
  const { client, listener } = hosts;
  const { hostname, port } = listener;
  const lengths: number[] = [];
  const loop = (async () => {
    for await (const { length } of await client.connect({ hostname, port })) {
      lengths.push(length);
    }
  })();
  const server = await listener.accept();
  await collectGarbage();
  await server.send(pattern(1, 123));
  await server.close();
  await loop;
  assert.deepEqual(lengths, [123]);
});

/** Let a worker attach, connect, hold a message, and end; what the peer saw. */
async function endWorker(): Promise<Connection> {
  const { lab, listener } = hosts;
  const url = new URL("./scripts/attach_worker.ts", import.meta.url);
  const worker = new Worker(url, { type: "module" });
  const holding = new Promise((resolve) => worker.onmessage = resolve);
  worker.postMessage({
    socket: lab.hosts[1]!.socket,
    hostname: listener.hostname,
  });
  const connection = await listener.accept();
  using message = await connection.receive();
  assert.equal(new TextDecoder().decode(message.data), "from a worker");
  await connection.send(message.data);
  await holding;
  worker.terminate();
  return connection;
}

test("a worker may end with all it has open", { skip }, async () => {
  for (let round = 0; round < 3; round++) await endWorker();
  const [client, server] = await connectPair(hosts);
  await client.send(pattern(3, 300));
  using message = await server.receive();
  assert.ok(matches(message.data, 3, 300));
  await client.close();
});

const workerSkip = skip ||
  ("Deno" in globalThis && "Deno leaves the sockets of ended workers open");

test("the end of a worker resets its connections", {
  skip: workerSkip,
}, async () => {
  const connection = await endWorker();
  await assert.rejects(connection.closed, { code: "CONNECTION_RESET" });
});

test("the hosts stop", { skip }, async () => {
  await hosts[Symbol.asyncDispose]();
});
