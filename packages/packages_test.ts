/**
 * What people get who install the packages of `make packages`: from an empty
 * folder to a message there and back, on this machine as it is, and on one that
 * has none of the libraries that we bring along.
 */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import {
  copyFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import {
  ROOT,
  type Runtime,
  runtimePath,
  RUNTIMES,
} from "../bench/processes.ts";
import { type Registry, startRegistry } from "../src/testing/registry.ts";

const PLATFORM = join(ROOT, "dist/npm/machnet-linux-x64");
const SCRIPTS = ["attach.ts", "engine.ts", "lab.ts"] as const;

// What README.md says that a script with a lab needs.
const readme = readFileSync(join(ROOT, "README.md"), "utf8");
const [, labFlags] = /^deno run (--allow-ffi .*) first\.ts$/m.exec(readme)!;

const needsRoot = process.getuid?.() !== 0 && "needs root for namespaces";

/** Commands before a command, for it to run on such a machine. */
const MACHINES: Readonly<Record<string, readonly string[]>> = {
  "this machine": [],
  "a machine without our libraries": [
    ...["unshare", "--mount", join(ROOT, "packages/hide.sh"), PLATFORM],
  ],
};

let registry: Registry;
const folders: string[] = [];

before(async () => {
  registry = await startRegistry([
    join(ROOT, "dist/npm/machnet"),
    PLATFORM,
    join(ROOT, "node_modules/zod"),
  ]);
});

after(async () => {
  for (const folder of folders) rmSync(folder, { recursive: true });
  await registry[Symbol.asyncDispose]();
});

/** A user's folder, on a machine of which everything else is new, too. */
class Folder {
  readonly path: string;

  readonly #runtime: Runtime;
  readonly #prefix: readonly string[];
  readonly #env: NodeJS.ProcessEnv;

  constructor(runtime: Runtime, prefix: readonly string[]) {
    this.path = mkdtempSync(join(tmpdir(), "machnet-package-"));
    folders.push(this.path);
    this.#runtime = runtime;
    this.#prefix = prefix;
    const { MACHNET_LIBRARY_PATH: _, ...env } = process.env;
    this.#env = {
      ...env,
      BUN_INSTALL_CACHE_DIR: join(this.path, "cache"),
      DENO_DIR: join(this.path, "cache"),
      NO_COLOR: "1",
      TMPDIR: "/tmp",
    };
    writeFileSync(join(this.path, ".npmrc"), `registry=${registry.url}\n`);
    for (const script of SCRIPTS) {
      const path = join(ROOT, "packages/scripts", script);
      copyFileSync(path, join(this.path, script));
    }
  }

  #command(parameters: readonly string[]): [string, string[]] {
    const path = runtimePath(this.#runtime);
    const [command, ...rest] = [...this.#prefix, path, ...parameters];
    return [command!, rest];
  }

  async run(...parameters: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(
      ...this.#command(parameters),
      { cwd: this.path, env: this.#env },
    );
    return stdout;
  }

  async add(...options: string[]): Promise<void> {
    const name = this.#runtime === "deno" ? "npm:machnet" : "machnet";
    await this.run("add", ...options, name);
  }

  /** The command line that runs a script. */
  script(name: typeof SCRIPTS[number], flags: readonly string[]): string[] {
    return this.#runtime === "deno"
      ? ["run", "--no-prompt", ...flags, name]
      : [name];
  }

  /** Run lab.ts, and `meet` it by its sidecar's socket while it lives. */
  async lab(meet: (socket: string) => Promise<void>): Promise<void> {
    const child = spawn(
      ...this.#command(this.script("lab.ts", labFlags!.split(" "))),
      { cwd: this.path, env: this.#env, stdio: ["pipe", "pipe", "inherit"] },
    );
    const ended = new Promise((resolve) => child.once("close", resolve));
    const lines: string[] = [];
    for await (const line of createInterface(child.stdout)) {
      lines.push(line);
      if (lines.length < 2) continue;
      await meet(line);
      child.stdin.end();
    }
    assert.equal(await ended, 0);
    assert.equal(lines[0], "there and back");
  }
}

for (const [machine, prefix] of Object.entries(MACHINES)) {
  for (const runtime of RUNTIMES) {
    test(`${runtime} add: a lab and an engine on ${machine}`, {
      skip: prefix.length > 0 && needsRoot,
    }, async () => {
      const folder = new Folder(runtime, prefix);
      await folder.add();
      let answer = "";
      await folder.lab(async (socket) => {
        const command = folder.script("attach.ts", ["--allow-ffi"]);
        answer = await folder.run(...command, socket);
      });
      assert.equal(answer, "attached to 10.90.0.1\n");
      const command = folder.script("engine.ts", ["--allow-ffi"]);
      answer = await folder.run(...command, folder.path);
      assert.equal(answer, "attached to 10.0.0.1\n");
    });
  }
}

test("deno check: a program passes with the published types", async () => {
  const folder = new Folder("deno", []);
  await folder.add();
  await folder.run("check", ...SCRIPTS);
  await assert.rejects(
    folder.run("eval", "--check", 'import { lab } from "machnet"; lab;'),
    /no exported member/,
  );
});

test("without the platform's package the error says what is missing", async () => {
  const folder = new Folder("bun", []);
  await folder.add("--omit=optional");
  await assert.rejects(
    folder.run("attach.ts", "/tmp/none.sock"),
    /libmachnet\.so; tried:\s+package machnet-linux-x64 \(not installed\)/,
  );
});

test("machnetd of the package opens AF_XDP on a machine without libxdp", {
  skip: needsRoot,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), "machnet-package-"));
  folders.push(directory);
  const machnetd = [
    join(PLATFORM, "machnetd"),
    ...["--device", "af_xdp:veth0", "--ip", "10.0.0.1/24"],
    ...["--socket", join(directory, "machnet.sock")],
  ];
  // `ip` needs some of what is about to be hidden.
  const script = `
    ip link add veth0 type veth peer name veth1
    ip link set veth1 up
    ip link set veth0 up
    exec "$@"`;
  const child = spawn("unshare", [
    ...["--net", "--mount", "bash", "-euc", script, "bash"],
    ...[join(ROOT, "packages/hide.sh"), PLATFORM, ...machnetd],
  ], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => child.once("close", resolve));
  let said = "";
  for await (const line of createInterface(child.stdout)) {
    said += line;
    if (line.includes("ready")) child.kill("SIGTERM");
  }
  await ended;
  assert.match(said, /ready: 10\.0\.0\.1\/24 on af_xdp:veth0/);
});
