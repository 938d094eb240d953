/**
 * What the fabric of a lab is asked for.
 *
 * @module
 */
import { connect } from "node:net";
import { MachnetError } from "../ffi/error.ts";
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
 * Ask a fabric to do something.
 *
 * @param command A line of native/fabric/commands.h.
 * @param attempt What errors begin with: `Cannot read counters`.
 * @returns Its answer.
 * @throws {MachnetError} INVALID_ARGUMENT if it refuses, TIMED_OUT if it does
 * not answer, SYSTEM_ERROR if it has ended.
 */
export function fabricCommand(
  socket: string,
  command: string,
  attempt: string,
): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const stream = connect({ path: socket }, () => stream.write(`${command}\n`));
  let answer = "";
  stream.setEncoding("utf8");
  stream.setTimeout(TIMEOUT_MS, () => {
    reject(
      new MachnetError(
        "TIMED_OUT",
        `${attempt}: the fabric does not answer in ${TIMEOUT_MS} ms`,
      ),
    );
    stream.destroy();
  });
  stream.on("data", (piece: string) => answer += piece);
  stream.on("end", () => {
    stream.destroy();
    const why = answer.match(/^error: (.*)/)?.[1];
    if (why !== undefined) {
      reject(new MachnetError("INVALID_ARGUMENT", `${attempt}: ${why}`));
    } else if (answer.endsWith("\n")) {
      resolve(answer);
    } else {
      reject(new MachnetError("SYSTEM_ERROR", `${attempt}: the fabric ended`));
    }
  });
  stream.on("error", (cause) => {
    const why = `${attempt}: the fabric cannot be reached, ${cause.message}`;
    reject(new MachnetError("SYSTEM_ERROR", why, { cause }));
  });
  return promise;
}
