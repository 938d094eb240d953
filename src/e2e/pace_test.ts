import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { test } from "node:test";
import type { Connection } from "../../mod.ts";
import { connectPair, type Hosts, skip, startHosts } from "../testing/hosts.ts";

// All tests of this file share two hosts; the last one stops them.
const hosts: Hosts = skip === false ? await startHosts() : {} as Hosts;

const WINDOW = 32;

/** What goes there and back until disposed. */
interface Load extends AsyncDisposable {
  readonly count: number;
}

/** What goes on until its connections end. */
function running(
  connections: readonly Connection[],
  parts: readonly Promise<void>[],
  count: () => number,
): Load {
  return {
    get count(): number {
      return count();
    },
    async [Symbol.asyncDispose](): Promise<void> {
      for (const connection of connections) connection.reset();
      await Promise.allSettled(parts);
    },
  };
}

/** Send messages, as many as this thread can. */
function load(client: Connection, server: Connection): Load {
  let count = 0;
  const echoing = (async () => {
    for await (const message of server) await server.send(message.data);
  })();
  const sending = (async () => {
    const bytes = new Uint8Array(64);
    for (let sent = 0; sent < WINDOW; sent++) await client.send(bytes);
    for await (const message of client) {
      count++;
      await client.send(message.data);
    }
  })();
  return running([client, server], [echoing, sending], () => count);
}

/** Make requests, as many as this thread can. */
function ask(client: Connection, server: Connection): Load {
  let count = 0;
  const serving = server.serve(({ data }) => data);
  const asking = Array.from({ length: WINDOW }, async () => {
    for (const bytes = new Uint8Array(64);; count++) {
      (await client.request(bytes)).release();
    }
  });
  return running([client, server], [serving, ...asking], () => count);
}

/** How often a 1 ms interval fires in half a second. */
function ticks(): Promise<number> {
  return new Promise((resolve) => {
    let count = 0;
    const interval = setInterval(() => count++, 1);
    setTimeout(() => {
      clearInterval(interval);
      resolve(count);
    }, 500);
  });
}

for (const [what, start] of [["messages", load], ["requests", ask]] as const) {
  test(`timers keep their pace while ${what} stream`, { skip }, async () => {
    const rounds: string[] = [];
    // Whatever else runs on the machine takes ticks away, now here, now there.
    for (let round = 0; round < 6; round++) {
      const idle = await ticks();
      const [client, server] = await connectPair(hosts);
      await using loaded = start(client, server);
      const ratio = await ticks() / idle;
      if (ratio >= 0.9 && loaded.count > 1000) return;
      rounds.push(`${ratio} times as often during ${loaded.count} ${what}`);
    }
    assert.fail(`a 1 ms interval fired ${rounds.join(", ")}`);
  });
}

test("fetch() and sockets go on while messages stream", { skip }, async () => {
  const http = createServer((_request, response) => response.end("there"));
  await new Promise<void>((resolve) => {
    http.listen(0, "127.0.0.1", resolve);
  });
  const { port } = http.address() as AddressInfo;
  const [client, server] = await connectPair(hosts);
  let during = 0;
  {
    await using loaded = load(client, server);
    // Both make progress: messages in between, not instead. How many there are
    // to one fetch is the machine's affair, and the first may come late.
    for (let fetched = 0; fetched < 20 || during === 0; fetched++) {
      const before = loaded.count;
      const response = await fetch(`http://127.0.0.1:${port}/`);
      assert.equal(await response.text(), "there");
      during += loaded.count - before;
    }
  }
  http.closeAllConnections();
  await new Promise((resolve) => http.close(resolve));
});

test("a script that waits for messages leaves the processor alone", {
  skip,
}, async () => {
  const [client] = await connectPair(hosts);
  const waiting = client.receive().catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 200));
  const before = process.cpuUsage();
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const { user, system } = process.cpuUsage(before);
  const share = (user + system) / 1e6;
  console.log(`an idle script used ${(100 * share).toFixed(2)} % of a core`);
  // 1 % where the machine is quiet; a loop that spins takes all of a core.
  assert.ok(share < 0.05, `${share}`);
  client.reset();
  await waiting;
});

test("the hosts stop", { skip }, async () => {
  await hosts[Symbol.asyncDispose]();
});
