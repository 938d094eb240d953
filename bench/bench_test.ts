import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { FramedRequests, Frames } from "./ends/framing.ts";
import { figureLine } from "./figure.ts";
import { Latencies } from "./latencies.ts";
import { runScript, Script } from "./processes.ts";
import { messageSize, microseconds, row } from "./table.ts";

// So short that the numbers mean nothing: these tests are about the scripts.
const parameters = ["--seconds", "0.02"];

const programs = [
  ...["client", "javascript", "operations", "round_trip", "rss"],
  ...["rss_simulation", "server", "spin", "system", "transport"],
];
for (const name of programs) {
  test(`bench/${name}.ts: explains its options, and refuses others`, async () => {
    const file = `bench/${name}.ts`;
    const lines = await runScript({ file, parameters: ["--help"] });
    assert.match(lines[0]!, /^(Measures|Makes|Sends) .*[.]$/);
    assert.match(lines.at(-1)!, /^ {2}--help +print this$|^It measures the /);
    await assert.rejects(
      runScript({ file, parameters: ["--secnds", "1"] }),
      new RegExp(
        `code 1\n +Cannot run .*${name}.ts: there is no option --secnds`,
      ),
    );
  });
}

test("bench/round_trip.ts: prints a line per runtime and size", async () => {
  const file = "bench/round_trip.ts";
  const lines = await runScript({ file, parameters });
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
  const lines = await runScript({ file, parameters });
  const results = lines.filter((line) => / {2,}[1-9]\d* +\d+$/.test(line));
  assert.equal(results.length, 8, lines.join("\n"));
  const [borrow, view] = results.map((line) => Number(/\d+$/.exec(line)![0]));
  // A view of its own would take 64 in Bun, 104 in Deno.
  assert.ok(view! < borrow! + 32, lines.join("\n"));
});

test("bench/javascript.ts: messages and requests allocate little", async () => {
  const file = "bench/javascript.ts";
  const lines = await runScript({
    file,
    parameters: ["--rounds", "1"],
  });
  const results = lines.filter((line) => /( +[\d.]+){3}( |$)/.test(line));
  assert.equal(results.length, 8, lines.join("\n"));
  const bytes = (name: string): number => {
    const line = results.find((line) => line.startsWith(name));
    return Number(/(?: +[\d.]+){2} +(\d+)/.exec(line!)![1]);
  };
  // Promises and turns of the event loop take the rest.
  assert.ok(bytes("for await") < bytes("skeleton"), lines.join("\n"));
  assert.ok(bytes("batches()") < bytes("subarray()"), lines.join("\n"));
  // A promise that settles later, and the reply.
  const request = bytes("skeleton") + 2 * bytes("subarray()");
  assert.ok(bytes("request()") < request, lines.join("\n"));
  // A timer for each would take 1300 in Deno.
  const timeout = 3 * bytes("skeleton");
  assert.ok(bytes("request({ timeout })") < timeout, lines.join("\n"));
});

test("bench/spin.ts: prints a line per network and spin limit", async () => {
  const file = "bench/spin.ts";
  const lines = await runScript({
    file,
    parameters: [...parameters, "--rounds", "1", "--networks", "0,100"],
  });
  const results = lines.filter((line) => /^ *\d+( +[\d.]+){4}$/.test(line));
  assert.equal(results.length, 2 * 5, lines.join("\n"));
});

const parts = [
  { file: "transport", part: "loss", figures: 27 },
  { file: "transport", part: "simulated", figures: 12 },
  { file: "transport", part: "packets", figures: 2 },
  { file: "transport", part: "rest", figures: 5 },
  { file: "transport", part: "idle", figures: 5 },
  { file: "transport", part: "readers", figures: 4 },
  { file: "transport", part: "incast", figures: 3 },
  { file: "transport", part: "ecn", figures: 5 },
  { file: "transport", part: "copies", figures: 12 },
  { file: "rss", part: "first-4", figures: 4 },
  { file: "rss", part: "first-16", figures: 4 },
  { file: "rss", part: "sprayed-4", figures: 2 },
  { file: "rss", part: "next", figures: 4 },
  { file: "rss", part: "rekey", figures: 3 },
  { file: "rss", part: "portless", figures: 2 },
  { file: "rss", part: "crowd", figures: 5 },
  { file: "rss", part: "flood", figures: 7 },
  { file: "rss", part: "engines", figures: 3 },
];
const LITTLE: Readonly<Record<string, readonly string[]>> = {
  // Other tests want to run, too: not in real time.
  transport: ["--idle", "200", "--realtime", "0"],
  rss: ["--keys", "1", "--syns", "2000"],
};
for (const { file: name, part, figures } of parts) {
  test(`bench/${name}.ts: measures ${part}`, async () => {
    const file = `bench/${name}.ts`;
    const folder = mkdtempSync(`${tmpdir()}/machnet-bench-`);
    const output = `${folder}/figures.json`;
    try {
      await runScript({
        file,
        parameters: [
          part,
          ...["--seconds", "0.02", "--rounds", "1"],
          ...LITTLE[name]!,
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

const TRANSPORTS = ["udp", "tcp", "websocket", "http"] as const;
for (const transport of TRANSPORTS) {
  test(`bench/client.ts: measures bench/server.ts over ${transport}`, async () => {
    await using server = Script.start({
      file: "bench/server.ts",
      parameters: ["--transport", transport, "--hostname", "127.0.0.1"],
    });
    const [, port] = await server.line(/listening on .*:(\d+)/);
    const [line] = await runScript({
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

test("figureLine(): says what is missed, the best it could be, and the range", () => {
  const cells = (line: string): string[] => line.trim().split(/ {2,}/);
  const figure = {
    name: "rate",
    value: 1.5,
    target: { least: 2 },
    floor: 1.75,
    range: [1, 1.6],
  } as const;
  assert.deepEqual(cells(figureLine(figure)), [
    "rate",
    "1.50",
    "MISSED (at least 2)",
    "floor 1.75",
    "1 to 1.60",
  ]);
  assert.deepEqual(
    cells(figureLine({ name: "size", value: 4, unit: "B" })),
    ["size", "4", "B"],
  );
});

test("Latencies: keeps as many as come", () => {
  const latencies = new Latencies();
  const count = 200_000;
  for (let ns = 0; ns < count; ns++) latencies.add(ns);
  assert.equal(latencies.count, count);
  const histogram = latencies.histogram();
  assert.equal(histogram.count, count);
  for (const percent of [1, 50, 99, 100]) {
    const ns = histogram.percentile(percent);
    const expected = count * percent / 100;
    assert.ok(Math.abs(ns / expected - 1) < 2e-3, `${ns}, not ${expected}`);
  }
});

test("row(): aligns text left and numbers right", () => {
  const columns = [
    { title: "name", width: 6, align: "left" },
    { title: "value", width: 4 },
  ] as const;
  assert.equal(row(columns, ["ab", "1"]), "ab         1");
  assert.equal(row(columns, ["ab"]), "ab");
});
