/* SPDX-License-Identifier: MIT */
#include "rss/plan.h"

#include <string.h>

#include "base/bits.h"
#include "rss/solve.h"
#include "rss/view.h"

/* Bursts in a row that nobody answered before the mirrored pair is tried. */
#define SILENT_MAX 2u
/* The same where answers came on other pairs, through a firewall that knows
 * those, perhaps. */
#define SILENT_APART_MAX 3u
/* For each queue that a pair may come in on: one in ten million searches finds
 * none. */
#define BACKGROUND_PACKETS 32u
#define MIRRORED_PACKETS_MAX 512u

void
rss_plan_begin(struct rss_plan *plan, uint32_t wanted_in)
{
	memset(plan, 0, sizeof(*plan));
	plan->ways[RSS_IN].wanted = (uint8_t)wanted_in;
	plan->ways[RSS_OUT].wanted = RSS_ANY;
	plan->bets = true;
	plan->ways[RSS_IN].firsts = plan->ways[RSS_OUT].firsts = RSS_ANY;
}

void
rss_plan_begin_out(struct rss_plan *plan, uint32_t wanted_out, uint32_t pair_in)
{
	memset(plan, 0, sizeof(*plan));
	plan->ways[RSS_IN].state = RSS_HIT;
	plan->ways[RSS_IN].wanted = RSS_ANY;
	plan->ways[RSS_IN].pair = pair_in;
	plan->ways[RSS_OUT].wanted = (uint8_t)wanted_out;
	plan->ways[RSS_IN].firsts = plan->ways[RSS_OUT].firsts = RSS_ANY;
}

static bool
done(const struct rss_plan *plan)
{
	return plan->ways[RSS_IN].state != RSS_OPEN &&
	       plan->ways[RSS_OUT].state != RSS_OPEN;
}

/* Give up what is open. */
static void
abandon(struct rss_plan *plan)
{
	for (unsigned w = 0; w < RSS_WAYS; w++)
		if (plan->ways[w].state == RSS_OPEN) {
			plan->ways[w].state = RSS_LOST;
			plan->ways[w].method = RSS_HANDOVER;
		}
}

enum rss_method
rss_plan_method(const struct rss_plan *plan)
{
	return (enum rss_method)u32_max(
		plan->ways[RSS_IN].method, plan->ways[RSS_OUT].method);
}

static bool
mirror(struct rss_plan *plan)
{
	if (plan->mirrored || plan->ways[RSS_IN].wanted == RSS_ANY)
		return false;
	plan->mirrored = true;
	for (unsigned w = 0; w < RSS_WAYS; w++)
		if (plan->ways[w].state == RSS_HIT)
			plan->ways[w].state = RSS_OPEN;
	return true;
}

void
rss_plan_silence(struct rss_plan *plan)
{
	if (plan->silent < UINT8_MAX)
		plan->silent++;
	if (plan->silent >= (plan->apart ? SILENT_APART_MAX : SILENT_MAX))
		mirror(plan);
}

bool
rss_plan_mirror(struct rss_plan *plan)
{
	return !plan->apart && mirror(plan);
}

bool
rss_plan_done(struct rss_plan *plan, struct rss_host *host, uint32_t address)
{
	struct rss_peer *peer = rss_host_find(host, address);
	struct view view;

	if (plan->bets && !plan->mirrored && plan->answers != 0 && peer != NULL)
		for (unsigned w = 0; w < RSS_WAYS; w++) {
			view_open(host, peer, plan, w, &view);
			view_settle(host, &view);
		}
	return done(plan);
}

/* One pair for both directions. */
static void
choose_mirrored(struct rss_host *host, struct view views[RSS_WAYS], unsigned i,
	struct rss_probe *probe)
{
	uint32_t mask = rss_ports_mask(host->options.ports);
	struct rss_goal goals[RSS_GOALS_MAX] = {[RSS_IN] = {.swapped = true}};
	uint32_t origin = views[RSS_OUT].origin;
	uint32_t flips_in = rss_pair_swap(origin) ^ views[RSS_IN].origin;
	const struct rss_lesson lessons[RSS_WAYS] = {
		[RSS_IN] = {&views[RSS_IN].scratch, flips_in, true},
		[RSS_OUT] = {&views[RSS_OUT].scratch, 0, false},
	};
	uint32_t flips = 0;
	bool certain = false;

	if (view_goal(&views[RSS_OUT], 0, &goals[RSS_OUT]) &&
		view_goal(&views[RSS_IN], flips_in, &goals[RSS_IN]) &&
		rss_solve(goals, RSS_GOALS_MAX, mask, rss_random(host),
			&flips) >= 0) {
		certain = rss_map_choices(views[RSS_IN].map) == 1 &&
			  rss_map_choices(views[RSS_OUT].map) == 1;
	} else if (i > 0 || views[RSS_OUT].reference != NULL) {
		flips = rss_explore(lessons, RSS_WAYS, mask);
		if (flips == 0)
			flips = rss_random(host) & mask;
	}
	probe->pairs[RSS_OUT] = origin ^ flips;
	probe->pairs[RSS_IN] = rss_pair_swap(origin ^ flips);
	for (unsigned w = 0; w < RSS_WAYS; w++)
		probe->methods[w] = views[w].map->queues == 1 ? RSS_SINGLE
				    : certain ? view_foretold(&views[w])
					      : RSS_SPRAYED;
	probe->fresh[RSS_OUT] = probe->fresh[RSS_IN] = flips != 0;
}

/* A pair for both directions is as rare as their queues together: to hit in 95
 * of 100 cases, spraying takes ln(20), which is 3, times as many tries, of two
 * packets each. Half as much again, within bounds. */
static uint32_t
mirrored_limit(const struct view views[RSS_WAYS])
{
	uint32_t choices = rss_map_choices(&views[RSS_IN].scratch) *
			   rss_map_choices(&views[RSS_OUT].scratch);

	return u32_min(2 * 3 * choices * 3 / 2, MIRRORED_PACKETS_MAX);
}

/* Look at both ways anew. @return the length of the burst they ask for */
static uint32_t
look(struct rss_plan *plan, struct rss_host *host, uint32_t address,
	struct view views[RSS_WAYS])
{
	struct rss_peer *peer = rss_host_meet(host, address);
	uint32_t length = 1;
	uint32_t limit;

	if (peer->mirrored && !rss_plan_background(plan))
		plan->mirrored = true;
	for (unsigned w = 0; w < RSS_WAYS; w++) {
		struct rss_way *way = &plan->ways[w];

		view_open(host, peer, plan, w, &views[w]);
		if (plan->probes == 0)
			way->unknown = views[w].unknown;
		if (way->state != RSS_OPEN)
			continue;
		/* What serves if nothing better is found. */
		way->pair = views[w].origin;
		if (!view_hopeless(host, &views[w])) {
			length = u32_max(length, views[w].burst);
		} else if (views[w].map->queues > 1 &&
			   rss_doubtful(
				   host, peer, rss_plan_background(plan))) {
			/* First packets that stray may have taught that. */
			views[w].doubtful = true;
		} else {
			way->state = RSS_LOST;
			way->method = RSS_HANDOVER;
			continue;
		}
		limit = view_limit(&views[w]);
		/* Nobody waits for it. */
		if (rss_plan_background(plan))
			limit = u32_max(limit,
				BACKGROUND_PACKETS *
					rss_map_choices(&views[w].scratch));
		plan->limit = (uint16_t)u32_max(plan->limit, limit);
	}
	if (plan->mirrored)
		plan->limit =
			(uint16_t)u32_max(plan->limit, mirrored_limit(views));
	if (plan->mirrored && plan->ways[RSS_IN].state != RSS_HIT)
		plan->ways[RSS_IN].pair =
			rss_pair_swap(plan->ways[RSS_OUT].pair);
	return length;
}

/* Beyond the limit, which is for pairs. */
static void
count_again(struct rss_plan *plan, unsigned probes)
{
	plan->probes += (uint16_t)probes;
	plan->limit += (uint16_t)(2 * probes);
}

/* Those of the last burst that were answered. */
static unsigned
ask_again(struct rss_plan *plan, struct rss_probe probes[RSS_BURST_MAX])
{
	unsigned length = 0;

	for (unsigned i = 0; i < plan->burst; i++) {
		if (!probes[i].answered || probes[i].again)
			continue;
		probes[length] = probes[i];
		probes[length++].again = true;
	}
	plan->burst = (uint8_t)length;
	plan->rounds += length != 0;
	count_again(plan, length);
	return length;
}

unsigned
rss_plan_next(struct rss_plan *plan, struct rss_host *host, uint32_t address,
	struct rss_probe probes[RSS_BURST_MAX])
{
	struct view views[RSS_WAYS];
	uint32_t length;

	if (rss_plan_done(plan, host, address))
		return 0;
	length = look(plan, host, address, views);
	if ((views[RSS_IN].doubtful || views[RSS_OUT].doubtful) &&
		!done(plan)) {
		uint32_t again = ask_again(plan, probes);

		if (again != 0)
			return again;
	}
	if (2u * plan->probes >= plan->limit)
		abandon(plan);
	if (done(plan))
		return 0;
	length = u32_min(length, (plan->limit - 2u * plan->probes + 1) / 2);
	for (unsigned i = 0; i < length; i++) {
		struct rss_probe *probe = &probes[i];

		*probe = (struct rss_probe){0};
		if (plan->mirrored) {
			choose_mirrored(host, views, i, probe);
			continue;
		}
		for (unsigned w = 0; w < RSS_WAYS; w++)
			view_choose(host, &views[w], i, probe, w);
	}
	plan->probes += (uint16_t)length;
	plan->burst = (uint8_t)length;
	plan->rounds++;
	return length;
}

/* A pair that ought to hit, and that was tried along with pairs of the other
 * direction, does not; or one whose first packet did, and strayed. */
static void
bet_lost(struct rss_way *way, const struct rss_probe *probe, unsigned w)
{
	if (way->state == RSS_HIT && (!way->seen || probe->again) &&
		way->wanted != RSS_ANY && way->pair == probe->pairs[w])
		way->state = RSS_OPEN;
}

/* Where a connection is open nobody waits. But a pair that only a first packet
 * hit on would be looked for again and again; and if the ports mattered again,
 * first packets might be the last to show it. */
static bool
repair_doubtful(const struct rss_plan *plan, const struct rss_host *host,
	const struct rss_peer *peer, const uint32_t queues[RSS_WAYS])
{
	if (queues[RSS_OUT] == plan->ways[RSS_OUT].wanted)
		return rss_doubtful(host, peer, true);
	return rss_flat(host, peer, true, RSS_FLAT_BITS);
}

/* @return whether the answer says where the pairs lead */
static bool
conclusive(struct rss_plan *plan, struct rss_host *host, struct rss_peer *peer,
	struct rss_probe *probe, const uint32_t queues[RSS_WAYS])
{
	if (probe->again)
		return true;
	probe->answered = true;
	for (unsigned w = 0; w < RSS_WAYS; w++) {
		struct rss_way *way = &plan->ways[w];
		uint8_t queue = (uint8_t)queues[w];

		probe->firsts[w] = queue;
		/* Else it may be known to the NIC, for all that. */
		if (!probe->fresh[w] || !way->unknown)
			continue;
		if (way->firsts != RSS_ANY && way->firsts != queue)
			rss_map_vary(w == RSS_OUT ? &peer->map : &host->own);
		way->firsts = queue;
	}
	probe->again = rss_strays(host, peer) ||
		       (rss_plan_background(plan) &&
			       repair_doubtful(plan, host, peer, queues));
	if (probe->again)
		count_again(plan, 1);
	return !probe->again;
}

bool
rss_plan_answer(struct rss_plan *plan, struct rss_host *host, uint32_t address,
	struct rss_probe *probe, uint32_t queue_in, uint32_t queue_out,
	uint32_t wanted_out)
{
	struct rss_peer *peer = rss_host_find(host, address);
	struct rss_way *out = &plan->ways[RSS_OUT];
	uint32_t queues[RSS_WAYS] = {queue_in, queue_out};
	bool hits[RSS_WAYS];

	plan->answers++;
	plan->silent = 0;
	if (probe->pairs[RSS_IN] != rss_pair_swap(probe->pairs[RSS_OUT]))
		plan->apart = true;
	if (wanted_out >= RSS_QUEUES_MAX || peer == NULL)
		return false;
	peer->mirrored |= plan->mirrored;
	if (out->wanted != wanted_out) {
		/* Told for the first time, or the listener moved. */
		out->wanted = (uint8_t)wanted_out;
		out->state = RSS_OPEN;
	}
	if (!conclusive(plan, host, peer, probe, queues))
		return true;
	for (unsigned w = 0; w < RSS_WAYS; w++) {
		hits[w] = queues[w] == plan->ways[w].wanted;
		if (!hits[w])
			bet_lost(&plan->ways[w], probe, w);
		if (!hits[w] && probe->methods[w] == RSS_REMEMBERED)
			rss_forget(peer, w == RSS_OUT, plan->ways[w].wanted);
	}
	if (plan->mirrored && done(plan))
		return false;
	for (unsigned w = 0; w < RSS_WAYS; w++)
		/* One pair has to serve both. */
		if (plan->mirrored && !hits[w] &&
			plan->ways[w].state != RSS_LOST)
			return false;
	for (unsigned w = 0; w < RSS_WAYS; w++) {
		struct rss_way *way = &plan->ways[w];

		if (plan->mirrored)
			way->pair = probe->pairs[w];
		if (!hits[w] || (way->state == RSS_HIT && way->seen))
			continue;
		way->state = RSS_HIT;
		way->seen = true;
		way->pair = probe->pairs[w];
		way->method = probe->methods[w];
	}
	return false;
}

void
rss_plan_opened(struct rss_plan *plan, struct rss_host *host, uint32_t address,
	uint32_t queue_in, uint32_t queue_out)
{
	struct rss_peer *peer = rss_host_find(host, address);
	uint32_t queues[RSS_WAYS] = {queue_in, queue_out};

	for (unsigned w = 0; w < RSS_WAYS; w++) {
		struct rss_way *way = &plan->ways[w];

		if (way->state != RSS_HIT)
			continue;
		way->seen = queues[w] == way->wanted;
		if (way->seen)
			continue;
		way->state = RSS_OPEN;
		plan->bets = false;
		if (way->method == RSS_REMEMBERED && peer != NULL)
			rss_forget(peer, w == RSS_OUT, way->wanted);
	}
}
