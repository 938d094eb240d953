// SPDX-License-Identifier: MIT
/*
 * The sending side: messages become packets, packets become acknowledged, lost
 * and sent again under a new number (RFC 9002, 2: no retransmission
 * ambiguity). What a number carried is remembered as (message, offset, frames),
 * so that a packet is rebuilt from the application's own memory.
 */
#include <stdlib.h>
#include <string.h>

#include "transport/flow.h"

void
send_open(struct flow *f, uint64_t first_number)
{
	f->number_next = first_number;
	f->number_oldest = first_number;
	f->acked_largest = first_number - 1;
	f->ack_number_next = first_number ^ UINT64_C(1) << 62;
	f->peer_limit = TRANSPORT_MESSAGE_WINDOW;
	/* One packet until the peer says what it has room for. */
	f->peer_credit = 1;
}

static struct send_window *
window_take(struct transport *t)
{
	struct send_window *window = t->send_windows;

	if (window != NULL)
		t->send_windows = window->next;
	else
		window = malloc(sizeof(*window));
	return window;
}

static void
window_return(struct transport *t, struct flow *f)
{
	if (f->sent == NULL)
		return;
	f->sent->next = t->send_windows;
	t->send_windows = f->sent;
	f->sent = NULL;
}

bool
send_idle(const struct flow *f)
{
	return f->queue == NULL && f->message_first == f->message_next;
}

static uint64_t
rto_ns(const struct flow *f)
{
	uint64_t rto = RTO_INITIAL_NS;

	if (f->srtt_ns != 0)
		rto = u64_max(f->srtt_ns + 4 * f->rttvar_ns, RTO_MIN_NS);
	return u64_min(rto << u32_min(f->tries, 8), RTO_MAX_NS);
}

/* How many packets may be in flight. */
static uint32_t
credit(const struct flow *f)
{
	if (f->probing)
		return 1;
	return f->peer_credit;
}

/* May the message at the head of the queue begin, or go on? */
static bool
queue_open(const struct flow *f)
{
	if (f->queue == NULL)
		return false;
	if (f->queue->begun != 0)
		return true;
	return serial_before(f->message_begun, f->peer_limit) &&
	       f->message_begun - f->message_first < TRANSPORT_MESSAGE_WINDOW;
}

/* A packet may yet go out instead of the oldest one, if that is lost. */
static bool
numbers_used_up(const struct flow *f)
{
	return f->number_next - f->number_oldest >= WIRE_PACKET_WINDOW;
}

static bool
may_send(const struct flow *f)
{
	if (f->state != FLOW_OPEN && f->state != FLOW_CLOSING)
		return false;
	if (numbers_used_up(f) &&
		f->sent->packets[f->number_oldest & WINDOW_MASK].state !=
			SENT_LOST)
		return false;
	if (f->probe_due)
		return true;
	return f->inflight < credit(f) && (f->lost != 0 || queue_open(f));
}

void
send_ready(struct transport *t, uint64_t now, struct flow *f)
{
	if (may_send(f)) {
		list_join(&t->ready, &f->ready_node);
		return;
	}
	/* Blocked by the peer, with nothing in flight whose ACK would tell
	 * when that ends: ask after a while, for its word may be lost. */
	if (f->inflight == 0 && f->rto_deadline_ns == 0 && !send_idle(f) &&
		(f->state == FLOW_OPEN || f->state == FLOW_CLOSING)) {
		f->rto_deadline_ns = now + rto_ns(f);
		flow_arm(t, f);
	}
}

void
send_queue(struct transport *t, uint64_t now, struct flow *f,
	struct tx_message *message)
{
	message->next = NULL;
	message->id = f->message_next++;
	message->begun = 0;
	message->fragments_left =
		message->length == 0
			? 1
			: (message->length + f->fragment_bytes - 1) /
				  f->fragment_bytes;
	*f->queue_end = message;
	f->queue_end = &message->next;
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
		if (message->begun != message->length)
			break;
		f->queue = message->next;
		if (f->queue == NULL)
			f->queue_end = &f->queue;
	}
	return length;
}

static void
forget_done(struct flow *f)
{
	while (f->number_oldest != f->number_next &&
		f->sent->packets[f->number_oldest & WINDOW_MASK].state ==
			SENT_DONE)
		f->number_oldest++;
}

static void
packet_lost(struct flow *f, struct sent_packet *sent)
{
	if (sent->state != SENT_INFLIGHT)
		return;
	f->inflight--;
	/* A probe had nothing in it that is missed. */
	sent->state = sent->frames == 0 ? SENT_DONE : SENT_LOST;
	if (sent->state == SENT_LOST)
		f->lost++;
}

/* Which one to send again: there is one. */
static struct sent_packet *
lost_packet(struct flow *f)
{
	uint64_t number = f->number_oldest;
	struct sent_packet *lost;

	while (f->sent->packets[number & WINDOW_MASK].state != SENT_LOST)
		number++;
	lost = &f->sent->packets[number & WINDOW_MASK];
	if (!f->probing || numbers_used_up(f))
		return lost;
	/* A peer that is out of memory has kept some for the message whose turn
	 * it is. */
	while (++number != f->number_next) {
		struct sent_packet *sent =
			&f->sent->packets[number & WINDOW_MASK];

		if (sent->state == SENT_LOST &&
			serial_before(sent->message, lost->message))
			lost = sent;
	}
	return lost;
}

/* Write what a lost packet carried once more. */
static uint32_t
frames_again(struct transport *t, struct flow *f, struct sent_packet *sent,
	uint8_t *bytes)
{
	struct sent_packet *lost = lost_packet(f);
	uint32_t length = 0;

	lost->state = SENT_DONE;
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
	struct sent_packet sent = {.time_ns = now, .state = SENT_INFLIGHT};
	uint32_t length;

	if (packet == NULL)
		return false;
	length = wire_header_write(packet, &header);
	length += receive_ack_write(f, now, t->options.credit, packet + length);
	if (f->lost != 0)
		length += frames_again(t, f, &sent, packet + length);
	else if (f->inflight < credit(f))
		length += frames_from_queue(f, &sent, packet + length);
	f->probe_due = false;
	forget_done(f);
	f->sent->packets[f->number_next & WINDOW_MASK] = sent;
	f->number_next++;
	f->inflight++;
	packet_send(t, &f->path, length);
	return true;
}

bool
send_burst(struct transport *t, uint64_t now, struct flow *f)
{
	bool idle = f->inflight == 0;
	bool room = true;

	if (f->sent == NULL) {
		f->sent = window_take(t);
		if (f->sent == NULL) {
			/* Out of memory: try again later. */
			f->rto_deadline_ns = now + rto_ns(f);
			flow_arm(t, f);
			return true;
		}
	}
	for (uint32_t i = 0; i < FLOW_BURST && room && may_send(f); i++)
		room = packet_build(t, now, f);
	if (idle && f->inflight != 0) {
		f->rto_deadline_ns = now + rto_ns(f);
		flow_arm(t, f);
	}
	send_ready(t, now, f);
	return room;
}

static void
message_acknowledged(
	struct transport *t, struct flow *f, struct tx_message *message)
{
	f->sent->messages[message->id & MESSAGE_MASK] = NULL;
	if (message != &f->fin) {
		t->counters.messages_sent++;
		t->counters.bytes_sent += message->length;
		t->ops.message_sent(t->context, f->endpoint, message);
	}
	while (f->message_first != f->message_begun &&
		f->sent->messages[f->message_first & MESSAGE_MASK] == NULL)
		f->message_first++;
}

static void
packet_acknowledged(
	struct transport *t, struct flow *f, struct sent_packet *sent)
{
	if (sent->state == SENT_INFLIGHT)
		f->inflight--;
	else
		f->lost--;
	sent->state = SENT_DONE;
	/* The answer to an empty probe does not mean that it goes on. */
	if (sent->frames != 0)
		f->tries = 0;
	for (uint32_t i = 0; i < sent->frames; i++) {
		uint32_t id = sent->message + i;
		struct tx_message *message =
			f->sent->messages[id & MESSAGE_MASK];

		if (--message->fragments_left == 0)
			message_acknowledged(t, f, message);
	}
}

static bool
ack_covers(const struct wire_ack *ack, uint64_t number)
{
	uint64_t behind = ack->largest - number;

	if (behind == 0)
		return true;
	behind--;
	if (behind / 64 >= ack->words_length)
		return true;
	return ack->words[behind / 64] >> (behind % 64) & 1;
}

/* RFC 6298, section 2. */
static void
rtt_sample(struct flow *f, uint64_t rtt_ns)
{
	uint64_t difference;

	if (f->srtt_ns == 0) {
		f->srtt_ns = rtt_ns;
		f->rttvar_ns = rtt_ns / 2;
		return;
	}
	difference =
		rtt_ns > f->srtt_ns ? rtt_ns - f->srtt_ns : f->srtt_ns - rtt_ns;
	f->rttvar_ns += difference / 4 - f->rttvar_ns / 4;
	f->srtt_ns += rtt_ns / 8 - f->srtt_ns / 8;
}

/* @return whether it acknowledges anything new */
static bool
acknowledge_packets(struct transport *t, uint64_t now, struct flow *f,
	const struct wire_ack *ack)
{
	bool progress = false;

	for (uint64_t n = f->number_oldest; n <= ack->largest; n++) {
		struct sent_packet *sent = &f->sent->packets[n & WINDOW_MASK];

		if (sent->state == SENT_DONE || !ack_covers(ack, n))
			continue;
		if (n == ack->largest && now - sent->time_ns > ack->hold_ns)
			rtt_sample(f, now - sent->time_ns - ack->hold_ns);
		packet_acknowledged(t, f, sent);
		progress = true;
	}
	for (uint64_t n = f->number_oldest;
		n + LOSS_PACKET_THRESHOLD <= ack->largest; n++)
		packet_lost(f, &f->sent->packets[n & WINDOW_MASK]);
	forget_done(f);
	return progress;
}

static void
limits_receive(struct transport *t, uint64_t now, struct flow *f,
	const struct wire_ack *ack)
{
	bool reopened = f->peer_credit == 0 && ack->credit != 0;

	f->peer_credit = ack->credit;
	if (serial_before(f->peer_limit, ack->message_limit)) {
		f->peer_limit = ack->message_limit;
		f->tries = 0;
	}
	if (!reopened)
		return;
	f->tries = 0;
	f->probing = false;
	if (f->rto_deadline_ns != 0) {
		f->rto_deadline_ns = now + rto_ns(f);
		flow_arm(t, f);
	}
}

void
send_ack_received(struct transport *t, uint64_t now, struct flow *f,
	const struct wire_ack *ack)
{
	if (ack->largest >= f->number_next) {
		t->counters.packets_malformed++;
		return;
	}
	/* One that was overtaken says nothing new; one that is older than the
	 * connection is forged. A peer that received nothing names the number
	 * before the first. */
	if (ack->largest < f->acked_largest) {
		t->counters.packets_stale++;
		return;
	}
	f->acked_largest = ack->largest;
	limits_receive(t, now, f, ack);
	if (f->sent != NULL && acknowledge_packets(t, now, f, ack)) {
		f->probing = false;
		f->rto_deadline_ns = f->inflight == 0 ? 0 : now + rto_ns(f);
		flow_arm(t, f);
		if (f->number_oldest == f->number_next &&
			f->message_first == f->message_begun)
			window_return(t, f);
	}
	send_ready(t, now, f);
	close_progress(t, now, f);
}

void
send_timeout(struct transport *t, uint64_t now, struct flow *f)
{
	f->probing = true;
	f->probe_due = !send_idle(f);
	if (f->inflight != 0) {
		t->counters.timeouts++;
		for (uint64_t n = f->number_oldest; n != f->number_next; n++)
			packet_lost(f, &f->sent->packets[n & WINDOW_MASK]);
		forget_done(f);
		f->probe_due = true;
	}
	send_ready(t, now, f);
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

		if (sent != NULL && sent != &f->fin)
			t->ops.message_sent(t->context, f->endpoint, sent);
	}
	while (message != NULL) {
		struct tx_message *next = message->next;

		if (message != &f->fin)
			t->ops.message_sent(t->context, f->endpoint, message);
		message = next;
	}
	f->queue = NULL;
	f->queue_end = &f->queue;
	f->message_first = f->message_next;
	f->message_begun = f->message_next;
	f->number_oldest = f->number_next;
	f->inflight = 0;
	f->lost = 0;
	window_return(t, f);
}
