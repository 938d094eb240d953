/* SPDX-License-Identifier: MIT */
/*
 * Pairs of UDP ports, and the range that they are taken from. A pair is one
 * word, in the order in which a NIC hashes it: the sender's port in the upper
 * half, the receiver's in the lower.
 */
#ifndef RSS_PORTS_H
#define RSS_PORTS_H

#include <stdbool.h>
#include <stdint.h>

/* A power of two of ports, aligned to their number. */
struct rss_ports {
	uint16_t first;
	uint16_t last;
};

static inline uint32_t
rss_pair(uint16_t sender, uint16_t receiver)
{
	return (uint32_t)sender << 16 | receiver;
}

static inline uint16_t
rss_pair_sender(uint32_t pair)
{
	return (uint16_t)(pair >> 16);
}

static inline uint16_t
rss_pair_receiver(uint32_t pair)
{
	return (uint16_t)pair;
}

/** The pair of the other direction. */
static inline uint32_t
rss_pair_swap(uint32_t pair)
{
	return pair << 16 | pair >> 16;
}

static inline bool
rss_ports_valid(struct rss_ports ports)
{
	uint32_t count = ports.last - ports.first + 1u;

	return ports.first != 0 && ports.first <= ports.last &&
	       (count & (count - 1)) == 0 && ports.first % count == 0;
}

/** The bits in which pairs of the range differ from one another. */
static inline uint32_t
rss_ports_mask(struct rss_ports ports)
{
	uint16_t mask = ports.first ^ ports.last;

	return rss_pair(mask, mask);
}

static inline bool
rss_ports_hold(struct rss_ports ports, uint32_t pair)
{
	return ((pair ^ rss_pair(ports.first, ports.first)) &
		       ~rss_ports_mask(ports)) == 0;
}

#endif
