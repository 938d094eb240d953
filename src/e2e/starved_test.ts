import assert from "node:assert/strict";
import { test } from "node:test";
import type { Message } from "../../mod.ts";
import { catchWarnings } from "../testing/garbage.ts";
import {
  connectPair,
  type Hosts,
  skip,
  sleep,
  startHosts,
} from "../testing/hosts.ts";

// All tests of this file share two hosts; the last one stops them.
const hosts: Hosts = skip === false ? await startHosts() : {} as Hosts;

const BYTES = new Uint8Array(1 << 20);

test("a script that keeps what it receives hears of it", {
  skip,
}, async () => {
  using warnings = catchWarnings();
  const [client, server] = await connectPair(hosts);
  const sending = assert.rejects(async () => {
    for (;;) await client.send(BYTES);
  }, { code: "CONNECTION_CLOSED" });
  const held: Message[] = [];
  const taking = assert.rejects(async () => {
    for (;;) held.push(await server.receive());
  }, { code: "CONNECTION_RESET" });
  while (warnings.lines.length === 0) await sleep(10);
  const { hostname, port } = server.remote;
  assert.deepEqual(warnings.lines, [
    `machnet: connection to ${hostname}:${port} has no room for new ` +
    `messages, because the script holds ${held.length}. release() them when ` +
    "they are read, and keep a copy()",
  ]);
  const before = held.length;
  for (const message of held) message.release();
  while (held.length < 2 * before) await sleep(10);
  client.reset();
  await Promise.all([sending, taking]);
  for (const message of held) message.release();
  assert.equal(warnings.lines.length, 1);
});

test("the hosts stop", { skip }, async () => {
  await hosts[Symbol.asyncDispose]();
});
