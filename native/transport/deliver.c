// SPDX-License-Identifier: MIT
/*
 * What the application is told, as far as it has room, and in which order: that
 * a connection is open, its messages, its end.
 */
#include <string.h>

#include "transport/close.h"
#include "transport/deliver.h"
#include "transport/handshake.h"
#include "transport/path.h"
#include "transport/receive.h"

static bool
announce(struct transport *t, struct flow *f)
{
	struct machnet_event event = {
		.kind = f->passive ? MACHNET_EVENT_ACCEPTED
				   : MACHNET_EVENT_CONNECTED,
		.port = f->service_port,
		.connection = f->id,
		.token = f->setup != NULL ? f->setup->token : 0,
		.address = f->peer->path.address,
		.listener = f->listener,
	};

	/* A connect that failed. */
	if (f->state == FLOW_ENDED && f->peer_id == 0) {
		event.status = f->status;
		event.connection = 0;
	} else if (f->path_told != f->route->changes && !path_tell(t, f)) {
		return false;
	}
	f->announced = flow_deliver(t, f, &event);
	if (f->announced)
		setup_return(t, f);
	return f->announced;
}

static bool
message_deliver(struct transport *t, struct flow *f, struct rx_message *slot)
{
	struct machnet_event event = {
		.kind = event_kind(slot->kind),
		.connection = f->id,
		.offset = slot->offset,
		.length = slot->total,
		.token = slot->request,
	};

	if (!event_deliver(t, f, &event))
		return false;
	slot->state = RX_DELIVERED;
	return true;
}

/* Those that may overtake others, and were complete before their turn. */
static bool
deliver_ahead(struct transport *t, struct flow *f)
{
	for (uint32_t i = 0; f->ahead != 0 && i < TRANSPORT_MESSAGE_WINDOW;
		i++) {
		struct rx_message *slot = slot_of(f, f->deliver_next + i);

		if (slot->state != RX_COMPLETE || !overtakes(f, slot->kind))
			continue;
		if (!message_deliver(t, f, slot))
			return false;
		f->ahead--;
	}
	return true;
}

/* Those that were passed, and are complete. */
static bool
deliver_passed(struct transport *t, struct flow *f)
{
	for (uint32_t i = 0; f->received != NULL && i < PASSED_MAX; i++) {
		struct rx_message *slot = &f->received->passed[i];

		if (slot->state != RX_COMPLETE)
			continue;
		if (!message_deliver(t, f, slot))
			return false;
		f->ahead -= overtakes(f, slot->kind);
		f->received->passed_length--;
		receive_slot_clear(t, f, slot);
	}
	return true;
}

/* Was one passed that others may not overtake? */
static bool
order_held(const struct flow *f)
{
	const struct receive_window *window = f->received;

	for (uint32_t i = 0; window->passed_length != 0 && i < PASSED_MAX; i++)
		if (window->passed[i].state != RX_EMPTY &&
			!overtakes(f, window->passed[i].kind))
			return true;
	return false;
}

/* Put the message whose turn it is aside, if others wait behind it. */
static bool
pass(struct flow *f, struct rx_message *slot)
{
	struct receive_window *window = f->received;
	uint32_t i = 0;

	if (slot->state != RX_PARTIAL || window->passed_length == PASSED_MAX ||
		window->used == window->passed_length + 1 ||
		(!overtakes(f, slot->kind) && order_held(f)))
		return false;
	while (window->passed[i].state != RX_EMPTY)
		i++;
	slot->id = f->deliver_next++;
	window->passed[i] = *slot;
	window->passed_length++;
	memset(slot, 0, sizeof(*slot));
	return true;
}

static bool
deliver_messages(struct transport *t, uint64_t now, struct flow *f)
{
	if (f->received != NULL && f->received->passed_length != 0 &&
		!deliver_passed(t, f))
		return false;
	while (f->received != NULL) {
		struct rx_message *slot = slot_of(f, f->deliver_next);

		if (slot->state == RX_COMPLETE &&
			slot->kind == WIRE_FRAME_FIN &&
			f->received->passed_length == 0) {
			/* Nothing follows it. If the peer was lost since it
			 * came, that is no loss any more. */
			receive_discard(t, f);
			if (f->state == FLOW_ENDED) {
				f->status = MACHNET_OK;
				return true;
			}
			flow_end(t, now, f, MACHNET_OK);
			return false;
		}
		if (pass(f, slot))
			continue;
		if (slot->state == RX_COMPLETE &&
			slot->kind != WIRE_FRAME_FIN &&
			(overtakes(f, slot->kind) || !order_held(f))) {
			if (!message_deliver(t, f, slot))
				return false;
			f->ahead -= overtakes(f, slot->kind);
		}
		if (slot->state != RX_DELIVERED)
			return deliver_ahead(t, f);
		f->deliver_next++;
		receive_slot_clear(t, f, slot);
	}
	return true;
}

static void
deliver_closed(struct transport *t, uint64_t now, struct flow *f)
{
	struct machnet_event event = {
		.kind = MACHNET_EVENT_CLOSED,
		.connection = f->id,
		.status = f->status,
	};

	if (f->ending != NULL) {
		event.offset = f->ending->reason_offset;
		event.length = f->ending->reason_length;
	}
	if (!flow_deliver(t, f, &event))
		return;
	if (f->ending != NULL)
		f->ending->reason_length = 0; /* the application's now */
	flow_told(t, now, f);
}

void
receive_deliver(struct transport *t, uint64_t now, struct flow *f)
{
	if (f->endpoint == NULL || f->state == FLOW_SYN ||
		f->state == FLOW_CONFIRM)
		return;
	if (!f->announced && !announce(t, f))
		return;
	if (f->state == FLOW_ENDED && f->peer_id == 0) {
		flow_linger(t, now, f);
		return;
	}
	if (f->state == FLOW_OPEN && f->path_told != f->route->changes &&
		!path_tell(t, f))
		return;
	if (!deliver_messages(t, now, f))
		return;
	if (f->state == FLOW_ENDED) {
		deliver_closed(t, now, f);
		return;
	}
	/* The peer may be waiting for a window that stood still. */
	if (f->deliver_next + TRANSPORT_MESSAGE_WINDOW - f->limit_told >=
		TRANSPORT_MESSAGE_WINDOW / 2)
		receive_want_ack(t, f);
}
