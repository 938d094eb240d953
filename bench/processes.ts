/**
 * Scripts as processes of their own, under either runtime. The demo, the
 * benchmarks and the tests of the examples start theirs here.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";

/** The runtimes that machnet runs under. */
export const RUNTIMES = ["deno", "bun"] as const;

/** One of them. */
export type Runtime = typeof RUNTIMES[number];

/** The one that runs this script. */
export const RUNTIME: Runtime = process.versions["bun"] ? "bun" : "deno";

/** How people write their names. */
export const RUNTIME_NAMES: Readonly<Record<Runtime, string>> = {
  deno: "Deno",
  bun: "Bun",
};

/** The folder that the repository is in. */
export const ROOT: string = resolve(import.meta.dirname ?? ".", "..");

// Where npm unpacks the binaries, also where it may not run install scripts.
const UNPACKED: Readonly<Record<Runtime, string>> = {
  deno: "node_modules/@deno/*/deno",
  bun: "node_modules/@oven/bun-*/bin/bun",
};

const SUCCESS = "code 0";

/** A script that is to run. */
export interface ScriptOptions {
  /** {@linkcode RUNTIME}, unless another is named. */
  readonly runtime?: Runtime;
  /** Its path below the repository's folder. */
  readonly file: string;
  readonly parameters?: readonly string[];
  /** Variables that it gets besides ours, or instead of them. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Gets what it writes, line by line, both streams. */
  readonly onLine?: (line: string) => void;
}

/**
 * The binary of a runtime: what MACHNET_DENO or MACHNET_BUN names, else what is
 * in node_modules, else whatever the PATH has.
 */
export function runtimePath(runtime: Runtime): string {
  const [unpacked] = globSync(UNPACKED[runtime], { cwd: ROOT });
  return process.env[`MACHNET_${runtime.toUpperCase()}`] ||
    (unpacked === undefined ? runtime : resolve(ROOT, unpacked));
}

/**
 * The permissions that a script asks of Deno: those in its opening comment, so
 * that what people copy from there is what gets tested.
 */
export function permissions(file: string): string[] {
  const text = readFileSync(resolve(ROOT, file), "utf8");
  const [, flags] = new RegExp(`deno run (.*?)${file}`).exec(text) ?? [];
  if (flags === undefined) {
    throw new Error(`Cannot start ${file}: no "deno run ... ${file}" in it`);
  }
  return flags.trim().split(/\s+/).filter((flag) => flag !== "");
}

/** A script that runs. Disposing it ends it. */
export class Script implements AsyncDisposable {
  /** What it wrote until now, line by line, both streams. */
  readonly lines: string[] = [];

  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #ended: Promise<void>;
  readonly #listeners = new Set<() => void>();
  // How it ended: "code 1", "SIGSEGV", why it did not even start.
  #end: string | undefined;

  private constructor(
    { runtime = RUNTIME, file, parameters, environment, onLine }: ScriptOptions,
  ) {
    this.#name = `${file} (${RUNTIME_NAMES[runtime]})`;
    const prefix = runtime === "deno"
      ? ["run", "--no-prompt", ...permissions(file)]
      : [];
    this.#child = spawn(
      runtimePath(runtime),
      [...prefix, file, ...parameters ?? []],
      {
        cwd: ROOT,
        env: { ...process.env, ...environment },
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) {
      createInterface(stream).on("line", (line) => {
        this.lines.push(line);
        onLine?.(line);
        this.#notify();
      });
    }
    this.#ended = new Promise((resolve) => {
      const settle = (end: string): void => {
        this.#end = end;
        resolve();
        this.#notify();
      };
      this.#child.once("error", (error) => settle(error.message));
      // After "close" and not after "exit": its last words are in by then.
      this.#child.once("close", (code, signal) => {
        settle(signal ?? `code ${code}`);
      });
    });
  }

  /** Its process id. */
  get pid(): number {
    return this.#child.pid!;
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Start a script. */
  static start(options: ScriptOptions): Script {
    return new Script(options);
  }

  /**
   * Wait for it to write a line that matches.
   *
   * @returns The match.
   * @throws {Error} If it ends without.
   */
  line(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        for (const line of this.lines) {
          const match = pattern.exec(line);
          if (match === null) continue;
          this.#listeners.delete(look);
          resolve(match);
          return;
        }
        if (this.#end === undefined) return;
        this.#listeners.delete(look);
        reject(this.#failure());
      };
      this.#listeners.add(look);
      look();
    });
  }

  /**
   * Wait until it has ended.
   *
   * @throws {Error} With what it wrote, if it failed.
   */
  async finish(): Promise<void> {
    await this.#ended;
    if (this.#end !== SUCCESS) throw this.#failure();
  }

  #failure(): Error {
    const what = `${this.#name} ended with ${this.#end}`;
    return new Error([what, ...this.lines].join("\n  "));
  }

  /** Ask it to end, as Ctrl-C does, and wait until it has. */
  async stop(): Promise<void> {
    // Not child.kill(), after which Deno reports the signal whatever came of it.
    if (this.#end === undefined) process.kill(this.#child.pid!, "SIGINT");
    await this.finish();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#end === undefined) this.#child.kill("SIGKILL");
    await this.#ended;
  }
}

/** Run a script to its end. @returns What it wrote, line by line. */
export async function runScript(options: ScriptOptions): Promise<string[]> {
  await using script = Script.start(options);
  await script.finish();
  return script.lines;
}
