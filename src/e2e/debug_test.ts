import assert from "node:assert/strict";
import { test } from "node:test";
import { type Hosts, skip, startHosts } from "../testing/hosts.ts";
import { startScript } from "../testing/script.ts";

// All tests of this file share two hosts; the last one stops them.
const hosts: Hosts = skip === false ? await startHosts() : {} as Hosts;

/** What a script reads from a view that it gave back. */
async function useAfterRelease(debug: string): Promise<string> {
  const { sidecars, listener } = hosts;
  const script = startScript(
    "use_after_release.ts",
    [sidecars[1]!.socket, listener.hostname],
    // The variable is to be read without a permission for it.
    { permissions: ["--allow-ffi"], environment: { MACHNET_DEBUG: debug } },
  );
  const server = await listener.accept();
  using message = await server.receive();
  await server.send(message.data);
  const line = await script.line();
  assert.equal(await script.ended, 0, script.stderr());
  return line;
}

test("MACHNET_DEBUG=1 names who uses a message after its release", {
  skip,
}, async () => {
  assert.match(
    await useAfterRelease("1"),
    /^Cannot read message 1 from 10\.90\.0\.1:888 \(5 bytes\): it was released at .*use_after_release\.ts:\d+:\d+/,
  );
});

test("MACHNET_DEBUG=0 leaves views alone", { skip }, async () => {
  assert.equal(await useAfterRelease("0"), "5 bytes");
});

test("the hosts stop", { skip }, async () => {
  await hosts[Symbol.asyncDispose]();
});
