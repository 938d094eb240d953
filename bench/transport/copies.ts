/** What sending fragments from where they lie saves. */
import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { promisify } from "node:util";
import type { Figure } from "../figure.ts";
import { median } from "../statistics.ts";
import type { Effort, Part } from "../benchmark.ts";
import { ROOT } from "../processes.ts";

const PROGRAM = resolve(ROOT, "native/build/bench/copy-cost");

/** Bytes of a fragment, and the KiB of memory that messages take in turns. */
const CASES = [
  { fragment: 1400, memory: [256, 1024, 8192, 65_536] },
  { fragment: 1000, memory: [256] },
  { fragment: 300, memory: [256] },
] as const;

const run = promisify(execFile);

/** Processor time to send a packet over memif, copied and not. */
export const copies: Part = {
  name: "copies",
  conditions: "bursts of 32 packets over memif, copied into them and not, in " +
    "turns, with headers, checksum and driver; one thread, no engine",
  async measure({ rounds }: Effort): Promise<Figure[]> {
    const figures: Figure[] = [];
    for (const { fragment, memory } of CASES) {
      const measured = new Map<number, Times>(
        memory.map((kib) => [kib, { copied: [], referred: [] }]),
      );
      for (let round = 0; round < rounds; round++) {
        const { stdout } = await run(
          PROGRAM,
          [fragment, ...memory].map(String),
        );
        for (const line of stdout.trim().split("\n")) {
          const [kib, copied, referred] = line.split(" ").map(Number);
          measured.get(kib!)!.copied.push(copied!);
          measured.get(kib!)!.referred.push(referred!);
        }
      }
      for (const [kib, times] of measured) {
        const name = `${fragment} B out of ${kib} KiB`;
        figures.push(
          { name: `${name}, copied`, value: median(times.copied), unit: "ns" },
          { name: `${name}, not`, value: median(times.referred), unit: "ns" },
        );
      }
    }
    return figures;
  },
};

interface Times {
  readonly copied: number[];
  readonly referred: number[];
}
