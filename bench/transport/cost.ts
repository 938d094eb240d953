/** Instructions that the transport itself takes, counted by callgrind. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "../processes.ts";
import type { Figure } from "../figure.ts";
import type { Effort, Measurement } from "../measurement.ts";

const PROGRAM = resolve(ROOT, "native/build/transport/transport_cost");
/** Windows of messages, twice: what differs is not the setup. */
const MESSAGES = [20_000, 40_000] as const;
const WINDOWS = [1, 32] as const;
const SIZES = [64, 32 * 1024] as const;

const run = promisify(execFile);

/** Instructions per message through two transports back to back. */
export const cost: Measurement = {
  name: "cost",
  conditions: "two transports back to back without I/O, both sides and both " +
    "directions of an echo added; callgrind",
  async measure(_: Effort): Promise<Figure[]> {
    if (!existsSync("/usr/bin/valgrind")) return [];
    const figures: Figure[] = [];
    for (const size of SIZES) {
      for (const window of WINDOWS) {
        const [few, many] = await Promise.all(
          MESSAGES.map((messages) => {
            const count = size > 1024 ? messages / 100 : messages;
            return instructions([`${size}`, `${window}`, `${count}`]);
          }),
        );
        const count = MESSAGES[1] - MESSAGES[0];
        figures.push({
          name: `${size} B at window ${window}: instructions per message`,
          value: (many! - few!) / (size > 1024 ? count / 100 : count),
        });
      }
    }
    return figures;
  },
};

async function instructions(parameters: readonly string[]): Promise<number> {
  const { stderr } = await run("valgrind", [
    "--tool=callgrind",
    "--callgrind-out-file=/dev/null",
    PROGRAM,
    ...parameters,
  ]);
  return Number(/Collected : (\d+)/.exec(stderr)![1]);
}
