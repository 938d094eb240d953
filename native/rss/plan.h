/* SPDX-License-Identifier: MIT */
/*
 * Which pairs to probe, to find one for each direction that comes in on the
 * wanted queue. A probe is a SYN on a pair of one direction, answered on a pair
 * of the other: both teach. Probes go out in small bursts, because a round trip
 * costs too:
 *
 *   - a pair that is remembered or foretold is tried alone; if all that is open
 *     is foretold by then, the connection is opened on it, and that shows where
 *     the pair comes in;
 *   - else the burst asks what teaches most, see rss/solve.h: a first pair, and
 *     others with one bit flipped;
 *   - where no theory holds, pairs are drawn at random.
 *
 * A direction that has spent too much, or whose ports do not matter, is given
 * up: its packets are handed from engine to engine.
 *
 * Where first packets stray (rss/map.h), a probe is asked a second time as soon
 * as it is answered, and only that counts. So is a burst that came in on one
 * queue altogether, to see whether they do.
 */
#ifndef RSS_PLAN_H
#define RSS_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "rss/host.h"

/* So that 64 clients at once do not overflow a queue of 256 descriptors, even
 * if all of them come in on it. */
#define RSS_BURST_MAX 4u
#define RSS_ANY 0xffu

/* From the best to the worst. */
enum rss_method {
	RSS_SINGLE,	/* there is one queue */
	RSS_COMPUTED,	/* from the key that the driver told */
	RSS_PREDICTED,	/* by a theory */
	RSS_REMEMBERED, /* as seen before */
	RSS_SPRAYED,	/* by chance */
	RSS_HANDOVER,	/* not found */
};

enum rss_way_state {
	RSS_OPEN, /* wanted, not found yet */
	RSS_HIT,
	RSS_LOST, /* given up */
};

/* In: from the peer to us. Out: from us to the peer. */
enum rss_way_name {
	RSS_IN,
	RSS_OUT,
	RSS_WAYS,
};

struct rss_way {
	uint32_t pair;	/* that hit, or may serve if the way is lost */
	uint8_t wanted; /* queue; RSS_ANY: not known yet */
	uint8_t state;
	uint8_t method; /* by which it hit */
	bool seen;	/* a packet hit; else one ought to */
	bool unknown;	/* no packet was ever seen on it when the plan began */
	uint8_t firsts; /* queue of first packets so far; RSS_ANY: none */
};

/* Pairs by rss_way_name, and how they were chosen. */
struct rss_probe {
	uint32_t pairs[RSS_WAYS];
	uint8_t methods[RSS_WAYS];
	uint8_t firsts[RSS_WAYS]; /* queues, when it was first answered */
	bool fresh[RSS_WAYS];	  /* nothing was sent on the pair before */
	bool answered;
	bool again; /* it is asked once more: the flows are known by then */
};

struct rss_plan {
	struct rss_way ways[RSS_WAYS];
	bool bets;	/* what is foretold need not be seen */
	bool mirrored;	/* the answer takes the SYN's pair back */
	bool apart;	/* one that does not was answered */
	uint8_t silent; /* bursts in a row that were not answered */
	uint8_t burst;	/* probes of the last one */
	uint16_t rounds;
	uint16_t limit; /* of packets of both sides */
	uint16_t probes;
	uint16_t answers;
};

/**
 * Look for pairs in both directions.
 * @param wanted_in our queue that answers should come in on
 */
void rss_plan_begin(struct rss_plan *plan, uint32_t wanted_in);

/** Look for a pair out only; answers may come in on any queue, by this pair. */
void rss_plan_begin_out(
	struct rss_plan *plan, uint32_t wanted_out, uint32_t pair_in);

/** No way is open any more, for all that is known by now. */
bool rss_plan_done(
	struct rss_plan *plan, struct rss_host *host, uint32_t address);

/** It looks for a pair out only, for connections that are open. */
static inline bool
rss_plan_background(const struct rss_plan *plan)
{
	return plan->ways[RSS_IN].wanted == RSS_ANY;
}

/**
 * The next burst, when the last one's answers are in or given up.
 * @param probes the last burst; filled with the next one
 * @return its length, 0: done
 */
unsigned rss_plan_next(struct rss_plan *plan, struct rss_host *host,
	uint32_t address, struct rss_probe probes[RSS_BURST_MAX]);

/** Of the answer, or of the probe, that came in on this queue. */
static inline enum rss_place
rss_probe_place(
	const struct rss_probe *probe, enum rss_way_name way, uint32_t queue)
{
	if (!probe->again)
		return RSS_FIRST;
	if (probe->firsts[way] != queue)
		return RSS_ELSEWHERE;
	return probe->fresh[way] ? RSS_WITH : RSS_LATER;
}

/**
 * A probe was answered. What it taught was told to rss_host_observe and
 * rss_peer_told before.
 * @param queue_in where the answer came in
 * @param queue_out where the probe came in
 * @param wanted_out that the peer wants what we send to come in on
 * @return whether the probe is to be asked again now, unless rss_plan_done
 */
bool rss_plan_answer(struct rss_plan *plan, struct rss_host *host,
	uint32_t address, struct rss_probe *probe, uint32_t queue_in,
	uint32_t queue_out, uint32_t wanted_out);

/**
 * The connection was opened on the pairs of the plan, and this is where they
 * came in, as rss_host_observe was told before: a way may be open again after.
 */
void rss_plan_opened(struct rss_plan *plan, struct rss_host *host,
	uint32_t address, uint32_t queue_in, uint32_t queue_out);

/** Some of the last burst was not answered. A firewall that lets nothing but
 * replies in may be why, if no answer ever came on a pair of its own. */
void rss_plan_silence(struct rss_plan *plan);

/**
 * What was foretold and confirmed on was not answered, though probes were: the
 * same firewall, perhaps. All is open again, and one pair has to serve both
 * ways.
 * @return false: that is no reason, or is so already
 */
bool rss_plan_mirror(struct rss_plan *plan);

/** That of the worse direction. */
enum rss_method rss_plan_method(const struct rss_plan *plan);

/** Packets of both sides that pairs drawn at random take in 95 of 100 cases,
 * when both directions have to hit: 2 ln(1 - sqrt(0.95)) / ln(1 - 1 / queues).
 */
static inline double
rss_spray_packets(uint32_t queues)
{
	return 2 * 3.676 * (queues - 0.5);
}

#endif
