/** From runs to what is quoted, and to the file that keeps it. */
import type { Load } from "../measure.ts";
import { median } from "../load.ts";
import type { Contender, Run } from "./contender.ts";
import { moved, type Speed } from "./speed.ts";

/** A run, and the machine before and after it. */
export interface Trial {
  readonly run: Run;
  readonly before: Speed;
  readonly after: Speed;
}

/** More than that is a program that should not run now. */
const OTHERS_SHARE_MAX = 0.1;

function isDisturbed({ run, before, after }: Trial): boolean {
  return run.othersShare > OTHERS_SHARE_MAX || moved(before, after);
}

/** What was measured of a contender at a size and a window. */
export interface Result extends Contender {
  /** Bytes in a request and in its reply. */
  readonly size: number;
  readonly window: number;
  readonly requestsPerSecond: number;
  readonly latencyUs: {
    readonly p50: number;
    readonly p90: number;
    readonly p99: number;
    readonly p999: number;
    readonly max: number;
  };
  /** Of both ends, and of the sidecars where there are some. */
  readonly cpuSecondsPer100k: number;
  /** As the sidecars or the interface count them: TCP's may be larger than MTU. */
  readonly packetsPerRequest: number;
  /** How often a thread at either end, or of a sidecar, left its processor. */
  readonly switchesPerRequest: number;
  /** Runs that the medians are of. */
  readonly runs: number;
  /** Runs during which the machine changed its speed, or worked for others. */
  readonly disturbedRuns: number;
  /** Medians before and after the runs. */
  readonly machine: Speed;
}

function rounded(value: number, digits: number): number {
  return Number(value.toPrecision(digits));
}

/** The medians of trials: the undisturbed ones, if there are any. */
export function summarize(
  contender: Contender,
  { size, window }: Load,
  trials: readonly Trial[],
): Result {
  const calm = trials.filter((trial) => !isDisturbed(trial));
  const used = calm.length > 0 ? calm : trials;
  const of = (value: (run: Run) => number, digits: number): number =>
    rounded(median(used.map(({ run }) => value(run))), digits);
  const us = (name: "p50" | "p90" | "p99" | "p999" | "max"): number =>
    of((run) => run[name] / 1000, 4);
  const speed = (name: keyof Speed): number =>
    Math.round(median(used.flatMap((each) => [
      each.before[name],
      each.after[name],
    ])));
  return {
    ...contender,
    size,
    window,
    requestsPerSecond: of(({ count, seconds }) => count / seconds, 5),
    latencyUs: {
      p50: us("p50"),
      p90: us("p90"),
      p99: us("p99"),
      p999: us("p999"),
      max: us("max"),
    },
    cpuSecondsPer100k: of((run) => run.cpuSecondsPer100k, 3),
    packetsPerRequest: of((run) => run.packetsPerRequest, 3),
    switchesPerRequest: of((run) => run.switchesPerRequest, 3),
    runs: used.length,
    disturbedRuns: trials.length - calm.length,
    machine: { coresNs: speed("coresNs"), yieldNs: speed("yieldNs") },
  };
}

/** What bench/results/latest.json is an array of. */
export type BestResult = Omit<
  Result,
  "mode" | "switchesPerRequest" | "runs" | "disturbedRuns" | "machine"
>;

/**
 * Each contender that sends something, in the mode in which it is at its best: one request at a time
 * the quickest at the median, of several the one with most of them per second.
 */
export function bestResults(results: readonly Result[]): BestResult[] {
  const groups = Map.groupBy(
    results.filter(({ transport }) => transport !== "handover"),
    ({ transport, wire, mtu, runtime, size, window }) =>
      [transport, wire, mtu, runtime, size, window].join(" "),
  );
  return [...groups.values()].map((group) => {
    const best = group.reduce((best, other) =>
      isBetter(other, best) ? other : best
    );
    return {
      transport: best.transport,
      wire: best.wire,
      mtu: best.mtu,
      runtime: best.runtime,
      size: best.size,
      window: best.window,
      requestsPerSecond: best.requestsPerSecond,
      latencyUs: best.latencyUs,
      cpuSecondsPer100k: best.cpuSecondsPer100k,
      packetsPerRequest: best.packetsPerRequest,
    };
  });
}

function isBetter(one: Result, other: Result): boolean {
  return one.window === 1
    ? one.latencyUs.p50 < other.latencyUs.p50
    : one.requestsPerSecond > other.requestsPerSecond;
}

/** Its contender in words: `machnet Bun memif`, `tcp Bun busy`. */
export function contenderName(contender: Contender): string {
  const { transport, runtime, wire, mtu, mode } = contender;
  const name = transport === "handover" || transport === "machnet-c" ||
      runtime === "node"
    ? transport
    : `${transport} ${runtime}`;
  return [
    name,
    ...wire === "veth" || wire === "shm" ? [] : [wire],
    ...mtu === 1500 ? [] : [`MTU ${mtu}`],
    ...mode === "sidecars" || mode === "as-is" ? [] : [mode],
  ].join(" ");
}
