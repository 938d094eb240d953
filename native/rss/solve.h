/* SPDX-License-Identifier: MIT */
/* Pairs of ports that land where they should, by what maps tell. */
#ifndef RSS_SOLVE_H
#define RSS_SOLVE_H

#include "rss/map.h"

/* What a change of ports should do to the queue of one direction. */
struct rss_goal {
	const struct rss_map *map;
	uint32_t change;
	bool swapped; /* the direction has the two ports the other way round */
};

/* Both directions at once, when one pair is to serve both. */
#define RSS_GOALS_MAX 2u

/**
 * Flips of ports that reach all goals, as far as the maps foretell it: one of
 * many, drawn by `random`. Bits of a queue that no map tells of are left to
 * chance. Gaussian elimination twice over at most 32 columns.
 * @param mask the bits that may be flipped
 * @return -1: no flips are known that do; else how many times the number of
 *         those that are known has doubled
 */
int rss_solve(const struct rss_goal *goals, unsigned goals_length,
	uint32_t mask, uint64_t random, uint32_t *flips);

/* What a probe may teach of one direction. */
struct rss_lesson {
	struct rss_map *map; /* a copy to plan with */
	uint32_t flips;	     /* from its reference, whatever else is flipped */
	bool swapped;	     /* as above */
};

/**
 * The single flip that teaches most, the lowest of equals; and count on its
 * being learned. Some 10 us.
 * @return 0: none teaches anything
 */
uint32_t rss_explore(const struct rss_lesson *lessons, unsigned lessons_length,
	uint32_t mask);

#endif
