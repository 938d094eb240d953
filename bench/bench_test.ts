import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import process from "node:process";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { z } from "zod";
import { canMakeNamespaces } from "../src/testing/veth.ts";
import { FramedRequests, Frames } from "./ends/framing.ts";
import { runScript, type Runtime, Script } from "./processes.ts";
import { contenderName } from "./system/results.ts";
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
  assert.equal(results.length, 6, lines.join("\n"));
});

test("bench/javascript.ts: prints a line per way to receive and send", async () => {
  const file = "bench/javascript.ts";
  const lines = await runScript({
    runtime,
    file,
    parameters: ["--rounds", "1"],
  });
  const results = lines.filter((line) => /( +[\d.]+){3}( |$)/.test(line));
  assert.equal(results.length, 4, lines.join("\n"));
});

test("bench/spin.ts: prints a line per network and spin limit", async () => {
  const file = "bench/spin.ts";
  const lines = await runScript({
    runtime,
    file,
    parameters: [...parameters, "--rounds", "1"],
  });
  const results = lines.filter((line) => /^ *\d+( +[\d.]+){4}$/.test(line));
  assert.equal(results.length, 6 * 5, lines.join("\n"));
});

const parts = [
  { file: "transport", part: "loss", figures: 27 },
  { file: "transport", part: "packets", figures: 2 },
  { file: "transport", part: "rest", figures: 5 },
  { file: "transport", part: "idle", figures: 5 },
  { file: "transport", part: "readers", figures: 4 },
  { file: "transport", part: "incast", figures: 3 },
  { file: "transport", part: "ecn", figures: 5 },
  { file: "rss", part: "first-4", figures: 4 },
  { file: "rss", part: "first-16", figures: 4 },
  { file: "rss", part: "sprayed", figures: 4 },
  { file: "rss", part: "next", figures: 4 },
  { file: "rss", part: "rekey", figures: 3 },
  { file: "rss", part: "portless", figures: 2 },
  { file: "rss", part: "crowd", figures: 5 },
  { file: "rss", part: "flood", figures: 6 },
  { file: "rss", part: "engines", figures: 3 },
];
for (const { file: name, part, figures } of parts) {
  test(`bench/${name}.ts: measures ${part}`, async () => {
    const file = `bench/${name}.ts`;
    const folder = mkdtempSync(`${tmpdir()}/machnet-bench-`);
    const output = `${folder}/figures.json`;
    try {
      await runScript({
        runtime,
        file,
        parameters: [
          part,
          ...["--seconds", "0.02", "--rounds", "1"],
          ...["--idle", "200", "--keys", "1", "--syns", "2000"],
          ...["--output", output],
        ],
      });
      const { results } = JSON.parse(readFileSync(output, "utf8"));
      assert.equal(results.length, 1);
      assert.equal(results[0].name, part);
      assert.equal(results[0].figures.length, figures);
      for (const { name, value } of results[0].figures) {
        assert.ok(Number.isFinite(value), name);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

const bestSchema = z.strictObject({
  transport: z.enum([
    "machnet",
    "machnet-c",
    "udp",
    "tcp",
    "websocket",
    "http",
    "node-udp",
    "node-tcp",
  ]),
  wire: z.enum(["memif", "af_packet", "af_xdp", "veth"]),
  mtu: z.int().positive(),
  runtime: z.enum(["bun", "deno", "node", "c"]),
  size: z.int().positive(),
  window: z.int().positive(),
  requestsPerSecond: z.number().positive(),
  latencyUs: z.strictObject({
    p50: z.number().positive(),
    p90: z.number().positive(),
    p99: z.number().positive(),
    p999: z.number().positive(),
    max: z.number().positive(),
  }).refine(({ p50, p90, p99, p999, max }) =>
    p50 <= p90 && p90 <= p99 && p99 <= p999 && p999 <= 1.01 * max
  ),
  cpuSecondsPer100k: z.number().min(0),
  packetsPerRequest: z.number().positive(),
});

const resultSchema = bestSchema.extend({
  mode: z.enum(["sidecars", "as-is", "one-core", "busy"]),
  runs: z.literal(1),
  disturbedRuns: z.int().max(1),
  machine: z.strictObject({
    coresNs: z.int().positive(),
    yieldNs: z.int().positive(),
  }),
});

// One of each kind.
const CONTENDERS = [
  ...["machnet bun memif", "machnet deno memif", "machnet-c memif"],
  ...["machnet bun af_packet MTU 9000", "machnet deno af_xdp", "udp c busy"],
  ...["tcp bun one-core", "tcp deno MTU 9000", "udp bun", "udp deno busy"],
  ...["websocket bun", "websocket deno", "http bun", "http deno"],
  ...["node-tcp", "node-udp one-core"],
];

test("bench/system.ts: measures each kind of contender", async () => {
  const folder = mkdtempSync(`${tmpdir()}/machnet-bench-`);
  const output = `${folder}/results.json`;
  try {
    const lines = await runScript({
      runtime,
      file: "bench/system.ts",
      parameters: [
        ...["--only", `^(${CONTENDERS.join("|")})$`],
        ...["--sizes", "64,1024", "--windows", "8"],
        ...["--rounds", "1", "--seconds", "0.02", "--output", output],
      ],
    });
    const read = (path: string): unknown =>
      JSON.parse(readFileSync(path, "utf8"));
    const best = z.array(bestSchema).parse(read(output));
    const results = z.array(resultSchema).parse(
      read(`${folder}/results.modes.json`),
    );
    const names = new Set(results.map(contenderName));
    for (const name of CONTENDERS) {
      if (!canMakeNamespaces() && !name.endsWith("memif")) continue;
      assert.ok(names.has(name), [name, ...lines].join("\n"));
    }
    assert.equal(results.length, 2 * names.size);
    assert.equal(best.length, results.length); // one mode of each is measured
    assert.match(readFileSync(`${folder}/results.svg`, "utf8"), /^<svg /);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("bench/system.ts: leaves nothing behind when interrupted", {
  skip: !canMakeNamespaces() && "needs root, for network namespaces",
}, async () => {
  const folder = mkdtempSync(`${tmpdir()}/machnet-bench-`);
  const parameters = ["--only", "^(machnet bun|tcp bun)", "--rounds", "1000"];
  await using script = Script.start({
    runtime,
    file: "bench/system.ts",
    parameters: [...parameters, "--output", `${folder}/results.json`],
  });
  const mark = `machnet-test-${script.pid}-`;
  const processes = (): string[] =>
    readdirSync("/proc").filter((pid) => commandLine(pid).includes(mark));
  await script.line(/^Round 1 of 1000/);
  assert.ok(processes().length > 0);
  await assert.rejects(script.stop(), /ended with code 130/);
  while (processes().length > 0) await setTimeout(10);
  const namespaces = readdirSync("/run/netns");
  assert.deepEqual(namespaces.filter((name) => name.startsWith(mark)), []);
  rmSync(folder, { recursive: true });
});

/** Of a process; empty if it has ended, or is none. */
function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

const TRANSPORTS = ["udp", "tcp", "websocket", "http"] as const;
for (const transport of TRANSPORTS) {
  test(`bench/client.ts: measures bench/server.ts over ${transport}`, async () => {
    await using server = Script.start({
      runtime,
      file: "bench/server.ts",
      parameters: ["--transport", transport, "--hostname", "127.0.0.1"],
    });
    const [, port] = await server.line(/listening on .*:(\d+)/);
    const [line] = await runScript({
      runtime,
      file: "bench/client.ts",
      parameters: [
        ...["--transport", transport, "--hostname", "127.0.0.1"],
        ...["--port", port!, "--size", "1024", "--window", "8"],
        ...["--seconds", "0.05"],
      ],
    });
    const { count, p50, p99, max } = JSON.parse(line!);
    assert.ok(count > 0 && 0 < p50 && p50 <= p99 && p99 <= max, line!);
  });
}

test("Frames: finds messages wherever the stream is cut", () => {
  const requests = new FramedRequests(100);
  const stream = requests.encode([1, 2, 3, 4]);
  for (let piece = 1; piece <= stream.length; piece++) {
    const frames = new Frames();
    const found: number[] = [];
    const whole: number[] = [];
    for (let begin = 0; begin < stream.length; begin += piece) {
      const chunk = stream.slice(begin, begin + piece);
      whole.push(...frames.take(chunk, (bytes) => {
        assert.equal(bytes.length, 100);
        found.push(bytes[0]!);
      }));
    }
    assert.deepEqual(found, [1, 2, 3, 4]);
    assert.deepEqual(whole, [...stream]);
  }
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
