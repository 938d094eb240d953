/* SPDX-License-Identifier: MIT */
#include "rss/strategy.h"

#include <string.h>

#include "base/splitmix64.h"

void
strategy_begin(struct strategy *strategy, enum strategy_name name,
	uint32_t queues, uint32_t wanted_in)
{
	memset(strategy, 0, sizeof(*strategy));
	strategy->name = name;
	strategy->queues = queues;
	rss_plan_begin(&strategy->plan, wanted_in);
	strategy->ways[RSS_IN].wanted = wanted_in;
	strategy->ways[RSS_OUT].wanted = RSS_ANY;
}

/* Half as many again as spraying takes in 95 of 100 cases; answers are not
 * counted. */
static uint32_t
probes_max(const struct strategy *strategy)
{
	return (uint32_t)(1.5 / 2 * rss_spray_packets(strategy->queues)) + 1;
}

static void
simple_next(struct simple_way *way, const struct strategy *strategy,
	const struct rss_ports *ports, uint64_t *random)
{
	uint32_t mask = rss_ports_mask(*ports);

	if (way->hit)
		return;
	way->flips = 0;
	if (!way->begun || strategy->name == STRATEGY_SPRAY || way->wrong) {
		way->pair = rss_pair(ports->first, ports->first) |
			    ((uint32_t)splitmix64(random) & mask);
		if (!way->begun)
			way->origin_pair = way->pair;
		return;
	}
	if (way->wanted != RSS_ANY && way->reached >> way->wanted & 1)
		way->flips = way->reach[way->wanted];
	else
		way->flips = way->flips_left & -way->flips_left;
	way->pair = way->origin_pair ^ way->flips;
}

/* What one more flip does to all pairs whose queue is known. */
static void
simple_extend(struct simple_way *way, uint32_t change, uint32_t queues)
{
	uint64_t before = way->reached;

	for (uint32_t queue = 0; queue < queues; queue++) {
		uint32_t to = queue ^ change;

		if ((before >> queue & 1) == 0 || to >= queues ||
			way->reached >> to & 1)
			continue;
		way->reach[to] = way->reach[queue] ^ way->flips;
		way->reached |= UINT64_C(1) << to;
	}
}

static void
simple_answered(
	struct simple_way *way, uint32_t mask, uint32_t queue, uint32_t queues)
{
	if (way->hit)
		return;
	way->hit = queue == way->wanted;
	if (!way->begun) {
		way->begun = true;
		way->origin_queue = queue;
		way->flips_left = mask;
		way->reached = UINT64_C(1) << queue;
		return;
	}
	if ((way->flips & (way->flips - 1)) == 0 &&
		(way->flips & way->flips_left) != 0) {
		simple_extend(way, way->origin_queue ^ queue, queues);
		way->flips_left &= ~way->flips;
	} else if (!way->hit) {
		way->wrong = true;
	}
	/* Nothing left to learn from. */
	if (way->flips_left == 0)
		way->wrong = true;
}

uint32_t
strategy_next(struct strategy *strategy, struct sim_host *client,
	uint32_t address, uint64_t *random,
	struct rss_probe probes[RSS_BURST_MAX])
{
	const struct rss_ports *ports = &client->knowledge->options.ports;

	if (strategy->name == STRATEGY_LEARN)
		return rss_plan_next(
			&strategy->plan, client->knowledge, address, probes);
	if ((strategy->ways[RSS_IN].hit && strategy->ways[RSS_OUT].hit) ||
		strategy->probes >= probes_max(strategy))
		return 0;
	strategy->probes++;
	for (unsigned w = 0; w < RSS_WAYS; w++) {
		simple_next(&strategy->ways[w], strategy, ports, random);
		probes[0].pairs[w] = strategy->ways[w].pair;
	}
	return 1;
}

bool
strategy_answered(struct strategy *strategy, struct sim_host *client,
	uint32_t address, struct rss_probe *probe,
	const uint32_t queues[RSS_WAYS], uint32_t wanted_out)
{
	uint32_t mask = rss_ports_mask(client->knowledge->options.ports);

	if (strategy->name == STRATEGY_LEARN) {
		rss_plan_answer(&strategy->plan, client->knowledge, address,
			probe, queues[RSS_IN], queues[RSS_OUT], wanted_out);
		return rss_plan_done(
			&strategy->plan, client->knowledge, address);
	}
	strategy->ways[RSS_OUT].wanted = wanted_out;
	for (unsigned w = 0; w < RSS_WAYS; w++)
		simple_answered(
			&strategy->ways[w], mask, queues[w], strategy->queues);
	return true;
}

void
strategy_pairs(const struct strategy *strategy, uint32_t pairs[RSS_WAYS])
{
	for (unsigned w = 0; w < RSS_WAYS; w++)
		pairs[w] = strategy->name == STRATEGY_LEARN
				   ? strategy->plan.ways[w].pair
				   : strategy->ways[w].pair;
}

bool
strategy_opened(struct strategy *strategy, struct sim_host *client,
	uint32_t address, const uint32_t queues[RSS_WAYS])
{
	struct rss_plan *plan = &strategy->plan;

	if (strategy->name != STRATEGY_LEARN)
		return false;
	rss_plan_opened(plan, client->knowledge, address, queues[RSS_IN],
		queues[RSS_OUT]);
	return plan->ways[RSS_IN].state == RSS_OPEN ||
	       plan->ways[RSS_OUT].state == RSS_OPEN;
}
