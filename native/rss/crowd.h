/* SPDX-License-Identifier: MIT */
/*
 * Many hosts, in simulated time: they connect to a server, from an engine of
 * theirs to an engine of its, and some times more, and at last to another
 * server. What packets teach is known when they arrive, not before, and to all
 * engines of the host.
 */
#ifndef RSS_CROWD_H
#define RSS_CROWD_H

#include "rss/strategy.h"

struct crowd_options {
	enum strategy_name strategy;
	enum sim_hash hash;
	uint32_t queues; /* of each host */
	uint32_t peers;	 /* that the two servers meet */
	uint32_t later;	 /* connections of each to the first, but for one */
};

/* Connections, by what was known before. */
enum crowd_kind {
	CROWD_FIRST,  /* of two NICs; the server may have met other clients */
	CROWD_LATER,  /* between the same hosts */
	CROWD_SECOND, /* first to another server, from a NIC that is known */
	CROWD_KINDS,
};

/* What connections cost, one number of each. */
struct crowd_cost {
	uint32_t *packets; /* SYNs and answers */
	uint32_t *rounds;  /* of them, until it was opened */
	uint32_t length;
	uint32_t off;  /* that were opened off their engines */
	uint32_t lost; /* that never came to be on them */
};

/**
 * Simulate until all have connected. Some 100 us for each connection.
 * @param costs by kind, with room for peers, peers x later, and peers more
 */
void crowd_simulate(const struct crowd_options *options, uint64_t *random,
	struct crowd_cost costs[CROWD_KINDS]);

#endif
