/* SPDX-License-Identifier: MIT */
/*
 * How many packets a connection may have in flight, as far as the network and
 * the peer's host are concerned: Swift (Kumar et al., SIGCOMM 2020) with its
 * two windows, one for the delay of the fabric, one for the occupancy of the
 * receiver as in Falcon (OCP NET Falcon 0.9, 10.3). A window below 1 means
 * pacing: one packet each round-trip time / window.
 *
 * Delay counts when it stands: when every packet of two round trips was late.
 * A queue in the network does that; a host whose core was taken away for a
 * while, as on any small VM, delays a few packets, and has nobody to slow down.
 *
 * Behind these calls another algorithm can stand; nothing else looks inside.
 */
#ifndef TRANSPORT_CONGESTION_H
#define TRANSPORT_CONGESTION_H

#include <stdbool.h>
#include <stdint.h>

struct congestion {
	float fabric;	      /* window, packets */
	float receiver;	      /* window, packets */
	uint32_t base_rtt_ns; /* smallest seen; 0: none yet */
	/* Smallest of this round, of the one before; UINT32_MAX: none. */
	uint32_t round_rtt_ns;
	uint32_t last_rtt_ns;
	uint16_t acked; /* packets since the round began */
	uint16_t marked;
	/* Of the last packets, up to CHANCE_PACKETS of them. */
	uint16_t counted;
	uint16_t lost;
	uint16_t window;   /* the smaller one, at least 1 */
	uint64_t round_ns; /* when it began: one change in each */
};

/* What an ACK tells. */
struct congestion_sample {
	uint64_t now_ns;
	uint64_t rtt_ns; /* without the peer's hold time; 0: unknown */
	uint64_t srtt_ns;
	uint32_t acked;	   /* packets */
	uint32_t lost;	   /* packets found lost by it */
	uint32_t marked;   /* packets that arrived with CE */
	uint8_t occupancy; /* of the receiver's queue, 255: full */
};

void congestion_init(struct congestion *congestion);

void congestion_sample(
	struct congestion *congestion, const struct congestion_sample *sample);

/** Nothing was heard for a retransmission timeout. @param times in a row */
void congestion_timeout(
	struct congestion *congestion, uint64_t now_ns, uint32_t times);

/** Packets that may be in flight; at least 1. */
static inline uint32_t
congestion_window(const struct congestion *congestion)
{
	return congestion->window;
}

/** Of congestion_pace_ns: the window is at most 1. */
uint64_t congestion_pace_small_ns(
	const struct congestion *congestion, uint64_t srtt_ns);

/** Time between two packets if the window is below 1, else 0. */
static inline uint64_t
congestion_pace_ns(const struct congestion *congestion, uint64_t srtt_ns)
{
	return congestion->window > 1
		       ? 0
		       : congestion_pace_small_ns(congestion, srtt_ns);
}

#endif
