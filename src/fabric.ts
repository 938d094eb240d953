/**
 * What the fabric of a lab is asked for.
 *
 * @module
 */
import { MachnetError } from "../ffi/error.ts";
import { library } from "../ffi/library.ts";
import { Status } from "../ffi/status.ts";
import { cString, ErrorBuffer, fromCString } from "../ffi/structs.ts";
import { parseStats } from "./stats.ts";

/**
 * Counters of one RX queue of a vNIC.
 *
 * @example
 * ```ts
 * import { Lab, type VnicQueueStats } from "machnet";
 *
 * await using lab = await Lab.start({ hosts: 2, queues: 4 });
 * const [vnic] = await lab.stats();
 * const queues: readonly VnicQueueStats[] = vnic!.queues;
 * console.log(queues.length); // 4
 * ```
 */
export interface VnicQueueStats {
  /** Packets that the host took from it. */
  readonly packets_received: number;
  /** Their bytes, with all headers. */
  readonly bytes_received: number;
  /** Packets dropped because it was full. */
  readonly drop_depth: number;
  /** Those of them that asked for connections. */
  readonly drop_depth_syn: number;
}

/**
 * What the fabric of a lab did at the vNIC of one host; of its RX queues all
 * together and each. Packets dropped on the way to a host count there.
 *
 * @example
 * ```ts
 * import { Lab } from "machnet";
 *
 * await using lab = await Lab.start({ hosts: 2, queues: 4 });
 * const [vnic] = await lab.stats();
 * for (const queue of vnic!.queues) console.log(queue.packets_received);
 * ```
 */
export interface VnicStats extends VnicQueueStats {
  /** Packets that the host sent. */
  readonly packets_sent: number;
  /** Their bytes, with all headers. */
  readonly bytes_sent: number;
  /** Packets that it sent to ask for connections. */
  readonly syns_sent: number;
  /** Packets that it sent and that went to all hosts. */
  readonly flooded: number;
  /** Packets that it sent and that are no Ethernet frames. */
  readonly drop_malformed: number;
  /** Packets that it sent and that are longer than the MTU. */
  readonly drop_mtu: number;
  /** Packets that it sent to itself. */
  readonly drop_same_port: number;
  /** Packets that it sent while too many of its own were under way. */
  readonly drop_in_flight: number;
  /** Packets that got lost on the way to it: `loss`. */
  readonly drop_loss: number;
  /** Packets to it for which `bandwidthMbps` had no room. */
  readonly drop_bandwidth: number;
  /** Packets to it for which `packetsPerSecond` had no room. */
  readonly drop_packet_rate: number;
  /** Packets to it while no sidecar was there, or either way while its cable
   * was cut. */
  readonly drop_link_down: number;
  /** Packets to it in which a bit was changed: `corrupt`. */
  readonly corrupted: number;
  /** Packets to it that were delivered twice: `duplicate`. */
  readonly duplicated: number;
  /** Packets to it that were delivered late: `reorder`. */
  readonly reordered: number;
  /** Packets to it that were marked: `ecnThreshold`. */
  readonly ecn_marked: number;
  /** Packets that its firewall kept out. */
  readonly drop_firewall: number;
  /** Packets that took the synthetic path. */
  readonly synthetic: number;
  /** Times that it got new keys. */
  readonly rekeyed: number;
  /** Its RX queues; a sidecar may use fewer. */
  readonly queues: readonly VnicQueueStats[];
}

/** All that a fabric tells. */
export interface FabricStats {
  /** Bytes in an IP packet. */
  readonly mtu: number;
  /** One per host. */
  readonly vnics: readonly VnicStats[];
}

const TIMEOUT_MS = 5000;

// Of 32 hosts with 64 queues each there is a lot to tell.
const ANSWER_BYTES_MAX = 1 << 20;

/** Ask a fabric for its counters; see native/fabric/stats.h. */
export async function fabricStats(socket: string): Promise<FabricStats> {
  const { mtu, ...counters } = parseStats(
    await fabricCommand(socket, "stats", "Cannot read counters"),
  );
  const vnics: Record<string, unknown>[] = [];
  for (const [name, value] of Object.entries(counters)) {
    const [, port, queue, counter] = /^port(\d+)_(?:queue(\d+)_)?(\w+)$/.exec(
      name,
    )!;
    const vnic = vnics[Number(port)] ??= { queues: [] };
    if (queue === undefined) {
      vnic[counter!] = value;
    } else {
      const queues = vnic["queues"] as Record<string, number>[];
      (queues[Number(queue)] ??= {})[counter!] = value;
    }
  }
  return { mtu: mtu!, vnics: vnics as unknown as VnicStats[] };
}

/**
 * Ask a fabric to do something. Keeps the thread for the fraction of a
 * millisecond that it takes a living one to answer.
 *
 * @param command A line of native/fabric/commands.h.
 * @param attempt What errors begin with: `Cannot read counters`.
 * @returns Its answer.
 * @throws {MachnetError} INVALID_ARGUMENT if it refuses, TIMED_OUT if it does
 * not answer, SYSTEM_ERROR if it has ended.
 */
export async function fabricCommand(
  socket: string,
  command: string,
  attempt: string,
): Promise<string> {
  const { calls } = await library();
  const text = new Uint8Array(ANSWER_BYTES_MAX);
  const error = new ErrorBuffer();
  const path = cString(socket);
  const line = cString(command);
  const length = calls.machnet_ask(
    path,
    line,
    text,
    text.length,
    TIMEOUT_MS,
    error.bytes,
  );
  if (length === Status.TIMED_OUT) {
    const why = `the fabric does not answer in ${TIMEOUT_MS} ms`;
    throw new MachnetError("TIMED_OUT", `${attempt}: ${why}`);
  }
  const answer = length < 0 ? "" : fromCString(text);
  const refusal = answer.match(/^error: (.*)/)?.[1];
  if (refusal !== undefined) {
    throw new MachnetError("INVALID_ARGUMENT", `${attempt}: ${refusal}`);
  }
  if (!answer.endsWith("\n")) {
    throw new MachnetError("SYSTEM_ERROR", `${attempt}: the fabric has ended`);
  }
  return answer;
}
