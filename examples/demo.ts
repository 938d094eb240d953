/**
 * What `make demo` shows: two hosts on this machine, a hello from Deno to Bun,
 * a file of some 100 MB, and round trip times. No root, no hugepages, no
 * network card.
 *
 *     deno run --allow-all examples/demo.ts
 *     bun examples/demo.ts
 *
 * Options: --file (to send instead of Deno's own binary), --seconds (of
 * measuring per line of the table, 1 by default).
 */
import { Lab, type LabHost } from "machnet";
import { createHash } from "node:crypto";
import { createReadStream, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, relative, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "#std/cli/parse_args";
import { format } from "#std/fmt/bytes";
import {
  ROOT,
  runScript,
  type Runtime,
  RUNTIME_NAMES,
  runtimePath,
  Script,
  type ScriptOptions,
} from "../bench/processes.ts";
import { printRoundTrips } from "../bench/round_trip.ts";

async function demo(file: string, seconds: number): Promise<void> {
  title("Two hosts on this machine, joined by a wire of shared memory (memif)");
  await using lab = await Lab.start({ hosts: 2, wire: "direct" });
  const [here, there] = lab.hosts as [LabHost, LabHost];
  for (const { address, pid } of lab.hosts) {
    console.log(`host ${address}: machnetd, process ${pid}`);
  }

  title(`Deno on ${here.address} says hello to Bun on ${there.address}`);
  await sayHello(here, there);

  const { size } = statSync(file);
  title(`Deno sends a file of ${format(size)} to Bun: ${relative(ROOT, file)}`);
  await sendFile(file, here, there);

  title("Round trips of one message at a time, in microseconds");
  await printRoundTrips([here, there], seconds);
}

let titles = 0;
let interrupted = false;

function title(text: string): void {
  if (interrupted) throw new Error("interrupted");
  console.log(`${titles++ === 0 ? "" : "\n"}${titles}. ${text}`);
}

/** A script whose lines appear here, with its runtime before each. */
function shown(
  options: ScriptOptions & { readonly runtime: Runtime },
): ScriptOptions {
  const name = RUNTIME_NAMES[options.runtime].padEnd(4);
  return { ...options, onLine: (line) => console.log(`${name} | ${line}`) };
}

async function sayHello(here: LabHost, there: LabHost): Promise<void> {
  await using greeter = Script.start(shown({
    runtime: "bun",
    file: "examples/greeter.ts",
    parameters: ["--socket", there.socket],
  }));
  await greeter.line(/^listening/);
  const lines = await runScript(shown({
    runtime: "deno",
    file: "examples/hello.ts",
    parameters: [there.address, "--socket", here.socket],
  }));
  if (!lines.some((line) => /^Bun .* heard "hello from Deno/.test(line))) {
    throw new Error("Bun did not answer what it should");
  }
  await greeter.stop();
}

async function sendFile(
  file: string,
  here: LabHost,
  there: LabHost,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "machnet-demo-"));
  try {
    await using receiver = Script.start(shown({
      runtime: "bun",
      file: "examples/receive_file.ts",
      parameters: ["--folder", folder, "--socket", there.socket],
    }));
    await receiver.line(/^waiting/);
    await runScript(shown({
      runtime: "deno",
      file: "examples/send_file.ts",
      parameters: [
        // Deno rewrites arguments in which it finds its own absolute path.
        relative(ROOT, file),
        ...[there.address, "--socket", here.socket],
      ],
    }));
    await receiver.finish();
    // The scripts compared what they saw; this compares what is on the disk.
    const [original, copy] = await Promise.all([
      sha256(file),
      sha256(join(folder, basename(file))),
    ]);
    if (original !== copy) throw new Error("The files differ");
    console.log("The two files on the disk have the same SHA-256, too.");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function sha256(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(file)) hash.update(piece);
  return hash.digest("hex");
}

// Ctrl-C ends the scripts as well; what is left to do is to clean up.
process.once("SIGINT", () => interrupted = true);
const started = performance.now();
try {
  const options = parseArgs(process.argv.slice(2), {
    string: ["file", "seconds"],
  });
  await demo(
    resolve(options.file ?? runtimePath("deno")),
    Number(options.seconds ?? 1),
  );
  const seconds = (performance.now() - started) / 1000;
  console.log(`\nThe demo took ${seconds.toFixed(1)} s.`);
} catch (error) {
  console.error(`\nThe demo failed: ${error}`);
  process.exitCode = 1;
}
