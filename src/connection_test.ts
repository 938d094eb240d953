import assert from "node:assert/strict";
import { test } from "node:test";
import { Status } from "../ffi/status.ts";
import {
  connect,
  decode,
  encode,
  ID,
  lent,
  texts,
} from "./testing/fake_connection.ts";
import { assertPending, turns } from "./testing/fake_library.ts";

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
