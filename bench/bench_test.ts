import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { runScript, type Runtime } from "./processes.ts";
import { messageSize, microseconds, row } from "./table.ts";

const runtime: Runtime = process.versions["bun"] ? "bun" : "deno";

// So short that the numbers mean nothing: these tests are about the scripts.
const parameters = ["--seconds", "0.02"];

test("bench/round_trip.ts: prints a line per runtime and size", async () => {
  const file = "bench/round_trip.ts";
  const lines = await runScript({ runtime, file, parameters });
  const results = lines.filter((line) => /^(Deno|Bun) .* \d+$/.test(line));
  assert.equal(results.length, 6);
  for (const line of results) {
    const [p50, p99, p999, count] = line.split(/ +/).slice(3).map(Number);
    assert.ok(0 < p50! && p50! <= p99! && p99! <= p999!, line);
    assert.ok(count! > 0, line);
  }
});

test("bench/operations.ts: prints a line per operation", async () => {
  const file = "bench/operations.ts";
  const lines = await runScript({ runtime, file, parameters });
  const results = lines.filter((line) => / {2,}[1-9]\d*$/.test(line));
  assert.equal(results.length, 5, lines.join("\n"));
});

test("messageSize(): says kB for 1024 bytes", () => {
  assert.deepEqual([64, 1024, 32768].map(messageSize), [
    "64 B",
    "1 kB",
    "32 kB",
  ]);
});

test("microseconds(): drops digits that mean nothing", () => {
  assert.deepEqual([1234, 99_940, 123_456].map(microseconds), [
    "1.2",
    "99.9",
    "123",
  ]);
});

test("row(): aligns text left and numbers right", () => {
  const columns = [
    { title: "name", width: 6, align: "left" },
    { title: "value", width: 4 },
  ] as const;
  assert.equal(row(columns, ["ab", "1"]), "ab         1");
  assert.equal(row(columns, ["ab"]), "ab");
});
