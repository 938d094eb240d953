// SPDX-License-Identifier: MIT
/*
 * The RX queue, shared among the peers that fill it. What all credits in force
 * allow together fits the queue, less a reserve for packets that need none
 * (handshakes, ACKs, the first packet of a connection that was idle). A
 * connection that falls silent loses its credit, by the same rule on both
 * sides.
 */
#include "transport/flow.h"

static uint32_t
pool(const struct transport *t)
{
	return t->options.descriptors - t->options.descriptors / 8u;
}

void
credits_share(struct transport *t, uint64_t now, struct flow *f)
{
	uint32_t share;

	f->active_ns = now;
	if (list_empty(&f->active_node))
		t->active_length++;
	else
		list_leave(&f->active_node);
	list_append(&t->active, &f->active_node);
	share = u32_min(u32_max(pool(t) / t->active_length, 1), CREDIT_MAX);
	if (f->credit < share)
		share = f->credit + u32_min(share - f->credit, t->credits_free);
	t->credits_free += f->credit;
	t->credits_free -= share;
	f->credit = (uint16_t)share;
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
	while (!list_empty(&t->active)) {
		struct flow *f =
			container_of(t->active.next, struct flow, active_node);

		if (now - f->active_ns < CREDIT_IDLE_NS)
			return;
		credits_return(t, f);
	}
}
