import assert from "node:assert/strict";
import { test } from "node:test";
import { Status } from "../ffi/status.ts";
import { connect, encode, ID, lent, texts } from "./testing/fake_connection.ts";
import { assertPending, turns } from "./testing/fake_library.ts";

test("send() is done when the message is in the channel", async () => {
  const { fake, one } = await connect();
  const bytes = encode("hello");
  await one.send(bytes);
  bytes.fill(0);
  await one.send(new Uint8Array(0));
  assert.deepEqual(texts(fake), ["hello", ""]);
});

test("send() waits for room, and keeps the order", async () => {
  const { fake, one } = await connect();
  fake.room = 1;
  await one.send(encode("a"));
  const second = one.send(encode("b"));
  const third = one.send(encode("c"));
  assert.equal(one.trySend(encode("d")), false);
  await assertPending(second);
  fake.room = Infinity;
  fake.message(ID, "kick");
  await Promise.all([second, third]);
  assert.deepEqual(texts(fake), ["a", "b", "c"]);
  assert.equal(one.trySend(encode("d")), true);
});

test("send() that waits for room lets the loop sleep", async () => {
  const { fake, one } = await connect();
  fake.room = 0;
  const waiting = one.send(encode("a"));
  while (!fake.asleep) await turns();
  fake.room = Infinity;
  fake.message(ID, "kick");
  await waiting;
});

test("send() on one connection does not wait for another's peer", async () => {
  const { fake, channel, one } = await connect();
  const other = await fake.connect(channel, ID + 1);
  fake.unread.add(ID);
  const waiting = one.send(encode("nobody reads this"));
  await other.send(encode("a"));
  assert.equal(other.trySend(encode("b")), true);
  // Also those that wait themselves do not wait for it.
  fake.room = 0;
  const next = other.allocate(5);
  await assertPending(next);
  fake.room = Infinity;
  fake.message(ID, "kick");
  (await next).release();
  await assertPending(waiting);
  assert.deepEqual(texts(fake), ["a", "b"]);
  fake.unread.clear();
  fake.message(ID, "kick");
  await waiting;
});

test("send() stops waiting on abort, and others go on", async () => {
  const { fake, one } = await connect();
  fake.room = 0;
  const controller = new AbortController();
  const first = one.send(encode("a"), { signal: controller.signal });
  const second = one.send(encode("b"));
  const reason = new Error("no");
  controller.abort(reason);
  await assert.rejects(first, reason);
  fake.room = Infinity;
  fake.message(ID, "kick");
  await second;
  assert.deepEqual(texts(fake), ["b"]);
  const { signal } = controller;
  await assert.rejects(one.send(encode("c"), { signal }), reason);
});

test("send() in a loop leaves timers and sockets their turn", async () => {
  const { one } = await connect();
  const bytes = encode("a");
  for (
    const send of [
      () => one.send(bytes),
      () => one.sendMany([bytes, bytes]),
      () => one.allocate(1).then((room) => room.send()),
    ]
  ) {
    let turned = false;
    setImmediate(() => turned = true);
    let sent = 0;
    while (!turned && sent < 10_000) {
      await send();
      sent++;
    }
    assert.ok(sent < 2000, `${sent}`);
  }
});

test("send() of too large a message leaves the connection alone", async () => {
  const { one, fake } = await connect();
  const large = new Uint8Array((8 << 20) + 1);
  await assert.rejects(one.send(large), { code: "MESSAGE_TOO_LARGE" });
  assert.throws(() => one.trySend(large), { code: "MESSAGE_TOO_LARGE" });
  await one.send(encode("a"));
  assert.deepEqual(texts(fake), ["a"]);
});

test("allocate() gives room that is sent from", async () => {
  const { fake, one } = await connect();
  const outgoing = await one.allocate(10);
  assert.equal(outgoing.length, 10);
  outgoing.data.set(encode("in place"));
  await outgoing.send(8);
  assert.deepEqual(texts(fake), ["in place"]);
  assert.equal(await lent(fake), 0);
  assert.throws(() => outgoing.data, { code: "CLOSED" });
  await assert.rejects(outgoing.send(), { code: "CLOSED" });
  outgoing.release();
});

test("allocate() gives the same room the same view", async () => {
  const { one } = await connect();
  const views: Uint8Array[] = [];
  for (const length of [10, 10, 9]) {
    const room = await one.allocate(length);
    assert.equal(room.data.length, length);
    views.push(room.data);
    room.release();
    await turns(); // so that the block is free again
  }
  assert.equal(views[0], views[1]);
  assert.equal(views[1]!.byteOffset, views[2]!.byteOffset);
});

test("allocate() gives back what is not sent", async () => {
  const { fake, one } = await connect();
  {
    using _ = await one.allocate(10);
    assert.equal(await lent(fake), 1);
  }
  assert.equal(await lent(fake), 0);
  const outgoing = await one.allocate(10);
  await assert.rejects(outgoing.send(11), { name: "RangeError" });
  one.reset();
  await assert.rejects(outgoing.send(), { code: "CONNECTION_CLOSED" });
  assert.equal(await lent(fake), 0);
});

test("allocate() waits for room, tryAllocate() does not", async () => {
  const { fake, one } = await connect();
  fake.room = 0;
  assert.equal(one.tryAllocate(5), undefined);
  const pending = one.allocate(5);
  await assertPending(pending);
  fake.room = Infinity;
  fake.message(ID, "kick");
  (await pending).data.set(encode("there"));
  await (await pending).send();
  assert.deepEqual(texts(fake), ["there"]);
  await (await one.allocate(0)).send();
  assert.deepEqual(texts(fake), ["there", ""]);
});

test("allocate() gives room for as much as a message may have", async () => {
  const { one } = await connect();
  const tooLarge = {
    code: "MESSAGE_TOO_LARGE",
    message: "Cannot allocate message to 10.0.0.9:888: " +
      "a message has at most 8 MiB",
  };
  for (const length of [(8 << 20) + 1, 2 ** 40]) {
    await assert.rejects(one.allocate(length), tooLarge);
    assert.throws(() => one.tryAllocate(length), tooLarge);
  }
});

test("allocate() says that the connection is over, also while it waits", async () => {
  const { fake, one } = await connect();
  const closed = {
    code: "CONNECTION_CLOSED",
    message: "Cannot allocate message to 10.0.0.9:888: " +
      "the connection was closed",
  };
  fake.room = 0;
  const pending = assert.rejects(one.allocate(5), closed);
  one.reset();
  await pending;
  await assert.rejects(one.allocate(5), closed);
  assert.throws(() => one.tryAllocate(5), closed);
});

test("sendMany() sends bytes and messages, in order", async () => {
  const { fake, one } = await connect();
  fake.message(ID, "echo");
  const message = await one.receive();
  await one.sendMany([encode("a"), message, new Uint8Array(0)]);
  assert.deepEqual(texts(fake), ["a", "echo", ""]);
  await one.sendMany([]);
  message.release();
  await assert.rejects(one.sendMany([encode("b"), message]), {
    code: "CLOSED",
  });
  const wrong = ["text" as unknown as Uint8Array];
  await assert.rejects(one.sendMany(wrong), { name: "TypeError" });
  assert.deepEqual(texts(fake).slice(3), ["b"]);
});

test("sendMany() waits for room in the middle, and keeps the order", async () => {
  const { fake, one } = await connect();
  fake.room = 2;
  const many = one.sendMany(["a", "b", "c", "d"].map(encode));
  const last = one.send(encode("e"));
  await assertPending(many);
  assert.deepEqual(texts(fake), ["a", "b"]);
  fake.room = 1;
  fake.message(ID, "kick");
  await assertPending(many);
  fake.room = Infinity;
  fake.message(ID, "kick");
  await Promise.all([many, last]);
  assert.deepEqual(texts(fake), ["a", "b", "c", "d", "e"]);
});

test("sendMany() stops waiting on abort, and when it closes", async () => {
  const { fake, one } = await connect();
  fake.room = 1;
  const controller = new AbortController();
  const { signal } = controller;
  const many = one.sendMany(["a", "b"].map(encode), { signal });
  const reason = new Error("no");
  controller.abort(reason);
  await assert.rejects(many, reason);
  fake.closed(ID, Status.CONNECTION_RESET);
  await turns();
  await assert.rejects(one.sendMany([encode("x")]), {
    code: "CONNECTION_RESET",
  });
  assert.deepEqual(texts(fake), ["a"]);
});
