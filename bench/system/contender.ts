/** Who takes part: ways to send a request and get a reply. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { availableParallelism, tmpdir } from "node:os";
import process from "node:process";
import type { Load, Measured } from "../measure.ts";
import { ROOT, runtimePath } from "../processes.ts";
import {
  contextSwitches,
  cpuSeconds,
  helperSeconds,
  signal,
  TICKS_PER_SECOND,
} from "../proc.ts";
import { Program } from "./program.ts";
import { busySeconds } from "./speed.ts";
import { startWire, type Wire, type WireEnd, type WireName } from "./wires.ts";

/**
 * What is compared: see README for the names. And `handover`, which
 * sends nothing: see native/bench/handover.c.
 */
export type TransportName =
  | "machnet"
  | "machnet-c"
  | "udp"
  | "tcp"
  | "websocket"
  | "http"
  | "node-udp"
  | "node-tcp"
  | "handover";

/** What a contender's two ends run under. */
export type RuntimeName = "bun" | "deno" | "node" | "c";

/**
 * How it runs: `sidecars`, two of them beside the two ends; `inline`, both ends
 * run their engines themselves; for others `as-is`; `one-core`, both ends on the
 * same; `busy`, both ends never sleep.
 */
export type Mode = "sidecars" | "inline" | "as-is" | "one-core" | "busy";

/** A contender. */
export interface Contender {
  readonly transport: TransportName;
  readonly wire: WireName;
  /** Bytes in an IP packet. */
  readonly mtu: number;
  readonly runtime: RuntimeName;
  readonly mode: Mode;
}

/** What one measurement of a contender gave. */
export interface Run extends Measured {
  readonly cpuSecondsPer100k: number;
  readonly packetsPerRequest: number;
  /** Of all threads of both ends and of the sidecars. */
  readonly switchesPerRequest: number;
  /** Of the time that all cores have, what others took. */
  readonly othersShare: number;
}

// Also on a machine that has much else to do.
const START_TIMEOUT_MS = 60_000;
const LATE_MS = 60_000;

// All times come in ticks, and of a process that has only begun one, none.
const TICKS_OFF_SECONDS = 2 / TICKS_PER_SECOND;

/**
 * Who has just started is measured this way for nothing, again and again until
 * its JIT is done: the threads beside the main ones take less than a share of
 * the time, as they go on collecting garbage. There are pauses in what a JIT
 * does, so that once may be too early. Over machnet it is quiet twice in a row
 * after 1.4 s in Bun, over its sockets, whose way is compiled already, at once.
 */
const WARM_UP: Load = { size: 64, window: 1, seconds: 0.1 };
const WARM_SHARE = 0.1;
const WARM_UPS_MAX = 12;

// Node cannot run our TypeScript.
let bundles: string | undefined;
process.once("exit", () => {
  if (bundles !== undefined) rmSync(bundles, { recursive: true });
});

function bundle(end: "client" | "server"): string {
  if (bundles === undefined) {
    bundles = mkdtempSync(join(tmpdir(), "machnet-bench-"));
    execFileSync(
      join(ROOT, "node_modules/.bin/esbuild"),
      [
        ...["bench/client.ts", "bench/server.ts", "--bundle"],
        ...["--platform=node", "--target=node20", "--format=esm"],
        ...[`--outdir=${bundles}`],
        ...["--out-extension:.js=.mjs", "--log-level=error"],
      ],
      // Deno keeps a copy of the environment, and children want the original.
      { cwd: ROOT, env: process.env },
    );
  }
  return join(bundles, `${end}.mjs`);
}

function scriptCommand(
  { transport, runtime, mode }: Contender,
  end: "client" | "server",
): string[] {
  const command = {
    bun: [runtimePath("bun"), `bench/${end}.ts`],
    deno: [
      ...[runtimePath("deno"), "run", "--allow-all", "--no-check"],
      ...["--unstable-net", `bench/${end}.ts`],
    ],
    node: ["node", runtime === "node" ? bundle(end) : ""],
    c: [],
  }[runtime];
  return [
    ...command,
    ...["--transport", transport.replace("node-", "")],
    ...mode === "busy" ? ["--busy"] : [],
  ];
}

/** Options that say what machnet's script is to use. */
function wireOptions({ socket, engine }: WireEnd): string[] {
  return [
    ...socket === undefined ? [] : ["--socket", socket],
    ...engine === undefined ? [] : [
      "--device",
      engine.device,
      "--ip",
      engine.ip,
      "--mtu",
      `${engine.mtu}`,
    ],
  ];
}

/** What this project's program in C is to use, where that is no sidecar. */
function engineArguments({ engine }: WireEnd): string[] {
  return engine === undefined
    ? []
    : [engine.device, engine.ip, `${engine.mtu}`];
}

function serverCommand(contender: Contender, { server }: Wire): string[] {
  const { address, socket } = server;
  if (contender.transport === "handover") {
    return ["native/build/bench/handover", "server", address];
  }
  if (contender.transport === "machnet-c") {
    const program = "native/build/bench/machnet-load";
    return [program, "server", socket!, "0", ...engineArguments(server)];
  }
  if (contender.runtime === "c") {
    return ["native/build/bench/udp-load", "server", address, "0"];
  }
  return [
    ...scriptCommand(contender, "server"),
    ...socket === undefined ? ["--hostname", address] : wireOptions(server),
  ];
}

function clientCommand(
  contender: Contender,
  { server: { address }, client }: Wire,
  port: string,
): string[] {
  if (contender.transport === "handover") {
    return ["native/build/bench/handover", "client", address];
  }
  if (contender.transport === "machnet-c") {
    const program = "native/build/bench/machnet-load";
    return [
      ...[program, "client", client.socket!, address, port],
      ...engineArguments(client),
    ];
  }
  if (contender.runtime === "c") {
    return ["native/build/bench/udp-load", "client", address, port];
  }
  return [
    ...scriptCommand(contender, "client"),
    ...["--stdin", "--hostname", address, "--port", port],
    ...wireOptions(client),
  ];
}

/** Let the client measure. @throws {Error} If replies stay away. */
async function ask(client: Program, load: Load): Promise<Measured> {
  const { size, window, seconds } = load;
  const answer = await client.ask(
    `${size} ${window} ${seconds}`,
    3000 * seconds + LATE_MS,
  );
  const measured = JSON.parse(answer) as Measured | { error: string };
  if ("error" in measured) throw new Error(measured.error);
  return measured;
}

/** @throws {Error} If replies stay away. */
async function warmUp(
  server: Program,
  client: Program,
  quiet: number,
): Promise<void> {
  const ends = [server.pid, client.pid];
  let row = 0;
  for (let count = 0; count < WARM_UPS_MAX && row < quiet; count++) {
    const before = helperSeconds(ends);
    const begun = performance.now();
    await ask(client, WARM_UP);
    const elapsed = (performance.now() - begun) / 1000;
    const isQuiet = helperSeconds(ends) - before < WARM_SHARE * elapsed;
    row = isQuiet ? row + 1 : 0;
  }
}

/** A contender whose ends run, and stand still but while it is measured. */
export class Participant implements AsyncDisposable {
  readonly #wire: Wire;
  readonly #server: Program;
  readonly #client: Program;
  readonly #running: AsyncDisposableStack;

  private constructor(
    wire: Wire,
    server: Program,
    client: Program,
    running: AsyncDisposableStack,
  ) {
    this.#wire = wire;
    this.#server = server;
    this.#client = client;
    this.#running = running;
  }

  /**
   * Start it, with a wire of its own, and warm it up.
   *
   * @param quiet How often in a row it is to be quiet then.
   * @throws {Error} If it does not start, or no reply comes; nothing runs then.
   */
  static async start(
    contender: Contender,
    quiet: number,
  ): Promise<Participant> {
    await using running = new AsyncDisposableStack();
    const wire = running.use(await startWire(contender));
    const pin = contender.mode === "one-core" ? ["taskset", "-c", "0"] : [];
    const begin = (
      prefix: readonly string[],
      command: readonly string[],
    ): Program =>
      running.adopt(
        new Program([...prefix, ...pin, ...command], ROOT),
        (program) => program.stop(),
      );
    const server = begin(wire.server.prefix, serverCommand(contender, wire));
    const listening = await server.line(START_TIMEOUT_MS);
    const port = listening.split(":").at(-1)!;
    const client = begin(
      wire.client.prefix,
      clientCommand(contender, wire, port),
    );
    await warmUp(server, client, quiet);
    const participant = new Participant(wire, server, client, running.move());
    participant.#park();
    return participant;
  }

  get #pids(): number[] {
    return [this.#server.pid, this.#client.pid, ...this.#wire.pids];
  }

  // The machine's own speed is measured meanwhile.
  #park(): void {
    signal(this.#pids, "SIGSTOP");
  }

  /** Measure. @throws {Error} If replies stay away. */
  async measure(load: Load): Promise<Run> {
    const ends = [this.#server.pid, this.#client.pid] as const;
    const pids = this.#pids;
    signal(pids, "SIGCONT");
    try {
      const packets = await this.#wire.packets(ends);
      const busy = busySeconds();
      const switches = contextSwitches(pids);
      const cpu = cpuSeconds(pids);
      const begun = performance.now();
      const measured = await ask(this.#client, load);
      const { total } = measured;
      const elapsed = (performance.now() - begun) / 1000;
      const used = cpuSeconds(pids) - cpu;
      const switched = contextSwitches(pids) - switches;
      const others = busySeconds() - busy - used - TICKS_OFF_SECONDS;
      return {
        ...measured,
        cpuSecondsPer100k: 1e5 * used / total,
        packetsPerRequest: (await this.#wire.packets(ends) - packets) / total,
        // Those of threads that have ended are not counted.
        switchesPerRequest: Math.max(0, switched) / total,
        othersShare: Math.max(0, others / (elapsed * availableParallelism())),
      };
    } finally {
      this.#park();
    }
  }

  /** End it, and its wire. */
  async [Symbol.asyncDispose](): Promise<void> {
    signal(this.#pids, "SIGCONT");
    await this.#running.disposeAsync();
  }
}
