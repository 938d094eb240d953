import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { clearImmediate, setImmediate } from "node:timers";
import { test } from "node:test";
import type { Connection } from "../../mod.ts";
import {
  connectPair,
  type Hosts,
  PATIENCE_MS,
  skip,
  sleep,
  startHosts,
} from "../testing/hosts.ts";

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

/** Wait for timers, and nothing else. */
function idle(): Disposable {
  return { [Symbol.dispose]: () => {} };
}

/** Go round the event loop, as often as this thread can. */
function spin(): Disposable {
  let next = setImmediate(function turn(): void {
    next = setImmediate(turn);
  });
  return { [Symbol.dispose]: () => clearImmediate(next) };
}

/** How often a 1 ms interval fires in half a second of something. */
async function ticksDuring(
  load: Disposable | AsyncDisposable,
): Promise<number> {
  await using _ = load;
  let count = 0;
  const interval = setInterval(() => count++, 1);
  await sleep(500);
  clearInterval(interval);
  return count;
}

for (const [what, start] of [["messages", load], ["requests", ask]] as const) {
  test(`timers keep their pace while ${what} stream`, { skip }, async () => {
    const rounds: string[] = [];
    const end = performance.now() + PATIENCE_MS;
    // Whatever else runs on the machine takes ticks away, now here, now there.
    while (performance.now() < end) {
      const idling = await ticksDuring(idle());
      // In Deno timers are twice as punctual where the loop never rests.
      const spinning = await ticksDuring(spin());
      const [client, server] = await connectPair(hosts);
      const loaded = start(client, server);
      const ticks = await ticksDuring(loaded);
      const kept = ticks >= 0.9 * idling && ticks >= 0.8 * spinning;
      if (kept && loaded.count > WINDOW) return;
      rounds.push(
        `${ticks} times during ${loaded.count} ${what}, ` +
          `${idling} on an idle script, ${spinning} on one that spins`,
      );
    }
    assert.fail(`a 1 ms interval fired ${rounds.join("; ")}`);
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
  // 1 % once all is quiet; a loop that spins takes all of a core, for ever.
  const end = performance.now() + PATIENCE_MS;
  let share: number;
  do {
    const before = process.cpuUsage();
    await sleep(1000);
    const { user, system } = process.cpuUsage(before);
    share = (user + system) / 1e6;
  } while (share >= 0.05 && performance.now() < end);
  assert.ok(share < 0.05, `${share} of a core`);
  client.reset();
  await waiting;
});

test("the hosts stop", { skip }, async () => {
  await hosts[Symbol.asyncDispose]();
});
