/* SPDX-License-Identifier: MIT */
/* One direction of a plan, with all that is known of it: what to probe next.
 * Private to rss/plan.c. */
#ifndef RSS_VIEW_H
#define RSS_VIEW_H

#include "rss/plan.h"
#include "rss/solve.h"

struct view {
	struct rss_way *way;
	const struct rss_map *map;
	const struct rss_fact *reference; /* NULL: none */
	struct rss_map scratch;		  /* to plan a burst with */
	uint32_t origin;		  /* that flips are applied to */
	uint32_t remembered;
	bool remembers;
	bool solvable;	/* a pair is known that may hit */
	bool certain;	/* that should */
	bool flat;	/* the ports seem not to matter */
	bool doubtful;	/* or only first packets were seen, which stray */
	bool unknown;	/* no packet was ever seen */
	bool retested;	/* what was true may have changed: one more probe */
	uint32_t burst; /* probes that it asks for */
};

void view_open(struct rss_host *host, struct rss_peer *peer,
	struct rss_plan *plan, unsigned name, struct view *view);

/** How a pair is found that is foretold to come in on the wanted queue. */
enum rss_method view_foretold(const struct view *view);

/** What further flips have to do, after these to the origin, to reach the
 * wanted queue. @return false: cannot be told */
bool view_goal(const struct view *view, uint32_t flips, struct rss_goal *goal);

/** The i-th probe of a burst, its direction of that name. */
void view_choose(struct rss_host *host, struct view *view, unsigned i,
	struct rss_probe *probe, unsigned name);

/** Nothing more can be learned, and what is known leads nowhere. */
bool view_hopeless(struct rss_host *host, const struct view *view);

/** Take what is foretold for a hit. */
void view_settle(struct rss_host *host, struct view *view);

/** Packets of both sides after which a connection should not wait any longer:
 * half as many again as it ought to take. */
uint32_t view_limit(const struct view *view);

#endif
