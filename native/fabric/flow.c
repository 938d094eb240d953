/* SPDX-License-Identifier: MIT */
#include "fabric/flow.h"

#include <assert.h>
#include <netinet/in.h>
#include <string.h>

#include "base/bytes.h"
#include "wire/ethernet.h"
#include "wire/packet.h"

#define ETHERTYPE_OFFSET 12u
#define ETHERTYPE_IPV4 0x0800u
#define FRAGMENT_OFFSET 6u
/* More fragments, or not the first one. */
#define FRAGMENT_BITS 0x3fffu
#define PROTOCOL_OFFSET 9u
#define ADDRESSES_OFFSET 12u
#define PORTS_BYTES 4u

static_assert(sizeof(struct flow) == 16, "compared as bytes");

bool
flow_parse(struct flow *flow, const uint8_t *frame, uint32_t length)
{
	const uint8_t *ip = frame + ETHERNET_BYTES;
	uint32_t header_bytes;

	if (length < ETHERNET_BYTES + IPV4_BYTES ||
		load_be16(frame + ETHERTYPE_OFFSET) != ETHERTYPE_IPV4)
		return false;
	length -= ETHERNET_BYTES;
	header_bytes = (ip[0] & 0xfu) * 4;
	if (ip[0] >> 4 != 4 || header_bytes < IPV4_BYTES)
		return false;
	memset(flow, 0, sizeof(*flow));
	flow->protocol = ip[PROTOCOL_OFFSET];
	memcpy(flow->tuple, ip + ADDRESSES_OFFSET, FLOW_ADDRESSES_BYTES);
	flow->has_ports =
		(flow->protocol == IPPROTO_UDP ||
			flow->protocol == IPPROTO_TCP) &&
		(load_be16(ip + FRAGMENT_OFFSET) & FRAGMENT_BITS) == 0 &&
		header_bytes + PORTS_BYTES <= length;
	if (flow->has_ports)
		memcpy(flow->tuple + FLOW_ADDRESSES_BYTES, ip + header_bytes,
			PORTS_BYTES);
	return true;
}

bool
flow_is_udp(const struct flow *flow)
{
	return flow->protocol == IPPROTO_UDP;
}

bool
frame_is_syn(const uint8_t *frame, uint32_t length)
{
	struct flow flow;

	/* Nobody of us sends options. */
	return length >= UDP_PAYLOAD_OFFSET + WIRE_HEADER_BYTES &&
	       flow_parse(&flow, frame, length) && flow.has_ports &&
	       flow_is_udp(&flow) &&
	       (frame[ETHERNET_BYTES] & 0xf) * 4 == IPV4_BYTES &&
	       frame[UDP_PAYLOAD_OFFSET] == WIRE_VERSION &&
	       frame[UDP_PAYLOAD_OFFSET + 1] == WIRE_SYN;
}

struct flow
flow_reverse(const struct flow *flow)
{
	struct flow reverse = *flow;

	memcpy(reverse.tuple, flow->tuple + 4, 4);
	memcpy(reverse.tuple + 4, flow->tuple, 4);
	memcpy(reverse.tuple + 8, flow->tuple + 10, 2);
	memcpy(reverse.tuple + 10, flow->tuple + 8, 2);
	return reverse;
}
