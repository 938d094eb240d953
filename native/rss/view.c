/* SPDX-License-Identifier: MIT */
#include "rss/view.h"

#include <string.h>

#include "base/bits.h"

/* Of the first contact: a pair, and flips, of which two foretell all queues
 * three times out of four. When nothing is known of our own NIC either, what
 * they foretell is seen before it is used, so that round trips count. */
#define BURST_FIRST 4u
#define BURST_FIRST_BETTING 3u

/* Bits that a theory must have foretold to bet on it: by chance, one in 16 that
 * are wrong does. Drivers are believed at once. */
#define LIKELY_BITS 4u

static bool
likely(const struct rss_map *map)
{
	const struct rss_theory *theory = rss_map_theory(map);

	return rss_map_told(map) ||
	       (theory != NULL && theory->foretold >= LIKELY_BITS);
}

static bool
is_toeplitz(const struct rss_map *map)
{
	return rss_map_theory(map) == &map->theories[RSS_TOEPLITZ];
}

static uint32_t
spray_burst(uint32_t choices)
{
	return u32_min(u32_max(choices / 4, 1), RSS_BURST_MAX);
}

enum rss_method
view_foretold(const struct view *view)
{
	return rss_map_told(view->map) ? RSS_COMPUTED : RSS_PREDICTED;
}

bool
view_goal(const struct view *view, uint32_t flips, struct rss_goal *goal)
{
	const struct rss_map *map = view->map;
	struct rss_effect effect = rss_map_effect(map, flips);

	if (view->way->wanted == RSS_ANY)
		return false;
	goal->map = map;
	/* Then chance has to do all. */
	if (rss_map_theory(map) == NULL)
		return true;
	if (view->reference == NULL)
		return false;
	for (unsigned i = 0; i < RSS_QUEUE_BITS_MAX; i++)
		if (effect.unknown[i] != 0)
			return false;
	goal->change = ((uint32_t)view->reference->queue ^ view->way->wanted ^
			       effect.change) &
		       ((1u << map->bits) - 1);
	return true;
}

static bool
solve(struct rss_host *host, const struct view *view, uint32_t *pair)
{
	struct rss_goal goal = {0};
	uint32_t choices = rss_map_choices(view->map);
	uint32_t flips;
	int freedom;

	if (!view_goal(view, 0, &goal))
		return false;
	freedom = rss_solve(&goal, 1, rss_ports_mask(host->options.ports),
		rss_random(host), &flips);
	/* Where chance decides, there must be many to draw from. */
	if (freedom < 0 || (choices > 1 && 1u << freedom < 4 * choices))
		return false;
	*pair = view->origin ^ flips;
	return true;
}

/* How many probes it takes to foretell, if all goes well: 2 L equations of
 * Toeplitz give L + 1 flips. */
static uint32_t
learn_burst(const struct view *view, uint32_t rounds)
{
	const struct rss_map *map = view->map;
	uint32_t rank = map->theories[RSS_TOEPLITZ].space.rank;
	uint32_t bits = map->bits;

	if (rss_map_choices(map) > 1)
		return spray_burst(rss_map_choices(map));
	if (is_toeplitz(map) && rank < 2 * bits)
		return (2 * bits - rank + bits - 1) / bits;
	/* One at a time takes the fewest, but round trips count, too. */
	return rounds < 3 ? 1 : rounds == 3 ? 2 : 4;
}

/* Then one packet may be all that is missing. */
static bool
knows_something(const struct rss_map *map)
{
	const struct rss_theory *theory = rss_map_theory(map);

	return theory != NULL && theory->space.rank != 0;
}

static void
view_burst(struct rss_host *host, struct view *view, uint32_t rounds)
{
	const struct rss_map *own = &host->own;
	uint32_t choices = rss_map_choices(view->map);
	uint32_t pair;

	view->burst = 1;
	if (view->way->state != RSS_OPEN || view->map->queues <= 1 ||
		view->way->wanted == RSS_ANY)
		return;
	view->solvable = solve(host, view, &pair);
	view->certain = view->solvable && choices == 1;
	if (view->remembers || view->certain)
		return;
	if (view->solvable)
		view->burst = spray_burst(choices);
	else if (view->reference != NULL)
		view->burst = learn_burst(view, rounds);
	else if (!knows_something(view->map))
		view->burst = likely(own) && is_toeplitz(own)
				      ? BURST_FIRST_BETTING
				      : BURST_FIRST;
}

void
view_open(struct rss_host *host, struct rss_peer *peer, struct rss_plan *plan,
	unsigned name, struct view *view)
{
	bool remote = name == RSS_OUT;
	struct rss_direction *direction = remote ? &peer->out : &peer->in;
	uint16_t base = host->options.base_port;

	memset(view, 0, sizeof(*view));
	view->way = &plan->ways[name];
	view->map = rss_direction_map(host, peer, remote);
	if (direction->reference.valid &&
		direction->reference.epoch == view->map->epoch)
		view->reference = &direction->reference;
	view->origin =
		view->reference ? view->reference->pair : rss_pair(base, base);
	view->scratch = *view->map;
	/* Not told yet: suppose as many as we have. */
	if (view->scratch.queues == 0)
		rss_map_init(&view->scratch, host->own.queues);
	if (view->way->wanted != RSS_ANY)
		view->remembers = rss_remembered(host, peer, remote,
			view->way->wanted, &view->remembered);
	view->flat = rss_flat(host, peer, remote, RSS_FLAT_BITS);
	view->unknown = direction->reference.pair == 0;
	view->doubtful = rss_doubtful(host, peer, rss_plan_background(plan)) &&
			 rss_flat(host, peer, remote, RSS_DOUBT_BITS);
	view->retested = rss_plan_background(plan) && plan->probes == 0;
	view_burst(host, view, plan->rounds);
}

static uint32_t
random_pair(struct rss_host *host)
{
	uint32_t mask = rss_ports_mask(host->options.ports);
	uint16_t first = host->options.ports.first;

	return rss_pair(first, first) | (rss_random(host) & mask);
}

void
view_choose(struct rss_host *host, struct view *view, unsigned i,
	struct rss_probe *probe, unsigned name)
{
	uint32_t *pair = &probe->pairs[name];
	uint8_t *method = &probe->methods[name];
	uint32_t mask = rss_ports_mask(host->options.ports);
	const struct rss_lesson lesson = {.map = &view->scratch};
	uint32_t flip;

	*method = RSS_SPRAYED;
	*pair = view->origin;
	if (view->way->state != RSS_OPEN) {
		*pair = view->way->pair;
		*method = view->way->method;
	} else if (view->map->queues == 1) {
		*method = RSS_SINGLE;
	} else if (i == 0 && view->remembers) {
		*pair = view->remembered;
		*method = RSS_REMEMBERED;
	} else if (view->solvable &&
		   (view->certain || rss_random(host) % 2 == 0)) {
		/* Where chance decides, half of them go on learning. */
		solve(host, view, pair);
		probe->fresh[name] = true;
		if (view->certain)
			*method = view_foretold(view);
	} else if (i > 0 || view->reference != NULL) {
		flip = rss_explore(&lesson, 1, mask);
		*pair = flip != 0 ? view->origin ^ flip : random_pair(host);
		probe->fresh[name] = true;
	}
}

bool
view_hopeless(struct rss_host *host, const struct view *view)
{
	struct rss_map scratch = view->scratch;
	const struct rss_lesson lesson = {.map = &scratch};

	if (view->way->state != RSS_OPEN || view->way->wanted == RSS_ANY ||
		view->reference == NULL || view->remembers || view->doubtful ||
		view->retested)
		return false;
	if (view->flat)
		return true;
	return !view->solvable && rss_map_choices(view->map) == 1 &&
	       rss_explore(&lesson, 1, rss_ports_mask(host->options.ports)) ==
		       0;
}

uint32_t
view_limit(const struct view *view)
{
	/* By bits of the queue, when it can be learned. */
	static const uint8_t learned[RSS_QUEUE_BITS_MAX + 1] = {
		14, 14, 18, 22, 26, 28, 30};
	const struct rss_map *map = &view->scratch;
	uint32_t limit = learned[map->bits];

	/* Spraying, and a quarter for what was tried before. */
	if (!is_toeplitz(map) || rss_map_choices(map) > 1)
		limit = u32_max(limit,
			(uint32_t)(1.25 * rss_spray_packets(map->queues)));
	return limit + limit / 2;
}

/* A bet that is lost is dear: the connection is open then, and each side has to
 * look for its direction by itself. NICs of one cloud are alike, so that what
 * holds for ours is taken to hold for the peer's. */
static bool
bets(const struct rss_host *host, const struct rss_map *map)
{
	return likely(map) || (is_toeplitz(map) && is_toeplitz(&host->own) &&
				      likely(&host->own));
}

void
view_settle(struct rss_host *host, struct view *view)
{
	struct rss_way *way = view->way;
	uint32_t pair;

	if (way->state != RSS_OPEN || way->wanted == RSS_ANY)
		return;
	if (view->remembers) {
		way->pair = view->remembered;
		way->method = RSS_REMEMBERED;
	} else if (view->certain && bets(host, view->map) &&
		   solve(host, view, &pair)) {
		way->pair = pair;
		way->method = view_foretold(view);
	} else {
		return;
	}
	way->state = RSS_HIT;
	way->seen = false;
}
