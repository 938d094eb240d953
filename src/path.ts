/**
 * The ways that packets of connections take.
 *
 * @module
 */
import { PathMethod as Methods, STRUCTS } from "../ffi/structs.ts";

/**
 * How the UDP ports of a connection were chosen, so that its packets come in on
 * the queues of the two engines that serve it:
 *
 * - `"single"`: there is one queue;
 * - `"computed"`: from the keys of both NICs, which their drivers told;
 * - `"predicted"`: by what was learned of how the NIC chooses queues;
 * - `"remembered"`: they were seen to come in on them before;
 * - `"sprayed"`: of those that were tried, they came in on them;
 * - `"handover"`: none were found in time. Other engines hand its packets over,
 *   which is slower, while the search goes on.
 *
 * @example
 * ```ts
 * import type { PathMethod } from "machnet";
 *
 * const slow: PathMethod = "handover";
 * console.log(slow);
 * ```
 */
export type PathMethod =
  | "single"
  | "computed"
  | "predicted"
  | "remembered"
  | "sprayed"
  | "handover";

/**
 * The UDP ports of one direction.
 *
 * @example
 * ```ts
 * import type { PathPorts } from "machnet";
 *
 * const ports: PathPorts = { from: 31580, to: 31581 };
 * console.log(`udp.srcport == ${ports.from} && udp.dstport == ${ports.to}`);
 * ```
 */
export interface PathPorts {
  /** The sender's. */
  readonly from: number;
  /** The receiver's. */
  readonly to: number;
}

/**
 * The way that the packets of a connection take, between which engines, and what
 * it took to find it.
 *
 * @example
 * ```ts
 * import type { Connection } from "machnet";
 *
 * export function describe({ path }: Connection): string {
 *   return `engine ${path.local} to ${path.remote}, ${path.method} ` +
 *     `after ${path.probes} packets in ${path.rounds} rounds`;
 * }
 * ```
 */
export interface ConnectionPath {
  /** The engine that serves the connection here. */
  readonly local: number;
  /** The engine that serves it on the peer's host. */
  readonly remote: number;
  /** Ports of what is sent to the peer. */
  readonly outgoing: PathPorts;
  /** Ports of what comes from the peer. */
  readonly incoming: PathPorts;
  /** How both were found when the connection was opened: for the direction that
   * was harder. */
  readonly method: PathMethod;
  /** Packets that asked for queues before it was open, and their answers. */
  readonly probes: number;
  /** Bursts of them that were waited for. */
  readonly rounds: number;
  /** Microseconds from the connect until it was open; on the side that accepted
   * it, until the other one asked for it. */
  readonly setupUs: number;
  /** Moves of either direction to ports that come in on the right queue, since
   * it was opened: none if they did from the start, and went on to. */
  readonly moves: number;
}

const METHODS = Object.keys(
  Methods satisfies Record<PathMethod, number>,
) as PathMethod[];

/** Read a `struct machnet_path`. */
export function readPath(bytes: Uint8Array, offset: number): ConnectionPath {
  const at = STRUCTS.machnet_path.fields;
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset);
  return {
    local: view.getUint8(at.local_engine),
    remote: view.getUint8(at.remote_engine),
    outgoing: {
      from: view.getUint16(at.out_from, true),
      to: view.getUint16(at.out_to, true),
    },
    incoming: {
      from: view.getUint16(at.in_from, true),
      to: view.getUint16(at.in_to, true),
    },
    method: METHODS[view.getUint8(at.method)]!,
    probes: view.getUint16(at.probes, true),
    rounds: view.getUint8(at.rounds),
    setupUs: view.getUint32(at.setup_us, true),
    moves: view.getUint32(at.moves, true),
  };
}
