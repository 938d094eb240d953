import assert from "node:assert/strict";
import { test } from "node:test";
import { Status } from "../ffi/status.ts";
import { EventKind, MessageKind } from "../ffi/structs.ts";
import type { Message } from "./message.ts";
import type { OutgoingMessage } from "./outgoing.ts";
import {
  decodeError,
  encodeError,
  type IncomingRequest,
  isLater,
  RequestError,
  type RequestHandler,
  REQUESTS_MAX,
  slotOf,
  successor,
} from "./request.ts";
import { connect, decode, encode, ID } from "./testing/fake_connection.ts";
import {
  assertPending,
  type FakeLibrary,
  turns,
} from "./testing/fake_library.ts";

const { REQUEST, REPLY, FAILURE, CANCEL } = EventKind;

/** Numbers of the requests that were sent. */
const requests = (fake: FakeLibrary): number[] =>
  fake.tagged.filter(({ kind }) => kind === MessageKind.REQUEST)
    .map(({ request }) => request);

/** The last words on requests that were sent, as `number kind text`. */
const answers = (fake: FakeLibrary): string[] =>
  fake.tagged.map(({ kind, request, text }) => {
    const name = kind === MessageKind.REPLY ? "reply" : "failure";
    return `${request} ${name} ${text}`;
  });

test("request() gets the reply of its number, whatever the order", async () => {
  const { fake, one } = await connect();
  const asked = ["a", "b", "c"].map((text) => one.request(encode(text)));
  await turns();
  const [a, b, c] = requests(fake) as [number, number, number];
  assert.deepEqual(fake.tagged.map(({ text }) => text), ["a", "b", "c"]);
  assert.equal(new Set([a, b, c]).size, 3);
  fake.messageTagged(ID, REPLY, c, "C");
  fake.messageTagged(ID, REPLY, a, "A");
  fake.messageTagged(ID, REPLY, b, "");
  const replies = await Promise.all(asked);
  assert.deepEqual(replies.map(({ data }) => decode(data)), ["A", "", "C"]);
  assert.equal(fake.lent.size, 2);
  for (const reply of replies) reply.release();
  await turns();
  assert.equal(fake.lent.size, 0);
});

test("a number is not used twice while it may be answered", async () => {
  const { fake, one } = await connect();
  const seen = new Set<number>();
  for (let round = 0; round < 3; round++) {
    const asked = one.request(encode("a"));
    await turns();
    const request = requests(fake).at(-1)!;
    assert.ok(!seen.has(request));
    seen.add(request);
    fake.messageTagged(ID, REPLY, request, "A");
    // Once is enough: whoever says it twice is not heard.
    fake.messageTagged(ID, REPLY, request, "A");
    fake.messageTagged(ID, REPLY, successor(request), "A");
    (await asked).release();
  }
  await turns();
  assert.equal(fake.lent.size, 0);
});

test("who alone got a reply and asks again waits for more at once", async () => {
  const { fake, one } = await connect();
  const ask = async (): Promise<void> => {
    for (;;) (await one.request(encode("a"))).release();
  };
  const ends = Promise.allSettled([ask(), ask()]);
  await turns();
  fake.messageTagged(ID, REPLY, requests(fake).at(-1)!, "A");
  assert.deepEqual(await fake.lookOnce(), [7, 21]);
  for (const request of requests(fake).slice(-2)) {
    fake.messageTagged(ID, REPLY, request, "A");
  }
  const looks = await fake.lookOnce();
  assert.deepEqual(looks, [7, 0], "the other has yet to ask again");
  fake.closed(ID, Status.OK);
  await ends;
});

test("requests that are made together leave before any waits", async () => {
  const { fake, one } = await connect();
  const sentAt: number[] = [];
  const ends = Promise.allSettled([
    (async () => {
      using _ = await one.request(encode("a"));
      const asked = ["b", "c", "d"].map((text) => one.request(encode(text)));
      sentAt.push(fake.spins.length);
      await Promise.all(asked);
    })(),
  ]);
  await turns();
  fake.messageTagged(ID, REPLY, requests(fake)[0]!, "A");
  assert.deepEqual(await fake.lookOnce(), [7, 21]);
  assert.deepEqual(fake.tagged.map(({ text }) => text), ["a", "b", "c", "d"]);
  assert.deepEqual(sentAt, [1]);
  fake.closed(ID, Status.OK);
  await ends;
});

test("request() sends from room of allocate()", async () => {
  const { fake, one } = await connect();
  using room = await one.allocate(10);
  room.data.set(encode("question?!"));
  const asked = one.request(room.truncate(8));
  assert.deepEqual(fake.tagged.map(({ text }) => text), ["question"]);
  assert.equal(fake.lent.size, 0);
  assert.throws(() => room.data, { code: "CLOSED" });
  await assert.rejects(one.request(room), {
    code: "CLOSED",
    message: "Cannot send message: it was sent or released",
  });
  fake.messageTagged(ID, REPLY, requests(fake)[0]!, "answer");
  assert.equal(decode((await asked).data), "answer");
  void one.request(await one.allocate(0)).catch(() => {});
  assert.deepEqual(fake.tagged.at(-1)!.text, "");
});

test("request() gives back the room that it cannot send from", async () => {
  const { fake, one } = await connect();
  const rooms: OutgoingMessage[] = [];
  for (let count = 0; count < 4; count++) rooms.push(await one.allocate(10));
  const [early, late, next, last] = rooms as [
    OutgoingMessage,
    OutgoingMessage,
    OutgoingMessage,
    OutgoingMessage,
  ];
  // What is refused before it is a request is still the caller's.
  const wrong = { timeout: -1 };
  await assert.rejects(one.request(early, wrong), { name: "RangeError" });
  early.release();
  fake.room = 0;
  const controller = new AbortController();
  const { signal } = controller;
  const aborted = assert.rejects(one.request(late, { signal }), {
    name: "AbortError",
  });
  const waiting = assert.rejects(one.request(next), {
    code: "CONNECTION_CLOSED",
  });
  await turns();
  assert.equal(fake.lent.size, 3);
  controller.abort();
  await aborted;
  await turns();
  assert.equal(fake.lent.size, 2);
  one.reset();
  await waiting;
  await assert.rejects(one.request(last), { code: "CONNECTION_CLOSED" });
  await turns();
  assert.equal(fake.lent.size, 0);
  assert.deepEqual(fake.tagged, []);
});

test("request() takes bytes, or room of its own connection", async () => {
  const { fake, one } = await connect();
  for (const wrong of ["text", null, 7, { data: encode("a") }]) {
    await assert.rejects(one.request(wrong as unknown as Uint8Array), {
      name: "TypeError",
    });
  }
  using room = await (await connect()).one.allocate(10);
  await assert.rejects(one.request(room), {
    name: "TypeError",
    message: "Cannot send message: it was allocated on another connection",
  });
  room.data.fill(0); // still ours
  assert.deepEqual(fake.tagged, []);
});

test("a handler that alone was called and has replied is called with the next at once", async () => {
  const { fake, one } = await connect();
  const handlers: RequestHandler[] = [
    ({ data }) => data,
    async ({ data }) => await Promise.resolve(data),
  ];
  let handle = handlers[0]!;
  one.serve((request) => handle(request)).catch(() => {});
  await turns();
  let request = 0;
  for (handle of handlers) {
    fake.messageTagged(ID, REQUEST, request++, "a");
    assert.deepEqual(await fake.lookOnce(), [7, 21]);
    fake.messageTagged(ID, REQUEST, request++, "a");
    fake.messageTagged(ID, REQUEST, request++, "b");
    const looks = await fake.lookOnce();
    assert.deepEqual(looks, [7, 0], "the other has yet to reply");
  }
});

test("who asks for more while a look goes on does not look into it", async () => {
  const { fake, one } = await connect();
  const received: Promise<Message>[] = [];
  one.serve((request) => {
    request.signal.addEventListener("abort", () => {
      received.push(one.receive());
    });
    return new Promise(() => {});
  }).catch(() => {});
  await turns();
  fake.messageTagged(ID, REQUEST, 0, "a");
  await turns();
  fake.messageTagged(ID, CANCEL, 0, "");
  fake.message(ID, "b");
  assert.deepEqual(await fake.lookOnce(), [7]);
  assert.equal(decode((await received[0]!).data), "b");
});

test("serve() sends replies from room of allocate()", async () => {
  const { fake, one } = await connect();
  one.serve(async ({ data }) => {
    const room = await one.allocate(100);
    const { written } = new TextEncoder().encodeInto(
      `re: ${decode(data)}`,
      room.data,
    );
    return room.truncate(written);
  });
  const [first, second, third] = [1, 2, 3].map((slot) => slot + REQUESTS_MAX);
  fake.messageTagged(ID, REQUEST, first!, "one");
  await turns();
  assert.deepEqual(answers(fake), [`${first} reply re: one`]);
  // It waits like any other reply, and goes nowhere if the connection does.
  fake.messageTagged(ID, REQUEST, second!, "two");
  fake.messageTagged(ID, REQUEST, third!, "three");
  fake.room = 2;
  await turns();
  assert.equal(fake.lent.size, 4);
  fake.room = 1;
  fake.message(ID, "");
  await turns();
  assert.deepEqual(answers(fake).slice(1), [`${second} reply re: two`]);
  assert.equal(fake.lent.size, 2);
  fake.closed(ID, Status.CONNECTION_RESET);
  await turns();
  assert.equal(fake.lent.size, 0);
});

test("a handler's room of another connection is an error", async () => {
  const { fake, one } = await connect();
  const { one: other, fake: fakeOther } = await connect();
  one.serve(() => other.allocate(10));
  fake.messageTagged(ID, REQUEST, 1 + REQUESTS_MAX, "one");
  await turns();
  assert.match(
    answers(fake)[0]!,
    /failure HANDLER_FAILED\nCannot send message/,
  );
  assert.equal(fakeOther.lent.size, 1);
});

test("request() waits for room, and gives up waiting on abort", async () => {
  const { fake, one } = await connect();
  fake.room = 0;
  const controller = new AbortController();
  const { signal } = controller;
  const first = one.request(encode("a"), { signal });
  const second = one.request(encode("b"), {
    signal: new AbortController().signal,
  });
  await assertPending(second);
  const reason = new Error("no");
  controller.abort(reason);
  await assert.rejects(first, reason);
  await assert.rejects(one.request(encode("c"), { signal }), reason);
  fake.room = Infinity;
  fake.message(ID, "kick");
  await turns();
  assert.deepEqual(fake.tagged.map(({ text }) => text), ["b"]);
  fake.messageTagged(ID, REPLY, requests(fake)[0]!, "B");
  assert.equal(decode((await second).data), "B");
});

test("a reply that comes before its request has left is not heard", async () => {
  const { fake, one } = await connect();
  const first = one.request(encode("a"));
  await turns();
  const request = successor(requests(fake)[0]!);
  fake.messageTagged(ID, REPLY, requests(fake)[0]!, "A");
  (await first).release();
  fake.room = 0;
  const second = one.request(encode("b"));
  fake.messageTagged(ID, REPLY, request, "early");
  fake.messageTagged(ID, FAILURE, request, "EARLY\n");
  await assertPending(second);
  fake.room = Infinity;
  fake.message(ID, "kick");
  await turns();
  assert.equal(requests(fake).at(-1), request);
  fake.messageTagged(ID, REPLY, request, "B");
  assert.equal(decode((await second).data), "B");
});

test("request() tells the peer when it is aborted or late", async () => {
  const { fake, one } = await connect();
  const controller = new AbortController();
  const aborted = one.request(encode("a"), { signal: controller.signal });
  const late = assert.rejects(one.request(encode("b"), { timeout: 1 }), {
    code: "TIMED_OUT",
    message: "Cannot get reply from 10.0.0.9:888: none came within 1 ms",
  });
  await late;
  const reason = new Error("no");
  controller.abort(reason);
  await assert.rejects(aborted, reason);
  const cancelled = fake.tagged.filter(({ kind }) =>
    kind === MessageKind.CANCEL
  )
    .map(({ request }) => request);
  assert.deepEqual(cancelled.sort(), requests(fake).sort());
  // Their numbers are taken until the peer has answered.
  const next = one.request(encode("c"));
  await turns();
  assert.equal(new Set(requests(fake).map(slotOf)).size, 3);
  for (const request of requests(fake)) {
    fake.messageTagged(ID, REPLY, request, "too late for most");
  }
  (await next).release();
  await turns();
  assert.equal(fake.lent.size, 0);
});

test("request() has a limit, which has a name", async () => {
  const { fake, one } = await connect();
  const asked = Array.from(
    { length: REQUESTS_MAX },
    () => one.request(encode("a")),
  );
  await assert.rejects(one.request(encode("a")), {
    code: "TOO_MANY_REQUESTS",
    message: "Cannot send request to 10.0.0.9:888: " +
      `${REQUESTS_MAX} requests of it wait for replies`,
  });
  fake.messageTagged(ID, REPLY, requests(fake)[7]!);
  await asked[7];
  const one_more = one.request(encode("a"));
  await assertPending(one_more);
  const settled = Promise.allSettled([...asked, one_more]);
  fake.closed(ID, Status.OK);
  const lost = (await settled).filter(({ status }) => status === "rejected");
  assert.equal(lost.length, REQUESTS_MAX);
});

test("request() fails as the connection does", async () => {
  for (
    const [status, code, why] of [
      [Status.OK, "CONNECTION_CLOSED", "the peer closed the connection"],
      [Status.CONNECTION_LOST, "CONNECTION_LOST", "the peer's host stopped"],
    ] as const
  ) {
    const { fake, one } = await connect();
    const asked = one.request(encode("a"));
    await turns();
    fake.closed(ID, status);
    const message = new RegExp(`^Cannot get reply from 10.0.0.9:888: ${why}`);
    await assert.rejects(asked, { code, message });
    await assert.rejects(one.request(encode("a")), { code });
  }
  const { fake, one } = await connect();
  const asked = one.request(encode("a"));
  const closing = one.close();
  await assert.rejects(asked, { code: "CONNECTION_CLOSED" });
  fake.closed(ID, Status.OK);
  await closing;
});

test("request() checks what it is given", async () => {
  const { fake, one } = await connect();
  await assert.rejects(one.request("a" as unknown as Uint8Array), {
    name: "TypeError",
  });
  await assert.rejects(one.request(encode("a"), { timeout: 0 }), {
    name: "RangeError",
  });
  await assert.rejects(one.request(new Uint8Array((8 << 20) + 1)), {
    code: "MESSAGE_TOO_LARGE",
  });
  assert.deepEqual(fake.tagged, []);
});

test("serve() answers each request under its number", async () => {
  const { fake, one } = await connect();
  fake.messageTagged(ID, REQUEST, 70_000, "waits for a handler");
  await turns();
  const waiting = new Map<string, (reply: Uint8Array) => void>();
  one.serve((request) => {
    const text = decode(request.data);
    if (text === "at once") return request.data;
    return new Promise((resolve) => waiting.set(text, resolve));
  });
  fake.messageTagged(ID, REQUEST, 70_001, "later");
  fake.messageTagged(ID, REQUEST, 70_002, "at once");
  await turns();
  assert.deepEqual([...waiting.keys()], ["waits for a handler", "later"]);
  waiting.get("later")!(encode("L"));
  await turns();
  waiting.get("waits for a handler")!(encode("W"));
  await turns();
  assert.deepEqual(answers(fake), [
    "70002 reply at once",
    "70001 reply L",
    "70000 reply W",
  ]);
  assert.equal(fake.lent.size, 0);
});

test("serve() sends what a handler throws", async () => {
  const { fake, one } = await connect();
  const thrown = [
    new RequestError("NOT_FOUND", "no such key"),
    Object.assign(new Error("no disk"), { code: "ENOENT" }),
    new Error("boom"),
    "a string",
  ];
  one.serve(({ data }) => {
    const error = thrown[Number(decode(data)[1])];
    if (decode(data)[0] === "s") throw error;
    return Promise.reject(error);
  });
  for (const text of ["s0", "s1", "s2", "s3", "a0", "a3"]) {
    fake.messageTagged(ID, REQUEST, 70_000 + fake.tagged.length, text);
    await turns();
  }
  assert.deepEqual(fake.tagged.map(({ kind }) => kind), Array(6).fill(3));
  assert.deepEqual(fake.tagged.map(({ text }) => text), [
    "NOT_FOUND\nno such key",
    "ENOENT\nno disk",
    "HANDLER_FAILED\nboom",
    "HANDLER_FAILED\na string",
    "NOT_FOUND\nno such key",
    "HANDLER_FAILED\na string",
  ]);
  assert.equal(fake.lent.size, 0);
});

test("serve() sends an error for a reply that is none", async () => {
  const { fake, one } = await connect();
  const replies: unknown[] = ["text", undefined, new Uint8Array(9 << 20)];
  one.serve(() => replies.shift() as Uint8Array);
  for (const slot of [1, 2, 3]) {
    fake.messageTagged(ID, REQUEST, REQUESTS_MAX + slot, "x");
    await turns();
  }
  assert.deepEqual(fake.tagged.map(({ text }) => text), [
    "HANDLER_FAILED\nCannot send reply: string is neither Uint8Array nor OutgoingMessage",
    "HANDLER_FAILED\nCannot send reply: undefined is neither Uint8Array nor OutgoingMessage",
    "MESSAGE_TOO_LARGE\nCannot send to 10.0.0.9:888: " +
    "a message has at most 8 MiB",
  ]);
});

test("serve({ concurrency }) handles so many at a time", async () => {
  const { fake, one } = await connect();
  const handled: string[] = [];
  const finish: (() => void)[] = [];
  one.serve(async (request) => {
    handled.push(decode(request.data));
    await new Promise<void>((resolve) => finish.push(resolve));
    return request.data;
  }, { concurrency: 2 });
  for (const [slot, text] of ["a", "b", "c", "d", "e"].entries()) {
    fake.messageTagged(ID, REQUEST, REQUESTS_MAX + slot, text);
  }
  await turns();
  assert.deepEqual(handled, ["a", "b"]);
  // One that is cancelled in the queue is answered, and not handled.
  fake.messageTagged(ID, CANCEL, REQUESTS_MAX + 2);
  fake.room = 0;
  finish.shift()!();
  await turns();
  assert.deepEqual(handled, ["a", "b"], "a reply that waits counts");
  fake.room = Infinity;
  fake.message(ID, "kick");
  await turns();
  assert.deepEqual(handled, ["a", "b", "d"]);
  finish.splice(0).forEach((one) => one());
  await turns();
  finish.splice(0).forEach((one) => one());
  await turns();
  assert.deepEqual(handled, ["a", "b", "d", "e"]);
  assert.deepEqual(
    answers(fake).map((text) => text.replace(/^\d+ /, "")),
    ["reply a", "failure ", "reply b", "reply d", "reply e"],
  );
});

test("a cancellation aborts the handler's signal", async () => {
  const { fake, one } = await connect();
  const seen: IncomingRequest[] = [];
  one.serve((request) => {
    seen.push(request);
    return new Promise((_, reject) => {
      request.signal.onabort = () => reject(request.signal.reason);
    });
  });
  fake.messageTagged(ID, REQUEST, REQUESTS_MAX, "a");
  await turns();
  fake.messageTagged(ID, CANCEL, REQUESTS_MAX + 1); // of another one
  await turns();
  assert.equal(seen[0]!.signal.aborted, false);
  fake.messageTagged(ID, CANCEL, REQUESTS_MAX);
  await turns();
  assert.equal(seen[0]!.signal.aborted, true);
  assert.equal(fake.tagged.length, 1);
  assert.equal(fake.tagged[0]!.kind, FAILURE - EventKind.REQUEST + 1);
  assert.throws(() => seen[0]!.data, { code: "CLOSED" });
});

test("a cancellation may come before its request, and too late", async () => {
  const { fake, one } = await connect();
  const handled: string[] = [];
  one.serve((request) => {
    handled.push(decode(request.data));
    return request.data;
  });
  const first = REQUESTS_MAX + 20;
  fake.messageTagged(ID, CANCEL, first);
  fake.messageTagged(ID, REQUEST, first, "first");
  await turns();
  fake.messageTagged(ID, REQUEST, successor(first), "second");
  await turns();
  fake.messageTagged(ID, CANCEL, successor(first));
  fake.messageTagged(ID, CANCEL, first);
  fake.messageTagged(ID, REQUEST, successor(successor(first)), "third");
  await turns();
  assert.deepEqual(handled, ["second", "third"]);
});

test("a peer that reuses a number too early is reset", async () => {
  const { fake, one } = await connect();
  fake.messageTagged(ID, REQUEST, REQUESTS_MAX, "a");
  fake.messageTagged(ID, REQUEST, 2 * REQUESTS_MAX, "b");
  await turns();
  assert.match(String(fake.called("reset")[0]![1]), /before the reply/);
  await one.closed;
  assert.equal(fake.lent.size, 0);
});

test("serve() is over when the connection and the last handler are", async () => {
  const { fake, one } = await connect();
  let finish: (reply: Uint8Array) => void = () => assert.fail();
  let signal: AbortSignal | undefined;
  const serving = one.serve((request) => {
    signal = request.signal;
    return new Promise((resolve) => finish = resolve);
  }, { concurrency: 1 });
  fake.messageTagged(ID, REQUEST, REQUESTS_MAX, "a");
  fake.messageTagged(ID, REQUEST, REQUESTS_MAX + 1, "b");
  await turns();
  fake.closed(ID, Status.CONNECTION_RESET, "bye");
  await turns();
  assert.equal(signal!.reason.code, "CONNECTION_RESET");
  await assertPending(serving);
  finish(encode("too late"));
  await assert.rejects(serving, { code: "CONNECTION_RESET" });
  assert.deepEqual(fake.tagged, []);
  assert.equal(fake.lent.size, 0);
});

test("serve() of a connection that is over is over, too", async () => {
  const { fake, one } = await connect();
  const closing = one.close();
  const serving = one.serve(({ data }) => data);
  await assertPending(serving);
  fake.closed(ID, Status.OK);
  await Promise.all([closing, serving]);

  const { fake: other, one: failed } = await connect();
  other.closed(ID, Status.CONNECTION_RESET, "bye");
  await turns();
  await assert.rejects(failed.serve(({ data }) => data), {
    code: "CONNECTION_RESET",
  });
});

test("serve() takes one handler, and checks its options", async () => {
  const { one } = await connect();
  const echo = ({ data }: IncomingRequest): Uint8Array => data;
  assert.throws(() => one.serve(echo, { concurrency: 0 }), {
    name: "RangeError",
  });
  assert.throws(() => one.serve("echo" as unknown as typeof echo), {
    name: "TypeError",
  });
  one.serve(echo);
  assert.throws(() => one.serve(echo), { code: "INVALID_ARGUMENT" });
});

test("close() delivers the replies that wait for room", async () => {
  const { fake, one } = await connect();
  one.serve(({ data }) => data);
  fake.room = 0;
  fake.messageTagged(ID, REQUEST, REQUESTS_MAX, "a");
  await turns();
  const closing = one.close();
  await turns();
  assert.deepEqual(fake.called("close"), []);
  fake.room = Infinity;
  fake.message(ID, "kick");
  await turns();
  assert.deepEqual(answers(fake), [`${REQUESTS_MAX} reply a`]);
  assert.equal(fake.called("close").length, 1);
  fake.closed(ID, Status.OK);
  await closing;
});

test("decodeError() believes nothing", () => {
  const cases: [string, string, string][] = [
    ["NOT_FOUND\nno\nkey", "NOT_FOUND", "no\nkey"],
    ["", "HANDLER_FAILED", ""],
    ["no line feed", "HANDLER_FAILED", "no line feed"],
    ["two words\nmessage", "HANDLER_FAILED", "message"],
    [`${"A".repeat(65)}\nmessage`, "HANDLER_FAILED", "message"],
  ];
  for (const [text, code, message] of cases) {
    const error = decodeError(encode(text));
    assert.deepEqual([error.code, error.message], [code, message]);
  }
  assert.ok(decodeError(new Uint8Array(1 << 20)).message.length <= 8192);
});

test("encodeError() cuts long messages between characters", () => {
  const bytes = encodeError(new RequestError("CODE", "é".repeat(5000)));
  assert.ok(bytes.length <= 4096 + 5);
  assert.equal(decodeError(bytes).message, "é".repeat(2048));
});

test("RequestError takes codes that can travel", () => {
  assert.throws(() => new RequestError("two words", ""), {
    name: "RangeError",
  });
});

test("isLater() goes on when numbers wrap around", () => {
  const last = 2 ** 32 - REQUESTS_MAX + 3;
  assert.equal(successor(last), 3);
  assert.ok(isLater(successor(last), last));
  assert.ok(!isLater(last, successor(last)));
  assert.ok(!isLater(last, last));
});
