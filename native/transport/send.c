// SPDX-License-Identifier: MIT
/*
 * The sending side: messages become packets, packets become acknowledged, lost
 * and sent again under a new number (RFC 9002, 2: no retransmission
 * ambiguity). What a number carried is remembered as (message, offset, frames),
 * so that a packet is rebuilt from the application's own memory.
 */
#include <assert.h>
#include <string.h>

#include "transport/receive.h"
#include "transport/recovery.h"
#include "transport/send.h"

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
	return f->message_first == f->message_next &&
	       (f->sent == NULL || f->sent->passed_length == 0);
}

struct tx_message **
send_message_passed(const struct flow *f, uint32_t id)
{
	struct send_window *window = f->sent;
	uint32_t i = 0;

	while (window->passed[i] == NULL || window->passed[i]->id != id)
		i++;
	return &window->passed[i];
}

static bool
pass(struct send_window *window, struct tx_message *message)
{
	uint32_t i = 0;

	if (window->passed_length == PASSED_MAX)
		return false;
	while (window->passed[i] != NULL)
		i++;
	window->passed[i] = message;
	window->passed_length++;
	return true;
}

void
send_pass(struct flow *f)
{
	while (f->message_first != f->message_begun) {
		struct tx_message **message =
			&f->sent->messages[f->message_first & MESSAGE_MASK];

		/* Not before there is need. */
		if (*message != NULL &&
			(f->message_begun - f->message_first <
					TRANSPORT_MESSAGE_WINDOW / 2 ||
				!pass(f->sent, *message)))
			return;
		*message = NULL;
		f->message_first++;
	}
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

/* Rings of messages, by the last of each. */

static void
ring_append(struct tx_message **last, struct tx_message *message)
{
	message->next = *last == NULL ? message : (*last)->next;
	if (*last != NULL)
		(*last)->next = message;
	*last = message;
}

static void
ring_pop(struct tx_message **last)
{
	struct tx_message *first = (*last)->next;

	if (first == *last)
		*last = NULL;
	else
		(*last)->next = first->next;
}

static uint8_t
frame_kind(const struct tx_message *message)
{
	static_assert(WIRE_FRAME_CANCEL - WIRE_FRAME_REQUEST ==
			      MACHNET_MESSAGE_CANCEL - MACHNET_MESSAGE_REQUEST,
		"in the same order");
	if (message->fin)
		return WIRE_FRAME_FIN;
	if (message->kind == MACHNET_MESSAGE_PLAIN)
		return WIRE_FRAME_MESSAGE;
	return WIRE_FRAME_REQUEST + (message->kind - MACHNET_MESSAGE_REQUEST);
}

/* Does it not fit a packet? Of one that was not begun. */
static bool
is_large(const struct tx_message *message)
{
	return message->fragments_left > 1;
}

static enum send_queue
queue_of(const struct flow *f, const struct tx_message *message)
{
	if (!overtakes(f, message->frame))
		return QUEUE_ORDERED;
	return is_large(message) ? QUEUE_LARGE : QUEUE_SMALL;
}

/* On the wire, with the header of its frame. */
static uint32_t
bytes_of(const struct tx_message *message)
{
	return message->header + message->length;
}

static bool
may_begin(const struct flow *f, const struct tx_message *message)
{
	const struct send_window *window = f->sent;

	/* Nothing follows FIN. */
	if (message->fin && (f->queues[QUEUE_SMALL] != NULL ||
				    f->queues[QUEUE_LARGE] != NULL))
		return false;
	if (window == NULL || window->partial == NULL)
		return true;
	if (is_large(message) &&
		(window->partial_length == PARTIAL_MAX ||
			window->partial_bytes + message->length >
				PARTIAL_BYTES_MAX))
		return false;
	return message->queue != QUEUE_ORDERED || !window->partial_ordered;
}

/* How many messages the windows of ids of both sides let begin. */
static uint32_t
ids_left(const struct flow *f)
{
	if (!serial_before(f->message_begun, f->peer_limit))
		return 0;
	return u32_min(f->peer_limit - f->message_begun,
		f->message_first + TRANSPORT_MESSAGE_WINDOW - f->message_begun);
}

/* Of the first in each queue that may begin the one that has waited longest, or
 * NULL. */
static inline struct tx_message *
queues_first(const struct flow *f)
{
	struct tx_message *oldest = NULL;

	for (uint32_t i = 0; i < QUEUES; i++) {
		struct tx_message *last = f->queues[i];

		if (last != NULL &&
			(oldest == NULL ||
				serial_before(last->next->id, oldest->id)) &&
			may_begin(f, last->next))
			oldest = last->next;
	}
	return oldest;
}

/* The message that begins next, or NULL. */
static struct tx_message *
queue_next(const struct flow *f)
{
	return f->queue_bytes != 0 && ids_left(f) != 0 ? queues_first(f) : NULL;
}

/* As Nagle, in Minshall's version (draft-minshall-nagle-01), with a limit in
 * time: is one packet that was not full under way, and could this one take one
 * more message like the last? What the ACK, or the answer, takes is about what
 * an application takes for the next messages, if there are any. */
static bool
held_back(const struct flow *f, const struct tx_message *message, uint64_t now)
{
	uint32_t room = f->fragment_bytes + WIRE_FRAME_BYTES;
	uint64_t small;

	if (f->inflight == 0 || f->state != FLOW_OPEN || any_partial(f))
		return false;
	small = f->sent->small;
	if (small - f->sent->number_oldest >=
			f->number_next - f->sent->number_oldest ||
		f->sent->packets[small & WINDOW_MASK].state != SENT_INFLIGHT)
		return false;
	return f->queue_bytes + bytes_of(message) <= room &&
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
	const struct tx_message *message;

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
	if (f->inflight >= window(f))
		return false;
	if (f->lost != 0 || any_partial(f))
		return true;
	message = queue_next(f);
	return message != NULL && !held_back(f, message, now);
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
	const struct tx_message *message = queue_next(f);

	if (f->queue_bytes == 0 && f->lost == 0 && !any_partial(f) &&
		!f->probe_due)
		return;
	if (message != NULL && held_back(f, message, now)) {
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
	uint32_t room = f->fragment_bytes + WIRE_FRAME_BYTES;
	struct tx_message **queue;
	uint32_t fragment;
	bool first;

	message->frame = frame_kind(message);
	message->header = (uint8_t)wire_frame_bytes(message->frame);
	message->id = f->message_next++;
	message->begun = 0;
	fragment = room - message->header;
	message->fragments_left =
		message->length <= fragment
			? 1
			: (message->length + fragment - 1) / fragment;
	message->queue = (uint8_t)queue_of(f, message);
	if (f->queue_bytes == 0 && f->sent != NULL)
		f->sent->hold_until_ns = now + HOLD_NS;
	f->queue_bytes += bytes_of(message);
	queue = &f->queues[message->queue];
	first = *queue == NULL;
	ring_append(queue, message);
	/* One behind others changes nothing: they are in line, or blocked. */
	if (!first)
		return;
	send_ready(t, now, f);
}

static uint32_t
fragment_length(
	const struct flow *f, const struct tx_message *message, uint32_t offset)
{
	return u32_min(f->fragment_bytes + WIRE_FRAME_BYTES - message->header,
		message->length - offset);
}

/* Let the device take a fragment from where it lies. Only one that fills its
 * packet: it is the end of it, and small ones are copied sooner than attached.
 */
static bool
fragment_attach(struct transport *t, struct flow *f, struct tx_message *message,
	uint32_t offset, uint32_t part)
{
	return t->ops.packet_attach != NULL &&
	       message->header + part == f->fragment_bytes + WIRE_FRAME_BYTES &&
	       t->ops.packet_attach(
		       t->context, f->endpoint, message, offset, part);
}

static uint32_t
frame_write(struct transport *t, struct flow *f, struct tx_message *message,
	uint32_t offset, uint32_t part, uint8_t *bytes)
{
	const struct wire_frame frame = {
		.kind = message->frame,
		.length = (uint16_t)part,
		.message = message->id,
		.total = message->length,
		.offset = offset,
		.request = message->request,
	};
	uint32_t length = wire_frame_write(bytes, &frame);

	if (part != 0 && !fragment_attach(t, f, message, offset, part))
		memcpy(bytes + length, message->bytes + offset, part);
	return length + part;
}

static void
queue_pop(struct flow *f, const struct tx_message *message)
{
	ring_pop(&f->queues[message->queue]);
	f->queue_bytes -= bytes_of(message);
}

/* @return bytes that go into its first packet */
static uint32_t
message_begin(struct flow *f, struct tx_message *message)
{
	struct send_window *window = f->sent;
	uint32_t part = fragment_length(f, message, 0);

	queue_pop(f, message);
	message->id = f->message_begun++;
	message->begun = part;
	window->messages[message->id & MESSAGE_MASK] = message;
	if (part != message->length) {
		ring_append(&window->partial, message);
		window->partial_length++;
		window->partial_bytes += message->length;
		window->partial_ordered |= message->queue == QUEUE_ORDERED;
	}
	return part;
}

/* Fill a packet from the queues: a fragment, then whole messages as long as
 * they fit behind it. @return its length */
static uint32_t
frames_from_queues(struct transport *t, struct flow *f,
	struct sent_packet *sent, uint8_t *bytes, uint32_t length)
{
	uint32_t room = WIRE_FRAME_BYTES + f->fragment_bytes;
	uint32_t ids = ids_left(f);

	for (; ids != 0 && f->queue_bytes != 0; ids--) {
		struct tx_message *message = queues_first(f);
		uint32_t part;

		if (message == NULL ||
			(sent->frames != 0 &&
				length + bytes_of(message) > room))
			break;
		part = message_begin(f, message);
		if (sent->frames++ == 0)
			sent->message = message->id;
		length += frame_write(t, f, message, 0, part, bytes + length);
		if (part != message->length)
			break;
	}
	return length;
}

/* A fragment of the next of those that were begun before, and what follows the
 * message if that ends there. */
static uint32_t
frames_from_partial(struct transport *t, struct flow *f,
	struct sent_packet *sent, uint8_t *bytes)
{
	struct send_window *window = f->sent;
	struct tx_message *message = window->partial->next;
	uint32_t part = fragment_length(f, message, message->begun);
	uint32_t length =
		frame_write(t, f, message, message->begun, part, bytes);

	sent->message = message->id;
	sent->offset = message->begun;
	sent->frames = 1;
	message->begun += part;
	if (message->begun != message->length) {
		window->partial = message; /* the others are first */
		return length;
	}
	ring_pop(&window->partial);
	window->partial_length--;
	window->partial_bytes -= message->length;
	window->partial_ordered &= message->queue != QUEUE_ORDERED;
	/* A packet has messages of consecutive ids. */
	if (message->id + 1 == f->message_begun)
		length = frames_from_queues(t, f, sent, bytes, length);
	return length;
}

/* New data: every other packet is of what was begun. */
static uint32_t
frames_new(struct transport *t, struct flow *f, struct sent_packet *sent,
	uint8_t *bytes)
{
	struct send_window *window = f->sent;

	window->partial_turn = window->partial != NULL && !window->partial_turn;
	if (window->partial != NULL &&
		(window->partial_turn || queue_next(f) == NULL))
		return frames_from_partial(t, f, sent, bytes);
	return frames_from_queues(t, f, sent, bytes, 0);
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
		struct tx_message *message =
			*send_message(f, sent->message + i);
		uint32_t offset = i == 0 ? sent->offset : 0;

		length += frame_write(t, f, message, offset,
			fragment_length(f, message, offset), bytes + length);
	}
	return length;
}

/* Does the connection wait for the ACK, with more to send than it may or with
 * nothing but its end? */
static bool
held_up(const struct flow *f)
{
	if (f->state == FLOW_CLOSING && f->queue_bytes == 0)
		return true;
	return (f->lost != 0 || any_partial(f) || f->queue_bytes != 0) &&
	       (f->inflight + 1u >= window(f) ||
		       (!any_partial(f) && queue_next(f) == NULL));
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
		length += frames_new(t, f, &sent, packet + length);
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
	packet_send(t, &f->route->path, length);
	return true;
}

/* Credit of the past is not in force any more, be it that there was nothing to
 * send or that we were not run: then one packet asks for it. On a long path
 * ACKs are late, and credit that was given to others meanwhile does less harm
 * than asking at every round trip. */
static uint64_t
credit_life_ns(const struct flow *f)
{
	return u64_max(CREDIT_IDLE_NS / 2, UINT64_C(2) * f->srtt_ns);
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
	if (now - f->sent_ns > credit_life_ns(f))
		f->peer_credit = (uint16_t)u32_min(f->peer_credit, 1);
	/* Else its turn goes on that found the device full. */
	if (f->deficit <= 0)
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
	for (uint32_t i = 0; f->sent != NULL && i < PASSED_MAX; i++)
		if (f->sent->passed[i] != NULL)
			t->ops.message_sent(
				t->context, f->endpoint, f->sent->passed[i]);
	for (uint32_t id = f->message_first; id != f->message_begun; id++) {
		struct tx_message *sent = f->sent->messages[id & MESSAGE_MASK];

		if (sent != NULL && !sent->fin)
			t->ops.message_sent(t->context, f->endpoint, sent);
	}
	for (uint32_t i = 0; i < QUEUES; i++) {
		while (f->queues[i] != NULL) {
			struct tx_message *message = f->queues[i]->next;

			queue_pop(f, message);
			if (!message->fin)
				t->ops.message_sent(
					t->context, f->endpoint, message);
		}
	}
	f->message_first = f->message_next;
	f->message_begun = f->message_next;
	f->inflight = 0;
	f->lost = 0;
	send_window_return(t, f);
}
