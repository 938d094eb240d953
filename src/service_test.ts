import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { EventKind } from "../ffi/structs.ts";
import type { Connection } from "./connection.ts";
import type { Message } from "./message.ts";
import type { IncomingRequest, RequestHandler } from "./request.ts";
import { service } from "./service.ts";
import { FakeLibrary, turns } from "./testing/fake_library.ts";

const store = service({
  get: {
    input: z.object({ key: z.string() }),
    output: z.object({ value: z.string().nullable() }),
  },
  put: { input: z.object({ key: z.string(), value: z.string() }) },
  count: { output: z.number() },
});

const dates = service({
  weekday: {
    input: z.string().transform((text) => new Date(text)),
    output: z.int().transform((day) => "SMTWTFS"[day]!),
  },
});

/** A connection to a handler, with nothing in between. */
function connectionTo(
  handler: RequestHandler,
): Pick<Connection, "request" | "tryAllocate"> {
  return {
    tryAllocate: () => undefined,
    async request(bytes): Promise<Message> {
      assert(bytes instanceof Uint8Array);
      const { signal } = new AbortController();
      const data = await handler({ data: bytes, signal } as IncomingRequest);
      return { data, [Symbol.dispose]: () => {} } as Message;
    },
  };
}

/** The store, on a Map. */
function implementation(validate: boolean = false): RequestHandler {
  const values = new Map<string, string>();
  return store.handler({
    get: async ({ key }) => ({ value: await values.get(key) ?? null }),
    put: ({ key, value }) => void values.set(key, value),
    count: () => values.size,
  }, { validate });
}

const call = (name: string, payload: string): Uint8Array =>
  new TextEncoder().encode(String.fromCharCode(name.length) + name + payload);

test("a client calls the methods of its service", async () => {
  const client = store.client(connectionTo(implementation()));
  const nothing: undefined = await client.put({ key: "a", value: "b" });
  assert.equal(nothing, undefined);
  const { value } = await client.get({ key: "a" });
  const typed: string | null = value;
  assert.equal(typed, "b");
  assert.deepEqual(await client.get({ key: "b" }), { value: null });
  assert.equal(await client.count(), 1);
  assert.equal(await client.count(undefined, { timeout: 1000 }), 1);
});

test("a client writes a call where it is sent from, if there is room", async () => {
  const fake = new FakeLibrary();
  const one = await fake.connect(fake.open(), 5);
  const given: unknown[] = [];
  const client = store.client({
    tryAllocate: (length) => one.tryAllocate(length),
    request: (bytes, options) => {
      given.push(bytes);
      return one.request(bytes, options);
    },
  });
  const first = client.get({ key: "a" });
  assert.equal(fake.tagged[0]!.text, '\x03get{"key":"a"}');
  assert.ok(!(given[0] instanceof Uint8Array));

  fake.unread.add(5);
  const second = client.get({ key: "b" });
  assert.ok(given[1] instanceof Uint8Array);
  fake.unread.clear();
  await turns();
  assert.equal(fake.tagged[1]!.text, '\x03get{"key":"b"}');

  for (const { request } of fake.tagged) {
    fake.messageTagged(5, EventKind.REPLY, request, '{"value":"c"}');
  }
  assert.deepEqual(await first, { value: "c" });
  assert.deepEqual(await second, { value: "c" });
  const wrong = { timeout: -1 };
  await assert.rejects(client.get({ key: "c" }, wrong), { name: "RangeError" });
  await turns();
  assert.equal(fake.lent.size, 0);
});

test("a client has the types of its service", () => {
  const client = store.client(connectionTo(implementation()));
  // Checked when this file is; not to be called.
  const wrong = (): unknown[] => [
    // @ts-expect-error: a number is no key
    client.get({ key: 1 }),
    // @ts-expect-error: no argument
    client.get(),
    // @ts-expect-error: no such method
    client.remove({ key: "a" }),
    // @ts-expect-error: no handler for put and count
    store.handler({ get: () => ({ value: null }) }),
    store.handler({
      // @ts-expect-error: the value is missing
      get: () => ({}),
      put: () => undefined,
      count: () => 1,
    }),
  ];
  assert.equal(typeof wrong, "function");
});

test("values are checked when asked for, and become what schemas make", async () => {
  const checked = dates.handler({
    weekday: (date) => {
      const typed: Date = date;
      return typed.getUTCDay();
    },
  }, { validate: true });
  const letter: string = await dates.client(connectionTo(checked), {
    validate: true,
  }).weekday("2026-11-27");
  assert.equal(letter, "F");
  // Who does not ask gets what was sent.
  const unchecked = dates.handler({
    weekday: (text) => {
      const typed: string = text;
      return typed.length;
    },
  });
  const day: number = await dates.client(connectionTo(unchecked))
    .weekday("2026-11-27");
  assert.equal(day, 10);
});

test("a checked server refuses what is not of the schema", async () => {
  const handler = implementation(true);
  const client = store.client(connectionTo(handler));
  const wrong = { key: 7 } as unknown as { key: string };
  await assert.rejects(client.get(wrong), {
    name: "RequestError",
    code: "INVALID_INPUT",
    message: /^Cannot call "get": key: .*expected string/,
  });
  assert.throws(() => handler({ data: call("get", "{") } as IncomingRequest), {
    code: "INVALID_INPUT",
    message: /^Cannot call "get": .*JSON/,
  });
});

test("a checked client refuses what is not of the schema", async () => {
  const connection = connectionTo(() => new TextEncoder().encode('"one"'));
  await assert.rejects(
    store.client(connection, { validate: true }).count(),
    { code: "INVALID_OUTPUT", message: /^Cannot use the result of "count": / },
  );
  const unchecked: unknown = await store.client(connection).count();
  assert.equal(unchecked, "one");
});

test("schemas may take their time", async () => {
  const slow = service({
    twice: {
      input: z.number().refine(async (value) => await value > 0, "Too small"),
      output: z.number(),
    },
  });
  const handler = slow.handler({ twice: (value) => 2 * value }, {
    validate: true,
  });
  const client = slow.client(connectionTo(handler));
  assert.equal(await client.twice(4), 8);
  await assert.rejects(client.twice(-4), { message: /Too small$/ });
});

test("a server knows its methods and no others", () => {
  const handler = implementation();
  for (const name of ["remove", "toString", "__proto__", ""]) {
    assert.throws(() => handler({ data: call(name, "1") } as IncomingRequest), {
      code: "UNKNOWN_METHOD",
    });
  }
  for (const bytes of [[], [9], [2, 0xff, 0xff], [255, 65]]) {
    const data = new Uint8Array(bytes);
    assert.throws(() => handler({ data } as IncomingRequest), {
      code: "UNKNOWN_METHOD",
    });
  }
});

test("handlers are checked at once", () => {
  const wrong = (handlers: object): () => unknown => () =>
    store.handler(handlers as Parameters<typeof store.handler>[0]);
  const get = (): { value: null } => ({ value: null });
  assert.throws(wrong({ get, count: () => 1 }), {
    name: "TypeError",
    message: 'Cannot handle method "put": no function to handle it',
  });
  const more = { get, count: () => 1, put: () => {}, remove: () => {} };
  assert.throws(wrong(more), {
    message: 'Cannot handle method "remove": the service has no such method',
  });
});

test("handlers may be an object's methods", async () => {
  class Counter {
    #value = 0;
    next(): number {
      return ++this.#value;
    }
  }
  const counter = service({ next: { output: z.number() } });
  const client = counter.client(
    connectionTo(counter.handler(new Counter())),
  );
  await client.next();
  assert.equal(await client.next(), 2);
});

test("a codec replaces JSON at both ends", async () => {
  const raw = service({
    reverse: {
      input: z.instanceof(Uint8Array),
      output: z.instanceof(Uint8Array),
    },
  }, {
    codec: {
      encode: (value) => value as Uint8Array,
      decode: (bytes) => bytes.slice(),
    },
  });
  const handler = raw.handler({ reverse: (bytes) => bytes.toReversed() });
  const client = raw.client(connectionTo(handler));
  const reply = await client.reverse(new Uint8Array([1, 2, 255]));
  assert.deepEqual([...reply], [255, 2, 1]);
});

test("what cannot be encoded is said to be of which call", async () => {
  const numbers = service({
    echo: { input: z.unknown(), output: z.unknown() },
    big: { output: z.unknown() },
  });
  const handler = numbers.handler({ echo: (value) => value, big: () => 1n });
  const client = numbers.client(connectionTo(handler));
  await assert.rejects(client.echo(1n), {
    name: "TypeError",
    message: /^Cannot call "echo": .*BigInt/,
  });
  await assert.rejects(client.big(), {
    name: "TypeError",
    message: /^Cannot call "big": .*BigInt/,
  });
});

test("service() checks names and schemas", () => {
  assert.throws(() => service(undefined as never), {
    name: "TypeError",
    message: "Cannot declare service: its methods are of type undefined",
  });
  assert.throws(() => service({ "": {} }), { name: "RangeError" });
  assert.throws(() => service({ ["é".repeat(128)]: {} }), {
    name: "RangeError",
    message: /256 bytes, not 1 to 255$/,
  });
  const schema = { parse: () => 1 } as unknown as z.ZodNumber;
  assert.throws(() => service({ a: { input: schema } }), {
    name: "TypeError",
    message: 'Cannot declare method "a": a schema is no Standard Schema',
  });
});
