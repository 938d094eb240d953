import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  ABI_VERSION,
  attachOptions,
  cString,
  Drive,
  engineOptions,
  ErrorBuffer,
  EventKind,
  fromCString,
  LIMITS,
  MessageKind,
  PathMethod,
  PollMode,
  readChannelInfo,
  STRUCTS,
} from "./structs.ts";

const include = fileURLToPath(new URL("../native/include", import.meta.url));
const header = readFileSync(`${include}/machnet/machnet.h`, "utf8");

/** Let the C compiler print the value of some expressions. */
function evaluate(expressions: string[]): number[] {
  const directory = mkdtempSync("/tmp/machnet-structs-");
  try {
    const lines = expressions.map((one) =>
      `printf("%lld\\n", (long long)(${one}));`
    );
    writeFileSync(
      `${directory}/structs.c`,
      `#include <stddef.h>
       #include <stdio.h>
       #include "machnet/machnet.h"
       #include "machnet/engine.h"
       int main(void) { ${lines.join("\n")} return 0; }`,
    );
    const program = `${directory}/structs`;
    execFileSync("cc", ["-I", include, "-o", program, `${program}.c`]);
    const text = execFileSync(program, { encoding: "utf8" });
    return text.trim().split("\n").map(Number);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const compiler = spawnSync("cc", ["--version"]).status === 0;
const skip = compiler ? false : "needs a C compiler";

test("STRUCTS has the sizes and offsets of the C compiler", { skip }, () => {
  const expected: [string, number][] = [];
  for (const [name, { size, fields }] of Object.entries(STRUCTS)) {
    expected.push([`sizeof(struct ${name})`, size]);
    for (const [field, offset] of Object.entries(fields)) {
      expected.push([`offsetof(struct ${name}, ${field})`, offset]);
    }
  }
  const values = evaluate(expected.map(([expression]) => expression));
  assert.deepEqual(
    expected.map(([expression], index) => [expression, values[index]]),
    expected,
  );
});

test(
  "LIMITS and the enums have the headers' values",
  { skip },
  () => {
    const expected: [string, number][] = [
      ["MACHNET_ABI_VERSION", ABI_VERSION],
      ...Object.entries(LIMITS),
      ...Object.entries(EventKind).map(([name, value]): [string, number] => [
        `MACHNET_EVENT_${name}`,
        value,
      ]),
      ...Object.entries(MessageKind).map(([name, value]): [string, number] => [
        `MACHNET_MESSAGE_${name}`,
        value,
      ]),
      ...Object.entries(PollMode).map(([name, value]): [string, number] => [
        `MACHNET_POLL_${name.toUpperCase()}`,
        value,
      ]),
      ...Object.entries(Drive).map(([name, value]): [string, number] => [
        `MACHNET_DRIVE_${name.toUpperCase()}`,
        value,
      ]),
      ...Object.entries(PathMethod).map(([name, value]): [string, number] => [
        `MACHNET_PATH_${name.toUpperCase()}`,
        value,
      ]),
    ];
    const values = evaluate(expected.map(([expression]) => expression));
    assert.deepEqual(
      expected.map(([expression], index) => [expression, values[index]]),
      expected,
    );
  },
);

test("EventKind has every kind of event", () => {
  const kinds = [...header.matchAll(/MACHNET_EVENT_(\w+) = \d/g)];
  assert.deepEqual(Object.keys(EventKind), kinds.map(([, name]) => name));
});

test("attachOptions() writes its fields", () => {
  const bytes = attachOptions({
    arenaBytes: 2 ** 26,
    engine: -1,
    timeoutMs: 9,
  });
  assert.deepEqual([...new Int32Array(bytes.buffer)], [2 ** 26, -1, 9, 0]);
});

test("engineOptions() writes its fields", () => {
  const bytes = engineOptions({
    device: "tap:m0",
    ip: "10.0.0.1/24",
    gateway: "",
    socket: "/tmp/é.sock",
    mtu: 9000,
    engines: 2,
    poll: PollMode.busy,
    peerTimeoutMs: 500,
    cores: "3,5",
    drive: Drive.inline,
  });
  assert.equal(fromCString(bytes), "tap:m0");
  assert.equal(fromCString(bytes.subarray(256)), "10.0.0.1/24");
  assert.equal(fromCString(bytes.subarray(320)), "/tmp/é.sock");
  assert.deepEqual(
    [...new Uint32Array(bytes.buffer, 428, 4)],
    [9000, 2, 1, 500],
  );
  assert.equal(fromCString(bytes.subarray(444)), "3,5");
  assert.deepEqual([...new Uint32Array(bytes.buffer, 700)], [1]);
});

test("engineOptions() refuses what does not fit", () => {
  assert.throws(() =>
    engineOptions({
      device: "tap:m0",
      ip: "10.0.0.1/24",
      gateway: "",
      socket: "x".repeat(108),
      mtu: 0,
      engines: 0,
      poll: 0,
      peerTimeoutMs: 0,
      cores: "",
      drive: 0,
    }), { name: "RangeError", message: /socket is longer than 107 bytes/ });
});

test("readChannelInfo() reads its fields", () => {
  const bytes = new Uint8Array(32);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, 0x7f00_0000_1000n, true);
  view.setBigUint64(8, 123456n, true);
  view.setUint32(20, 0x0a00_0001, true);
  view.setUint32(24, 3, true);
  view.setUint32(28, 2 ** 26, true);
  assert.deepEqual(readChannelInfo(bytes), {
    base: 0x7f00_0000_1000n,
    bytes: 123456,
    address: 0x0a00_0001,
    engine: 3,
    arenaBytes: 2 ** 26,
  });
});

test("ErrorBuffer says what C said, and else what was attempted", () => {
  const error = new ErrorBuffer();
  assert.equal(
    error.toError(-10, "Cannot attach").message,
    "Cannot attach: no sidecar listens on the socket",
  );
  error.bytes.set(cString("Cannot find it"), 4);
  assert.equal(error.toError(-10, "Cannot attach").message, "Cannot find it");
  assert.equal(error.toError(-10, "").code, "SIDECAR_NOT_RUNNING");
});
