// SPDX-License-Identifier: MIT
/*
 * The RX queue, shared among the peers that fill it. What all credits in force
 * allow together fits the queue, less a reserve for packets that need none
 * (handshakes, ACKs, the first packet of a connection that was idle). A
 * connection that falls silent loses its credit, by the same rule on both
 * sides.
 *
 * Nor is there credit for messages that the application has no memory for: what
 * is refused comes again. Fragments of one that has memory need no more.
 *
 * Credits in force are what the peer may have on its way to us, so they shrink
 * only by what came. Some of them it is not told of: they are for what it sends
 * in doubt, when nobody here looks at the queue (CREDIT_PROBES).
 */
#include "transport/credits.h"

static uint32_t
pool(const struct transport *t)
{
	return t->options.descriptors - t->options.descriptors / 8u;
}

void
credits_init(struct transport *t)
{
	list_init(&t->active);
	t->credits_free = pool(t);
}

/* Credits that the application has memory for, beyond those in force. */
static uint32_t
room(const struct transport *t, const struct flow *f)
{
	const struct endpoint *endpoint = f->endpoint;
	uint32_t all;

	if (endpoint == NULL)
		return 0;
	all = endpoint->fragments_due + t->ops.message_room(t->context,
						f->endpoint, f->id,
						f->fragment_bytes);
	return all > endpoint->credits ? all - endpoint->credits : 0;
}

static void
credit_set(struct transport *t, struct flow *f, uint32_t credit)
{
	t->credits_free += f->credit;
	t->credits_free -= credit;
	if (f->endpoint != NULL)
		f->endpoint->credits += credit - f->credit;
	f->credit = (uint16_t)credit;
}

void
credits_share(struct transport *t, struct flow *f)
{
	uint32_t credit = f->credit - (f->credit != 0); /* this one came */
	uint32_t share;

	if (list_empty(&f->active_node))
		t->active_length++;
	else
		list_leave(&f->active_node);
	list_append(&t->active, &f->active_node);
	credit_set(t, f, credit);
	share = u32_min(pool(t) / t->active_length, CREDIT_MAX);
	if (credit >= share)
		return;
	share = u32_min(share - credit, t->credits_free);
	credit_set(t, f, credit + u32_min(share, room(t, f)));
}

uint16_t
credits_told(const struct flow *f)
{
	/* There is no memory for what comes. */
	if (f->starved)
		return 0;
	/* One packet needs no credit. */
	if (f->credit == 0)
		return 1;
	return (uint16_t)(f->credit - u32_min(f->credit / 4, CREDIT_PROBES));
}

void
credits_return(struct transport *t, struct flow *f)
{
	if (list_empty(&f->active_node))
		return;
	list_leave(&f->active_node);
	t->active_length--;
	credit_set(t, f, 0);
}

void
credits_reclaim(struct transport *t, uint64_t now)
{
	/* Somebody's packets may wait there. */
	if (t->queue_waits)
		return;
	while (!list_empty(&t->active)) {
		struct flow *f =
			container_of(t->active.next, struct flow, active_node);

		if (now - f->largest_ns < CREDIT_IDLE_NS)
			return;
		credits_return(t, f);
	}
}
