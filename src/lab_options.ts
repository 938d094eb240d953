/**
 * What labs can be told.
 *
 * @module
 */
import { z } from "zod";
import { peerTimeoutMs, signal } from "./options.ts";

/**
 * How a vNIC chooses the RX queue of a packet: by Toeplitz over addresses and
 * ports, as most do; the same without UDP ports; or by SipHash, which is not
 * linear and so cannot be learnt, only tried.
 *
 * @example
 * ```ts
 * import { Lab, type LabHash } from "machnet";
 *
 * const hash: LabHash = "siphash";
 * await using lab = await Lab.start({ hosts: 2, queues: 4, hash });
 * await lab.setHash(0, "toeplitz");
 * ```
 */
export type LabHash = "toeplitz" | "no-udp-ports" | "siphash";

/**
 * Options of {@linkcode Lab.start}.
 *
 * @example
 * ```ts
 * import { Lab, type LabOptions } from "machnet";
 *
 * const options: LabOptions = { hosts: 2, latencyUs: 20, loss: 0.01, seed: 7 };
 * await using lab = await Lab.start(options);
 * console.log(lab.mtu);
 * ```
 */
export interface LabOptions {
  /** How many hosts: 1 to 32. */
  readonly hosts: number;
  /**
   * What joins them: `fabric`, the default, is a switch that can misbehave;
   * `direct` is a wire between exactly two hosts.
   */
  readonly wire?: "fabric" | "direct" | undefined;
  /**
   * What the network is like, as far as other options do not say: `lcd`, the
   * default, is the least that clouds have in common, `azure`, `ec2` and `gcp`
   * are modelled on them, `ideal` is in nobody's way. The figures are in
   * `native/fabric/profiles.h`.
   */
  readonly profile?: "lcd" | "azure" | "ec2" | "gcp" | "ideal" | undefined;
  /**
   * RX queues of every host's vNIC, or of each, 1 to 64: packets are spread
   * over them by a hash with a secret key of the host. 1 by default.
   */
  readonly queues?: number | readonly number[] | undefined;
  /** How vNICs choose queues; `toeplitz` by default. */
  readonly hash?: LabHash | undefined;
  /**
   * Which queues the 128 values of the hash have: in turn, as drivers set it,
   * or at random.
   */
  readonly table?: "round-robin" | "shuffled" | undefined;
  /** Whether the first packet of a flow arrives on another queue. */
  readonly syntheticFirst?: boolean | undefined;
  /** Indices of hosts that only answers come in to; none by default. */
  readonly firewall?: readonly number[] | undefined;
  /**
   * Where the fabric's chance begins; the same seed, the same misfortune and
   * the same keys.
   */
  readonly seed?: number | undefined;
  /** Share of packets that the fabric loses, 0 to 1. */
  readonly loss?: number | undefined;
  /** Share of packets that it delivers twice. */
  readonly duplicate?: number | undefined;
  /** Share of packets that it delivers late. */
  readonly reorder?: number | undefined;
  /** Share of packets in which it changes a bit. */
  readonly corrupt?: number | undefined;
  /** Microseconds that a packet takes. */
  readonly latencyUs?: number | undefined;
  /** Megabits per second that a host can send or receive; 0: no limit. */
  readonly bandwidthMbps?: number | undefined;
  /** Packets per second that a host can send or receive; 0: no limit. */
  readonly packetsPerSecond?: number | undefined;
  /** Packets that an RX queue holds, 256 or more; 256 by default. */
  readonly depth?: number | undefined;
  /**
   * Packets that find more than so many others waiting are marked as having
   * met congestion (ECN); none by default. Those in the first 256 places of an
   * RX queue do not count.
   */
  readonly ecnThreshold?: number | undefined;
  /** Bytes in an IP packet, 1280 to 9216; 1500 by default. */
  readonly mtu?: number | undefined;
  /**
   * Milliseconds of silence after which a host is lost to another, and
   * connections between them end with `CONNECTION_LOST`: 100 to 60 000, by
   * default 3000.
   */
  readonly peerTimeoutMs?: number | undefined;
  /** Stops starting. */
  readonly signal?: AbortSignal | undefined;
}

// Options that only a fabric can obey, and the names of its parameters.
const FABRIC_PARAMETERS = {
  profile: "--profile",
  queues: "--queues",
  hash: "--hash",
  table: "--table",
  syntheticFirst: "--synthetic-first",
  firewall: "--firewall",
  seed: "--seed",
  loss: "--loss",
  duplicate: "--duplicate",
  reorder: "--reorder",
  corrupt: "--corrupt",
  latencyUs: "--latency-us",
  bandwidthMbps: "--bandwidth-mbps",
  packetsPerSecond: "--packets-per-second",
  depth: "--depth",
  ecnThreshold: "--ecn-threshold",
} as const;

const FABRIC_OPTIONS = Object.keys(
  FABRIC_PARAMETERS,
) as readonly (keyof typeof FABRIC_PARAMETERS)[];

/** What machnet-fabric is started with, for options that were checked. */
export function fabricParameters(options: LabOptions): string[] {
  const parameters = ["--hosts", `${options.hosts}`];
  if (options.mtu !== undefined) parameters.push("--mtu", `${options.mtu}`);
  for (const name of FABRIC_OPTIONS) {
    const value = options[name];
    if (value === undefined) continue;
    if (Array.isArray(value) && value.length === 0) continue;
    const text = typeof value === "boolean" ? value ? "yes" : "no" : `${value}`; // of an array: with commas
    parameters.push(FABRIC_PARAMETERS[name], text);
  }
  return parameters;
}

const share = z.number().min(0).max(1).optional();
const queues = z.int().min(1).max(64);
const hash = z.enum(["toeplitz", "no-udp-ports", "siphash"]);

/** The schema of {@linkcode LabOptions}. */
export const labOptions: z.ZodType<LabOptions> = z.strictObject({
  hosts: z.int().min(1).max(32),
  wire: z.enum(["fabric", "direct"]).optional(),
  profile: z.enum(["lcd", "azure", "ec2", "gcp", "ideal"]).optional(),
  queues: z.union([queues, z.array(queues).readonly()]).optional(),
  hash: hash.optional(),
  table: z.enum(["round-robin", "shuffled"]).optional(),
  syntheticFirst: z.boolean().optional(),
  firewall: z.array(z.int().min(0)).readonly().optional(),
  seed: z.int().min(0).optional(),
  loss: share,
  duplicate: share,
  reorder: share,
  corrupt: share,
  latencyUs: z.number().min(0).max(10_000_000).optional(),
  bandwidthMbps: z.number().min(0).max(1_000_000).optional(),
  packetsPerSecond: z.int().min(0).max(1_000_000_000).optional(),
  depth: z.int().min(256).max(16384).optional(),
  ecnThreshold: z.int().min(1).max(16384).optional(),
  mtu: z.int().min(1280).max(9216).optional(),
  peerTimeoutMs,
  signal,
}).superRefine((options, context) => {
  const issue = (name: keyof LabOptions, message: string): void =>
    context.addIssue({ code: "custom", path: [name], message });
  const { hosts, queues, firewall = [] } = options;
  if (Array.isArray(queues) && queues.length !== hosts) {
    issue("queues", `There are ${queues.length} numbers for ${hosts} hosts`);
  }
  if (firewall.some((host) => host >= hosts)) {
    issue("firewall", `The last host is ${hosts - 1}`);
  }
  if (options.wire !== "direct") return;
  if (hosts !== 2) issue("hosts", "A direct wire joins 2 hosts");
  for (const name of FABRIC_OPTIONS) {
    if (options[name] === undefined) continue;
    issue(name, "A direct wire has no fabric to do this");
  }
});

/** What a command to a fabric may carry. */
export interface LabOrder {
  readonly host?: number | undefined;
  readonly ms?: number | undefined;
  readonly hash?: LabHash | undefined;
  readonly firewall?: "on" | "off" | undefined;
}

/** The schema of an order to one of so many hosts. */
export function orderOptions(hosts: number): z.ZodType<LabOrder> {
  return z.strictObject({
    host: z.int().min(0).max(hosts - 1).optional(),
    ms: z.int().min(0).max(3_600_000).optional(),
    hash: hash.optional(),
    firewall: z.enum(["on", "off"]).optional(),
  });
}
