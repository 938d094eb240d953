/** Programs that are measured: told what to do by lines, and parked meanwhile. */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { forget, keep } from "./keeper.ts";

/** Of what /proc tells times in; the same on all machines with Linux. */
export const TICKS_PER_SECOND = 100;

/** A program that runs. It ends with this process. */
export class Program {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #ended: Promise<void>;
  #complaints = "";

  constructor(command: readonly string[], cwd: string) {
    const [path, ...parameters] = command;
    const child = spawn(path!, parameters, {
      cwd,
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#child = child;
    this.pid = child.pid ?? 0;
    this.#lines = createInterface(child.stdout!)[Symbol.asyncIterator]();
    // That it ended, line() tells.
    child.stdin!.on("error", () => {});
    child.stderr!.on("data", (text) => this.#complaints += `${text}`);
    this.#ended = new Promise((resolve) => {
      child.once("error", (error) => {
        this.#complaints += error.message;
        resolve();
      });
      child.once("close", () => resolve());
    });
    if (this.pid > 0) keep(this.pid, "KILL");
  }

  /** Its next line of output. @throws {Error} If there is none in time. */
  async line(timeoutMs: number): Promise<string> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(resolve, timeoutMs, undefined);
    });
    const next = await Promise.race([this.#lines.next(), late]);
    clearTimeout(timer);
    if (next?.done === false) return next.value;
    const why = next === undefined ? `Nothing in ${timeoutMs} ms` : "It ended";
    throw new Error(`${why} ${this.#complaints}`.trim());
  }

  /** Say something to it, and wait for what it says. */
  ask(line: string, timeoutMs: number): Promise<string> {
    this.#child.stdin!.write(`${line}\n`);
    return this.line(timeoutMs);
  }

  /** End it. */
  async stop(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
    forget(this.pid);
  }
}

/** Send a signal to each process that still runs. */
export function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch {
      // It has ended.
    }
  }
}

/** Seconds that processes have spent on processors until now. */
export function cpuSeconds(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    // The name, in parentheses, may have spaces in it.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    ticks += Number(fields[11]) + Number(fields[12]); // utime, stime
  }
  return ticks / TICKS_PER_SECOND;
}

/** How often threads of processes have left a processor to others until now. */
export function contextSwitches(pids: readonly number[]): number {
  let sum = 0;
  for (const pid of pids) {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      let status: string;
      try {
        status = readFileSync(`/proc/${pid}/task/${thread}/status`, "utf8");
      } catch {
        continue; // It ended just now.
      }
      for (const [, count] of status.matchAll(/_ctxt_switches:\s*(\d+)/g)) {
        sum += Number(count);
      }
    }
  }
  return sum;
}

/** Packets that the interface in the namespace of a process has sent. */
export function packetsSent(pid: number, name: string): number {
  const text = readFileSync(`/proc/${pid}/net/dev`, "utf8");
  const line = text.split("\n").find((line) => line.trim().startsWith(name));
  const fields = line?.split(":")[1]?.trim().split(/\s+/) ?? [];
  return Number(fields[9]);
}
