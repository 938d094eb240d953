// SPDX-License-Identifier: MIT
/*
 * The RX queue, shared among the peers that fill it. What all credits in force
 * allow together fits the queue, less a reserve for packets that need none
 * (handshakes, ACKs, the first packet of a connection that was idle). A
 * connection that falls silent loses its credit, by the same rule on both
 * sides.
 *
 * Credits in force are what the peer may have on its way to us, so they shrink
 * only by what came. Some of them it is not told of: they are for what it sends
 * in doubt, when nobody here looks at the queue (CREDIT_PROBES).
 */
#include "transport/flow.h"

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
	share = u32_min(pool(t) / t->active_length, CREDIT_MAX);
	t->credits_free += f->credit - credit;
	if (credit < share) {
		share = u32_min(share - credit, t->credits_free);
		t->credits_free -= share;
		credit += share;
	}
	f->credit = (uint16_t)credit;
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
	t->credits_free += f->credit;
	f->credit = 0;
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
