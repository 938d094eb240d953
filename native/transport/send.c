// SPDX-License-Identifier: MIT
/*
 * The sending side: messages become packets, packets become acknowledged, lost
 * and sent again under a new number (RFC 9002, 2: no retransmission
 * ambiguity). What a number carried is remembered as (message, offset, frames),
 * so that a packet is rebuilt from the application's own memory.
 */
#include <string.h>

#include "transport/flow.h"

void
send_open(struct flow *f, uint64_t first_number)
{
	f->number_next = first_number;
	f->acked_largest = first_number - 1;
	f->ack_number_next = first_number ^ UINT64_C(1) << 62;
	f->peer_limit = TRANSPORT_MESSAGE_WINDOW;
	f->reorder = REORDER_PACKETS;
	congestion_init(&f->congestion);
	/* One packet until the peer says what it has room for. */
	f->peer_credit = 1;
}

static bool
window_take(struct transport *t, struct flow *f)
{
	f->sent = freelist_take(&t->send_windows, sizeof(*f->sent));
	if (f->sent == NULL)
		return false;
	/* Not the arrays, of which nothing is in use. */
	memset(f->sent, 0, offsetof(struct send_window, packets));
	f->sent->number_oldest = f->number_next;
	return true;
}

void
send_window_return(struct transport *t, struct flow *f)
{
	if (f->sent == NULL)
		return;
	freelist_give(&t->send_windows, f->sent);
	f->sent = NULL;
}

bool
send_idle(const struct flow *f)
{
	return f->message_first == f->message_next;
}

/* How many packets may be in flight. */
static uint32_t
window(const struct flow *f)
{
	if (f->probing)
		return 1;
	return u32_min(f->peer_credit, congestion_window(&f->congestion));
}

/* Messages that were begun, and wait for their next turn? */
static bool
any_partial(const struct flow *f)
{
	return f->sent != NULL && f->sent->partial != NULL;
}

/* May the message at the head of the queue begin, or go on? */
static bool
queue_open(const struct flow *f)
{
	if (f->queue == NULL)
		return false;
	if (f->queue->begun != 0)
		return true;
	if (f->sent != NULL && f->sent->partial_length == PARTIAL_MAX &&
		f->queue->length > f->fragment_bytes)
		return false;
	return serial_before(f->message_begun, f->peer_limit) &&
	       f->message_begun - f->message_first < TRANSPORT_MESSAGE_WINDOW;
}

/* As Nagle, in Minshall's version (draft-minshall-nagle-01), with a limit in
 * time: is one packet that was not full under way, and could this one take one
 * more message like the last? What the ACK, or the answer, takes is about what
 * an application takes for the next messages, if there are any. */
static bool
held_back(const struct flow *f, uint64_t now)
{
	uint32_t room = f->fragment_bytes + WIRE_FRAME_BYTES;
	uint64_t small;

	if (f->inflight == 0 || f->state != FLOW_OPEN || f->queue == NULL ||
		f->queue->begun != 0)
		return false;
	small = f->sent->small;
	if (small - f->sent->number_oldest >=
			f->number_next - f->sent->number_oldest ||
		f->sent->packets[small & WINDOW_MASK].state != SENT_INFLIGHT)
		return false;
	return f->queue_bytes + WIRE_FRAME_BYTES + f->queue->length <= room &&
	       now < f->sent->hold_until_ns;
}

/* A packet may yet go out instead of the oldest one, if that is lost. */
static bool
numbers_used_up(const struct flow *f)
{
	return f->sent != NULL &&
	       f->number_next - f->sent->number_oldest >= WIRE_PACKET_WINDOW;
}

bool
send_possible(const struct flow *f, uint64_t now)
{
	if (f->state != FLOW_OPEN && f->state != FLOW_CLOSING)
		return false;
	if (numbers_used_up(f) &&
		f->sent->packets[f->sent->number_oldest & WINDOW_MASK].state !=
			SENT_LOST)
		return false;
	if (f->probe_due)
		return true;
	if (pace_ns(f) > now)
		return false;
	return f->inflight < window(f) &&
	       (f->lost != 0 || any_partial(f) ||
		       (queue_open(f) && !held_back(f, now)));
}

uint64_t
send_held_until(const struct transport *t)
{
	const struct flow *first =
		container_of(t->held.next, struct flow, ready_node);

	/* All hold equally long, so the first is the first to go on; at once
	 * if everything was acknowledged meanwhile. */
	return first->sent == NULL || first->inflight == 0
		       ? 0
		       : first->sent->hold_until_ns;
}

void
send_held(struct transport *t, uint64_t now)
{
	struct list held;

	list_init(&held);
	list_take(&held, &t->held);
	while (!list_empty(&held)) {
		struct flow *f =
			container_of(held.next, struct flow, ready_node);

		list_leave(&f->ready_node);
		send_ready(t, now, f);
	}
}

void
send_ready(struct transport *t, uint64_t now, struct flow *f)
{
	if (f->queue == NULL && f->lost == 0 && !any_partial(f) &&
		!f->probe_due)
		return;
	if (queue_open(f) && held_back(f, now)) {
		list_join(&t->held, &f->ready_node);
	} else if (send_possible(f, now)) {
		list_join(&f->endpoint->ready, &f->ready_node);
		list_join(&t->ready, &f->endpoint->ready_node);
		return;
	}
	/* Blocked by the peer or by the pace, with nothing in flight whose ACK
	 * would tell when that ends: go on, or ask, after a while. */
	if (f->inflight == 0 && f->rto_deadline_ns == 0 && !send_idle(f) &&
		(f->state == FLOW_OPEN || f->state == FLOW_CLOSING))
		recovery_arm(t, now, f);
}

void
send_queue(struct transport *t, uint64_t now, struct flow *f,
	struct tx_message *message)
{
	bool first = f->queue == NULL;

	message->next = NULL;
	message->id = f->message_next++;
	message->begun = 0;
	message->fragments_left =
		message->length == 0
			? 1
			: (message->length + f->fragment_bytes - 1) /
				  f->fragment_bytes;
	f->queue_bytes += WIRE_FRAME_BYTES + message->length;
	*f->queue_end = message;
	f->queue_end = &message->next;
	/* One behind others changes nothing: they are in line, or blocked. */
	if (!first)
		return;
	if (f->sent != NULL)
		f->sent->hold_until_ns = now + HOLD_NS;
	/* Credit of the past is not in force any more: ask, with one packet. */
	if (f->inflight == 0 && now - f->sent_ns > CREDIT_IDLE_NS / 2)
		f->peer_credit = (uint16_t)u32_min(f->peer_credit, 1);
	send_ready(t, now, f);
}

static uint32_t
fragment_length(
	const struct flow *f, const struct tx_message *message, uint32_t offset)
{
	return u32_min(f->fragment_bytes, message->length - offset);
}

static uint32_t
frame_write(const struct flow *f, const struct tx_message *message,
	uint32_t offset, uint8_t *bytes)
{
	struct wire_frame frame = {
		.kind = message->fin ? WIRE_FRAME_FIN : WIRE_FRAME_MESSAGE,
		.length = (uint16_t)fragment_length(f, message, offset),
		.message = message->id,
		.total = message->length,
		.offset = offset,
	};
	uint32_t length = wire_frame_write(bytes, &frame);

	if (frame.length != 0)
		memcpy(bytes + length, message->bytes + offset, frame.length);
	return length + frame.length;
}

static void
partial_add(struct send_window *window, struct tx_message *message)
{
	struct tx_message *last = window->partial;

	message->next = last == NULL ? message : last->next;
	if (last != NULL)
		last->next = message;
	window->partial = message;
	window->partial_length++;
}

/* A fragment of the next of those that were begun before. */
static uint32_t
frames_from_partial(struct flow *f, struct sent_packet *sent, uint8_t *bytes)
{
	struct send_window *window = f->sent;
	struct tx_message *message = window->partial->next;
	uint32_t length = frame_write(f, message, message->begun, bytes);

	sent->message = message->id;
	sent->offset = message->begun;
	sent->frames = 1;
	message->begun += fragment_length(f, message, message->begun);
	if (message->begun != message->length) {
		window->partial = message; /* the others are first */
	} else {
		window->partial->next = message->next;
		window->partial_length--;
		if (message == window->partial)
			window->partial = NULL;
	}
	return length;
}

static void
queue_pop(struct flow *f)
{
	f->queue_bytes -= WIRE_FRAME_BYTES + f->queue->length;
	f->queue = f->queue->next;
	if (f->queue == NULL)
		f->queue_end = &f->queue;
}

/* Fill a packet from the queue: a fragment, then whole messages as long as
 * they fit. @return bytes written */
static uint32_t
frames_from_queue(struct flow *f, struct sent_packet *sent, uint8_t *bytes)
{
	uint32_t room = WIRE_FRAME_BYTES + f->fragment_bytes;
	uint32_t length = 0;

	while (queue_open(f)) {
		struct tx_message *message = f->queue;
		uint32_t part = fragment_length(f, message, message->begun);

		if (sent->frames != 0 &&
			(part != message->length ||
				length + WIRE_FRAME_BYTES + part > room))
			break;
		if (message->begun == 0) {
			f->sent->messages[message->id & MESSAGE_MASK] = message;
			f->message_begun++;
		}
		if (sent->frames == 0) {
			sent->message = message->id;
			sent->offset = message->begun;
		}
		sent->frames++;
		length +=
			frame_write(f, message, message->begun, bytes + length);
		message->begun += part;
		if (message->begun == message->length) {
			queue_pop(f);
			continue;
		}
		if (f->unordered) {
			queue_pop(f);
			partial_add(f->sent, message);
		}
		break;
	}
	return length;
}

/* New data: of an unordered flow every other packet is of what was begun. */
static uint32_t
frames_new(struct flow *f, struct sent_packet *sent, uint8_t *bytes)
{
	struct send_window *window = f->sent;

	window->partial_turn = window->partial != NULL && !window->partial_turn;
	if (window->partial != NULL && (window->partial_turn || !queue_open(f)))
		return frames_from_partial(f, sent, bytes);
	return frames_from_queue(f, sent, bytes);
}

/* The number of the one to send again: there is one. */
static uint64_t
lost_number(const struct flow *f)
{
	const struct sent_packet *packets = f->sent->packets;
	uint64_t lost = f->sent->number_oldest;

	while (packets[lost & WINDOW_MASK].state != SENT_LOST)
		lost++;
	if (!f->probing || numbers_used_up(f))
		return lost;
	/* A peer that is out of memory has kept some for the message whose turn
	 * it is. */
	for (uint64_t n = lost + 1; n != f->number_next; n++)
		if (packets[n & WINDOW_MASK].state == SENT_LOST &&
			serial_before(packets[n & WINDOW_MASK].message,
				packets[lost & WINDOW_MASK].message))
			lost = n;
	return lost;
}

/* Write what a lost packet carried once more. */
static uint32_t
frames_again(struct transport *t, struct flow *f, struct sent_packet *sent,
	uint8_t *bytes)
{
	uint64_t number = lost_number(f);
	struct sent_packet *lost = &f->sent->packets[number & WINDOW_MASK];
	uint32_t length = 0;

	/* Remembered until the copy is acknowledged: an ACK for it before that
	 * shows that it was late, not lost. */
	lost->state = SENT_AGAIN;
	lost->copy_ahead = (uint16_t)(f->number_next - number);
	sent->original_back = lost->copy_ahead;
	f->lost--;
	t->counters.packets_retransmitted++;
	sent->message = lost->message;
	sent->offset = lost->offset;
	sent->frames = lost->frames;
	for (uint32_t i = 0; i < sent->frames; i++) {
		uint32_t id = sent->message + i;

		length += frame_write(f, f->sent->messages[id & MESSAGE_MASK],
			i == 0 ? sent->offset : 0, bytes + length);
	}
	return length;
}

/* Does the connection wait for the ACK, with more to send than it may or with
 * nothing but its end? */
static bool
held_up(const struct flow *f)
{
	if (f->state == FLOW_CLOSING && f->queue == NULL)
		return true;
	return (f->lost != 0 || any_partial(f) || f->queue != NULL) &&
	       (f->inflight + 1u >= window(f) ||
		       (!any_partial(f) && !queue_open(f)));
}

static bool
packet_build(struct transport *t, uint64_t now, struct flow *f)
{
	uint8_t *packet = packet_begin(t);
	struct wire_header header = {
		.type = WIRE_DATA,
		.flags = WIRE_FLAG_ACK,
		.connection = f->peer_id,
		.number = f->number_next,
	};
	struct sent_packet sent = {
		.time_ns = now,
		.state = SENT_INFLIGHT,
	};
	uint32_t length;

	if (packet == NULL)
		return false;
	length = WIRE_HEADER_BYTES;
	length += receive_ack_write(t, f, now, packet + length);
	if (f->lost != 0)
		length += frames_again(t, f, &sent, packet + length);
	else if (f->inflight < window(f))
		length += frames_new(f, &sent, packet + length);
	if (f->probe_due || held_up(f))
		header.flags |= WIRE_FLAG_ASK;
	wire_header_write(packet, &header);
	f->probe_due = false;
	recovery_forget(f);
	f->sent->packets[f->number_next & WINDOW_MASK] = sent;
	if (length < WIRE_HEADER_BYTES + WIRE_ACK_BYTES + f->fragment_bytes / 2)
		f->sent->small = f->number_next;
	f->number_next++;
	f->inflight++;
	f->sent_ns = now;
	f->deficit -= (int32_t)length;
	f->endpoint->deficit -= (int32_t)length;
	packet_send(t, &f->peer->path, length);
	return true;
}

bool
send_turn(struct transport *t, uint64_t now, struct flow *f)
{
	bool idle = f->inflight == 0;
	bool room = true;

	if (f->sent == NULL && !window_take(t, f)) {
		/* Out of memory: try again later. */
		recovery_arm(t, now, f);
		return true;
	}
	f->deficit += FLOW_QUANTUM;
	while (room && f->deficit > 0 && f->endpoint->deficit > 0 &&
		send_possible(f, now))
		room = packet_build(t, now, f);
	if (!send_possible(f, now) && f->deficit > 0)
		f->deficit = 0;
	if (idle && f->inflight != 0)
		recovery_arm(t, now, f);
	send_ready(t, now, f);
	return room;
}

void
send_discard(struct transport *t, struct flow *f)
{
	struct tx_message *message = f->queue;

	/* One of which a part was sent is in the window, too. */
	if (message != NULL && message->begun != 0)
		message = message->next;
	for (uint32_t id = f->message_first; id != f->message_begun; id++) {
		struct tx_message *sent = f->sent->messages[id & MESSAGE_MASK];

		if (sent != NULL && !sent->fin)
			t->ops.message_sent(t->context, f->endpoint, sent);
	}
	while (message != NULL) {
		struct tx_message *next = message->next;

		if (!message->fin)
			t->ops.message_sent(t->context, f->endpoint, message);
		message = next;
	}
	f->queue = NULL;
	f->queue_end = &f->queue;
	f->queue_bytes = 0;
	f->message_first = f->message_next;
	f->message_begun = f->message_next;
	f->inflight = 0;
	f->lost = 0;
	send_window_return(t, f);
}
