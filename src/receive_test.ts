import assert from "node:assert/strict";
import { test } from "node:test";
import { Status } from "../ffi/status.ts";
import { EventKind } from "../ffi/structs.ts";
import type { Connection } from "./connection.ts";
import type { Message } from "./message.ts";
import {
  connect,
  decode,
  encode,
  ID,
  lent,
} from "./testing/fake_connection.ts";
import { turns } from "./testing/fake_library.ts";
import { catchWarnings } from "./testing/garbage.ts";

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
