import assert from "node:assert/strict";
import { test } from "node:test";
import { Status } from "../ffi/status.ts";
import { connect, decode, encode, ID } from "./testing/fake_connection.ts";
import { assertPending, turns } from "./testing/fake_library.ts";

test("readable has a chunk for each message, to be kept", async () => {
  const { fake, one } = await connect();
  for (const text of ["a", "", "c"]) fake.message(ID, text);
  await turns();
  fake.closed(ID, Status.OK);
  const chunks: Uint8Array[] = [];
  for await (const chunk of one.readable) chunks.push(chunk);
  assert.deepEqual(chunks.map(decode), ["a", "", "c"]);
  await turns();
  assert.equal(fake.lent.size, 0);
  assert.equal(one.readable, one.readable);
});

test("readable has no BYOB readers", async () => {
  const { one } = await connect();
  assert.throws(() => one.readable.getReader({ mode: "byob" }), {
    name: "TypeError",
  });
});

test("readable takes nothing that nobody reads", async () => {
  const { fake, one } = await connect();
  const reader = one.readable.getReader();
  for (const text of ["a", "b", "c"]) fake.message(ID, text);
  await turns();
  assert.equal(fake.lent.size, 3);
  assert.equal(decode((await reader.read()).value!), "a");
  await turns();
  assert.equal(fake.lent.size, 2);
});

test("cancel() of readable leaves the connection, and its messages", async () => {
  const { fake, one } = await connect();
  const reader = one.readable.getReader();
  const reading = reader.read();
  await turns();
  await reader.cancel();
  assert.deepEqual(await reading, { done: true, value: undefined });
  fake.message(ID, "for others");
  assert.equal(decode((await one.receive()).data), "for others");
  assert.deepEqual(fake.called("close"), []);
});

test("readable fails as the connection does", async () => {
  const { fake, one } = await connect();
  const reading = one.readable.getReader().read();
  fake.closed(ID, Status.CONNECTION_RESET, "no");
  await assert.rejects(reading, { code: "CONNECTION_RESET" });
});

test("writable sends a message for each chunk, and waits for room", async () => {
  const { fake, one } = await connect();
  fake.room = 1;
  const writer = one.writable.getWriter();
  await writer.write(encode("a"));
  const second = writer.write(encode("b"));
  await assertPending(writer.ready);
  fake.room = Infinity;
  fake.message(ID, "kick");
  await second;
  await writer.ready;
  assert.deepEqual(fake.sent.map(({ text }) => text), ["a", "b"]);
  assert.equal(one.writable, one.writable);
});

test("closing writable closes the connection", async () => {
  const { fake, one } = await connect();
  const closing = one.writable.close();
  await assertPending(closing);
  fake.closed(ID, Status.OK);
  await closing;
  assert.equal(fake.called("close").length, 1);
});

test("aborting writable resets the connection, also while it waits", async () => {
  const { fake, one } = await connect();
  fake.room = 0;
  const writer = one.writable.getWriter();
  const writing = assert.rejects(writer.write(encode("a")));
  await turns();
  await writer.abort(new Error("no more"));
  await writing;
  assert.deepEqual(fake.called("reset"), [[ID, "no more"]]);
  await one.closed;
});

test("a chunk that cannot be sent resets the connection", async () => {
  for (const wrong of ["text", new Uint8Array((8 << 20) + 1)]) {
    const { fake, one } = await connect();
    const writer = one.writable.getWriter();
    await writer.write(encode("a"));
    const error = await writer.write(wrong as Uint8Array).catch((it) => it);
    assert.ok(error instanceof Error);
    await assert.rejects(writer.closed, error);
    assert.equal(fake.called("reset").length, 1);
    await one.closed;
  }
});

test("a stream that is piped back ends well when the peer closes", async () => {
  const { fake, one } = await connect();
  const piping = one.readable.pipeTo(one.writable);
  fake.message(ID, "a");
  await turns();
  fake.closed(ID, Status.OK);
  await piping;
  assert.deepEqual(fake.sent.map(({ text }) => text), ["a"]);
});

test("writable fails when the connection does", async () => {
  const { fake, one } = await connect();
  const writer = one.writable.getWriter();
  const closed = assert.rejects(writer.closed, { code: "CONNECTION_LOST" });
  fake.closed(ID, Status.CONNECTION_LOST);
  await closed;
  await assert.rejects(writer.write(encode("a")), { code: "CONNECTION_LOST" });
});
