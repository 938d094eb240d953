/** What loss does to the transport alone, whatever else the machine does. */
import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { promisify } from "node:util";
import type { Figure } from "../figure.ts";
import type { Effort, Part } from "../benchmark.ts";
import { ROOT } from "../processes.ts";
import { tailProbeNs } from "./loss.ts";

const PROGRAM = resolve(ROOT, "native/build/transport/transport_cost");
const SIZE = 1024;
const WINDOWS = [1, 32] as const;
const MESSAGES = 200_000;
const LATENCY_US = 20;
/** What an engine takes for a packet. */
const PACKET_NS = 2000;

const run = promisify(execFile);

/** The same as `loss`, in simulated time. */
export const simulated: Part = {
  name: "simulated",
  conditions: `${SIZE} B request-reply, two transports back to back under a ` +
    `fake clock, ${LATENCY_US} us each way, loss per packet in both directions`,
  async measure(_: Effort): Promise<Figure[]> {
    const figures: Figure[] = [];
    for (const window of WINDOWS) {
      const none = await simulate(window, 0);
      const one = await simulate(window, 0.01);
      const five = await simulate(window, 0.05);
      const name = (text: string): string => `window ${window}: ${text}`;
      figures.push(
        { name: name("rate without loss"), value: none.rate, unit: "/s" },
        {
          name: name("rate at 1 % loss, of that"),
          value: one.rate / none.rate,
          target: { least: 0.8 },
        },
        {
          name: name("rate at 5 % loss, of that"),
          value: five.rate / none.rate,
          target: { least: 0.5 },
        },
        { name: name("p50 at 1 %"), value: one.p50, unit: "us" },
        {
          name: name("p99.9 at 1 %"),
          value: one.p999,
          unit: "us",
          target: { most: 4 * one.p50 + tailProbeNs(1000 * one.p50) / 1000 },
        },
        {
          name: name("longest round trip at 5 %"),
          value: five.max / 1000,
          unit: "ms",
          target: { most: 1000 },
        },
      );
    }
    return figures;
  },
};

/** Rate per second, times in microseconds. */
async function simulate(
  window: number,
  loss: number,
): Promise<Record<"rate" | "p50" | "p999" | "max", number>> {
  const { stdout } = await run(
    PROGRAM,
    [SIZE, window, MESSAGES, loss, LATENCY_US, PACKET_NS, "u"].map(String),
  );
  const [, rate, p50, p999, max] =
    /^(\d+)\/s\nus: p50 (\d+) p99 \d+ p99\.9 (\d+) p100 (\d+)$/m.exec(stdout)!;
  return {
    rate: Number(rate),
    p50: Number(p50),
    p999: Number(p999),
    max: Number(max),
  };
}
