import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Connection, Message } from "../../mod.ts";
import { collectGarbage, collectUntil } from "../testing/garbage.ts";
import {
  connectPair,
  type Hosts,
  PATIENCE_MS,
  skip,
  startHosts,
} from "../testing/hosts.ts";
import { matches, pattern } from "../testing/pattern.ts";

// All tests of this file share two hosts; the last one stops them.
const hosts: Hosts = skip === false ? await startHosts() : {} as Hosts;

/** Memory that a worker sends: where a message is in it. */
interface Given {
  readonly buffer: ArrayBuffer;
  readonly offset: number;
  readonly length: number;
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
  const { sidecars, listener } = hosts;
  const views: Uint8Array[] = [];
  let message: Message;
  {
    await using channel = await sidecars[1]!.attach();
    const [client, server] = await connectPair({ client: channel, listener });
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

test("memory that was moved to another buffer outlives the first", {
  skip,
}, async () => {
  const { sidecars, listener } = hosts;
  let collected = false;
  const registry = new FinalizationRegistry(() => collected = true);
  const moved = await (async () => {
    await using channel = await sidecars[1]!.attach();
    const [client, server] = await connectPair({ client: channel, listener });
    await server.send(pattern(1, 1000));
    using message = await client.receive();
    const { buffer } = message.data;
    await channel.close();
    registry.register(buffer, undefined);
    return buffer.transfer();
  })();
  assert.ok(await collectUntil(() => collected));
  const view = new Uint8Array(moved);
  assert.ok(view.length > 2 ** 26);
  assert.ok(view.subarray(-4096).every((byte) => byte === 0));
  view.fill(9, 0, 4096);
});

test("a channel that nobody can reach any more is closed", {
  skip,
}, async () => {
  const before = mappedMiB();
  for (let count = 0; count < 10; count++) {
    await hosts.sidecars[1]!.attach();
  }
  const most = before + 5 * 129;
  const gone = await collectUntil(() => mappedMiB() <= most);
  assert.ok(gone, `${mappedMiB() - before} MiB are still mapped`);
});

test("a connection that nobody can reach any more is closed", {
  skip,
}, async () => {
  const { client, listener } = hosts;
  const { hostname, port } = listener;
  await (async () => {
    const connection = await client.connect({
      hostname,
      port,
      timeout: PATIENCE_MS,
    });
    await connection.send(pattern(5, 5000));
  })();
  const server = await listener.accept();
  let closed = false;
  const closing = server.closed.then(() => closed = true);
  assert.ok(await collectUntil(() => closed));
  await closing;
  // What was accepted is delivered all the same.
  using message = await server.receive();
  assert.ok(matches(message.data, 5, 5000));
});

test("a connection whose iteration waits is not taken for leaked", {
  skip,
}, async () => {
  const { client, listener } = hosts;
  const { hostname, port } = listener;
  const lengths: number[] = [];
  const loop = (async () => {
    const place = { hostname, port, timeout: PATIENCE_MS };
    for await (const { length } of await client.connect(place)) {
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

/**
 * Let a worker attach, connect, hold a message, and end.
 *
 * @returns What its peer has, and the memory that it sent us if it was to.
 */
async function endWorker(
  give: boolean = false,
): Promise<{ connection: Connection; given: Given | undefined }> {
  const { sidecars, listener } = hosts;
  const url = new URL("./scripts/attach_worker.ts", import.meta.url);
  const worker = new Worker(url, { type: "module" });
  const holding = new Promise<Given | undefined>((resolve) => {
    worker.onmessage = ({ data }) => resolve(data);
  });
  worker.postMessage({
    socket: sidecars[1]!.socket,
    hostname: listener.hostname,
    give,
  });
  const connection = await listener.accept();
  using message = await connection.receive();
  assert.equal(new TextDecoder().decode(message.data), "from a worker");
  await connection.send(message.data);
  const given = await holding;
  worker.terminate();
  return { connection, given };
}

test("a worker may end with all it has open", { skip }, async () => {
  for (let round = 0; round < 3; round++) await endWorker();
  const [client, server] = await connectPair(hosts);
  await client.send(pattern(3, 300));
  using message = await server.receive();
  assert.ok(matches(message.data, 3, 300));
  await client.close();
});

test("the end of a worker resets its connections", { skip }, async () => {
  const { connection } = await endWorker();
  await assert.rejects(connection.closed, { code: "CONNECTION_RESET" });
});

test("views of a worker that ended read zeros, and may be written", {
  skip,
}, async () => {
  const { connection, given } = await endWorker(true);
  const { buffer, offset, length } = given!;
  await connection.closed.catch(() => {});
  await collectGarbage();
  const view = new Uint8Array(buffer, offset, length);
  assert.ok(length > 0);
  assert.deepEqual(view, new Uint8Array(length));
  view.fill(9);
  assert.ok(view.every((byte) => byte === 9));
  // All of the channel, rings included, is nobody's any more.
  new Uint8Array(buffer).fill(255);
});

test("the hosts stop", { skip }, async () => {
  await hosts[Symbol.asyncDispose]();
});
