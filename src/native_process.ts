/**
 * Running our programs.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import globals from "node:process";
import { MachnetError } from "../ffi/error.ts";
import { environment } from "../ffi/library.ts";
import { candidates, type NativeFile } from "../ffi/locate.ts";
import { onAbort } from "./abort.ts";

const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 10_000;
const OUTPUT_CHARACTERS_MAX = 8192;

/** A program of ours that is to run. */
export interface NativeProgram {
  readonly file: NativeFile;
  readonly parameters: readonly string[];
  /** A command that ends in becoming the program, and its parameters. */
  readonly through?: readonly string[];
  /** It has started when a line with this comes on its standard output. */
  readonly ready: string;
  readonly signal: AbortSignal | undefined;
}

async function find(file: NativeFile): Promise<string> {
  const places = candidates(file, await environment("MACHNET_LIBRARY_PATH"));
  for (const { path } of places) {
    if (path !== undefined && existsSync(path)) return path;
  }
  const tried = places.map(({ label }) => `  ${label}`).join("\n");
  throw new MachnetError(
    "LIBRARY_NOT_FOUND",
    `Cannot start ${file}; tried:\n${tried}`,
  );
}

/** A program of ours that runs. It ends with this process, whatever happens. */
export class NativeProcess {
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  #readyLine = "";

  private constructor(child: ChildProcess, exited: Promise<void>) {
    this.#child = child;
    this.#exited = exited;
  }

  /**
   * Start a program, and wait until it says that it is ready.
   *
   * @throws {MachnetError} LIBRARY_NOT_FOUND, SYSTEM_ERROR with what the program
   * wrote if it ended, TIMED_OUT if it said nothing.
   */
  static async start(program: NativeProgram): Promise<NativeProcess> {
    const { file, parameters, through = [], signal } = program;
    const [path, ...rest] = [...through, await find(file)];
    signal?.throwIfAborted();
    // It is us whom it shall tell that it is ready, not our service manager.
    const { NOTIFY_SOCKET: _, ...env } = globals.env;
    const all = [...rest, "--exit-with-parent", ...parameters];
    const child = spawn(path!, all, {
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const exited = new Promise<void>((resolve) => {
      child.once("exit", () => resolve());
      child.once("error", () => resolve());
    });
    const process = new NativeProcess(child, exited);
    try {
      process.#readyLine = await process.#untilReady(program);
    } catch (error) {
      await process.stop();
      throw error;
    }
    process.#letGo();
    return process;
  }

  #untilReady({ file, ready, signal }: NativeProgram): Promise<string> {
    const child = this.#child;
    return new Promise((resolve, reject) => {
      let said = "";
      let complained = "";
      const settle = (settled: () => void): void => {
        clearTimeout(timer);
        forget();
        settled();
      };
      const fail = (code: "SYSTEM_ERROR" | "TIMED_OUT", why: string): void => {
        const output = `${complained}${said}`.trim();
        const error = new MachnetError(
          code,
          `Cannot start ${file}: ${why}${output && `:\n${output}`}`,
        );
        settle(() => reject(error));
      };
      const timer = setTimeout(
        () => fail("TIMED_OUT", `it is not ready after ${READY_TIMEOUT_MS} ms`),
        READY_TIMEOUT_MS,
      );
      const forget = onAbort(signal, (reason) => settle(() => reject(reason)));
      child.stdout!.setEncoding("utf8").on("data", (text: string) => {
        said = (said + text).slice(-OUTPUT_CHARACTERS_MAX);
        const lines = said.split("\n").slice(0, -1);
        const line = lines.find((line) => line.includes(ready));
        if (line !== undefined) settle(() => resolve(line));
      });
      child.stderr!.setEncoding("utf8").on("data", (text: string) => {
        complained = (complained + text).slice(-OUTPUT_CHARACTERS_MAX);
      });
      child.once("error", (error) => fail("SYSTEM_ERROR", error.message));
      // After "close" and not after "exit": its last words are in by then.
      child.once("close", (code, signal) => {
        fail("SYSTEM_ERROR", `it ended with ${signal ?? `code ${code}`}`);
      });
    });
  }

  // From now on it is no reason for this process to live.
  #letGo(): void {
    const child = this.#child;
    child.unref();
    for (const stream of [child.stdout, child.stderr]) {
      (stream as unknown as { unref?: () => void } | null)?.unref?.();
    }
  }

  /** The process id. */
  get pid(): number {
    return this.#child.pid!;
  }

  /** The line with which it said that it is ready. */
  get readyLine(): string {
    return this.#readyLine;
  }

  /** Ask it to end; if that takes too long, end it. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child.pid === undefined) return; // it never ran
    // Deno sets `signalCode` when the signal is sent, not when the process has
    // ended, so that only the event tells.
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    child.ref();
    await this.#exited;
    clearTimeout(timer);
  }
}
