import assert from "node:assert/strict";
import { test } from "node:test";
import { Status } from "../ffi/status.ts";
import { EventKind } from "../ffi/structs.ts";
import type { Connection } from "./connection.ts";
import { assertPending, FakeLibrary, turns } from "./testing/fake_library.ts";

const PEER = { hostname: "10.0.0.9", port: 888 };
const PEER_ADDRESS = 0x0a00_0009;

function answer(fake: FakeLibrary, status: number): void {
  const [token] = fake.called("connect").at(-1) as [number];
  fake.post({
    kind: EventKind.CONNECTED,
    token,
    status,
    connection: 5,
    address: PEER_ADDRESS,
    port: 888,
  });
}

test("connect() asks the engine and gives the connection", async () => {
  const fake = new FakeLibrary();
  const channel = fake.open();
  const pending = channel.connect({ ...PEER, timeout: 70 });
  await turns();
  assert.deepEqual(fake.called("connect"), [[1, PEER_ADDRESS, 888, 70, 0]]);
  answer(fake, Status.OK);
  const connection = await pending;
  assert.deepEqual(connection.remote, PEER);
  assert.deepEqual(connection.local, { hostname: "10.0.0.1", port: 0 });
  assert.equal(channel.address, "10.0.0.1");
});

test("connect() that fails tells who called it", async () => {
  const fake = new FakeLibrary();
  turns().then(() => answer(fake, Status.CONNECTION_REFUSED));
  let stack: string | undefined;
  try {
    await fake.open().connect(PEER);
  } catch (error) {
    ({ stack } = error as Error);
  }
  assert.match(stack!, /channel_test/);
});

test("connect() says when messages need no order", async () => {
  const fake = new FakeLibrary();
  const channel = fake.open();
  channel.connect({ ...PEER, ordered: false }).catch(() => {});
  await turns();
  assert.deepEqual(fake.called("connect"), [[1, PEER_ADDRESS, 888, 0, 1]]);
});

test("connect() says who cannot be reached, and why", async () => {
  const fake = new FakeLibrary();
  const pending = fake.open().connect(PEER);
  await turns();
  answer(fake, Status.HOST_UNREACHABLE);
  await assert.rejects(pending, {
    name: "MachnetError",
    code: "HOST_UNREACHABLE",
    message: "Cannot connect to 10.0.0.9:888: no host answers for the " +
      "address; is the sidecar there running?",
  });
});

test("connect() says that no host can have an address", async () => {
  const fake = new FakeLibrary();
  const pending = fake.open().connect({ hostname: "127.0.0.1", port: 888 });
  await turns();
  answer(fake, Status.INVALID_ARGUMENT);
  await assert.rejects(pending, {
    code: "INVALID_ARGUMENT",
    message: "Cannot connect to 127.0.0.1:888: no host of the network can " +
      "have that address; connect to the one of the peer's sidecar",
  });
});

test("connect() says that its own sidecar cannot be reached", async () => {
  const fake = new FakeLibrary();
  await assert.rejects(
    fake.open().connect({ hostname: "10.0.0.1", port: 888 }),
    {
      code: "HOST_UNREACHABLE",
      message: "Cannot connect to 10.0.0.1:888: it is the address of this " +
        "script's own sidecar, which connects to others",
    },
  );
  assert.deepEqual(fake.called("connect"), []);
});

test("connect() checks its options", async () => {
  const channel = new FakeLibrary().open();
  await assert.rejects(channel.connect({ ...PEER, port: 0 }), {
    name: "RangeError",
    message: /^Cannot connect: .*[^]*at port/,
  });
  await assert.rejects(channel.connect({ ...PEER, prot: 1 } as typeof PEER), {
    name: "TypeError",
  });
});

test("connect() and listen() hear of an abort at once", async () => {
  const fake = new FakeLibrary();
  const channel = fake.open();
  const controller = new AbortController();
  const { signal } = controller;
  const connecting = channel.connect({ ...PEER, signal });
  const listening = channel.listen({ port: 1, hostname: "10.0.0.1", signal });
  const reason = new Error("never mind");
  controller.abort(reason);
  await assert.rejects(connecting, reason);
  await assert.rejects(listening, reason);
  assert.deepEqual(fake.called("connect"), []);
  assert.deepEqual(fake.called("listen"), []);
});

test("connect() rejects on abort, and resets what comes later", async () => {
  const fake = new FakeLibrary();
  const channel = fake.open();
  const controller = new AbortController();
  const pending = channel.connect({ ...PEER, signal: controller.signal });
  await turns();
  const reason = new Error("too slow");
  controller.abort(reason);
  await assert.rejects(pending, reason);
  assert.equal(fake.keepsAlive, true);
  answer(fake, Status.OK);
  await turns();
  assert.deepEqual(fake.called("reset"), [[5, "the connect was aborted"]]);
  fake.closed(5, Status.OK);
  await turns();
  assert.equal(fake.keepsAlive, false);
  // A channel that nobody refers to any more may be closed before that.
  assert.equal(channel.address, "10.0.0.1");
});

test("connect() waits while the channel is full", async () => {
  const fake = new FakeLibrary();
  fake.requestRoom = 0;
  const pending = fake.open().connect(PEER);
  await assertPending(pending);
  assert.deepEqual(fake.called("connect"), []);
  fake.requestRoom = Infinity;
  fake.post({ kind: EventKind.UNLISTENED });
  await turns();
  answer(fake, Status.OK);
  await pending;
});

test("a message right behind CONNECTED finds its connection", async () => {
  const fake = new FakeLibrary();
  const pending = fake.open().connect(PEER);
  await turns();
  answer(fake, Status.OK);
  fake.message(5, "early");
  const message = await (await pending).receive();
  assert.equal(new TextDecoder().decode(message.data), "early");
});

test("a channel on which nothing is open lets the process end", async () => {
  const fake = new FakeLibrary();
  const channel = fake.open();
  assert.equal(fake.keepsAlive, false);
  const pending = channel.connect(PEER);
  await turns();
  assert.equal(fake.keepsAlive, true);
  answer(fake, Status.OK);
  const connection = await pending;
  await turns();
  assert.equal(fake.keepsAlive, true);
  connection.reset();
  fake.closed(5, Status.OK);
  await turns();
  assert.equal(fake.keepsAlive, false);
});

test("unref() lets the process end although something is open", async () => {
  const { fake, channel, listener } = await listen(new FakeLibrary());
  assert.equal(fake.keepsAlive, true);
  listener.unref();
  listener.unref();
  assert.equal(fake.keepsAlive, false);
  accept(fake, 8);
  const connection = await listener.accept();
  assert.equal(fake.keepsAlive, true);
  connection.unref();
  assert.equal(fake.keepsAlive, false);
  connection.ref();
  assert.equal(fake.keepsAlive, true);
  fake.closed(8, Status.OK);
  await connection.closed;
  assert.equal(fake.keepsAlive, false);
  connection.unref();
  listener.ref();
  assert.equal(fake.keepsAlive, true);
  // What is being asked for is waited for.
  listener.unref();
  const asked = channel.connect(PEER).catch(() => {});
  await turns();
  assert.equal(fake.keepsAlive, true);
  fake.end();
  await asked;
});

test("the loop sleeps when nothing happens", async () => {
  const fake = new FakeLibrary();
  const pending = fake.open().connect(PEER);
  while (!fake.asleep) await turns();
  answer(fake, Status.OK);
  await pending;
});

async function listen(fake: FakeLibrary) {
  const channel = fake.open();
  const pending = channel.listen({ port: 0, backlog: 9 });
  await turns();
  const [values] = fake.called("listen") as [number[]];
  assert.deepEqual(values, [1, 0, 0, 9, 0]);
  fake.post({ kind: EventKind.LISTENING, token: 1, listener: 3, port: 4567 });
  return { fake, channel, listener: await pending };
}

function accept(fake: FakeLibrary, connection: number): void {
  fake.post({
    kind: EventKind.ACCEPTED,
    listener: 3,
    connection,
    address: PEER_ADDRESS,
    port: 0,
  });
}

test("listen() gives the port that was picked", async () => {
  const { listener } = await listen(new FakeLibrary());
  assert.equal(listener.port, 4567);
  assert.equal(listener.hostname, "10.0.0.1");
});

test("listen() says that the port may be shared", async () => {
  const fake = new FakeLibrary();
  fake.open().listen({ port: 888, reuse: true }).catch(() => {});
  await turns();
  assert.deepEqual(fake.called("listen"), [[1, 0, 888, 0, 1]]);
});

test("listen() names the port that is taken", async () => {
  const fake = new FakeLibrary();
  const pending = fake.open().listen({ port: 888 });
  await turns();
  const status = Status.ADDRESS_IN_USE;
  fake.post({ kind: EventKind.LISTENING, token: 1, status });
  await assert.rejects(pending, {
    code: "ADDRESS_IN_USE",
    message: "Cannot listen on 10.0.0.1:888: the address or port is taken",
  });
});

test("listener.accept() tells the engine when a connection is taken", async () => {
  const fake = new FakeLibrary();
  const { listener } = await listen(fake);
  accept(fake, 8);
  accept(fake, 9);
  await turns();
  assert.deepEqual(fake.called("accept"), []);
  const connection = await listener.accept();
  assert.deepEqual(connection.remote, { hostname: "10.0.0.9", port: 0 });
  assert.deepEqual(connection.local, { hostname: "10.0.0.1", port: 4567 });
  assert.deepEqual(fake.called("accept"), [[8]]);
});

test("listener.accept() keeps quiet about peers that gave up", async () => {
  const fake = new FakeLibrary();
  const { listener } = await listen(fake);
  accept(fake, 8);
  fake.closed(8, Status.CONNECTION_RESET);
  await turns();
  const pending = listener.accept();
  await assertPending(pending);
  accept(fake, 9);
  await pending;
  assert.deepEqual(fake.called("accept"), [[9]]);
});

test("listener.accept() gives messages that came before it", async () => {
  const fake = new FakeLibrary();
  const { listener } = await listen(fake);
  accept(fake, 8);
  fake.message(8, "hi");
  fake.closed(8, Status.OK);
  await turns();
  const texts: string[] = [];
  for await (const message of await listener.accept()) {
    texts.push(new TextDecoder().decode(message.data));
  }
  assert.deepEqual(texts, ["hi"]);
});

test("listener.accept() stops waiting on abort", async () => {
  const fake = new FakeLibrary();
  const { listener } = await listen(fake);
  const controller = new AbortController();
  const pending = listener.accept({ signal: controller.signal });
  const reason = new Error("enough");
  controller.abort(reason);
  await assert.rejects(pending, reason);
  const other = listener.accept();
  accept(fake, 8);
  await other;
});

test("listener.close() ends the iteration and resets who waits", async () => {
  const fake = new FakeLibrary();
  const { listener } = await listen(fake);
  const taken: Connection[] = [];
  const loop = (async () => {
    for await (const connection of listener) taken.push(connection);
  })();
  accept(fake, 8);
  await turns();
  accept(fake, 9);
  const refused = listener.accept();
  await turns();
  assert.equal(taken.length, 2);
  const closing = listener.close();
  await loop;
  await assert.rejects(refused, {
    code: "CLOSED",
    message: "Cannot accept on 10.0.0.1:4567: the listener was closed",
  });
  accept(fake, 10);
  await assertPending(closing);
  assert.deepEqual(fake.called("reset"), [[10, "the listener was closed"]]);
  fake.post({ kind: EventKind.UNLISTENED, listener: 3 });
  await closing;
});

test("an iteration that ends leaves connections to others", async () => {
  const fake = new FakeLibrary();
  const { listener } = await listen(fake);
  const iterator = listener[Symbol.asyncIterator]();
  const pending = [iterator.next(), iterator.next()];
  const other = listener.accept();
  await iterator.return!();
  const END = { done: true, value: undefined };
  assert.deepEqual(await Promise.all(pending), [END, END]);
  accept(fake, 8);
  await other;
  assert.deepEqual(await iterator.next(), END);
});

test("listen({ signal }) closes the listener on abort", async () => {
  const fake = new FakeLibrary();
  const controller = new AbortController();
  const pending = fake.open().listen({ port: 1, signal: controller.signal });
  await turns();
  fake.post({ kind: EventKind.LISTENING, token: 1, listener: 3, port: 1 });
  const listener = await pending;
  controller.abort();
  for await (const _ of listener) assert.fail();
  assert.deepEqual(fake.called("unlisten"), [[3]]);
});

test("losing the sidecar fails all that is pending, and all later", async () => {
  const fake = new FakeLibrary();
  const { channel, listener } = await listen(fake);
  accept(fake, 8);
  const connection = await listener.accept();
  fake.room = 0;
  const pending = [
    listener.accept(),
    connection.receive(),
    connection.send(new Uint8Array(1)),
    connection.closed,
    channel.connect(PEER),
    (async () => {
      for await (const _ of connection) assert.fail();
    })(),
  ];
  await turns();
  fake.end();
  for (const promise of pending) {
    await assert.rejects(promise, { code: "SIDECAR_GONE" });
  }
  await assert.rejects(channel.connect(PEER), { code: "SIDECAR_GONE" });
  await assert.rejects(connection.send(new Uint8Array(1)), {
    code: "SIDECAR_GONE",
    message: "Cannot send to 10.0.0.9:0: the sidecar ended without a word",
  });
  await assert.rejects(listener.accept(), { code: "SIDECAR_GONE" });
  await connection.close();
  await listener.close();
  await channel.close();
  assert.equal(fake.bellOpen, false);
});

test("a sidecar that was stopped is told from one that is gone", async () => {
  const fake = new FakeLibrary();
  const { listener } = await listen(fake);
  fake.lostReason = Status.SIDECAR_STOPPED;
  fake.end();
  await assert.rejects(listener.accept(), { code: "SIDECAR_STOPPED" });
});

test("channel.close() closes what is open, in order, then itself", async () => {
  const fake = new FakeLibrary();
  const { channel, listener } = await listen(fake);
  accept(fake, 8);
  const connection = await listener.accept();
  const closing = channel.close();
  fake.post({ kind: EventKind.UNLISTENED, listener: 3 });
  await assertPending(closing);
  assert.equal(fake.called("close").length, 1);
  fake.closed(8, Status.OK);
  await closing;
  await connection.closed;
  assert.equal(fake.called("channel_close").length, 1);
  await assert.rejects(channel.connect(PEER), {
    code: "CLOSED",
    message: "Cannot connect to 10.0.0.9:888: the channel was closed",
  });
  await channel.close();
});
