/**
 * Runs every test of the project and sums the results: the C tests in three
 * builds, a while of fuzzing, then each `*_test.ts` under Deno and under Bun,
 * then the packages that people install. Called by the Makefile; the arguments
 * name the suites to run, none means all.
 *
 * Each TypeScript file is a process of its own, one after the other: a crash
 * in native code costs one file, and the runtimes do not fight for the cores.
 */
import { spawn } from "node:child_process";
import { existsSync, globSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { constants } from "node:os";
import { basename, relative, resolve } from "node:path";
import process from "node:process";
import { type Case, readJUnit, readMesonLog } from "./results.ts";

/** A file that has not ended by then is killed, with what it started. */
const FILE_TIMEOUT_S = 600;

/** Of the C tests' own limits, which a busy machine may need. */
const NATIVE_TIMEOUT_MULTIPLIER = 5;

/** Of each target. One seed, so that the same commit tests the same inputs. */
const FUZZ_SECONDS = 30;
const FUZZ_SEED = 1;

/** Bun's own default of 5 s is too short on a busy machine. */
const BUN_TEST_TIMEOUT_MS = 120_000;

const root = resolve(import.meta.dirname ?? ".", "../..");
const results = resolve(root, "test-results");

/** Lets a test start the other runtime, and find `machnetd`. */
const environment = {
  ...process.env,
  MACHNET_DENO: process.env["MACHNET_DENO"] ?? "deno",
  MACHNET_BUN: process.env["MACHNET_BUN"] ?? "bun",
  MACHNET_BUILD: resolve(root, "native/build"),
};

/** Runs a command, its output passed through; resolves to its exit code. */
function run(command: string, ...args: string[]): Promise<number> {
  console.log(`$ ${[command, ...args].join(" ").replaceAll(`${root}/`, "")}`);
  const child = spawn(command, args, {
    cwd: root,
    env: environment,
    stdio: ["ignore", "inherit", "inherit"],
  });
  return new Promise((settle) => {
    child.once("error", (error) => {
      console.error(error.message);
      settle(127);
    });
    child.once("exit", (code, signal) => {
      settle(code ?? 128 + (signal ? constants.signals[signal] : 0));
    });
  });
}

function failure(name: string, detail: string): Case {
  return { path: [name], outcome: "failed", detail };
}

/** Adds a failed case for what the result file does not tell. */
function complete(name: string, cases: Case[], status: number): Case[] {
  if (status !== 0 && !cases.some((one) => one.outcome === "failed")) {
    const detail = status === 124 // of timeout(1)
      ? `killed after ${FILE_TIMEOUT_S} s`
      : `ended with status ${status}`;
    return [...cases, failure(name, detail)];
  }
  return cases.length > 0 ? cases : [failure(name, "ran no test")];
}

function read(file: string): string {
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

/** The C tests of one build; `target` of the Makefile makes it. */
async function native(
  target: string,
  folder: string,
  ...options: string[]
): Promise<Case[]> {
  const log = resolve(root, folder, "meson-logs/testlog.json");
  rmSync(log, { force: true });
  if (await run("make", "--no-print-directory", target) !== 0) {
    return [failure(target, "does not build")];
  }
  const status = await run(
    "meson",
    ...["test", "-C", folder, "--no-rebuild", "--print-errorlogs"],
    ...["--timeout-multiplier", String(NATIVE_TIMEOUT_MULTIPLIER)],
    ...options,
  );
  return complete(target, readMesonLog(read(log)), status);
}

/** Every fuzz target, all of them at once. */
async function fuzz(): Promise<Case[]> {
  if (await run("make", "--no-print-directory", "build-fuzz") !== 0) {
    return [failure("build-fuzz", "does not build")];
  }
  const targets = globSync("native/*/*_fuzz.c", { cwd: root })
    .map((file) => basename(file, "_fuzz.c")).sort();
  const cases = await Promise.all(targets.map(async (target): Promise<Case> => {
    const status = await run(
      "native/tools/fuzz.sh",
      ...[String(FUZZ_SECONDS), target, "", String(FUZZ_SEED)],
    );
    return status === 0
      ? { path: [target], outcome: "passed", detail: "" }
      : failure(target, `"${target}: FAILED" above says how to replay it`);
  }));
  return cases.length > 0 ? cases : [failure("fuzz", "ran no target")];
}

/** Every test file in the folders, under the runtime that `command` starts. */
async function scripts(
  suite: string,
  command: (file: string, junit: string) => string[],
  folders: string = "{src,ffi,examples,bench}",
): Promise<Case[]> {
  const files = globSync(`${folders}/**/*_test.ts`, { cwd: root }).sort();
  const cases: Case[] = [];
  for (const file of files) {
    const junit = resolve(results, suite, file.replace(/\.ts$/, ".xml"));
    mkdirSync(resolve(junit, ".."), { recursive: true });
    rmSync(junit, { force: true });
    const status = await run(
      "timeout",
      ...["--kill-after=10", String(FILE_TIMEOUT_S), ...command(file, junit)],
    );
    const told = complete(file, readJUnit(read(junit)), status);
    const source = readWithTests(file);
    for (const one of told) {
      const detail = one.outcome === "skipped"
        ? skipReason(source, one.path.at(-1) ?? "")
        : one.detail;
      cases.push({ ...one, path: [file, ...one.path], detail });
    }
  }
  return cases.length > 0 ? cases : [failure(suite, "ran no test")];
}

/** A test file, and after it the test files that it imports and their helpers. */
function readWithTests(file: string): string {
  const source = read(resolve(root, file));
  const imports = source.matchAll(/"(\.[^"]*(?:_test|\/testing\/hosts)\.ts)"/g);
  const folder = resolve(root, file, "..");
  return [...imports].reduce(
    (all, [, path]) =>
      all + readWithTests(relative(root, resolve(folder, path!))),
    source,
  );
}

/**
 * Neither runtime reports the reason in `{ skip: reason }`, so it is looked up
 * in the source, between the name of the test and its body: the last string of
 * the expression, or of the constant that the expression names.
 */
function skipReason(source: string, name: string): string {
  const [, after = ""] = source.split(JSON.stringify(name), 2);
  const [options = ""] = after.split("=>", 1);
  const skip = /\bskip\b(?::\s*([^}]+?))?,?\s*}/.exec(options);
  if (!skip) return "no reason found";
  const expression = skip[1] ?? "skip";
  const constant = /^\w+$/.test(expression)
    ? new RegExp(`\\b(?:const|let) ${expression}\\b[^=;]*=([^;]*);`)
      .exec(source)?.[1]
    : undefined;
  const strings = (constant ?? expression).match(/"[^"]*"|`[^`]*`/g);
  return strings?.at(-1)?.slice(1, -1) ?? expression;
}

function deno(file: string, junit: string): string[] {
  const flags = ["-A", "--no-check", `--junit-path=${junit}`];
  return [environment.MACHNET_DENO, "test", ...flags, file];
}

/** The tests of the packages start both runtimes by themselves. */
async function packages(): Promise<Case[]> {
  if (await run("make", "--no-print-directory", "packages") !== 0) {
    return [failure("packages", "cannot be made")];
  }
  return scripts("packages", deno, "packages");
}

const suites: Readonly<Record<string, () => Promise<Case[]>>> = {
  native: () => native("build", "native/build"),
  asan: () => native("build-asan", "native/build-asan"),
  tsan: () => native("build-tsan", "native/build-tsan", "--suite", "tsan"),
  fuzz,
  deno: () => scripts("deno", deno),
  bun: () =>
    scripts("bun", (file, junit) => [
      environment.MACHNET_BUN,
      ...["test", `--timeout=${BUN_TEST_TIMEOUT_MS}`],
      ...["--reporter=junit", `--reporter-outfile=${junit}`, `./${file}`],
    ]),
  packages,
};

const asked = process.argv.length > 2
  ? process.argv.slice(2)
  : Object.keys(suites);
const all: Case[] = [];
for (const name of asked) {
  console.log(`\n== ${name}`);
  const suite = suites[name];
  const cases = suite ? await suite() : [failure(name, "no such suite")];
  all.push(...cases.map((one) => ({ ...one, path: [name, ...one.path] })));
}

const of = (outcome: Case["outcome"]): Case[] =>
  all.filter((one) => one.outcome === outcome);
console.log();
for (const one of [...of("skipped"), ...of("failed")]) {
  const [reason = ""] = one.detail.split("\n");
  console.log([one.outcome, one.path.join(" > "), reason].join("  ").trim());
}
console.log(
  `${of("passed").length} passed, ${of("failed").length} failed, ` +
    `${of("skipped").length} skipped`,
);
process.exitCode = of("failed").length > 0 ? 1 : 0;
