/* SPDX-License-Identifier: MIT */
/* What a vNIC reads of a frame: the flow that it belongs to. */
#ifndef FABRIC_FLOW_H
#define FABRIC_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#define FLOW_ADDRESSES_BYTES 8u
#define FLOW_TUPLE_BYTES 12u

struct flow {
	/* As in the packet: source address, destination address, source port,
	 * destination port; ports are 0 where there are none. */
	uint8_t tuple[FLOW_TUPLE_BYTES];
	uint8_t protocol;
	bool has_ports; /* whole TCP and UDP packets, no fragments */
	uint8_t zero[2];
};

/** @return false if the frame is no IPv4, and *flow undefined */
bool flow_parse(struct flow *flow, const uint8_t *frame, uint32_t length);

/** Whether the packet is UDP's. */
bool flow_is_udp(const struct flow *flow);

/** Whether the frame is a SYN of our own protocol (wire/packet.h). */
bool frame_is_syn(const uint8_t *frame, uint32_t length);

/** The flow of the answers. */
struct flow flow_reverse(const struct flow *flow);

#endif
