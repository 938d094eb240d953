/** Programs that are measured: told what to do by lines, and parked meanwhile. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { forget, keep } from "./keeper.ts";

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
