// SPDX-License-Identifier: MIT
/*
 * Pairs of engines. When what we send comes in on another queue than that of
 * the engine it is for, nothing is lost, since the engines hand it over; but a
 * better pair of ports is looked for in the background, and all connections of
 * the two engines move to it at once.
 */
#include <stdlib.h>

#include "transport/peers.h"
#include "transport/routes.h"
#include "transport/search.h"

/* Bursts that found no answer at all before a search is given up. */
#define SEARCH_SILENT_MAX 8u
/* After a search that found nothing, doubled each time: up to 8 s. What misled
 * it by chance does not mislead the next ones, within 100 ms. */
#define SEARCH_CALM_NS (16 * NS_PER_MS)
#define SEARCH_CALM_MAX_LOG2 9u
/* A pair that nothing came on for so long may be new to the NIC again: flow
 * tables forget after 30 s and more. */
#define FLOW_IDLE_NS (10 * NS_PER_S)
/* After a move: ACKs of packets that were sent before are still under way. */
#define MOVE_CALM_NS (10 * NS_PER_MS)

static struct route *
route_find(struct peer *peer, uint32_t engine)
{
	struct route *route = peer->routes;

	while (route != NULL && route->engine != engine)
		route = route->next;
	return route;
}

void
route_in_set(struct transport *t, uint64_t now, struct route *route,
	uint32_t pair, uint32_t queue, bool first)
{
	route->first = first;
	route->heard_ns = now;
	route->pair_in = pair;
	route->queue = (uint16_t)queue;
	if (queue != t->options.engine || pair == route->pair_in_good)
		return;
	route->pair_in_good = pair;
	route->moves++;
	route->changes++;
}

bool
route_join(
	struct transport *t, struct flow *f, uint32_t engine, uint32_t pair_out)
{
	struct route *route = route_find(f->peer, engine);

	if (route == NULL) {
		route = calloc(1, sizeof(*route));
		if (route == NULL)
			return false;
		route->peer = f->peer;
		route->engine = (uint16_t)engine;
		route->queue = t->options.engine;
		timer_init(&route->timer);
		route->next = f->peer->routes;
		f->peer->routes = route;
	}
	route->references++;
	f->route = route;
	route_set(route, pair_out);
	return true;
}

static void
search_end(struct transport *t, struct route *route)
{
	route->searching = false;
	route->search.length = 0;
	wheel_cancel(&t->route_timers, &route->timer);
}

void
route_leave(struct transport *t, struct flow *f)
{
	struct route *route = f->route;

	f->route = NULL;
	if (route != NULL && --route->references == 0)
		search_end(t, route);
}

void
routes_free(struct transport *t, struct peer *peer)
{
	while (peer->routes != NULL) {
		struct route *next = peer->routes->next;

		search_end(t, peer->routes);
		free(peer->routes);
		peer->routes = next;
	}
}

void
route_set(struct route *route, uint32_t pair_out)
{
	route->changes += pair_out != path_pair_out(&route->path);
	route->path = path_of(route->peer->path.address, pair_out);
	route->peer->path = route->path;
}

void
route_heard(struct transport *t, uint64_t now, struct route *route,
	const struct transport_path *path)
{
	uint32_t pair = path_pair_in(path);
	bool same = pair == route->pair_in;
	bool first = !same || now - route->heard_ns > FLOW_IDLE_NS;
	bool changed = !same || t->queue != route->queue;
	uint32_t queue = t->queue;
	enum rss_place place = RSS_LATER;

	if (queue != t->options.engine)
		t->counters.packets_misdirected++;
	if (first)
		place = RSS_FIRST;
	else if (route->first && changed)
		place = RSS_ELSEWHERE;
	/* Which says nothing of those that will follow. */
	if (first && t->rss->own.strays != 0)
		queue = same ? route->queue : t->options.engine;
	route_in_set(t, now, route, pair, queue, first);
	if (changed)
		observe(t, path->address, pair, place);
}

static struct wire_syn
syn_of(const struct transport *t, const struct route *route)
{
	return (struct wire_syn){
		/* Finds this engine again, and no connection. */
		.client = connection_id(1, t->options.engine, 0),
		.mtu = t->options.mtu,
		.engine = route->engine,
	};
}

static void
search_wait(struct transport *t, uint64_t now, struct route *route)
{
	wheel_set(&t->route_timers, &route->timer, now + SETUP_WAIT_NS);
}

static void
search_found(struct transport *t, uint64_t now, struct route *route)
{
	route_set(route, route->search.plan.ways[RSS_OUT].pair);
	route->moves++;
	route->failures = 0;
	route->calm_until_ns = now + MOVE_CALM_NS;
	t->counters.routes_moved++;
	search_end(t, route);
}

static void
search_failed(struct transport *t, uint64_t now, struct route *route)
{
	route->calm_until_ns = now + (SEARCH_CALM_NS << route->failures);
	if (route->failures < SEARCH_CALM_MAX_LOG2)
		route->failures++;
	search_end(t, route);
}

/* The next burst, or what came of it all. */
static void
search_go_on(struct transport *t, uint64_t now, struct route *route)
{
	struct rss_plan *plan = &route->search.plan;
	uint32_t address = route->peer->path.address;
	struct wire_syn syn = syn_of(t, route);

	if (plan->silent < SEARCH_SILENT_MAX &&
		search_next(t, &route->search, address) != 0) {
		search_send(t, &route->search, address, &syn);
		search_wait(t, now, route);
	} else if (plan->ways[RSS_OUT].state == RSS_HIT) {
		search_found(t, now, route);
	} else {
		search_failed(t, now, route);
	}
}

void
route_repair(struct transport *t, uint64_t now, struct route *route)
{
	struct rss_peer *known;

	if (route->searching || now < route->calm_until_ns)
		return;
	/* The pair in use is one that does not do any more. */
	known = rss_host_meet(t->rss, route->peer->path.address);
	rss_forget(known, true, route->engine);
	route->searching = true;
	rss_plan_begin_out(&route->search.plan, route->engine, route->pair_in);
	search_go_on(t, now, route);
}

void
route_timeout(struct transport *t, uint64_t now, struct route *route)
{
	struct wire_syn syn = syn_of(t, route);

	if (!route->searching)
		return;
	if (search_resend(t, &route->search, route->peer->path.address, &syn))
		search_wait(t, now, route);
	else
		search_go_on(t, now, route);
}

void
route_answered(struct transport *t, uint64_t now,
	const struct transport_path *path, uint64_t number,
	const struct wire_answer *answer)
{
	struct peer *peer = peer_find(t, path->address);
	struct route *route = peer != NULL ? peer->routes : NULL;
	struct rss_probe *probe = NULL;
	struct wire_syn syn;
	bool again;

	for (; route != NULL; route = route->next) {
		probe = search_answered(&route->search, number, path);
		if (probe != NULL)
			break;
	}
	if (probe == NULL) {
		t->counters.packets_stale++;
		return;
	}
	if (!peer_instance(t, now, peer, answer->instance, NULL))
		return;
	again = search_learn(
		t, &route->search, probe, path->address, answer, route->engine);
	if (route->references == 0 || !route->searching)
		return;
	if (route->search.plan.ways[RSS_OUT].state == RSS_HIT) {
		search_found(t, now, route);
		return;
	}
	if (again) {
		syn = syn_of(t, route);
		search_again(t, &route->search, probe, path->address, &syn);
		search_wait(t, now, route);
	} else if (route->search.open == 0) {
		search_go_on(t, now, route);
	}
}
