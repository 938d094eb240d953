import assert from "node:assert/strict";
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import process from "node:process";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { z } from "zod";
import { canMakeNamespaces } from "../src/testing/veth.ts";
import { runScript, type Runtime, Script } from "./processes.ts";
import { FULL } from "./system/plans.ts";
import { contextSwitches } from "./system/program.ts";
import { contenderName, summarize } from "./system/results.ts";

const runtime: Runtime = process.versions["bun"] ? "bun" : "deno";

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
  mode: z.enum(["sidecars", "inline", "as-is", "one-core", "busy"]),
  switchesPerRequest: z.number().min(0),
  runs: z.literal(1),
  disturbedRuns: z.int().max(1),
  machine: z.strictObject({
    coresNs: z.int().positive(),
    yieldNs: z.int().positive(),
  }),
});

// One of each kind.
const CONTENDERS = [
  ...["machnet bun memif", "machnet-c memif", "machnet deno af_xdp"],
  ...["machnet deno memif inline", "machnet bun af_packet inline"],
  ...["machnet-c af_packet inline", "machnet bun af_packet MTU 9000"],
  ...["udp c busy"],
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
      if (!canMakeNamespaces() && !name.includes("memif")) continue;
      assert.ok(names.has(name), [name, ...lines].join("\n"));
    }
    assert.equal(results.length, 2 * names.size);
    assert.equal(best.length, results.length); // one mode of each is measured
    assert.match(readFileSync(`${folder}/results.svg`, "utf8"), /^<svg /);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

for (const [how, end] of [["SIGINT", "code 130"], ["SIGKILL", "SIGKILL"]]) {
  test(`bench/system.ts: leaves no process behind when it gets ${how}`, {
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
      allProcesses().filter((pid) => ofProcess(pid, "cmdline").includes(mark));
    await script.line(/^Round 1 of 1000/);
    assert.ok(processes().length > 0);
    const parent = `\nPPid:\t${script.pid}\n`;
    const namespaces = new Set(
      allProcesses()
        .filter((pid) => ofProcess(pid, "status").includes(parent))
        .map(networkOf),
    );
    namespaces.delete(networkOf("self"));
    namespaces.delete("");
    assert.ok(namespaces.size > 0);
    process.kill(script.pid, how);
    await assert.rejects(script.finish(), new RegExp(`ended with ${end}`));
    while (processes().length > 0) await setTimeout(10);
    while (allProcesses().some((pid) => namespaces.has(networkOf(pid)))) {
      await setTimeout(10);
    }
    rmSync(folder, { recursive: true });
  });
}

function allProcesses(): string[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name));
}

/** What a file of a process says; empty if it has ended, or is none. */
function ofProcess(pid: string, file: "cmdline" | "status"): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}

/** The network namespace that a process is in; empty if it has ended. */
function networkOf(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return "";
  }
}

test("contextSwitches(): counts how often a thread has slept", async () => {
  const before = contextSwitches([process.pid]);
  for (let time = 0; time < 10; time++) await setTimeout(1);
  assert.ok(contextSwitches([process.pid]) >= before + 10);
});

test("summarize(): leaves out runs in which the machine was disturbed", () => {
  const calm = { coresNs: 100, yieldNs: 1000 };
  const run = {
    ...{ count: 100, total: 150, seconds: 1 },
    ...{ p50: 1000, p90: 2000, p99: 3000, p999: 4000, max: 5000 },
    ...{ cpuSecondsPer100k: 1, packetsPerRequest: 2 },
    ...{ switchesPerRequest: 3, othersShare: 0 },
  };
  const slow = { ...run, count: 1, p50: 9000 };
  const [contender, load] = [FULL.contenders[0]!, { size: 64, window: 1 }];
  const disturbed = [
    { run: slow, before: calm, after: { ...calm, coresNs: 200 } },
    { run: slow, before: { ...calm, yieldNs: 2000 }, after: calm },
    { run: { ...slow, othersShare: 0.2 }, before: calm, after: calm },
  ];
  const trials = [{ run, before: calm, after: calm }, ...disturbed];
  const result = summarize(contender, { ...load, seconds: 1 }, trials);
  assert.equal(result.requestsPerSecond, 100);
  assert.equal(result.latencyUs.p50, 1);
  assert.equal(result.switchesPerRequest, 3);
  assert.equal(result.runs, 1);
  assert.equal(result.disturbedRuns, 3);
  // Where no run was calm, all count, and are marked.
  const none = summarize(contender, { ...load, seconds: 1 }, disturbed);
  assert.equal(none.latencyUs.p50, 9);
  assert.equal(none.runs, 3);
  assert.equal(none.disturbedRuns, 3);
});
