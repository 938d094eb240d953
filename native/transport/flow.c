// SPDX-License-Identifier: MIT
/* The table of flows, and the index of what the other side calls them. */
#include <string.h>

#include "transport/close.h"
#include "transport/credits.h"
#include "transport/handshake.h"
#include "transport/peers.h"
#include "transport/routes.h"

struct flow *
flow_allocate(struct transport *t, struct endpoint *endpoint)
{
	struct flow *f = t->free;
	uint32_t id;

	if (f != NULL) {
		t->free = f->index_next;
		/* The next generation of this slot. */
		id = f->id + CONNECTION_GENERATION;
	} else {
		if (t->flows_touched > t->options.flows_max)
			return NULL;
		f = &t->flows[t->flows_touched];
		/* After a restart, ids of before should not fit again. */
		id = connection_id((uint32_t)random_u64(&t->random),
			t->options.engine, t->flows_touched);
		t->flows_touched++;
	}
	t->flows_used++;
	memset(f, 0, sizeof(*f));
	f->id = id;
	f->endpoint = endpoint;
	f->key = random_u64(&t->random);
	list_append(&endpoint->flows, &f->endpoint_node);
	endpoint->flows_length++;
	list_init(&f->pending_node);
	list_init(&f->starved_node);
	list_init(&f->ready_node);
	list_init(&f->ack_node);
	list_init(&f->active_node);
	list_init(&f->peer_node);
	timer_init(&f->timer);
	return f;
}

/* The index of (address, peer_id): repeats of a CONFIRM and refusals name a
 * connection by what the other side calls it. */

static struct flow **
bucket(struct transport *t, uint32_t address, uint32_t peer_id)
{
	uint64_t name = (uint64_t)address << 32 | peer_id;
	uint64_t hash;

	/* Keyed, so that nobody can choose ids that collide. */
	crypto_shorthash_siphash24((unsigned char *)&hash,
		(const unsigned char *)&name, sizeof(name), t->options.secret);
	return &t->index[hash & (INDEX_BUCKETS - 1)];
}

void
flow_index_add(struct transport *t, struct flow *f, uint32_t peer_id)
{
	struct flow **chain = bucket(t, f->peer->path.address, peer_id);

	f->peer_id = peer_id;
	f->index_next = *chain;
	*chain = f;
}

static void
index_remove(struct transport *t, struct flow *f)
{
	struct flow **link;

	if (f->peer_id == 0)
		return;
	link = bucket(t, f->peer->path.address, f->peer_id);
	while (*link != f)
		link = &(*link)->index_next;
	*link = f->index_next;
	f->peer_id = 0;
}

static struct flow *
named(struct flow *f, uint32_t address, uint32_t peer_id)
{
	while (f != NULL &&
		(f->peer_id != peer_id || f->peer->path.address != address))
		f = f->index_next;
	return f;
}

struct flow *
flow_index_find(struct transport *t, uint32_t address, uint32_t peer_id)
{
	return named(*bucket(t, address, peer_id), address, peer_id);
}

struct flow *
flow_index_next(struct flow *f)
{
	return named(f->index_next, f->peer->path.address, f->peer_id);
}

void
flow_free(struct transport *t, struct flow *f)
{
	uint32_t id = f->id;

	index_remove(t, f);
	credits_return(t, f);
	setup_return(t, f);
	ending_return(t, f);
	route_leave(t, f);
	peer_release(f);
	wheel_cancel(&t->flow_timers, &f->timer);
	list_leave(&f->ready_node);
	list_leave(&f->ack_node);
	if (f->endpoint != NULL) {
		list_leave(&f->endpoint_node);
		list_leave(&f->pending_node);
		list_leave(&f->starved_node);
		f->endpoint->flows_length--;
	}
	memset(f, 0, sizeof(*f));
	f->id = id;
	f->index_next = t->free;
	t->free = f;
	t->flows_used--;
}

void
flow_arm(struct transport *t, struct flow *f)
{
	uint64_t deadline = UINT64_MAX;

	if (f->state_deadline_ns != 0)
		deadline = f->state_deadline_ns;
	if (f->rto_deadline_ns != 0)
		deadline = u64_min(deadline, f->rto_deadline_ns);
	if (deadline == UINT64_MAX) {
		wheel_cancel(&t->flow_timers, &f->timer);
		return;
	}
	/* A timer that fires early is set again: cheaper than moving it back
	 * at each ACK. */
	if (!list_empty(&f->timer.node) &&
		f->timer.tick << WHEEL_TICK_NS_LOG2 <= deadline)
		return;
	wheel_set(&t->flow_timers, &f->timer, deadline);
}
