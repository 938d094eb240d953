/* SPDX-License-Identifier: MIT */
/* Events to the application, in order. */
#ifndef TRANSPORT_DELIVER_H
#define TRANSPORT_DELIVER_H

#include <assert.h>

#include "transport/flow.h"

/** Deliver events as far as there is room. The flow may be free after. */
void receive_deliver(struct transport *t, uint64_t now, struct flow *f);

/** One event; if there is no room, receive_deliver has to be called when there
 * is. */
static inline bool
flow_deliver(
	struct transport *t, struct flow *f, const struct machnet_event *event)
{
	if (t->ops.deliver(t->context, f->endpoint, event))
		return true;
	list_join(&f->endpoint->pending, &f->pending_node);
	f->endpoint->full = true;
	return false;
}

/** Of a message. */
static inline uint16_t
event_kind(uint8_t frame_kind)
{
	static_assert(WIRE_FRAME_CANCEL - WIRE_FRAME_REQUEST ==
			      MACHNET_EVENT_CANCEL - MACHNET_EVENT_REQUEST,
		"in the same order");
	if (!wire_frame_tagged(frame_kind))
		return MACHNET_EVENT_MESSAGE;
	return MACHNET_EVENT_REQUEST + (frame_kind - WIRE_FRAME_REQUEST);
}

/** One that is counted as a message. */
static inline bool
event_deliver(
	struct transport *t, struct flow *f, const struct machnet_event *event)
{
	if (!flow_deliver(t, f, event))
		return false;
	t->counters.messages_received++;
	t->counters.bytes_received += event->length;
	return true;
}

#endif
