/** Instructions that the transport itself takes, counted by callgrind. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "../processes.ts";
import type { Figure } from "../figure.ts";
import type { Effort, Part } from "../benchmark.ts";

const PROGRAM = resolve(ROOT, "native/build/transport/transport_cost");
const SOURCE = "cost.c";

/** Before the transport was made faster: commit 741d7cd, gcc 12. */
const CASES = [
  { size: 64, window: 1, messages: 2000, before: 10_010 },
  { size: 64, window: 32, messages: 2000, before: 1082 },
  { size: 32 * 1024, window: 1, messages: 200 },
  { size: 32 * 1024, window: 32, messages: 200 },
] as const;

const run = promisify(execFile);

/** Instructions per message through two transports back to back. */
export const cost: Part = {
  name: "cost",
  conditions: "two transports back to back without I/O, both sides and both " +
    "directions of an echo added; callgrind",
  async measure(_: Effort): Promise<Figure[]> {
    if (!existsSync("/usr/bin/valgrind")) return [];
    const figures: Figure[] = [];
    for (const { size, window, messages, ...rest } of CASES) {
      // Twice, since what differs is not the setup.
      const [few, many] = await Promise.all(
        [messages, 2 * messages].map((count) =>
          instructions([`${size}`, `${window}`, `${count}`])
        ),
      );
      figures.push({
        name: `${size} B at window ${window}: instructions per message`,
        value: (many! - few!) / messages,
        ...("before" in rest ? { target: { most: rest.before } } : {}),
      });
    }
    return figures;
  },
};

/** Of the transport and what it calls, without those of the program itself. */
async function instructions(parameters: readonly string[]): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "machnet-callgrind-"));
  try {
    const profile = join(folder, "profile");
    await run("valgrind", [
      "--tool=callgrind",
      `--callgrind-out-file=${profile}`,
      PROGRAM,
      ...parameters,
    ]);
    return sum(await readFile(profile, "utf8"), (file) => file !== SOURCE);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/**
 * Add up the costs of the lines of some files, from what callgrind writes
 * (https://valgrind.org/docs/manual/cl-format.html).
 */
function sum(profile: string, counts: (file: string) => boolean): number {
  const files = new Map<string, string>();
  let total = 0;
  let counted = false;
  let ofCall = false; // the next line is what a call cost: counted where it is
  for (const line of profile.split("\n")) {
    const [, called, number, name] =
      /^(c?)f[ile]=\((\d+)\)(?: (.*))?$/.exec(line) ?? [];
    if (number !== undefined) {
      if (name !== undefined) files.set(number, basename(name));
      if (called === "") counted = counts(files.get(number)!);
    } else if (line.startsWith("calls=")) {
      ofCall = true;
    } else if (/^[\d+*-]/.test(line)) {
      if (counted && !ofCall) total += Number(line.split(" ")[1]);
      ofCall = false;
    }
  }
  return total;
}
