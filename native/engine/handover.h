/* SPDX-License-Identifier: MIT */
/*
 * What came in at one engine of a sidecar and is meant for another, or for all
 * of them: out by the exchange, and in from it. A sidecar of one engine has no
 * exchange, and nothing to hand over.
 */
#ifndef ENGINE_HANDOVER_H
#define ENGINE_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/network.h"

/**
 * Is a UDP payload for another engine? Then that one gets it, if it has room,
 * and the mbuf is not the caller's any more. What is for all is for this one,
 * too.
 * @return false: it is for this engine
 */
bool handover_packet(struct network *network, struct rte_mbuf *mbuf,
	const struct transport_path *path, const struct frame *frame);

/** Tell the others what ARP told, what ICMP told, what a queue is for. */
void handover_neighbor(
	struct network *network, const struct parcel_neighbor *neighbor);
void handover_unreachable(
	struct network *network, const struct parcel_unreachable *unreachable);
void handover_observation(
	struct network *network, const struct rss_observation *observation);

/** Let the others look at their queues often for a while: the answer to what
 * was sent may come in at any of them. */
void handover_attention(struct network *network);

/** Let the others see what is for them. */
void handover_flush(struct network *network);

/** Do what the others handed over. @return parcels */
uint32_t handover_receive(struct network *network, uint64_t now_ns);

/** Give back what nobody took. When none of the engines runs any more. */
void handover_end(struct network *network);

#endif
