import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Connection,
  type IncomingRequest,
  RequestError,
} from "../../mod.ts";
import {
  connectPair,
  type Hosts,
  skip,
  sleep,
  startHosts,
} from "../testing/hosts.ts";
import { logUniform, matches, pattern, random } from "../testing/pattern.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

// All tests of this file share two hosts; the last one stops them.
const hosts: Hosts = skip === false ? await startHosts() : {} as Hosts;

const echo = ({ data }: IncomingRequest): Uint8Array => data;

async function closeBoth(
  client: Connection,
  server: Connection,
): Promise<void> {
  await client.close();
  await server.closed;
}

test("request() and serve(), one after the other", { skip }, async () => {
  const [client, server] = await connectPair(hosts);
  const serving = server.serve(echo);
  for (let number = 0; number < 2000; number++) {
    using reply = await client.request(pattern(number, number));
    assert.ok(matches(reply.data, number, number), `reply ${number}`);
  }
  await client.close();
  await serving;
});

test("requests of all sizes, many in flight in both directions", {
  skip,
}, async () => {
  const pair = await connectPair(hosts);
  const chance = random(7);
  for (const one of pair) one.serve(echo);
  const ask = async (one: Connection, first: number): Promise<void> => {
    for (let number = first; number < 400; number += 32) {
      const size = logUniform(chance, 1 << 20);
      using reply = await one.request(pattern(number, size));
      assert.ok(matches(reply.data, number, size), `reply ${number}`);
    }
  };
  await Promise.all(
    Array.from({ length: 32 }, (_, first) => pair.map((one) => ask(one, first)))
      .flat(),
  );
  await closeBoth(...pair);
});

test("requests and replies that are written in place", { skip }, async () => {
  const [client, server] = await connectPair(hosts);
  server.serve(async ({ data }) => {
    const room = await server.allocate(1 << 20);
    room.data.set(data.toReversed());
    return room.truncate(data.length);
  });
  for (const size of [0, 1, 1400, 100_000, 1 << 20]) {
    using room = await client.allocate(1 << 20);
    const bytes = pattern(size, size);
    room.data.set(bytes);
    using reply = await client.request(room.truncate(size));
    assert.deepEqual(reply.data.toReversed(), bytes);
  }
  await closeBoth(client, server);
});

test("replies come in the order in which handlers are done", {
  skip,
}, async () => {
  const [client, server] = await connectPair(hosts);
  const finish = new Map<string, () => void>();
  const arrived = Promise.withResolvers<void>();
  server.serve(async (request) => {
    const text = decoder.decode(request.data);
    await new Promise<void>((resolve) => {
      finish.set(text, resolve);
      if (finish.size === 10) arrived.resolve();
    });
    return request.data;
  });
  const order: string[] = [];
  const asked = Array.from({ length: 10 }, async (_, number) => {
    using reply = await client.request(encoder.encode(`${number}`));
    order.push(decoder.decode(reply.data));
  });
  await arrived.promise;
  const wanted = ["3", "1", "9", "0", "8", "7", "2", "6", "5", "4"];
  for (const [index, text] of wanted.entries()) {
    finish.get(text)!();
    await asked[Number(text)];
    assert.equal(order[index], text);
  }
  await closeBoth(client, server);
});

test("requests pass messages that nobody takes", { skip }, async () => {
  const [client, server] = await connectPair(hosts);
  server.serve(echo);
  while (client.trySend(pattern(0, 1 << 20)));
  using reply = await client.request(encoder.encode("past them"), {
    timeout: 60_000,
  });
  assert.equal(decoder.decode(reply.data), "past them");
  client.reset();
});

test("an abort and a timeout reach the handler", { skip }, async () => {
  const [client, server] = await connectPair(hosts);
  const controller = new AbortController();
  let arrived = 0;
  let cancelled = 0;
  const both = Promise.withResolvers<void>();
  server.serve(({ data, signal }) => {
    if (decoder.decode(data) === "echo") return data;
    arrived++;
    return new Promise((_, reject) => {
      signal.addEventListener("abort", () => {
        assert.equal(signal.reason.name, "AbortError");
        reject(signal.reason);
        if (++cancelled === 2) both.resolve();
      });
      if (decoder.decode(data) === "abort") controller.abort();
    });
  });
  const { signal } = controller;
  await assert.rejects(client.request(encoder.encode("abort"), { signal }), {
    name: "AbortError",
  });
  // Until one gets there before it is over.
  for (let timeout = 20; arrived < 2; timeout *= 2) {
    await assert.rejects(client.request(encoder.encode("x"), { timeout }), {
      code: "TIMED_OUT",
      message: `Cannot get reply from ${server.local.hostname}:888: ` +
        `none came within ${timeout} ms`,
    });
  }
  await both.promise;
  // The connection is as good as before.
  using reply = await client.request(encoder.encode("echo"));
  assert.equal(decoder.decode(reply.data), "echo");
  await closeBoth(client, server);
});

test("a request that is cancelled on its way is not handled", {
  skip,
}, async () => {
  const [client, server] = await connectPair(hosts);
  const seen: number[] = [];
  server.serve((request) => {
    seen.push(request.length);
    return request.copy();
  });
  // All but the first few are still on their way, or waiting for room.
  const controller = new AbortController();
  const { signal } = controller;
  const asked = Array.from(
    { length: 40 },
    () => client.request(new Uint8Array(4 << 20), { signal }),
  );
  const settled = Promise.allSettled(asked);
  await asked[0];
  controller.abort();
  const results = await settled;
  for (const result of results) {
    if (result.status === "fulfilled") result.value.release();
    else assert.equal(result.reason.name, "AbortError");
  }
  (await client.request(new Uint8Array(1))).release();
  assert.equal(seen.at(-1), 1);
  assert.ok(seen.length < asked.length, `${seen.length} were handled`);
  await closeBoth(client, server);
});

test("what a handler throws reaches whoever asked", { skip }, async () => {
  const [client, server] = await connectPair(hosts);
  server.serve(({ data }) => {
    const text = decoder.decode(data);
    if (text === "known") throw new RequestError("NOT_FOUND", "no such key");
    throw new Error(text);
  });
  await assert.rejects(
    client.request(encoder.encode("known")),
    (error: RequestError) => {
      assert.ok(error instanceof RequestError);
      assert.equal(error.code, "NOT_FOUND");
      assert.equal(error.message, "no such key");
      return true;
    },
  );
  await assert.rejects(client.request(encoder.encode("boom")), {
    name: "RequestError",
    code: "HANDLER_FAILED",
    message: "boom",
  });
  await closeBoth(client, server);
});

test("a server that handles few at a time makes its peer wait", {
  skip,
}, async () => {
  const [client, server] = await connectPair(hosts);
  let running = 0;
  let most = 0;
  const four = Promise.withResolvers<void>();
  server.serve(async (request) => {
    most = Math.max(most, ++running);
    if (running === 4) four.resolve();
    await four.promise;
    await sleep(1); // in which more would come
    running--;
    return request.data;
  }, { concurrency: 4 });
  await Promise.all(Array.from({ length: 300 }, async (_, number) => {
    using reply = await client.request(pattern(number, 1 << 20));
    assert.ok(matches(reply.data, number, 1 << 20), `reply ${number}`);
  }));
  assert.equal(most, 4);
  await closeBoth(client, server);
});

test("requests fail when the connection ends, and handlers hear of it", {
  skip,
}, async () => {
  for (const how of ["close", "reset"] as const) {
    const [client, server] = await connectPair(hosts);
    const aborted = Promise.withResolvers<Error>();
    const arrived = Promise.withResolvers<void>();
    server.serve(({ signal }) => {
      arrived.resolve();
      return new Promise((_, reject) => {
        signal.addEventListener("abort", () => {
          aborted.resolve(signal.reason);
          reject(signal.reason);
        });
      });
    });
    const asked = assert.rejects(client.request(new Uint8Array(1)), {
      code: how === "close" ? "CONNECTION_CLOSED" : "CONNECTION_RESET",
    });
    await arrived.promise;
    if (how === "close") await server.close();
    else server.reset("enough");
    await asked;
    assert.match((await aborted.promise).message, /^Cannot reply to /);
  }
});

test("messages and requests share a connection", { skip }, async () => {
  const [client, server] = await connectPair(hosts);
  server.serve(echo);
  const taking = (async () => {
    let next = 0;
    for await (const message of server) {
      assert.ok(matches(message.data, next++, 1000));
    }
    return next;
  })();
  for (let number = 0; number < 1000; number++) {
    await client.send(pattern(number, 1000));
    if (number % 10 > 0) continue;
    using reply = await client.request(pattern(number, 10));
    assert.ok(matches(reply.data, number, 10));
  }
  await client.close();
  assert.equal(await taking, 1000);
});

test("the hosts stop", { skip }, async () => {
  await hosts[Symbol.asyncDispose]();
});
