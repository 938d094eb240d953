/** Who is measured, at what. */
import type { Contender, Mode } from "./contender.ts";

/** A plan. */
export interface Plan {
  readonly contenders: readonly Contender[];
  readonly loads: readonly { readonly size: number; readonly window: number }[];
  /** Of measuring each at a time; half of it before that is warming up. */
  readonly seconds: number;
  /** Of starting all anew, and measuring each at each load. */
  readonly rounds: number;
  /** How often in a row a start is to be quiet to count as warmed up. */
  readonly quiet: number;
}

const SCRIPTS = ["bun", "deno"] as const;
const MODES: readonly Mode[] = ["as-is", "one-core", "busy"];

function machnet(
  wire: "memif" | "af_packet" | "af_xdp",
  mtu: number = 1500,
  mode: "sidecars" | "inline" = "sidecars",
): Contender[] {
  return SCRIPTS.map((runtime) => {
    return { transport: "machnet", wire, mtu, runtime, mode };
  });
}

function native(
  wire: "memif" | "af_packet",
  mtu: number = 1500,
  mode: "sidecars" | "inline" = "sidecars",
): Contender {
  return { transport: "machnet-c", wire, mtu, runtime: "c", mode };
}

function rival(
  transport: "udp" | "tcp" | "websocket" | "http" | "node-udp" | "node-tcp",
  runtime: "bun" | "deno" | "node" | "c",
  modes: readonly Mode[],
  mtu: number = 1500,
): Contender[] {
  return modes.map((mode) => ({ transport, wire: "veth", mtu, runtime, mode }));
}

const HANDOVER: Contender = {
  ...{ transport: "handover", wire: "shm", mtu: 1500 },
  ...{ runtime: "c", mode: "sidecars" },
};

/** `make bench-quick`, a minute and a half. */
export const QUICK: Plan = {
  contenders: [
    ...machnet("memif"),
    ...machnet("memif", 1500, "inline"),
    native("memif"),
    native("memif", 1500, "inline"),
    HANDOVER,
    ...machnet("af_packet"),
    ...machnet("af_packet", 1500, "inline"),
    ...rival("tcp", "bun", MODES),
    ...rival("udp", "bun", MODES),
    ...rival("tcp", "deno", ["as-is"]),
    ...rival("udp", "deno", ["as-is"]),
    ...rival("udp", "c", ["busy"]),
    ...rival("node-tcp", "node", ["as-is"]),
    ...rival("node-udp", "node", ["as-is"]),
  ],
  loads: [64, 1024].flatMap((size) => [{ size, window: 1 }, {
    size,
    window: 32,
  }]),
  seconds: 0.04,
  rounds: 3,
  quiet: 1,
};

/** `make bench`. */
export const FULL: Plan = {
  contenders: [
    ...machnet("memif"),
    ...machnet("memif", 1500, "inline"),
    native("memif"),
    native("memif", 1500, "inline"),
    HANDOVER,
    ...machnet("memif", 9000),
    native("memif", 9000),
    ...machnet("af_packet"),
    ...machnet("af_packet", 1500, "inline"),
    native("af_packet"),
    native("af_packet", 1500, "inline"),
    ...machnet("af_packet", 9000),
    ...machnet("af_packet", 9000, "inline"),
    ...machnet("af_xdp"),
    ...SCRIPTS.flatMap((runtime) => [
      ...rival("udp", runtime, MODES),
      ...rival("tcp", runtime, MODES),
      ...rival("tcp", runtime, ["as-is"], 9000),
      ...rival("websocket", runtime, MODES),
      ...rival("http", runtime, MODES),
    ]),
    ...rival("udp", "c", ["busy"]),
    ...rival("node-tcp", "node", MODES),
    ...rival("node-udp", "node", MODES),
  ],
  loads: [64, 1024, 32 * 1024].flatMap((size) =>
    [1, 8, 32].map((window) => ({ size, window }))
  ),
  seconds: 0.16,
  rounds: 5,
  quiet: 2,
};

/**
 * Whether a contender can do that: UDP where a request fits in a packet. A
 * larger one that loses a piece is lost, and nobody sends it again.
 */
export function isAble({ transport, mtu }: Contender, size: number): boolean {
  return !transport.endsWith("udp") || size < mtu - 100;
}
