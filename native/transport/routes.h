/* SPDX-License-Identifier: MIT */
/* Pairs of engines, and the ports that they send on. */
#ifndef TRANSPORT_ROUTES_H
#define TRANSPORT_ROUTES_H

#include "transport/flow.h"

/** Enter a flow into the route to an engine of its peer, which sends on the
 * pair from now on. @return false: out of memory */
bool route_join(struct transport *t, struct flow *f, uint32_t engine,
	uint32_t pair_out);
/** It is sent to on the pair, which leads to the queue. @param first of its
 * flow, the packet may be that showed it */
void route_in_set(struct transport *t, uint64_t now, struct route *route,
	uint32_t pair, uint32_t queue, bool first);
void route_leave(struct transport *t, struct flow *f);
void route_set(struct route *route, uint32_t pair_out);
/** A packet of the route came in, at t->queue. */
void route_heard(struct transport *t, uint64_t now, struct route *route,
	const struct transport_path *path);
/** What we send does not come in on the queue of the other engine. */
void route_repair(struct transport *t, uint64_t now, struct route *route);
void route_timeout(struct transport *t, uint64_t now, struct route *route);
/** An ANSWER to a SYN that opens nothing. */
void route_answered(struct transport *t, uint64_t now,
	const struct transport_path *path, uint64_t number,
	const struct wire_answer *answer);
/** All of a peer. */
void routes_free(struct transport *t, struct peer *peer);

#endif
