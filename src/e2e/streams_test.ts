import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { connectPair, type Hosts, skip, startHosts } from "../testing/hosts.ts";
import { pattern } from "../testing/pattern.ts";

// All tests of this file share two hosts; the last one stops them.
const hosts: Hosts = skip === false ? await startHosts() : {} as Hosts;

const CHUNK = 256 * 1024;
const CHUNKS = 800;

/** More than both arenas hold together. */
function source(): ReadableStream<Uint8Array<ArrayBuffer>> & {
  pulled: number;
} {
  const stream = Object.assign(
    new ReadableStream({
      pull(controller): void {
        if (stream.pulled === CHUNKS) controller.close();
        else controller.enqueue(pattern(stream.pulled++, CHUNK));
      },
    }),
    { pulled: 0 },
  );
  return stream;
}

test("pipeTo() fills a connection, and pipes through an echo", {
  skip,
}, async () => {
  const [client, server] = await connectPair(hosts);
  const echoing = server.readable.pipeTo(server.writable);
  const sending = source().pipeTo(client.writable, { preventClose: true });
  const sum = createHash("sha256");
  const expected = createHash("sha256");
  const reader = client.readable.getReader();
  for (let number = 0; number < CHUNKS; number++) {
    const { value } = await reader.read();
    assert.equal(value!.length, CHUNK);
    sum.update(value!);
    expected.update(pattern(number, CHUNK));
  }
  assert.equal(sum.digest("hex"), expected.digest("hex"));
  await sending;
  await client.close();
  await echoing;
});

test("a reader that stops makes the writer stop", { skip }, async () => {
  const [client, server] = await connectPair(hosts);
  const from = source();
  const sending = from.pipeTo(client.writable);
  const reader = server.readable.getReader();
  await reader.read();
  for (let before = -1; before !== from.pulled;) {
    before = from.pulled;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  assert.ok(from.pulled < CHUNKS, `${from.pulled} chunks`);
  let read = 1;
  while (!(await reader.read()).done) read++;
  assert.equal(read, CHUNKS);
  await sending;
});

test("the hosts stop", { skip }, async () => {
  await hosts[Symbol.asyncDispose]();
});
