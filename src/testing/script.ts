/**
 * Running a script of ours in a process of its own, under the same runtime.
 */
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";

const underDeno = "Deno" in globalThis;

/** A script that runs. */
export interface Script {
  readonly process: ChildProcess;
  /** Its next line on standard output. */
  line(): Promise<string>;
  /** When it has ended: its exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
  /** What it wrote on standard error so far. */
  stderr(): string;
}

/**
 * Start a script of `src/e2e/scripts`.
 *
 * @param options Deno's flags, all permissions by default; and variables that
 * are added to the environment.
 */
export function startScript(
  name: string,
  parameters: string[],
  { permissions = ["-A"], environment = {} }: {
    permissions?: string[];
    environment?: Record<string, string>;
  } = {},
): Script {
  const file = new URL(`../e2e/scripts/${name}`, import.meta.url);
  const flags = underDeno
    ? ["run", "--no-check", "--no-prompt", ...permissions]
    : [];
  const child = spawn(
    process.execPath,
    [...flags, fileURLToPath(file), ...parameters],
    {
      env: { ...process.env, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  const lines: string[] = [];
  const waiting: ((line: string) => void)[] = [];
  let rest = "";
  let complaints = "";
  child.stdout!.setEncoding("utf8").on("data", (text: string) => {
    const pieces = (rest + text).split("\n");
    rest = pieces.pop()!;
    for (const piece of pieces) {
      const next = waiting.shift();
      if (next === undefined) lines.push(piece);
      else next(piece);
    }
  });
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    complaints += text;
  });
  const ended = new Promise<number | string>((resolve) => {
    child.once("close", (code, signal) => {
      resolve(signal ?? code ?? -1);
      for (const next of waiting.splice(0)) next(`ended: ${complaints}`);
    });
  });
  return {
    process: child,
    ended,
    stderr: () => complaints,
    line: () => {
      const line = lines.shift();
      if (line !== undefined) return Promise.resolve(line);
      return new Promise((resolve) => waiting.push(resolve));
    },
  };
}
