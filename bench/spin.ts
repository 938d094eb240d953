/**
 * Measures what looking on before sleeping is worth (`attach({ spinUs })`): over
 * networks of several round-trip times, how much later than the network lets it
 * a reply is there, and the processor time that the two scripts spend on it.
 *
 *     deno run --allow-all bench/spin.ts
 *     bun bench/spin.ts
 *
 * `--help` lists the options.
 */
import { Lab } from "machnet";
import process from "node:process";
import type { Measured } from "./measure.ts";
import { ROOT, RUNTIME, RUNTIME_NAMES } from "./processes.ts";
import { cpuSeconds } from "./proc.ts";
import { Program } from "./system/program.ts";
import { type Column, heading, microseconds, row } from "./table.ts";
import { median } from "./statistics.ts";
import { readOptions } from "./options.ts";

const SPIN_US = [0, 30, 100, 300, 1000];
const ROUND_TRIP_US = "0,50,100,200,500,2000";
const PATIENCE_MS = 60_000;

const COLUMNS: readonly Column[] = [
  { title: "network us", width: 10 },
  { title: "spinUs", width: 6 },
  { title: "p50 us more", width: 11 },
  { title: "p99 us more", width: 11 },
  { title: "CPU us", width: 7 },
];

function start(file: string, ...parameters: string[]): Program {
  const flags = RUNTIME === "deno" ? ["run", "--allow-all", "--no-check"] : [];
  return new Program([process.execPath, ...flags, file, ...parameters], ROOT);
}

/** Two scripts on a lab, times as in {@linkcode Measured}. */
class Pair {
  readonly roundTripUs: number;
  readonly spinUs: number;
  readonly p50: number[] = [];
  readonly p99: number[] = [];
  /** Per request, of both scripts. */
  readonly cpuUs: number[] = [];
  readonly #programs: readonly [Program, Program];

  private constructor(
    roundTripUs: number,
    spinUs: number,
    programs: readonly [Program, Program],
  ) {
    this.roundTripUs = roundTripUs;
    this.spinUs = spinUs;
    this.#programs = programs;
  }

  static async start(
    lab: Lab,
    roundTripUs: number,
    spinUs: number,
  ): Promise<Pair> {
    const [one, other] = lab.hosts.map(({ socket }) => [
      ...["--socket", socket, "--spin-us", `${spinUs}`],
    ]);
    const server = start("bench/server.ts", ...one!);
    const port = (await server.line(PATIENCE_MS)).split(":").at(-1)!;
    const client = start(
      ...["bench/client.ts", "--stdin", ...other!] as const,
      ...["--hostname", lab.hosts[0]!.address, "--port", port],
    );
    return new Pair(roundTripUs, spinUs, [server, client]);
  }

  async measure(seconds: number): Promise<void> {
    const pids = this.#programs.map(({ pid }) => pid);
    const before = cpuSeconds(pids);
    const answer = await this.#programs[1].ask(`64 1 ${seconds}`, PATIENCE_MS);
    const { p50, p99, total } = JSON.parse(answer) as Measured;
    this.p50.push(p50);
    this.p99.push(p99);
    this.cpuUs.push(1e6 * (cpuSeconds(pids) - before) / total);
  }

  print(): void {
    const more = (values: readonly number[]): string =>
      microseconds(median(values) - 1000 * this.roundTripUs);
    console.log(row(COLUMNS, [
      `${this.roundTripUs}`,
      `${this.spinUs}`,
      more(this.p50),
      more(this.p99),
      median(this.cpuUs).toFixed(1),
    ]));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.stop()));
  }
}

if (import.meta.main) {
  const options = readOptions({
    purpose:
      "Measures how long a channel should look for more before it sleeps.",
    text: {
      seconds: "of measuring each at a time; 0.5",
      rounds: "how often each is measured, the medians count; 3",
      networks: `round trips in us, with commas between; ${ROUND_TRIP_US}`,
    },
  });
  const seconds = Number(options.seconds ?? 0.5);
  const rounds = Number(options.rounds ?? 3);
  console.log(
    `64 B there and back, one at a time, ${RUNTIME_NAMES[RUNTIME]}\n`,
  );
  console.log(heading(COLUMNS));
  const networks = (options.networks ?? ROUND_TRIP_US).split(",").map(Number);
  for (const roundTripUs of networks) {
    await using lab = await Lab.start({
      hosts: 2,
      profile: "ideal",
      latencyUs: roundTripUs / 2,
    });
    const pairs: Pair[] = [];
    for (const spinUs of SPIN_US) {
      pairs.push(await Pair.start(lab, roundTripUs, spinUs));
    }
    for (let round = 0; round < rounds; round++) {
      for (const pair of pairs) await pair.measure(seconds);
    }
    for (const pair of pairs) {
      pair.print();
      await pair.stop();
    }
  }
  process.exit();
}
