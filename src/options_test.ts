import assert from "node:assert/strict";
import { test } from "node:test";
import { attach, Engine, Lab } from "../mod.ts";
import { parseStats } from "./stats.ts";

test("attach() names the option that has the wrong type", async () => {
  await assert.rejects(attach({ socket: 7 as unknown as string }), {
    name: "TypeError",
    message: /^Cannot attach to the sidecar: .*expected string[^]*at socket/,
  });
});

test("attach() refuses a misspelt option", async () => {
  const options = { sokcet: "/tmp/x.sock" };
  await assert.rejects(attach(options as object), {
    name: "TypeError",
    message: /sokcet/,
  });
});

test("attach() refuses an arena out of range with a RangeError", async () => {
  await assert.rejects(attach({ arenaBytes: 1024 }), {
    name: "RangeError",
    message: /at arenaBytes/,
  });
});

test("attach() refuses an arena that is no power of two", async () => {
  await assert.rejects(attach({ arenaBytes: 40 * 2 ** 20 }), {
    name: "TypeError",
    message: /Not a power of two/,
  });
});

test("attach() has the ZodError as cause", async () => {
  await assert.rejects(attach({ engine: -1 }), (error: Error) => {
    assert.equal((error.cause as Error).name, "ZodError");
    return true;
  });
});

test("attach() rejects with the reason of an aborted signal", async () => {
  const reason = new Error("changed my mind");
  const signal = AbortSignal.abort(reason);
  await assert.rejects(attach({ signal }), reason);
});

test("Engine.start() checks the address", async () => {
  for (const ip of ["10.0.0.1", "10.0.0.1/33", "10.0.0/8", "10.0.0.1/24/1"]) {
    await assert.rejects(Engine.start({ device: "tap:m0", ip }), {
      name: "TypeError",
      message: /Not an address and a prefix length[^]*at ip/,
    });
  }
});

test("Engine.start() knows two ways to poll", async () => {
  await assert.rejects(
    Engine.start({
      device: "tap:m0",
      ip: "10.0.0.1/24",
      poll: "often" as "busy",
    }),
    { name: "TypeError", message: /at poll/ },
  );
});

test("Lab.start() takes 1 to 32 hosts", async () => {
  await assert.rejects(Lab.start({ hosts: 0 }), { name: "RangeError" });
  await assert.rejects(Lab.start({ hosts: 33 }), { name: "RangeError" });
  await assert.rejects(Lab.start({ hosts: 1.5 }), { name: "TypeError" });
});

test("Lab.start() has no fabric on a direct wire", async () => {
  await assert.rejects(Lab.start({ hosts: 3, wire: "direct" }), {
    name: "TypeError",
    message: /A direct wire joins 2 hosts[^]*at hosts/,
  });
  await assert.rejects(Lab.start({ hosts: 2, wire: "direct", loss: 0.1 }), {
    name: "TypeError",
    message: /at loss/,
  });
});

test("parseStats() reads a line per counter", () => {
  assert.deepEqual(parseStats("packets_sent 12\npackets_received 0\n\n"), {
    packets_sent: 12,
    packets_received: 0,
  });
});
