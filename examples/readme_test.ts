/**
 * Does what README.md says: runs each of its programs and commands, and
 * compares what they print with what it says they print.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { ROOT, RUNTIME, runtimePath } from "../bench/processes.ts";
import {
  type Block,
  brokenLinks,
  programName,
  readBlocks,
} from "../src/testing/markdown.ts";

const TIMEOUT_S = 300;

const readme = readFileSync(join(ROOT, "README.md"), "utf8");
const blocks = readBlocks(readme);
const programs = blocks.filter(({ language }) => language === "ts");
const commands = blocks.filter(({ language }) => language === "sh");

// A folder like the repository's, where a reader would save the programs. In
// the repository, so that "machnet" is found.
mkdirSync(join(ROOT, "test-results"), { recursive: true });
const folder = mkdtempSync(join(ROOT, "test-results", "readme-"));
const temporary = mkdtempSync(join(tmpdir(), "machnet-readme-"));
for (const name of ["examples", "Makefile", "native", "node_modules"]) {
  symlinkSync(join(ROOT, name), join(folder, name));
}
for (const { text } of programs) {
  writeFileSync(join(folder, programName(text)), inTemporary(text));
}
after(() => {
  rmSync(folder, { recursive: true });
  rmSync(temporary, { recursive: true });
});

function inTemporary(text: string): string {
  return text.replaceAll("/tmp/", `${temporary}/`);
}

/** Run a script in the shell that README.md leaves behind. */
async function shell(script: string): Promise<string> {
  const path = commands.find(({ text }) => text.startsWith("export PATH="));
  const { stdout } = await promisify(execFile)(
    "timeout",
    [`${TIMEOUT_S}`, "bash", "-euc", `${path!.text}\n${script}`],
    { cwd: folder },
  );
  return stdout;
}

/** The command of README.md that begins so. */
function command(beginning: string): string {
  const line = commands.flatMap(({ text }) => text.split("\n"))
    .find((line) => line.startsWith(beginning));
  assert.ok(line, `README.md has no command "${beginning}"`);
  return inTemporary(line);
}

// Which test has taken care of which block.
const done = new Set<Block>();

function take(blocks: readonly Block[], pattern: RegExp): Block[] {
  const taken = blocks.filter(({ text }) => pattern.test(text));
  assert.ok(taken.length > 0, `README.md has no block like ${pattern}`);
  for (const block of taken) done.add(block);
  return taken;
}

test("README.md: its programs with a lab or an engine run", async () => {
  const flags = RUNTIME === "deno" ? ["run", "--allow-all"] : [];
  for (const { text, prints } of take(programs, /Lab\.start|Engine\.start/)) {
    const { stdout } = await promisify(execFile)(
      runtimePath(RUNTIME),
      [...flags, programName(text)],
      { cwd: folder, timeout: 1000 * TIMEOUT_S },
    );
    if (prints !== undefined) assert.equal(stdout, prints);
    else assert.match(stdout, /\S/);
  }
});

test("README.md: the first program prints what it says", async () => {
  take(commands, /^export PATH=/);
  for (const { text, prints } of take(commands, /first\.ts\nbun/)) {
    assert.equal(await shell(text), prints!.repeat(2));
  }
});

test("README.md: what it says about packages is tested with them", () => {
  const [add] = take(commands, /^bun add/);
  assert.equal(add!.text, "bun add machnet\ndeno add npm:machnet\n");
  take(commands, /^deno run --allow-ffi .* first\.ts\n/);
});

test("README.md: two sidecars on a wire carry a hello", async () => {
  const [block] = take(commands, /greeter\.ts/);
  // A reader goes on when what he started has said that it is ready.
  const log = `${temporary}/log`;
  let started = 0;
  const patient = inTemporary(block!.text).replaceAll(
    /&$/gm,
    () =>
      `>>${log} & until [ "$(wc -l <${log})" -ge ${++started} ]; ` +
      "do sleep 0.1; done",
  );
  const stdout = await shell(
    `touch ${log}\n${patient}\nwait || true\ncat ${log}`,
  );
  assert.match(
    stdout,
    /heard "hello from Deno [^]* ready: [^]* ready: [^]*got "hello from Deno/,
  );
});

// Until the server is there, the client fails; then it prints what it got.
function untilAnswered(command: string): string {
  return `until ${command} 2>/dev/null; do sleep 0.2; done`;
}

test("README.md: server and client find each other", async () => {
  take(programs, /^\/\/ (server|client)\.ts/);
  const machnetd = "native/build/sidecar/machnetd";
  for (const run of ["bun", "deno run --allow-ffi"]) {
    const stdout = await shell(`
      trap 'kill $(jobs -p); wait' EXIT
      ${command(`${machnetd} --device memif:/tmp/wire.memif,server`)}
      until [ -S ${temporary}/one.sock ]; do sleep 0.1; done
      ${command(`${machnetd} --device memif:/tmp/wire.memif `)}
      until [ -S ${temporary}/two.sock ]; do sleep 0.1; done
      MACHNET_SOCKET=${temporary}/two.sock ${run} server.ts &
      export MACHNET_SOCKET=${temporary}/one.sock
      ${untilAnswered(`${run} client.ts`)}
    `);
    assert.match(stdout, /^hello$/m, run);
  }
});

const [realCard] = take(commands, /^sudo .*af_packet:eth0/);

test(
  "README.md: two machines with network cards find each other",
  { skip: process.getuid?.() !== 0 && "needs root for network namespaces" },
  async () => {
    const one = realCard!.text.trim().replace(/^sudo /, ""); // root already
    const two = one.replace("10.0.0.1/", "10.0.0.2/");
    // Two network namespaces for two machines, each with an eth0 and a /run of
    // its own; they are gone with their last process.
    const machine = (before: string, sidecar: string, script: string): string =>
      `unshare --net --mount bash -euc '
        mount -t tmpfs tmpfs /run
        ${before}
        until ip link set eth0 up; do sleep 0.1; done 2>/dev/null
        trap "kill \\$(jobs -p); wait" EXIT
        ${sidecar} &
        until [ -S /run/machnet/machnet.sock ]; do sleep 0.1; done
        ${script}
      '`;
    const cable = `
      ip link add eth0 type veth peer name peer
      ip link set peer netns '$other' name eth0`;
    const stdout = await shell(`
      unset MACHNET_SOCKET
      trap 'kill $(jobs -p); wait' EXIT
      ${machine("", two, "deno run --allow-ffi server.ts")} &
      other=$!
      while [ /proc/$other/ns/net -ef /proc/$$/ns/net ]; do sleep 0.1; done
      ${machine(cable, one, untilAnswered("deno run --allow-ffi client.ts"))}
    `);
    assert.match(stdout, /^hello$/m);
  },
);

test("README.md: machnetd has the options that it names", async () => {
  const [block] = take(commands, /machnetd --help/);
  const help = await shell(block!.text);
  for (
    const [option] of readme.matchAll(
      /--(engines|cores|gateway|mtu|poll|socket|ip)\b/g,
    )
  ) {
    assert.ok(help.includes(option), option);
  }
});

test("README.md: its make targets exist", async () => {
  const lines = take(commands, /^make /).flatMap(({ text }) =>
    text.trim().split("\n")
  );
  for (const line of lines) {
    // Some of them take minutes, and one of them runs this test.
    const harmless = line === "make help" || line === "make build";
    const options = `-C '${ROOT}' --no-print-directory`;
    const stdout = await shell(
      line.replace("make", `make ${options} ${harmless ? "" : "-n"}`),
    );
    assert.match(stdout, /\S/, line);
  }
});

test("README.md: lists each error code once", () => {
  const header = readFileSync(
    join(ROOT, "native/include/machnet/status.h"),
    "utf8",
  );
  const codes = [...header.matchAll(/\bX\((\w+), -\d+,/g)]
    .map(([, code]) => code)
    .filter((code) => code !== "AGAIN");
  const [, table = ""] = readme.split("### Errors");
  const listed = [...table.matchAll(/^\| (`[A-Z].*?) +\|/gm)]
    .flatMap(([, cell = ""]) => [...cell.matchAll(/`(\w+)`/g)])
    .map(([, code]) => code);
  assert.deepEqual(listed.toSorted(), codes.toSorted());
});

test("README.md: names the UDP ports that are used", () => {
  const header = readFileSync(
    join(ROOT, "native/transport/transport.h"),
    "utf8",
  );
  const [port, first, last] = ["UDP_PORT", "PORT_FIRST", "PORT_LAST"].map(
    (name) => new RegExp(`TRANSPORT_${name} (\\d+)`).exec(header)![1]!,
  );
  const named = [...readme.matchAll(/UDP\s+ports? (\d+)(?:\s+to\s+(\d+))?/g)]
    .map(([, ...ports]) => ports);
  assert.deepEqual(named, [[port, undefined], [first, last]]);
});

test("README.md: its links lead somewhere", () => {
  assert.deepEqual(brokenLinks(join(ROOT, "README.md"), readme), []);
});

test("README.md: no program or command is left out", () => {
  const missed = [...programs, ...commands].filter((block) => !done.has(block));
  assert.deepEqual(missed.map(({ text }) => text), []);
});
