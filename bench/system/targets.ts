/** What machnet is to reach, as ratios of what was measured in the same run. */
import type { Figure } from "../figure.ts";
import type { Contender } from "./contender.ts";
import { type Cell, type Result, resultsOf } from "./results.ts";

type Query = Partial<Contender> & { size: number; window: number };
type Value = (result: Result) => number;

const rate: Value = ({ requestsPerSecond }) => requestsPerSecond;
const p50: Value = ({ latencyUs }) => latencyUs.p50;
const p999: Value = ({ latencyUs }) => latencyUs.p999;
const cpu: Value = ({ cpuSecondsPer100k }) => cpuSecondsPer100k;

/** A ratio, which has no value where one of the two was not measured. */
interface Ratio {
  readonly name: string;
  readonly of: number | undefined;
  readonly to: number | undefined;
  readonly target: NonNullable<Figure["target"]>;
  /**
   * To tell the floor: what C makes of it in place of a script, or hand-overs
   * alone, where engines have threads of their own.
   */
  readonly limit?: number | undefined;
}

/** The ratios, and between what they lie when each round counts alone. */
export function ratiosOf(cells: readonly Cell[], rounds: number): Figure[] {
  const alone = Array.from(
    { length: rounds },
    (_, index) => targets(resultsOf(cells, index + 1)),
  ).flat();
  return targets(resultsOf(cells)).map((ratio) => {
    const values = alone
      .filter(({ name }) => name === ratio.name)
      .map(({ value }) => value);
    // The two may never have been measured in the same round.
    if (values.length === 0) return ratio;
    return { ...ratio, range: [Math.min(...values), Math.max(...values)] };
  });
}

/** The ratios of what was measured. */
export function targets(results: readonly Result[]): Figure[] {
  return ratios(results).flatMap(({ name, of, to, target, limit }) => {
    if (of === undefined || to === undefined) return [];
    const floor = limit === undefined ? {} : { floor: limit / to };
    return [{ name, value: of / to, target, ...floor }];
  });
}

function ratios(results: readonly Result[]): Ratio[] {
  const find = (query: Query): Result[] =>
    results.filter((result) =>
      Object.entries(query).every(([name, value]) =>
        result[name as keyof Result] === value
      )
    );
  const one = (query: Query, value: Value): number | undefined =>
    find(query).map(value)[0];
  const rivals = (size: number, window: number): Result[] =>
    find({ size, window, runtime: "bun", wire: "veth", mtu: 1500 });
  const lowest = (values: number[]): number | undefined =>
    values.length > 0 ? Math.min(...values) : undefined;
  const highest = (values: number[]): number | undefined =>
    values.length > 0 ? Math.max(...values) : undefined;
  // Latencies of the rival that is fastest at the median.
  const quickest = rivals(64, 1).toSorted((a, b) => p50(a) - p50(b))
    .slice(0, 1);

  const [transport, mode] = ["machnet", "sidecars"] as const;
  const memif = { transport, mode, wire: "memif" } as const;
  const packet = { transport, mode, wire: "af_packet" } as const;
  const bun = { ...memif, runtime: "bun" } as const;
  const deno = { ...memif, runtime: "deno" } as const;
  const inline = { transport, mode: "inline", runtime: "bun" } as const;
  const native = { transport: "machnet-c", mode } as const;
  const inlineC = { ...native, mode: "inline" } as const;
  const tcp = { transport: "tcp", mode: "as-is", runtime: "bun" } as const;
  const handover = { transport: "handover" } as const;
  const single = { size: 64, window: 1 };
  const many = { size: 64, window: 32 };
  const kilobytes = { size: 1024, window: 32 };
  const large = { size: 32768, window: 8 };
  return [
    {
      name: "memif, 64 B, window 1: p50, of C on both ends",
      of: one({ ...bun, ...single }, p50),
      to: one({ ...native, wire: "memif", mtu: 1500, ...single }, p50),
      target: { most: 1.2 },
    },
    {
      name: "memif, 64 B, window 1: p50, of Bun's best",
      of: one({ ...bun, ...single }, p50),
      to: lowest(quickest.map(p50)),
      target: { most: 1 },
      limit: one({ ...handover, ...single }, p50),
    },
    {
      name: "memif, 64 B, window 1: p99.9, of Bun's best",
      of: one({ ...bun, ...single }, p999),
      to: lowest(quickest.map(p999)),
      target: { most: 0.5 },
      limit: one({ ...handover, ...single }, p999),
    },
    {
      name: "memif, 64 B, window 1: p50 of Deno, of Bun",
      of: one({ ...deno, ...single }, p50),
      to: one({ ...bun, ...single }, p50),
      target: { most: 1.2 },
    },
    {
      name: "memif inline, 64 B, window 1: p50, of Bun's best",
      of: one({ ...inline, wire: "memif", mtu: 1500, ...single }, p50),
      to: lowest(quickest.map(p50)),
      target: { most: 1 / 3 },
      limit: one({ ...inlineC, wire: "memif", mtu: 1500, ...single }, p50),
    },
    {
      name: "memif inline, 64 B, window 1: p99.9, of Bun's best",
      of: one({ ...inline, wire: "memif", mtu: 1500, ...single }, p999),
      to: lowest(quickest.map(p999)),
      target: { most: 1 / 3 },
      limit: one({ ...inlineC, wire: "memif", mtu: 1500, ...single }, p999),
    },
    {
      name: "af_packet inline, 64 B, window 1: p50, of Bun's best",
      of: one({ ...inline, wire: "af_packet", mtu: 1500, ...single }, p50),
      to: lowest(quickest.map(p50)),
      target: { most: 1.2 },
      limit: one({ ...inlineC, wire: "af_packet", mtu: 1500, ...single }, p50),
    },
    {
      name: "memif, 64 B, window 32: requests, of Bun's best",
      of: one({ ...bun, ...many }, rate),
      to: highest(rivals(64, 32).map(rate)),
      target: { least: 2 },
      limit: one({ ...handover, ...many }, rate),
    },
    {
      name: "memif, 1 kB, window 32: requests, of Bun's TCP as it comes",
      of: one({ ...bun, ...kilobytes }, rate),
      to: one({ ...tcp, mtu: 1500, ...kilobytes }, rate),
      target: { least: 3 },
      limit: one({ ...handover, ...kilobytes }, rate),
    },
    {
      name: "memif, 32 kB, window 8: requests, of Bun's best",
      of: one({ ...bun, mtu: 1500, ...large }, rate),
      to: highest(rivals(32768, 8).map(rate)),
      target: { least: 1.2 },
      limit: one({ ...handover, ...large }, rate),
    },
    {
      name: "memif, 32 kB, window 8, MTU 9000: requests, of Bun's best",
      of: one({ ...bun, mtu: 9000, ...large }, rate),
      to: highest(
        find({ ...large, runtime: "bun", wire: "veth" }).map(rate),
      ),
      target: { least: 1.2 },
      limit: one({ ...handover, ...large }, rate),
    },
    {
      name: "memif, 64 B, window 32: requests of Deno, of Bun",
      of: one({ ...deno, ...many }, rate),
      to: one({ ...bun, ...many }, rate),
      target: { least: 0.8 },
    },
    {
      name: "af_packet, 64 B, window 32: requests, of Bun's TCP as it comes",
      of: one({ ...packet, runtime: "bun", mtu: 1500, ...many }, rate),
      to: one({ ...tcp, mtu: 1500, ...many }, rate),
      target: { least: 1 },
    },
    {
      name: "af_packet, 32 kB, window 1, MTU 9000: p50, of Bun's TCP",
      of: one(
        { ...packet, runtime: "bun", mtu: 9000, size: 32768, window: 1 },
        p50,
      ),
      to: one({ ...tcp, mtu: 9000, size: 32768, window: 1 }, p50),
      target: { most: 1 },
    },
    ...(["bun", "deno"] as const).map((runtime) => ({
      name: `memif, 64 B, window 32: CPU in ${runtime}, of its TCP`,
      of: one({ ...memif, runtime, ...many }, cpu),
      to: one({ ...tcp, runtime, mtu: 1500, ...many }, cpu),
      target: { most: 1 },
      limit: one({ ...handover, ...many }, cpu),
    })),
  ];
}
