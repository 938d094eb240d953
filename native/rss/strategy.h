/* SPDX-License-Identifier: MIT */
/*
 * Ways to look for a pair of ports for each direction, to be compared by
 * rss_simulate: that of rss/plan.h, and two that it is measured against. These
 * remember nothing, and send one SYN at a time, which takes the fewest packets.
 */
#ifndef RSS_STRATEGY_H
#define RSS_STRATEGY_H

#include "rss/simulation.h"

enum strategy_name {
	/* Pairs drawn at random, as published systems do. */
	STRATEGY_SPRAY,
	/* A pair, then the same with one bit of the ports flipped at a time:
	 * what n bits do to the queue foretells 2^n pairs. */
	STRATEGY_FLIPS,
	STRATEGY_LEARN,
	STRATEGIES,
};

/* One direction of STRATEGY_SPRAY or STRATEGY_FLIPS. */
struct simple_way {
	uint32_t pair;	/* of the last probe; the one that hit */
	uint32_t flips; /* in that pair */
	uint32_t origin_pair, origin_queue;
	uint32_t flips_left;		/* bits that were not flipped yet */
	uint32_t reach[RSS_QUEUES_MAX]; /* flips by the queue they lead to */
	uint64_t reached;		/* queues */
	uint32_t wanted;		/* RSS_ANY: not told yet */
	bool begun, hit, wrong;		/* wrong: not foretold as it came */
};

struct strategy {
	enum strategy_name name;
	struct rss_plan plan; /* of STRATEGY_LEARN */
	struct simple_way ways[RSS_WAYS];
	uint32_t queues, probes;
};

void strategy_begin(struct strategy *strategy, enum strategy_name name,
	uint32_t queues, uint32_t wanted_in);

/** The next SYNs. @return how many, 0: done */
uint32_t strategy_next(struct strategy *strategy, struct sim_host *client,
	uint32_t address, uint64_t *random,
	struct rss_probe probes[RSS_BURST_MAX]);

/** One was answered. @return whether no others need be waited for */
bool strategy_answered(struct strategy *strategy, struct sim_host *client,
	uint32_t address, struct rss_probe *probe,
	const uint32_t queues[RSS_WAYS], uint32_t wanted_out);

/** The pairs to open the connection on. */
void strategy_pairs(const struct strategy *strategy, uint32_t pairs[RSS_WAYS]);

/** It was, and they came in on these queues. @return whether to go on */
bool strategy_opened(struct strategy *strategy, struct sim_host *client,
	uint32_t address, const uint32_t queues[RSS_WAYS]);

#endif
