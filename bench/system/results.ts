/** From runs to what is quoted, and to the file that keeps it. */
import type { Load } from "../measure.ts";
import { median } from "../statistics.ts";
import type { Contender, Run } from "./contender.ts";
import { moved, type Speed } from "./speed.ts";

/** A run, one of each start, and the machine before and after it. */
export interface Trial {
  /** In which all started. */
  readonly round: number;
  readonly run: Run;
  readonly before: Speed;
  readonly after: Speed;
}

/** What was tried of a contender at a load, once in each round where it could. */
export interface Cell {
  readonly contender: Contender;
  readonly load: Load;
  readonly trials: readonly Trial[];
}

/** More than that is a program that should not run now. */
const OTHERS_SHARE_MAX = 0.1;

function isDisturbed({ run, before, after }: Trial): boolean {
  return run.othersShare > OTHERS_SHARE_MAX || moved(before, after);
}

/** What bench/results/latest.json is an array of. */
export interface BestResult extends Omit<Contender, "mode"> {
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
}

/** What was measured of a contender at a size and a window. */
export interface Result extends BestResult, Contender {
  /** How often a thread at either end, or of a sidecar, left its processor. */
  readonly switchesPerRequest: number;
  /** Starts that the medians are of. */
  readonly starts: number;
  /** Starts when the machine changed its speed meanwhile, or worked for others. */
  readonly disturbedStarts: number;
  /** How many times as good the best of those starts was as the worst. */
  readonly spread: number;
  /** Medians before and after the runs. */
  readonly machine: Speed;
}

function rounded(value: number, digits: number): number {
  return Number(value.toPrecision(digits));
}

/**
 * What makes one of two the better: one request at a time the median latency,
 * of several how many are made in a second.
 */
function quality(window: number, p50: number, rate: number): number {
  return window === 1 ? 1 / p50 : rate;
}

/**
 * The medians of trials, one of each start: who shares a core with whom, and
 * what the JIT made of it, lasts as long as a start, and counts for more than
 * what differs within one. Of the undisturbed trials, if there are any.
 */
export function summarize({ contender, load, trials }: Cell): Result {
  const { size, window } = load;
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
  const rate = ({ count, seconds }: Run): number => count / seconds;
  const qualities = used.map(({ run }) => quality(window, run.p50, rate(run)));
  return {
    ...contender,
    size,
    window,
    requestsPerSecond: of(rate, 5),
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
    starts: used.length,
    disturbedStarts: trials.length - calm.length,
    spread: rounded(Math.max(...qualities) / Math.min(...qualities), 3),
    machine: { coresNs: speed("coresNs"), yieldNs: speed("yieldNs") },
  };
}

/** The results of all cells; of a round alone, if one is given. */
export function resultsOf(cells: readonly Cell[], round?: number): Result[] {
  return cells
    .map((cell) => ({
      ...cell,
      trials: cell.trials.filter((trial) =>
        round === undefined || trial.round === round
      ),
    }))
    .filter(({ trials }) => trials.length > 0)
    .map(summarize);
}

/**
 * Each contender that sends something, in the mode in which it is at its best.
 * That holds for all alike: machnet, be it a script or C, with sidecars or
 * inline, others as they come, on one core or busy.
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
  const of = ({ window, latencyUs, requestsPerSecond }: Result): number =>
    quality(window, latencyUs.p50, requestsPerSecond);
  return of(one) > of(other);
}

/** A contender as tables name it: `machnet bun memif`, `tcp bun busy`. */
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
