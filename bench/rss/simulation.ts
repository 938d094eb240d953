/** Runs of rss_simulate, which says what connections cost: see its source. */
import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "../processes.ts";

const PROGRAM = resolve(ROOT, "native/build/rss/rss_simulate");

/** How pairs of ports are found: by learning, as `native/rss` does, and what it
 * is compared with. */
export type Strategy = "learn" | "flips" | "spray";
/** How the vNICs choose queues. */
export type Hash = "toeplitz" | "table" | "nonlinear" | "no-ports" | "crc";

/** One setting to simulate. */
export interface Setting {
  readonly strategy: Strategy;
  readonly hash: Hash;
  /** Engines of each host, each of which has a queue. */
  readonly queues: number;
  /** Hosts that connect to the same servers. */
  readonly peers: number;
  /** Connections of each of them to the first server, after the first one. */
  readonly later: number;
}

/** Of many connections. */
export interface Distribution {
  readonly mean: number;
  readonly p50: number;
  readonly p95: number;
  readonly max: number;
}

/** What connections cost that set out from the same knowledge. */
export interface Cost {
  readonly connections: number;
  /** Opened on an engine that is not the wanted one. */
  readonly off: number;
  /** And never came to be on it. */
  readonly lost: number;
  /** SYNs and answers; in each case a CONFIRM and an ACCEPT follow. */
  readonly packets: Distribution;
  /** Round trips until it was known on which pairs to open. */
  readonly rounds: Distribution;
}

/** What rss_simulate prints. */
export interface Outcome extends Omit<Setting, "later"> {
  /** Between two NICs of which the client knows nothing. */
  readonly first: Cost;
  /** The next ones between the same hosts, if there were any. */
  readonly later: Cost | null;
  /** The first to another server. */
  readonly second: Cost;
}

/** Simulate settings, one after the other; the same figures each time. */
export async function simulate(
  settings: readonly Setting[],
  connections: number,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const setting of settings) {
    const parameters = Object.entries({ ...setting, connections })
      .flatMap(([name, value]) => [`--${name}`, `${value}`]);
    const { stdout } = await promisify(execFile)(PROGRAM, parameters);
    outcomes.push(JSON.parse(stdout));
  }
  return outcomes;
}
