import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import process from "node:process";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { z } from "zod";
import { canMakeNamespaces } from "../src/testing/veth.ts";
import { runScript, type Runtime, Script } from "./processes.ts";
import { contenderName } from "./system/results.ts";

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
  ...["machnet bun af_packet MTU 9000", "udp c busy"],
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
      readdirSync("/proc").filter((pid) => commandLine(pid).includes(mark));
    const namespaces = (): string[] =>
      readdirSync("/run/netns").filter((name) => name.startsWith(mark));
    await script.line(/^Round 1 of 1000/);
    assert.ok(processes().length > 0);
    process.kill(script.pid, how);
    await assert.rejects(script.finish(), new RegExp(`ended with ${end}`));
    while (processes().length > 0) await setTimeout(10);
    // Names are files, which nobody can remove who is killed.
    if (how === "SIGINT") assert.deepEqual(namespaces(), []);
    for (const name of namespaces()) {
      execFileSync("ip", ["netns", "delete", name]);
    }
    rmSync(folder, { recursive: true });
  });
}

/** Of a process; empty if it has ended, or is none. */
function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}
