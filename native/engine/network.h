/* SPDX-License-Identifier: MIT */
/*
 * Between the transport's UDP payloads and the port's frames: ARP both ways,
 * ICMP echo, routing by prefix and gateway, bursts.
 */
#ifndef ENGINE_NETWORK_H
#define ENGINE_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/engine.h"
#include "engine/exchange.h"
#include "engine/neighbors.h"
#include "port/port.h"
#include "transport/transport.h"

#define NETWORK_BURST 64u

struct network {
	const struct engine_options *options; /* borrowed */
	struct engine_counters *counters;     /* borrowed */
	struct transport *transport;	      /* borrowed */
	uint64_t now_ns;		      /* of this turn */
	uint64_t moved_ns; /* when frames last came or went */
	uint32_t payload_bytes_max;
	struct rte_mbuf *begun; /* between packet_begin and packet_send */
	struct rte_mbuf *out[NETWORK_BURST];
	uint16_t out_length;
	uint32_t waiting; /* frames in the RX queue, estimated */
	uint32_t pending; /* packets that wait for neighbors */
	bool stuck; /* in this turn the device took less than it was given */
	struct neighbors neighbors;
};

void network_init(struct network *network, const struct engine_options *options,
	struct engine_counters *counters, struct transport *transport);

/** Give back what still waits here. */
void network_end(struct network *network);

/** Take a burst in. @return frames */
uint32_t network_receive(struct network *network, uint64_t now_ns);

/** Ask neighbors again, or give them up. */
void network_timers(struct network *network, uint64_t now_ns);

/** Hand to the port what was collected. */
void network_flush(struct network *network);

/** Tell the link who we are, unasked. */
void network_announce(struct network *network);

/** ARP told this. */
void network_neighbor(
	struct network *network, const struct parcel_neighbor *told);

/** ICMP told this. */
void network_unreachable(
	struct network *network, const struct parcel_unreachable *told);

/* For struct transport_ops. */
uint8_t *network_packet_begin(struct network *network);
/** @param left, context: as port_mbuf_refer has it. Not called on failure */
bool network_packet_attach(struct network *network, const uint8_t *bytes,
	uint32_t length, rte_mbuf_extbuf_free_callback_t left, void *context);
void network_packet_send(struct network *network,
	const struct transport_path *path, uint32_t length);

#endif
