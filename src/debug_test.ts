import assert from "node:assert/strict";
import { test } from "node:test";
import { POISON } from "./debug.ts";
import { connect, decode, encode, ID } from "./testing/fake_connection.ts";
import { FakeLibrary, turns } from "./testing/fake_library.ts";

function connectDebugging(): ReturnType<typeof connect> {
  const fake = new FakeLibrary();
  fake.debugging = true;
  return connect(fake);
}

/** What a use of a view of the second message says. */
const named = {
  name: "MachnetError",
  code: "CLOSED",
  message: /^Cannot read message 2 from 10\.0\.0\.9:888 \(3 bytes\): it was /,
};

test("a view that is used after release() names message and place", async () => {
  const { fake, one } = await connectDebugging();
  fake.message(ID, "one");
  fake.message(ID, "two");
  (await one.receive()).release();
  const message = await one.receive();
  const view = message.data;
  assert.equal(decode(view), "two");
  message.release();
  message.release();
  assert.throws(() => view.length, (error: Error) => {
    assert.match(error.message, named.message);
    assert.match(error.message, /it was released at .*debug_test\.ts:\d+/);
    assert.match((error.cause as Error).stack!, /debug_test\.ts/);
    return true;
  });
  assert.throws(() => view.slice(), named);
  assert.throws(() => [...view], named);
  assert.throws(() => message.data, named);
  assert.throws(() => one.trySend(view), named);
  await assert.rejects(one.sendMany([message]), named);
});

test("bytes of a released message are poisoned", async () => {
  const { fake, one } = await connectDebugging();
  fake.message(ID, "one");
  const message = await one.receive();
  const { data } = message;
  const part = data.subarray(1);
  message.release();
  assert.deepEqual([data[0], data[1], part[0]], [POISON, POISON, POISON]);
});

test("a view that is used after the next message was taken names it", async () => {
  const { fake, one } = await connectDebugging();
  for (const text of ["one", "two", "three"]) fake.message(ID, text);
  const views: Uint8Array[] = [];
  for await (const { data } of one) {
    views.push(data);
    if (views.length === 3) break;
  }
  assert.throws(() => views[1]!.at(0), named);
  assert.throws(() => views[2]!.at(0), { message: /message 3 from/ });
});

test("a view that is used after the next batch was taken names it", async () => {
  const { fake, one } = await connectDebugging();
  const batches = one.batches();
  fake.message(ID, "one");
  fake.message(ID, "two");
  await turns();
  const { value: first } = await batches.next();
  const view = first![1]!.data;
  fake.message(ID, "three");
  const { value: second } = await batches.next();
  assert.notEqual(first, second);
  assert.throws(() => view.length, named);
  assert.throws(() => first![1]!.data, named);
  assert.equal(second![0]!.data.length, 5);
});

test("room that is used after send() or release() says so", async () => {
  const { fake, one } = await connectDebugging();
  const sent = await one.allocate(3);
  const view = sent.data;
  view.set(encode("abc"));
  await sent.send();
  assert.equal(fake.sent[0]!.text, "abc");
  assert.throws(() => view.set([1]), {
    message: /^Cannot write message of 3 bytes: it was sent at .*debug_test/,
  });
  const released = await one.allocate(3);
  const { data } = released;
  released.release();
  assert.throws(() => data.length, { message: /it was released at / });
});
