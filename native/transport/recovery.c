// SPDX-License-Identifier: MIT
/*
 * What the peer's ACKs say, and what their absence says: RACK-TLP (RFC 8985)
 * over packet numbers that are never used twice (RFC 9002). A packet is lost
 * when one that was sent later has arrived and enough packets, or a reordering
 * window, have passed; a probe finds out about the last ones; a timeout is the
 * end of patience.
 */
#include "transport/close.h"
#include "transport/recovery.h"
#include "transport/send.h"

static struct sent_packet *
packet_of(struct flow *f, uint64_t number)
{
	return &f->sent->packets[number & WINDOW_MASK];
}

static uint64_t
rto_ns(const struct flow *f)
{
	uint64_t rto = RTO_INITIAL_NS;

	if (f->srtt_ns != 0)
		rto = u64_max(
			f->srtt_ns + UINT64_C(4) * f->rttvar_ns, RTO_MIN_NS);
	return u64_min(rto << u32_min(f->tries, 8), RTO_MAX_NS);
}

/* RFC 8985, 7.2: the peer may keep the ACK back for a while. */
static uint64_t
probe_ns(const struct flow *f)
{
	if (f->srtt_ns == 0)
		return RTO_INITIAL_NS;
	return u64_min(u64_max(UINT64_C(2) * f->srtt_ns + ack_delay_ns(f),
			       PROBE_MIN_NS),
		rto_ns(f));
}

/* RFC 8985, 6.2, step 4: a quarter of the round trip, more on a path that is
 * seen to change the order. */
static uint64_t
reorder_ns(const struct flow *f)
{
	return (uint64_t)f->srtt_ns / 4 * f->reorder / REORDER_PACKETS +
	       ACK_DELAY_MIN_NS;
}

void
recovery_forget(struct flow *f)
{
	while (f->sent->number_oldest != f->number_next) {
		uint8_t state = packet_of(f, f->sent->number_oldest)->state;

		/* One that was sent again is of interest only while there are
		 * numbers to spare. */
		if (state != SENT_DONE &&
			(state != SENT_AGAIN ||
				f->number_next - f->sent->number_oldest <
					WIRE_PACKET_WINDOW / 2))
			return;
		f->sent->number_oldest++;
	}
}

/* Acknowledged. */

/* @param slot where it is kept */
static void
message_acknowledged(
	struct transport *t, struct flow *f, struct tx_message **slot)
{
	struct tx_message *message = *slot;

	*slot = NULL;
	f->sent->passed_length -= serial_before(message->id, f->message_first);
	if (!message->fin) {
		t->counters.messages_sent++;
		t->counters.bytes_sent += message->length;
		t->ops.message_sent(t->context, f->endpoint, message);
	}
}

static void
frames_acknowledged(
	struct transport *t, struct flow *f, const struct sent_packet *sent)
{
	for (uint32_t i = 0; i < sent->frames; i++) {
		struct tx_message **slot = send_message(f, sent->message + i);

		if (--(*slot)->fragments_left == 0)
			message_acknowledged(t, f, slot);
	}
}

/* What it was a copy of needs no more attention. */
static void
originals_done(struct flow *f, uint64_t number)
{
	uint16_t back;

	while ((back = packet_of(f, number)->original_back) != 0) {
		if (number - f->sent->number_oldest < back)
			return; /* forgotten already */
		number -= back;
		packet_of(f, number)->state = SENT_DONE;
	}
}

/* It was not lost after all, and its copy is superfluous. @return the number
 * of the last copy */
static uint64_t
spurious(struct transport *t, struct flow *f, uint64_t number)
{
	t->counters.retransmissions_spurious++;
	/* Silence of the peer says nothing about the order of packets. */
	if (packet_of(f, number)->overtaken) {
		f->reorder =
			(uint8_t)u32_min(2u * f->reorder, REORDER_PACKETS_MAX);
		f->reorder_calm = 0;
	}
	while (packet_of(f, number)->state == SENT_AGAIN) {
		packet_of(f, number)->state = SENT_DONE;
		number += packet_of(f, number)->copy_ahead;
	}
	return number;
}

static void
packet_acknowledged(struct transport *t, struct flow *f, uint64_t number)
{
	struct sent_packet *sent = packet_of(f, number);

	if (sent->state == SENT_AGAIN) {
		number = spurious(t, f, number);
		sent = packet_of(f, number);
	}
	if (sent->state == SENT_INFLIGHT)
		f->inflight--;
	else if (sent->state == SENT_LOST)
		f->lost--;
	else
		return;
	sent->state = SENT_DONE;
	originals_done(f, number);
	/* The answer to an empty probe does not mean that it goes on. */
	if (sent->frames != 0)
		f->tries = 0;
	frames_acknowledged(t, f, sent);
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
	uint32_t rtt = (uint32_t)u64_min(rtt_ns, NS_PER_S);
	uint32_t difference;

	if (f->srtt_ns == 0) {
		f->srtt_ns = rtt;
		f->rttvar_ns = rtt / 2;
		return;
	}
	difference = rtt > f->srtt_ns ? rtt - f->srtt_ns : f->srtt_ns - rtt;
	f->rttvar_ns += difference / 4 - f->rttvar_ns / 4;
	f->srtt_ns += rtt / 8 - f->srtt_ns / 8;
}

/* @return 0: it does not tell */
static uint64_t
rtt_ns_of(const struct wire_ack *ack, uint64_t now, uint64_t sent_ns)
{
	if (ack->hold_ns == UINT32_MAX || now - sent_ns <= ack->hold_ns)
		return 0;
	return now - sent_ns - ack->hold_ns;
}

void
recovery_accepted(struct flow *f, uint64_t now)
{
	if (f->sent_ns != 0)
		rtt_sample(f, now - f->sent_ns);
}

/* The same for the server, from the first that the client says: its ACK names
 * the number before the first, in place of ACCEPT. */
static void
accept_acknowledged(struct flow *f, uint64_t now, const struct wire_ack *ack)
{
	uint64_t rtt_ns;

	if (!f->passive || f->srtt_ns != 0 || f->sent_ns == 0)
		return;
	rtt_ns = rtt_ns_of(ack, now, f->sent_ns);
	if (rtt_ns != 0)
		rtt_sample(f, rtt_ns);
}

/* Lost. */

static void
packet_lost(struct flow *f, struct sent_packet *sent)
{
	f->inflight--;
	/* A probe had nothing in it that is missed. */
	sent->state = sent->frames == 0 ? SENT_DONE : SENT_LOST;
	if (sent->state == SENT_LOST)
		f->lost++;
}

static void
all_lost(struct flow *f)
{
	if (f->inflight == 0)
		return;
	for (uint64_t n = f->sent->number_oldest; n != f->number_next; n++)
		if (packet_of(f, n)->state == SENT_INFLIGHT)
			packet_lost(f, packet_of(f, n));
}

/* RFC 8985, 6.2, step 4: a path that kept the order for a while is trusted
 * again. */
static void
reorder_forget(struct flow *f)
{
	if (f->reorder == REORDER_PACKETS || ++f->reorder_calm < REORDER_MEMORY)
		return;
	f->reorder = (uint8_t)u32_max(f->reorder / 2u, REORDER_PACKETS);
	f->reorder_calm = 0;
}

/* RFC 8985, 6.2, step 5. @return packets found lost; *again_ns: when the next
 * one may be, or 0 */
static uint32_t
detect_lost(struct flow *f, uint64_t now, uint64_t *again_ns)
{
	uint64_t patience = f->srtt_ns + reorder_ns(f);
	uint32_t lost = 0;

	*again_ns = 0;
	for (uint64_t n = f->sent->number_oldest; n < f->acked_largest; n++) {
		struct sent_packet *sent = packet_of(f, n);

		if (sent->state != SENT_INFLIGHT ||
			sent->time_ns > f->sent->rack_ns)
			continue;
		if (n + f->reorder <= f->acked_largest ||
			sent->time_ns + patience <= now) {
			packet_lost(f, sent);
			sent->overtaken = true;
			lost++;
		} else if (*again_ns == 0 ||
			   sent->time_ns + patience < *again_ns) {
			*again_ns = sent->time_ns + patience;
		}
	}
	if (lost != 0)
		reorder_forget(f);
	return lost;
}

static uint64_t
reorder_until_ns(const struct flow *f)
{
	return f->sent != NULL ? f->sent->reorder_until_ns : 0;
}

void
recovery_arm(struct transport *t, uint64_t now, struct flow *f)
{
	uint64_t deadline = 0;

	if (reorder_until_ns(f) != 0)
		deadline = reorder_until_ns(f);
	else if (f->inflight != 0 && !f->probed && !f->probing)
		deadline = now + probe_ns(f);
	else if (f->inflight != 0)
		deadline = now + rto_ns(f);
	else if (pace_ns(f) > now && f->peer_credit != 0)
		deadline = pace_ns(f);
	else if (!send_idle(f))
		deadline = now + rto_ns(f);
	f->rto_deadline_ns = deadline;
	flow_arm(t, f);
}

/* ACKs. */

/* @return packets that it acknowledges for the first time */
static uint32_t
acknowledge(struct transport *t, uint64_t now, struct flow *f,
	const struct wire_ack *ack, uint64_t *rtt_ns)
{
	uint32_t acked = 0;

	*rtt_ns = 0;
	for (uint64_t n = f->sent->number_oldest; n <= ack->largest; n++) {
		struct sent_packet *sent = packet_of(f, n);

		if (sent->state == SENT_DONE || !ack_covers(ack, n))
			continue;
		if (n == ack->largest)
			*rtt_ns = rtt_ns_of(ack, now, sent->time_ns);
		f->sent->rack_ns = u64_max(f->sent->rack_ns, sent->time_ns);
		packet_acknowledged(t, f, n);
		acked++;
	}
	if (*rtt_ns != 0)
		rtt_sample(f, *rtt_ns);
	if (acked != 0)
		send_pass(f);
	return acked;
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
	if (reopened) {
		/* What is in flight was refused. */
		all_lost(f);
		f->tries = 0;
		f->probing = false;
		recovery_arm(t, now, f);
	}
}

static void
progress(struct transport *t, uint64_t now, struct flow *f,
	const struct wire_ack *ack, uint32_t acked, uint64_t rtt_ns)
{
	struct congestion_sample sample = {
		.now_ns = now,
		.rtt_ns = rtt_ns,
		.srtt_ns = f->srtt_ns,
		.acked = acked,
		.marked = (uint16_t)(ack->marked - f->peer_marked),
		.occupancy = ack->occupancy,
	};

	f->peer_marked = ack->marked;
	f->probing = false;
	f->probed = false;
	sample.lost = detect_lost(f, now, &f->sent->reorder_until_ns);
	congestion_sample(&f->congestion, &sample);
	recovery_forget(f);
	recovery_arm(t, now, f);
	if (f->sent->number_oldest == f->number_next &&
		f->message_first == f->message_begun &&
		f->sent->passed_length == 0)
		send_window_return(t, f);
}

void
recovery_ack(struct transport *t, uint64_t now, struct flow *f,
	const struct wire_ack *ack)
{
	uint64_t rtt_ns;
	uint32_t acked = 0;

	/* Of packets, or with room for messages, that are yet to come. */
	if (ack->largest >= f->number_next ||
		serial_before(f->message_begun + TRANSPORT_MESSAGE_WINDOW,
			ack->message_limit)) {
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
	if (f->sent != NULL)
		acked = acknowledge(t, now, f, ack, &rtt_ns);
	else
		accept_acknowledged(f, now, ack);
	if (acked != 0)
		progress(t, now, f, ack, acked, rtt_ns);
	send_ready(t, now, f);
	close_progress(t, now, f);
}

/* Silence. */

/* RFC 8985, 7.3: the last packet again, so that its ACK shows what is missing
 * before it. */
static void
probe_tail(struct transport *t, struct flow *f)
{
	uint64_t n = f->number_next - 1;

	t->counters.tail_probes++;
	while (packet_of(f, n)->state != SENT_INFLIGHT)
		n--;
	packet_lost(f, packet_of(f, n));
	f->probed = true;
	f->probe_due = true;
}

void
recovery_timeout(struct transport *t, uint64_t now, struct flow *f)
{
	struct congestion_sample sample = {
		.now_ns = now,
		.srtt_ns = f->srtt_ns,
	};

	if (reorder_until_ns(f) != 0) {
		sample.lost = detect_lost(f, now, &f->sent->reorder_until_ns);
		congestion_sample(&f->congestion, &sample);
		recovery_arm(t, now, f);
	} else if (f->inflight == 0) {
		/* Unless it only waited for its pace. */
		if (!send_possible(f, now) && !send_idle(f)) {
			f->tries = (uint8_t)u32_min(f->tries + 1, UINT8_MAX);
			f->probing = true;
			f->probe_due = true;
		}
	} else if (!f->probed && !f->probing) {
		probe_tail(t, f);
		recovery_arm(t, now, f);
	} else {
		f->tries = (uint8_t)u32_min(f->tries + 1, UINT8_MAX);
		t->counters.timeouts++;
		all_lost(f);
		f->probing = true;
		f->probe_due = true;
		congestion_timeout(&f->congestion, now, f->tries);
	}
	if (f->sent != NULL)
		recovery_forget(f);
	send_ready(t, now, f);
}
