// SPDX-License-Identifier: MIT
/*
 * The receiving side. A message gets memory for all of it at its first
 * fragment, and each fragment is copied once, to its place. A packet for which
 * there is no room is not acknowledged: it comes again.
 */
#include <string.h>

#include "transport/close.h"
#include "transport/credits.h"
#include "transport/deliver.h"
#include "transport/receive.h"
#include "transport/recovery.h"
#include "transport/routes.h"

enum verdict {
	ACCEPTED,
	NO_ROOM,
	MALFORMED,
};

void
receive_open(struct flow *f, uint64_t now, uint64_t first_number)
{
	/* So that the server is told how long ago ACCEPT came. */
	f->largest = first_number - 1;
	f->largest_ns = now;
	memset(f->seen, 0xff, sizeof(f->seen));
	f->limit_told = TRANSPORT_MESSAGE_WINDOW;
}

/* Packet numbers. */

static bool
number_fresh(const struct flow *f, uint64_t number)
{
	uint64_t behind;

	if (number > f->largest)
		return number - f->largest <= NUMBER_JUMP_MAX;
	behind = f->largest - number;
	if (behind == 0 || behind > WIRE_PACKET_WINDOW)
		return false;
	behind--;
	return (f->seen[behind / 64] >> (behind % 64) & 1) == 0;
}

/* Is every packet here that came before the largest? */
static bool
complete(const struct flow *f)
{
	return (f->seen[0] & f->seen[1] & f->seen[2] & f->seen[3]) ==
	       UINT64_MAX;
}

/* Is one missing that the sender may yet have to find lost? What is longer
 * gone was in several ACKs. */
static bool
gap_recent(const struct flow *f)
{
	return (~f->seen[0] & ((UINT64_C(1) << GAP_PACKETS) - 1)) != 0;
}

/* Move all bits up by n places; 1 <= n. */
static void
seen_shift(uint64_t seen[WIRE_ACK_WORDS_MAX], uint64_t n)
{
	int whole = n / 64 > WIRE_ACK_WORDS_MAX ? (int)WIRE_ACK_WORDS_MAX
						: (int)(n / 64);
	unsigned bits = n % 64;

	for (int i = WIRE_ACK_WORDS_MAX - 1; i >= 0; i--) {
		uint64_t high = i >= whole ? seen[i - whole] : 0;
		uint64_t low = i > whole ? seen[i - whole - 1] : 0;

		seen[i] = bits == 0 ? high : high << bits | low >> (64 - bits);
	}
}

static void
number_mark(struct flow *f, uint64_t now, uint64_t number)
{
	uint64_t bit;

	if (number > f->largest) {
		uint64_t ahead = number - f->largest;

		if (ahead != 1 || !complete(f)) /* else it stays all ones */
			seen_shift(f->seen, ahead);
		f->largest = number;
		f->largest_ns = now;
		bit = ahead - 1; /* the one that was the largest */
	} else {
		bit = f->largest - number - 1;
	}
	if (bit < WIRE_PACKET_WINDOW)
		f->seen[bit / 64] |= UINT64_C(1) << (bit % 64);
}

uint32_t
receive_ack_write(
	struct transport *t, struct flow *f, uint64_t now, uint8_t *bytes)
{
	struct wire_ack ack = {
		.largest = f->largest,
		.hold_ns = (uint32_t)u64_min(now - f->largest_ns, UINT32_MAX),
		.message_limit = f->deliver_next + TRANSPORT_MESSAGE_WINDOW,
		.credit = credits_told(f),
		.occupancy = t->occupancy,
		.marked = f->marked,
		.flags = f->route->queue != t->options.engine
				 ? WIRE_ACK_MISDIRECTED
				 : 0,
		.words_length = WIRE_ACK_WORDS_MAX,
	};

	while (ack.words_length != 0 &&
		f->seen[ack.words_length - 1] == UINT64_MAX)
		ack.words_length--;
	memcpy(ack.words, f->seen, sizeof(ack.words));
	f->limit_told = ack.message_limit;
	f->unacknowledged = 0;
	list_leave(&f->ack_node);
	return wire_ack_write(bytes, &ack);
}

void
receive_want_ack(struct transport *t, struct flow *f)
{
	list_leave(&f->ack_node);
	list_append(&t->acks, &f->ack_node);
}

/* One packet that is not urgent may wait for an answer to ride on. */
static void
ack_soon(struct transport *t, uint64_t now, struct flow *f)
{
	if (!list_empty(&f->ack_node))
		return;
	f->ack_due_ns = now + ack_delay_ns(f);
	list_append(&t->acks_delayed, &f->ack_node);
}

void
receive_acks_due(struct transport *t, uint64_t now)
{
	while (!list_empty(&t->acks_delayed)) {
		struct flow *f = container_of(
			t->acks_delayed.next, struct flow, ack_node);

		if (f->ack_due_ns > now)
			return;
		receive_want_ack(t, f);
	}
}

/* Messages. */

static void
window_return_unused(struct transport *t, struct flow *f)
{
	if (f->received->used != 0)
		return;
	freelist_give(&t->receive_windows, f->received);
	f->received = NULL;
}

static void
unstarve(struct transport *t, struct flow *f)
{
	if (!f->starved)
		return;
	f->starved = false;
	list_leave(&f->starved_node);
	receive_want_ack(t, f);
}

void
receive_unstarve(struct transport *t, struct endpoint *endpoint)
{
	while (!list_empty(&endpoint->starved))
		unstarve(t, container_of(endpoint->starved.next, struct flow,
				    starved_node));
}

static void
map_return(struct transport *t, struct flow *f, struct rx_message *slot)
{
	struct endpoint *endpoint = f->endpoint;

	if (slot->map == NULL)
		return;
	slot->map->next = endpoint->maps;
	endpoint->maps = slot->map;
	slot->map = NULL;
	/* It may be what others wait for, and serves one of them. */
	if (!list_empty(&endpoint->starved))
		unstarve(t, container_of(endpoint->starved.next, struct flow,
				    starved_node));
}

void
receive_slot_clear(struct transport *t, struct flow *f, struct rx_message *slot)
{
	map_return(t, f, slot);
	f->endpoint->fragments_due -= slot->fragments_left;
	memset(slot, 0, sizeof(*slot));
	f->received->used--;
	window_return_unused(t, f);
}

/* Memory for a whole message. */
static bool
slot_open(struct transport *t, struct flow *f, const struct wire_frame *frame)
{
	struct rx_message *slot = slot_of(f, frame->message);
	struct endpoint *endpoint = f->endpoint;
	uint32_t fragment = flow_fragment_bytes(f, frame->kind);
	uint32_t fragments = (frame->total + fragment - 1) / fragment;

	if (fragments > 64 && endpoint->maps == NULL)
		return false;
	if (frame->total != 0) {
		slot->bytes = t->ops.message_allocate(t->context, endpoint,
			f->id, frame->total,
			overtakes(f, frame->kind) ||
				frame->message == f->allocated,
			&slot->offset);
		if (slot->bytes == NULL)
			return false;
	}
	if (fragments > 64) {
		slot->map = endpoint->maps;
		endpoint->maps = slot->map->next;
		memset(slot->map, 0, sizeof(*slot->map));
	}
	slot->total = frame->total;
	slot->fragments_left = fragments == 0 ? 1 : fragments;
	endpoint->fragments_due += slot->fragments_left;
	slot->kind = frame->kind;
	slot->request = frame->request;
	slot->state = RX_PARTIAL;
	f->received->used++;
	unstarve(t, f);
	while (f->allocated - f->deliver_next < TRANSPORT_MESSAGE_WINDOW &&
		slot_of(f, f->allocated)->state != RX_EMPTY)
		f->allocated++;
	return true;
}

static void
slot_fill(struct transport *t, struct flow *f, struct rx_message *slot,
	const struct wire_frame *frame)
{
	uint32_t fragment = frame->offset / flow_fragment_bytes(f, frame->kind);
	uint64_t *words =
		slot->map != NULL ? slot->map->words : &slot->fragments;
	uint64_t bit = UINT64_C(1) << (fragment % 64);

	if (words[fragment / 64] & bit)
		return;
	words[fragment / 64] |= bit;
	if (frame->length != 0)
		memcpy(slot->bytes + frame->offset, frame->payload,
			frame->length);
	f->endpoint->fragments_due--;
	if (--slot->fragments_left == 0) {
		slot->state = RX_COMPLETE;
		f->ahead += overtakes(f, slot->kind);
		map_return(t, f, slot);
	}
}

static bool
fragment_valid(const struct flow *f, const struct wire_frame *frame)
{
	uint32_t fragment = flow_fragment_bytes(f, frame->kind);

	/* A whole message: the reader saw that it does not end behind that. */
	if (frame->length == frame->total)
		return frame->length <= fragment;
	return frame->offset % fragment == 0 &&
	       frame->length == u32_min(fragment, frame->total - frame->offset);
}

/* A whole message whose turn it is needs no slot: most are like that. @return
 * whether it is with the application */
static bool
whole_receive(
	struct transport *t, struct flow *f, const struct wire_frame *frame)
{
	struct machnet_event event = {
		.kind = event_kind(frame->kind),
		.connection = f->id,
		.length = frame->total,
		.token = frame->request,
	};

	if (frame->length != frame->total ||
		frame->message != f->deliver_next || f->received != NULL ||
		frame->kind == WIRE_FRAME_FIN || !f->announced ||
		!list_empty(&f->pending_node))
		return false;
	if (frame->total != 0) {
		uint8_t *bytes = t->ops.message_allocate(t->context,
			f->endpoint, f->id, frame->total, true, &event.offset);

		if (bytes == NULL)
			return false;
		memcpy(bytes, frame->payload, frame->length);
	}
	if (!event_deliver(t, f, &event)) {
		if (frame->total != 0)
			t->ops.message_free(
				t->context, f->endpoint, event.offset);
		return false;
	}
	unstarve(t, f);
	f->deliver_next++;
	f->allocated = f->deliver_next;
	return true;
}

/* One of those that were passed, or NULL. */
static struct rx_message *
passed_find(struct flow *f, uint32_t id)
{
	if (f->received == NULL || f->received->passed_length == 0)
		return NULL;
	for (uint32_t i = 0; i < PASSED_MAX; i++) {
		struct rx_message *slot = &f->received->passed[i];

		if (slot->state != RX_EMPTY && slot->id == id)
			return slot;
	}
	return NULL;
}

static enum verdict
slot_receive(struct transport *t, struct flow *f, struct rx_message *slot,
	const struct wire_frame *frame)
{
	if (slot->total != frame->total || slot->kind != frame->kind ||
		slot->request != frame->request)
		return MALFORMED;
	if (slot->state == RX_PARTIAL)
		slot_fill(t, f, slot, frame);
	return ACCEPTED;
}

static enum verdict
frame_receive(
	struct transport *t, struct flow *f, const struct wire_frame *frame)
{
	struct rx_message *slot;

	if (!fragment_valid(f, frame))
		return MALFORMED;
	if (f->state != FLOW_OPEN) {
		/* Nobody reads any more; the peer may go on to its FIN. */
		if (!serial_before(frame->message, f->deliver_next))
			f->deliver_next = frame->message + 1;
		return ACCEPTED;
	}
	if (whole_receive(t, f, frame))
		return ACCEPTED;
	if (serial_before(frame->message, f->deliver_next)) {
		slot = passed_find(f, frame->message);
		/* Else it is delivered; a repeat. */
		return slot != NULL ? slot_receive(t, f, slot, frame)
				    : ACCEPTED;
	}
	if (frame->message - f->deliver_next >= TRANSPORT_MESSAGE_WINDOW)
		return MALFORMED;
	if (f->received == NULL) {
		f->received = freelist_take(
			&t->receive_windows, sizeof(*f->received));
		if (f->received == NULL)
			return NO_ROOM;
	}
	slot = slot_of(f, frame->message);
	if (slot->state == RX_EMPTY && !slot_open(t, f, frame)) {
		window_return_unused(t, f);
		return NO_ROOM;
	}
	return slot_receive(t, f, slot, frame);
}

static enum verdict
frames_receive(struct transport *t, struct flow *f, struct wire_reader *reader)
{
	enum verdict verdict = ACCEPTED;
	struct wire_frame frame;
	int more;

	while ((more = wire_reader_next(reader, &frame)) == 1) {
		switch (frame_receive(t, f, &frame)) {
		case MALFORMED:
			return MALFORMED;
		case NO_ROOM:
			verdict = NO_ROOM;
			break;
		case ACCEPTED:
			break;
		}
	}
	return more == 0 ? verdict : MALFORMED;
}

static void
starve(struct transport *t, struct flow *f)
{
	t->counters.messages_no_room++;
	f->starved = true;
	if (!t->ops.message_capped(t->context, f->endpoint, f->id))
		list_join(&f->endpoint->starved, &f->starved_node);
}

void
transport_released(
	struct transport *t, struct endpoint *endpoint, uint32_t connection)
{
	struct flow *f = flow_of(t, endpoint, connection);

	if (f != NULL && f->starved && list_empty(&f->starved_node))
		unstarve(t, f);
}

/* When to answer a packet: at once if the sender needs it to go on or to find
 * out what is lost, once for several, or with data of our own. */
static void
ack_decide(struct transport *t, uint64_t now, struct flow *f, bool urgent)
{
	if (f->unacknowledged < ACK_PACKETS)
		f->unacknowledged++;
	if (urgent || f->unacknowledged == ACK_PACKETS)
		receive_want_ack(t, f);
	else
		ack_soon(t, now, f);
}

static void
frames_taken(struct transport *t, uint64_t now, struct flow *f,
	const struct wire_header *header, bool marked)
{
	bool next = header->number == f->largest + 1;

	number_mark(f, now, header->number);
	f->marked += marked;
	ack_decide(t, now, f,
		(header->flags & WIRE_FLAG_ASK) != 0 || !next || gap_recent(f));
}

void
receive_data(struct transport *t, uint64_t now, struct flow *f,
	const struct wire_header *header, const uint8_t *bytes, uint32_t length,
	bool marked)
{
	struct wire_reader reader;
	struct wire_ack ack;
	enum verdict verdict;

	if (!wire_reader_init(&reader, header, &ack, bytes, length)) {
		t->counters.packets_malformed++;
		return;
	}
	f->peer->heard_ns = now;
	if (f->state == FLOW_OPEN)
		f->state_deadline_ns = 0; /* both know that it is open */
	if ((header->flags & WIRE_FLAG_ACK) != 0 &&
		(f->state == FLOW_OPEN || f->state == FLOW_CLOSING))
		recovery_ack(t, now, f, &ack);
	if ((header->flags & WIRE_FLAG_ACK) != 0 &&
		(ack.flags & WIRE_ACK_MISDIRECTED) != 0 && f->route != NULL)
		route_repair(t, now, f->route);
	if (header->type == WIRE_ACK)
		return;
	if (f->state != FLOW_OPEN && f->state != FLOW_CLOSING &&
		f->status != MACHNET_OK) {
		/* What is not delivered is not acknowledged. */
		reset_send(t, f);
		return;
	}
	if (!number_fresh(f, header->number)) {
		t->counters.packets_duplicate++;
		receive_want_ack(t, f);
		return;
	}
	verdict = frames_receive(t, f, &reader);
	if (f->state != FLOW_LINGER)
		credits_share(t, f);
	switch (verdict) {
	case MALFORMED:
		t->counters.packets_malformed++;
		return;
	case NO_ROOM:
		starve(t, f);
		receive_want_ack(t, f);
		break;
	case ACCEPTED:
		frames_taken(t, now, f, header, marked);
		break;
	}
	if (f->starved && t->ops.message_waits != NULL)
		t->ops.message_waits(t->context, f->endpoint, f->id, now);
	receive_deliver(t, now, f);
}

static void
slot_discard(struct transport *t, struct flow *f, struct rx_message *slot)
{
	if (slot->state == RX_EMPTY)
		return;
	if (slot->total != 0 && slot->state != RX_DELIVERED)
		t->ops.message_free(t->context, f->endpoint, slot->offset);
	receive_slot_clear(t, f, slot);
}

void
receive_discard(struct transport *t, struct flow *f)
{
	bool any = f->received != NULL;

	if (any)
		f->received->passed_length = 0;
	for (uint32_t i = 0; f->received != NULL && i < PASSED_MAX; i++)
		slot_discard(t, f, &f->received->passed[i]);
	for (uint32_t i = 0; f->received != NULL; i++)
		slot_discard(t, f, slot_of(f, i));
	if (any)
		receive_unstarve(t, f->endpoint);
}

void
receive_close(struct transport *t, struct flow *f)
{
	receive_discard(t, f);
	unstarve(t, f);
}
