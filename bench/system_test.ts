import assert from "node:assert/strict";
import { pbkdf2 } from "node:crypto";
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
import { promisify } from "node:util";
import { z } from "zod";
import { canMakeNamespaces } from "../src/testing/veth.ts";
import { runScript, Script } from "./processes.ts";
import type { Figure } from "./figure.ts";
import type { Contender, Mode, Run } from "./system/contender.ts";
import { FULL } from "./system/plans.ts";
import { contextSwitches, helperSeconds } from "./proc.ts";
import {
  bestResults,
  type Cell,
  contenderName,
  type Result,
  resultsOf,
  summarize,
} from "./system/results.ts";
import { measurePlan } from "./system/rounds.ts";
import { ratiosOf, targets } from "./system/targets.ts";

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
  transport: z.enum([...bestSchema.shape.transport.options, "handover"]),
  wire: z.enum([...bestSchema.shape.wire.options, "shm"]),
  packetsPerRequest: z.number().min(0),
  mode: z.enum(["sidecars", "inline", "as-is", "one-core", "busy"]),
  switchesPerRequest: z.number().min(0),
  starts: z.int().min(1).max(2),
  disturbedStarts: z.int().max(2),
  spread: z.number().min(1),
  machine: z.strictObject({
    coresNs: z.int().positive(),
    yieldNs: z.int().positive(),
  }),
});

const ratioSchema = z.strictObject({
  name: z.string(),
  value: z.number().positive(),
  target: z.union([
    z.strictObject({ least: z.number() }),
    z.strictObject({ most: z.number() }),
  ]),
  floor: z.number().positive().optional(),
  range: z.tuple([z.number().positive(), z.number().positive()]),
});

// One of each kind.
const CONTENDERS = [
  ...[
    "machnet bun memif",
    "machnet-c memif",
    "handover",
    "machnet deno af_xdp",
  ],
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
      if (!canMakeNamespaces() && !/memif|handover/.test(name)) continue;
      assert.ok(names.has(name), [name, ...lines].join("\n"));
    }
    assert.equal(results.length, 2 * names.size);
    // One mode of each is measured, and one sends nothing.
    assert.equal(best.length, results.length - 2);
    z.array(ratioSchema).parse(read(`${folder}/results.ratios.json`));
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
    const parameters = [
      "--only",
      "^(machnet bun af_packet|tcp bun)$",
      "--rounds",
      "1000",
    ];
    await using script = Script.start({
      file: "bench/system.ts",
      parameters: [...parameters, "--output", `${folder}/results.json`],
    });
    const processes = (): string[] => processesOf(script.pid);
    await script.line(/^Round 1 of 1000: /);
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

test("measurePlan(): starts all anew in each round", async () => {
  const contenders = FULL.contenders.filter(({ transport }) =>
    transport === "handover"
  );
  const loads = [{ size: 64, window: 1 }, { size: 64, window: 8 }];
  const plan = { contenders, loads, seconds: 0.02, rounds: 2, quiet: 1 };
  const seen = new Map<string, string[]>();
  const cells = await measurePlan(plan, (line) => {
    seen.set(line, processesOf(process.pid));
  });
  const [first, second] = [1, 2].map((round) =>
    seen.get(`Round ${round} of 2: handover`)!
  );
  assert.equal(first!.length, 4); // two ends, two engines
  assert.equal(second!.length, 4);
  assert.equal(new Set([...first!, ...second!]).size, 8);
  assert.deepEqual(processesOf(process.pid), []);
  const results = resultsOf(cells);
  assert.equal(results.length, loads.length);
  for (const { starts, disturbedStarts, spread } of results) {
    assert.equal(starts, disturbedStarts === 2 ? 2 : 2 - disturbedStarts);
    assert.ok(starts === 2 ? spread >= 1 : spread === 1);
  }
});

/** Processes with a directory of what another runs for a benchmark. */
function processesOf(pid: number): string[] {
  const mark = `machnet-test-${pid}-`;
  return allProcesses().filter((pid) =>
    ofProcess(pid, "cmdline").includes(mark)
  );
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

test("helperSeconds(): counts what others than the main thread do", async () => {
  const before = helperSeconds([process.pid]);
  await promisify(pbkdf2)("password", "salt", 100_000, 64, "sha512");
  assert.ok(helperSeconds([process.pid]) > before);
});

test("contextSwitches(): counts how often a thread has slept", async () => {
  const before = contextSwitches([process.pid]);
  // A timer that is due when it is looked at makes nobody sleep.
  const end = performance.now() + 60_000;
  while (contextSwitches([process.pid]) < before + 10) {
    assert.ok(performance.now() < end);
    await setTimeout(1);
  }
});

const TCP: Contender = {
  ...{ transport: "tcp", wire: "veth", mtu: 1500 },
  ...{ runtime: "bun", mode: "as-is" },
};

/** As if that had been measured, with `number` for all figures. */
function madeUp(contender: Partial<Contender>, number: number): Result {
  const [p50, p90, p99, p999, max] = Array(5).fill(number) as number[];
  return {
    ...TCP,
    ...{ size: 64, window: 1, requestsPerSecond: number },
    latencyUs: { p50: p50!, p90: p90!, p99: p99!, p999: p999!, max: max! },
    ...{ cpuSecondsPer100k: number, packetsPerRequest: number },
    ...{ switchesPerRequest: number, starts: 3, disturbedStarts: 0, spread: 1 },
    machine: { coresNs: 100, yieldNs: 1000 },
    ...contender,
  };
}

test("targets(): tells what hand-overs alone would make of a ratio", () => {
  const memif = { wire: "memif", mode: "sidecars" } as const;
  const measured = [
    madeUp({ transport: "machnet", ...memif }, 30),
    madeUp({}, 20),
    madeUp({ mode: "busy" }, 10),
  ];
  const name = "memif, 64 B, window 1: p50, of Bun's best";
  const of = (results: readonly Result[]): Figure | undefined =>
    targets(results).find((ratio) => ratio.name === name);
  const ratio = { name, value: 3, target: { most: 1 } };
  assert.deepEqual(of(measured), ratio);
  const handover = madeUp({ transport: "handover", runtime: "c" }, 12);
  assert.deepEqual(of([...measured, handover]), { ...ratio, floor: 1.2 });
  // Nobody sends by that.
  const best = bestResults([...measured, handover]);
  const names = best.map(({ transport }) => transport);
  assert.deepEqual(names, ["machnet", "tcp"]);
});

const calm = { coresNs: 100, yieldNs: 1000 };
const run: Run = {
  ...{ count: 100, total: 150, seconds: 1 },
  ...{ p50: 1000, p90: 2000, p99: 3000, p999: 4000, max: 5000 },
  ...{ cpuSecondsPer100k: 1, packetsPerRequest: 2 },
  ...{ switchesPerRequest: 3, othersShare: 0 },
};

/** As if these runs had been made one after the other, with nobody about. */
function calmCell(
  contender: Contender,
  window: number,
  runs: readonly Partial<Run>[],
): Cell {
  return {
    contender,
    load: { size: 64, window, seconds: 1 },
    trials: runs.map((each, index) => ({
      ...{ round: index + 1, run: { ...run, ...each } },
      ...{ before: calm, after: calm },
    })),
  };
}

test("summarize(): takes the medians of starts, and tells their spread", () => {
  const runs = [
    { p50: 1000, count: 50 },
    { p50: 3000, count: 100 },
    { p50: 2000, count: 20 },
  ];
  const [single, many] = [1, 32].map((window) =>
    summarize(calmCell(TCP, window, runs))
  );
  for (const { requestsPerSecond, latencyUs, starts } of [single!, many!]) {
    assert.deepEqual([requestsPerSecond, latencyUs.p50, starts], [50, 2, 3]);
  }
  assert.equal(single!.spread, 3);
  assert.equal(many!.spread, 5);
});

test("bestResults(): takes the mode that is best at the median of starts", () => {
  const of = (mode: Mode, counts: readonly number[]): Result =>
    summarize(
      calmCell({ ...TCP, mode }, 32, counts.map((count) => ({ count }))),
    );
  const [best] = bestResults([of("busy", [9, 1, 1]), of("as-is", [2, 3, 2])]);
  assert.equal(best!.requestsPerSecond, 2);
});

test("ratiosOf(): is that of medians, and tells what single rounds give", () => {
  const of = (contender: Contender, p50s: readonly number[]): Cell =>
    calmCell(contender, 1, p50s.map((p50) => ({ p50 })));
  const machnet: Contender = {
    ...{ transport: "machnet", wire: "memif", mtu: 1500 },
    ...{ runtime: "bun", mode: "sidecars" },
  };
  const cells = [
    of(machnet, [1000, 2000, 3000]),
    of(TCP, [4000, 4000, 2000]),
    of({ ...TCP, mode: "busy" }, [5000, 1000]),
  ];
  const [ratio] = ratiosOf(cells, 3);
  assert.equal(ratio!.name, "memif, 64 B, window 1: p50, of Bun's best");
  assert.equal(ratio!.value, 2 / 3);
  assert.deepEqual(ratio!.range, [0.25, 2]);
});

test("summarize(): leaves out runs in which the machine was disturbed", () => {
  const slow = { ...run, count: 1, p50: 9000 };
  const load = { size: 64, window: 1, seconds: 1 };
  const changes = [
    { run: slow, after: { ...calm, coresNs: 200 } },
    { run: slow, before: { ...calm, yieldNs: 2000 } },
    { run: { ...slow, othersShare: 0.2 } },
  ];
  const trial = { round: 1, run, before: calm, after: calm };
  const disturbed = changes.map((change) => ({ ...trial, ...change }));
  const trials = [trial, ...disturbed];
  const result = summarize({ contender: TCP, load, trials });
  assert.equal(result.requestsPerSecond, 100);
  assert.equal(result.latencyUs.p50, 1);
  assert.equal(result.switchesPerRequest, 3);
  assert.equal(result.starts, 1);
  assert.equal(result.disturbedStarts, 3);
  // Where no run was calm, all count, and are marked.
  const none = summarize({ contender: TCP, load, trials: disturbed });
  assert.equal(none.latencyUs.p50, 9);
  assert.equal(none.starts, 3);
  assert.equal(none.disturbedStarts, 3);
});
