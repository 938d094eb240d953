import assert from "node:assert/strict";
import { test } from "node:test";
import { Status } from "../ffi/status.ts";
import { EventKind } from "../ffi/structs.ts";
import type { Channel } from "./channel.ts";
import type { Connection } from "./connection.ts";
import type { Message } from "./message.ts";
import { catchWarnings } from "./testing/garbage.ts";
import { assertPending, FakeLibrary, turns } from "./testing/fake_library.ts";

const ID = 5;

async function connect(): Promise<
  { fake: FakeLibrary; channel: Channel; one: Connection }
> {
  const fake = new FakeLibrary();
  const channel = fake.open();
  return { fake, channel, one: await fake.connect(channel, ID) };
}

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const texts = (fake: FakeLibrary): string[] =>
  fake.sent.map(({ text }) => text);

/** Blocks that the application holds, when the loop has turned. */
async function lent(fake: FakeLibrary): Promise<number> {
  await turns();
  return fake.lent.size;
}

test("who alone was served and has answered waits for more at once", async () => {
  const { fake, channel, one } = await connect();
  const other = await fake.connect(channel, ID + 1);
  let answers = true;
  const iterate = async (): Promise<void> => {
    for await (const { data } of one) {
      if (answers) await one.send(data);
    }
  };
  const receive = async (): Promise<void> => {
    for (;;) {
      using message = await other.receive();
      if (answers) await other.send(message.data);
    }
  };
  const ends = Promise.allSettled([iterate(), receive()]);
  await turns();

  for (const id of [ID, ID + 1]) {
    answers = true;
    fake.message(id, "a");
    assert.deepEqual(await fake.lookOnce(), [7, 21]);
    fake.message(ID, "a");
    fake.message(ID + 1, "b");
    const looks = await fake.lookOnce();
    assert.deepEqual(looks, [7, 0], "the other has yet to answer");
    answers = false;
    fake.message(id, "a");
    assert.deepEqual(await fake.lookOnce(), [7, 0], "nobody has asked for any");
  }

  fake.closed(ID, Status.OK);
  fake.closed(ID + 1, Status.OK);
  await ends;
});

test("who waits for what came takes nothing from those who wait longer", async () => {
  const { fake, one } = await connect();
  const first = one.receive();
  await turns();
  fake.message(ID, "a");
  const second = one.receive();
  assert.equal(decode((await first).data), "a");
  fake.message(ID, "b");
  assert.equal(decode((await second).data), "b");
});

test("send() is done when the message is in the channel", async () => {
  const { fake, one } = await connect();
  const bytes = encode("hello");
  await one.send(bytes);
  bytes.fill(0);
  await one.send(new Uint8Array(0));
  assert.deepEqual(texts(fake), ["hello", ""]);
});

test("messages are taken after unref() as long as the process lives", async () => {
  const { fake, one } = await connect();
  one.unref();
  const { promise: never, reject } = Promise.withResolvers<never>();
  const life = setTimeout(() => reject(new Error("Nothing came")), 60_000);
  // Nothing but the loop itself makes the event loop turn.
  for (const text of ["a", "b", "c"]) {
    await one.send(encode(text));
    fake.message(ID, text);
    using message = await Promise.race([one.receive(), never]);
    assert.equal(decode(message.data), text);
  }
  clearTimeout(life);
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

test("what plain JavaScript passes is checked, and harms nothing", async () => {
  const { fake, one } = await connect();
  // deno-lint-ignore no-explicit-any -- as scripts without types have it
  const it = one as any;
  const bytes = encode("a");
  const signal = new AbortController(); // forgot the .signal
  const notBytes = "Cannot send message: it is of type string, not a " +
    "Uint8Array; new TextEncoder().encode() makes one of it";
  const wrong: [call: () => unknown, name: string, message: string][] = [
    [() => it.send("hello"), "TypeError", notBytes],
    [() => it.trySend("hello"), "TypeError", notBytes],
    [() => it.request("hello"), "TypeError", notBytes],
    [
      () => it.send(null),
      "TypeError",
      "Cannot send message: it is null, not a Uint8Array",
    ],
    [
      () => it.send(bytes.buffer),
      "TypeError",
      "Cannot send message: it is of type ArrayBuffer, not a Uint8Array",
    ],
    [
      () => it.send(bytes, { signal }),
      "TypeError",
      "Cannot send message: signal is not an AbortSignal",
    ],
    [
      () => it.send(bytes, 1000),
      "TypeError",
      "Cannot send message: options are of type number",
    ],
    [
      () => it.receive({ timeout: 1000 }),
      "TypeError",
      'Cannot receive message: there is no option "timeout"',
    ],
    [
      () => it.sendMany(new Set([bytes])),
      "TypeError",
      "Cannot send messages: they are not in an array",
    ],
    [
      () => it.sendMany([bytes], { signal }),
      "TypeError",
      "Cannot send messages: signal is not an AbortSignal",
    ],
    [
      () => it.allocate("5"),
      "TypeError",
      "Cannot allocate message: length is of type string",
    ],
    [
      () => it.tryAllocate(1.5),
      "RangeError",
      "Cannot allocate message: length 1.5 is not an integer of at least 0",
    ],
    [
      () => it.allocate(5, { signal }),
      "TypeError",
      "Cannot allocate message: signal is not an AbortSignal",
    ],
    [
      () => it.request(bytes, { timeout: 2 ** 31 }),
      "RangeError",
      "Cannot send request: timeout 2147483648 is not an integer from 1 to 2147483647",
    ],
    [
      () => it.request(bytes, { timeout: "1000" }),
      "TypeError",
      "Cannot send request: timeout is of type string",
    ],
    [
      () => it.close({ timeout: 0 }),
      "RangeError",
      "Cannot close connection: timeout 0 is not an integer from 1 to 2147483647",
    ],
    [
      () => it.reset(new Error("no")),
      "TypeError",
      "Cannot reset connection: reason is of type Error",
    ],
    [
      () => it.serve(),
      "TypeError",
      "Cannot serve connection: no function to handle it",
    ],
    [
      () => it.serve(() => bytes, { concurrency: "2" }),
      "TypeError",
      "Cannot serve connection: concurrency is of type string",
    ],
    [
      () => it.serve(() => bytes, { parallel: 2 }),
      "TypeError",
      'Cannot serve connection: there is no option "parallel"',
    ],
  ];
  // Also where it would have to wait.
  for (const room of [Infinity, 0]) {
    fake.room = room;
    for (const [call, name, message] of wrong) {
      await assert.rejects(async () => await call(), { name, message });
    }
  }
  assert.deepEqual(fake.called("close"), []);
  fake.room = Infinity;
  await one.send(bytes);
  assert.deepEqual(texts(fake), ["a"]);
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

test("receive() gives messages that live until release()", async () => {
  const { fake, one } = await connect();
  fake.message(ID, "one");
  fake.message(ID, "two");
  const first = await one.receive();
  const second = await one.receive();
  assert.equal(first.length, 3);
  assert.equal(decode(first.data), "one");
  assert.equal(decode(second.data), "two");
  assert.equal(first.data, first.data);
  const copy = first.copy();
  assert.equal(await lent(fake), 2);
  first.release();
  first.release();
  assert.equal(await lent(fake), 1);
  assert.throws(() => first.data, {
    code: "CLOSED",
    message: "Cannot read message: it was released",
  });
  assert.equal(decode(copy), "one");
  {
    using _ = second;
  }
  assert.equal(await lent(fake), 0);
});

test("messages that are held have views of their own", async () => {
  const { fake, one } = await connect();
  const held: Message[] = [];
  for (let round = 0; round < 300; round++) {
    fake.message(ID, `held ${round}`);
    fake.message(ID, "again");
    held.push(await one.receive());
    using message = await one.receive();
    assert.equal(decode(message.data), "again");
  }
  assert.equal(new Set(held.map(({ data }) => data)).size, held.length);
  held.forEach(({ data }, at) => assert.equal(decode(data), `held ${at}`));
});

test("receive() gives an empty message too", async () => {
  const { fake, one } = await connect();
  fake.message(ID, "");
  const message = await one.receive();
  assert.equal(message.length, 0);
  assert.equal(message.data.length, 0);
  message.release();
});

test("receive() stops waiting on abort", async () => {
  const { fake, one } = await connect();
  const controller = new AbortController();
  const pending = one.receive({ signal: controller.signal });
  const other = one.receive();
  const reason = new Error("no");
  controller.abort(reason);
  await assert.rejects(pending, reason);
  fake.message(ID, "for the other");
  assert.equal(decode((await other).data), "for the other");
});

test("the iterator releases each message when the next is taken", async () => {
  const { fake, one } = await connect();
  for (const text of ["a", "b", "c"]) fake.message(ID, text);
  const seen: string[] = [];
  for await (const message of one) {
    seen.push(decode(message.data));
    assert.equal(await lent(fake), 3 - seen.length + 1);
    if (seen.length === 3) break;
  }
  assert.deepEqual(seen, ["a", "b", "c"]);
  assert.equal(await lent(fake), 0);
  // Leaving the loop closed nothing.
  fake.message(ID, "d");
  assert.equal(decode((await one.receive()).data), "d");
  assert.deepEqual(fake.called("close"), []);
});

test("the iterator lends one object after another message", async () => {
  const { fake, one } = await connect();
  const iterator = one[Symbol.asyncIterator]();
  // Asked for before there is any, and one after the other all the same.
  const take = async (): Promise<string> =>
    decode((await iterator.next()).value!.data);
  const [first, second] = [take(), take()];
  fake.message(ID, "a");
  fake.message(ID, "b");
  assert.deepEqual([await first, await second], ["a", "b"]);
  assert.equal(await lent(fake), 1);
  await iterator.return!();
  assert.equal(await lent(fake), 0);
  assert.deepEqual(await iterator.next(), { done: true, value: undefined });
});

test("batches() gives what came together, until the next batch", async () => {
  const { fake, one } = await connect();
  const batches = one.batches();
  const waiting = batches.next();
  fake.message(ID, "a");
  fake.message(ID, "");
  fake.message(ID, "c");
  const { value } = await waiting;
  const seen = value!.map(({ data }) => decode(data));
  assert.deepEqual(seen, ["a", "", "c"]);
  assert.equal(await lent(fake), 2);
  value![0]!.release();
  for (let count = 0; count < 100; count++) fake.message(ID, `${count}`);
  await turns();
  const sizes: number[] = [];
  let next = 0;
  for await (const batch of batches) {
    sizes.push(batch.length);
    for (const { data } of batch) assert.equal(decode(data), `${next++}`);
    if (next === 100) fake.closed(ID, Status.OK);
  }
  assert.equal(next, 100);
  assert.ok(sizes.every((size) => size > 0 && size <= 64), sizes.join());
  assert.ok(sizes.length < 10, sizes.join());
  assert.equal(await lent(fake), 0);
});

test("batches() throws when the connection is reset", async () => {
  const { fake, one } = await connect();
  const waiting = one.batches().next();
  fake.closed(ID, Status.CONNECTION_RESET, "no");
  await assert.rejects(waiting, { code: "CONNECTION_RESET" });
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

// Connections of other tests may be reported as leaked meanwhile.
function ofRoom(lines: readonly string[]): string[] {
  return lines.filter((line) => line.includes("has no room"));
}

test("a script that holds too many messages is warned once", async () => {
  using warnings = catchWarnings();
  const lines = (): string[] => ofRoom(warnings.lines);
  const { fake, channel, one } = await connect();
  const other = await fake.connect(channel, ID + 1);
  const held: Message[] = [];
  const fill = async (id: number, from: Connection): Promise<void> => {
    for (let count = 0; count < 5; count++) {
      fake.message(id, "message");
      held.push(await from.receive());
    }
  };
  await fill(ID, one);
  await fill(ID + 1, other);
  for (let count = 0; count < 5; count++) fake.message(ID, "unread");
  // It does not read: that is how one lets a peer wait.
  fake.post({ kind: EventKind.STARVED, connection: ID, token: 10 });
  fake.post({ kind: EventKind.STARVED, connection: ID + 9, token: 10 });
  await turns();
  assert.deepEqual(lines(), []);
  fake.post({ kind: EventKind.STARVED, token: 15 });
  fake.post({ kind: EventKind.STARVED, connection: ID + 1, token: 5 });
  await turns();
  assert.deepEqual(lines(), [
    "machnet: channel to the sidecar at 10.0.0.1 has no room for new " +
    "messages, because the script holds 10. release() them when they are " +
    "read, and keep a copy()",
  ]);
});

test("requests that wait for their turn are not held by the script", async () => {
  using warnings = catchWarnings();
  const lines = (): string[] => ofRoom(warnings.lines);
  const { fake, one } = await connect();
  one.serve(() => new Promise(() => {}), { concurrency: 2 });
  for (let request = 1; request <= 10; request++) {
    const kind = EventKind.REQUEST;
    fake.messageTagged(ID, kind, request + 16384, "question");
  }
  fake.post({ kind: EventKind.STARVED, connection: ID, token: 10 });
  await turns();
  assert.deepEqual(lines(), []);
  fake.post({ kind: EventKind.STARVED, connection: ID, token: 30 });
  await turns();
  assert.equal(lines().length, 1);
  assert.match(lines()[0]!, /^machnet: connection to 10\.0\.0\.9:888 /);
});

test("the iterator ends when the peer closes, after the last message", async () => {
  const { fake, one } = await connect();
  fake.message(ID, "last");
  fake.closed(ID, Status.OK);
  await one.closed;
  const seen: string[] = [];
  for await (const message of one) seen.push(decode(message.data));
  assert.deepEqual(seen, ["last"]);
  await assert.rejects(one.receive(), {
    code: "CONNECTION_CLOSED",
    message: "Cannot receive from 10.0.0.9:888: the peer closed the connection",
  });
  await assert.rejects(one.send(encode("x")), { code: "CONNECTION_CLOSED" });
  assert.throws(() => one.trySend(encode("x")), { code: "CONNECTION_CLOSED" });
  await one.close();
});

test("a reset throws in the iterator, with the peer's reason", async () => {
  const { fake, one } = await connect();
  const loop = (async () => {
    for await (const _ of one) assert.fail();
  })();
  await turns();
  fake.closed(ID, Status.CONNECTION_RESET, "out of patience");
  await assert.rejects(loop, {
    code: "CONNECTION_RESET",
    message: "Cannot receive from 10.0.0.9:888: " +
      "the peer reset the connection: out of patience",
  });
  assert.equal(await lent(fake), 0);
  await assert.rejects(one.closed, { code: "CONNECTION_RESET" });
  await assert.rejects(one.send(encode("x")), { code: "CONNECTION_RESET" });
  await one.close(); // it is over: nothing more to say
});

test("a reset drops what was not taken", async () => {
  const { fake, one } = await connect();
  fake.message(ID, "lost");
  fake.closed(ID, Status.CONNECTION_RESET);
  await turns();
  assert.equal(await lent(fake), 0);
  await assert.rejects(one.receive(), { code: "CONNECTION_RESET" });
});

test("nobody has to look at closed", async () => {
  const { fake, one } = await connect();
  void one.closed;
  fake.closed(ID, Status.CONNECTION_LOST);
  await turns();
  await assert.rejects(one.closed, { code: "CONNECTION_LOST" });
});

test("close() waits for the acknowledgement", async () => {
  const { fake, one } = await connect();
  fake.message(ID, "not taken");
  await turns();
  const reading = one.receive().then((message) => message.release());
  const closing = one.close({ timeout: 60_000 });
  await assertPending(closing);
  await reading;
  const [id, timeout] = fake.called("close")[0] as number[];
  assert.equal(id, ID);
  assert.ok(timeout! > 0 && timeout! <= 60_000);
  await assert.rejects(one.send(encode("x")), {
    code: "CONNECTION_CLOSED",
    message: "Cannot send to 10.0.0.9:888: the connection was closed",
  });
  fake.message(ID, "too late");
  fake.closed(ID, Status.OK);
  await closing;
  await one.closed;
  assert.equal(await lent(fake), 0);
});

test("close() ends readers", async () => {
  const { fake, one } = await connect();
  const pending = one.receive();
  const loop = (async () => {
    for await (const _ of one) assert.fail();
  })();
  await turns();
  const closing = one.close();
  await assert.rejects(pending, { code: "CONNECTION_CLOSED" });
  await loop;
  fake.closed(ID, Status.OK);
  await closing;
});

test("close() comes behind what waits for room", async () => {
  const { fake, one } = await connect();
  fake.room = 0;
  const sending = one.send(encode("a"));
  const closing = one.close();
  await assertPending(closing);
  assert.deepEqual(fake.called("close"), []);
  fake.room = Infinity;
  fake.message(ID, "kick");
  await sending;
  await turns();
  assert.equal(fake.called("close").length, 1);
  fake.closed(ID, Status.OK);
  await closing;
});

test("close() does not wait for room for ever", async () => {
  const { fake, one } = await connect();
  fake.room = 0;
  const sending = one.send(encode("a"));
  const closing = one.close({ timeout: 20 });
  await assert.rejects(closing, {
    code: "CLOSE_TIMED_OUT",
    message: "Cannot close connection to 10.0.0.9:888: " +
      "the peer did not acknowledge in time",
  });
  await assert.rejects(sending, { code: "CLOSE_TIMED_OUT" });
  assert.equal(fake.called("reset").length, 1);
});

test("close() rejects if the peer did not acknowledge", async () => {
  const { fake, one } = await connect();
  const closing = one.close();
  await turns();
  fake.closed(ID, Status.CLOSE_TIMED_OUT);
  await assert.rejects(closing, { code: "CLOSE_TIMED_OUT" });
  await assert.rejects(one.closed, { code: "CLOSE_TIMED_OUT" });
});

test("close({ signal }) resets on abort", async () => {
  const { fake, one } = await connect();
  const controller = new AbortController();
  const closing = one.close({ signal: controller.signal });
  await turns();
  const reason = new Error("no time");
  controller.abort(reason);
  await assert.rejects(closing, reason);
  assert.equal(fake.called("reset").length, 1);
});

test("close({ signal }) of a signal that has aborted resets, too", async () => {
  const { fake, one } = await connect();
  const reason = new Error("no time");
  const signal = AbortSignal.abort(reason);
  await assert.rejects(one.close({ signal }), reason);
  assert.equal(fake.called("reset").length, 1);
  await one.closed;
});

test("await using closes", async () => {
  const { fake, one } = await connect();
  {
    await using _ = one;
    setTimeout(() => fake.closed(ID, Status.OK));
  }
  assert.equal(fake.called("close").length, 1);
});

test("reset() tells the peer why, in at most 255 bytes", async () => {
  const { fake, one } = await connect();
  one.reset("é".repeat(200));
  await one.closed;
  assert.deepEqual(fake.called("reset"), [[ID, "é".repeat(127)]]);
  one.reset("twice");
  fake.closed(ID, Status.OK);
  await turns();
  assert.equal(fake.called("reset").length, 1);
  await assert.rejects(one.receive(), { code: "CONNECTION_CLOSED" });
  for await (const _ of one) assert.fail();
});

test("many messages are taken in order, however they come", async () => {
  const { fake, one } = await connect();
  let next = 0;
  const loop = (async () => {
    for await (const message of one) {
      assert.equal(decode(message.data), String(next++));
      if (next % 7 === 0) await turns();
    }
  })();
  for (let sent = 0; sent < 500; sent++) {
    fake.message(ID, String(sent));
    if (sent % 31 === 0) await turns();
  }
  fake.closed(ID, Status.OK);
  await loop;
  assert.equal(next, 500);
  assert.equal(await lent(fake), 0);
});
