// SPDX-License-Identifier: MIT
/*
 * What holds of a transport between two turns, whatever happened: what it
 * counts is there, what it lends adds up, and whatever waits has a timer.
 */
#include "transport/send.h"
#include "transport/simulation.h"

#define TICK_NS (UINT64_C(1) << WHEEL_TICK_NS_LOG2)
/* For so long nothing may happen to what could go on: several timeouts. */
#define PROGRESS_NS (1 * NS_PER_S)
/* In 1/10 000: so many timeouts in a row are not lost by chance. */
#define PROGRESS_LOSS_MAX 500u

static bool
linked(const struct list *node)
{
	return !list_empty(node);
}

static bool
is_open(const struct flow *f)
{
	return f->state == FLOW_OPEN || f->state == FLOW_CLOSING;
}

/* Numbers and ids: within their windows, and counted right. */
static void
check_sending(struct simulation *s, const struct flow *f)
{
	const struct send_window *window = f->sent;
	uint32_t inflight = 0, lost = 0;

	CHECK(s, f->message_begun - f->message_first <=
			 TRANSPORT_MESSAGE_WINDOW);
	CHECK(s, !serial_before(f->message_next, f->message_begun));
	CHECK(s,
		!is_open(f) || !serial_before(f->peer_limit, f->message_begun));
	CHECK(s, (f->queue_bytes == 0) ==
			 (f->queues[QUEUE_ORDERED] == NULL &&
				 f->queues[QUEUE_SMALL] == NULL &&
				 f->queues[QUEUE_LARGE] == NULL));
	if (window == NULL) {
		CHECK(s, f->inflight == 0 && f->lost == 0);
		CHECK(s, f->message_first == f->message_begun);
		return;
	}
	CHECK(s, f->number_next - window->number_oldest <= WIRE_PACKET_WINDOW);
	CHECK(s, window->partial_length <= PARTIAL_MAX);
	CHECK(s, window->passed_length <= PASSED_MAX);
	CHECK(s, (window->partial_length == 0) == (window->partial == NULL));
	for (uint64_t n = window->number_oldest; n != f->number_next; n++) {
		uint8_t state = window->packets[n & WINDOW_MASK].state;

		inflight += state == SENT_INFLIGHT;
		lost += state == SENT_LOST;
	}
	CHECK(s, f->inflight == inflight);
	CHECK(s, f->lost == lost);
}

static void
check_receiving(struct simulation *s, const struct flow *f)
{
	const struct receive_window *window = f->received;
	uint32_t used = 0, passed = 0;

	CHECK(s, f->state != FLOW_OPEN || f->allocated - f->deliver_next <=
						  TRANSPORT_MESSAGE_WINDOW);
	if (window == NULL)
		return;
	for (uint32_t i = 0; i < PASSED_MAX; i++)
		passed += window->passed[i].state != RX_EMPTY;
	for (uint32_t i = 0; i < TRANSPORT_MESSAGE_WINDOW; i++)
		used += window->messages[i].state != RX_EMPTY;
	CHECK(s, window->passed_length == passed);
	CHECK(s, window->used == used + passed);
	CHECK(s, window->used != 0);
}

/* Whoever waits for something hears when that does not come. */
static void
check_timers(struct simulation *s, const struct flow *f, uint64_t next_ns)
{
	uint64_t deadline = UINT64_MAX;

	if (f->state_deadline_ns != 0)
		deadline = f->state_deadline_ns;
	if (f->rto_deadline_ns != 0)
		deadline = u64_min(deadline, f->rto_deadline_ns);
	if (deadline != UINT64_MAX) {
		/* One that is due is due at the next tick. */
		deadline = u64_max(deadline, s->now_ns) + TICK_NS;
		CHECK(s, linked(&f->timer.node));
		CHECK(s, f->timer.tick << WHEEL_TICK_NS_LOG2 < deadline);
		CHECK(s, f->timer.tick > s->now_ns >> WHEEL_TICK_NS_LOG2);
		CHECK(s, next_ns < deadline);
	}
	if (!is_open(f))
		return;
	CHECK(s, f->rto_deadline_ns != 0 || linked(&f->ready_node) ||
			 (f->inflight == 0 && f->lost == 0 && send_idle(f)));
	CHECK(s, f->unacknowledged == 0 || linked(&f->ack_node));
	CHECK(s, linked(&f->peer_node) && linked(&f->peer->timer.node));
	if (linked(&f->ready_node) || linked(&f->ack_node))
		CHECK(s, next_ns <= s->now_ns + ACK_DELAY_MAX_NS);
}

static void
check_routes(struct simulation *s, const struct peer *peer)
{
	for (const struct route *r = peer->routes; r != NULL; r = r->next)
		CHECK(s, linked(&r->timer.node) || !r->searching);
}

void
invariants_check(const struct host *host)
{
	struct simulation *s = host->simulation;
	const struct transport *t = host->transport;
	uint64_t next_ns = transport_deadline_ns(t);
	uint32_t used = 0, active = 0, resetting = 0;
	uint32_t credit = t->credits_free;

	for (uint32_t i = 1; i < t->flows_touched; i++) {
		const struct flow *f = &t->flows[i];

		if (f->state == FLOW_FREE)
			continue;
		used++;
		credit += f->credit;
		active += linked(&f->active_node);
		resetting += f->state == FLOW_RESETTING;
		check_sending(s, f);
		check_receiving(s, f);
		check_timers(s, f, next_ns);
		check_routes(s, f->peer);
	}
	CHECK(s, t->flows_used == used);
	CHECK(s, t->active_length == active);
	CHECK(s, t->resetting == resetting);
	CHECK(s,
		credit == t->options.descriptors - t->options.descriptors / 8u);
}

/* Changes with every packet of messages that is acknowledged; 0: there is
 * nothing to do. */
static uint64_t
work_left(const struct flow *f)
{
	uint64_t left = f->message_next - f->message_begun;

	for (uint32_t id = f->message_first; id != f->message_begun; id++) {
		const struct tx_message *message =
			f->sent->messages[id & MESSAGE_MASK];

		if (message != NULL)
			left += message->fragments_left;
	}
	for (uint32_t i = 0; f->sent != NULL && i < PASSED_MAX; i++)
		if (f->sent->passed[i] != NULL)
			left += f->sent->passed[i]->fragments_left;
	return left;
}

static bool
runs(const struct host *host)
{
	return host->up && host->stalled_until_ns <= host->simulation->now_ns;
}

static const struct flow *
open_flow(const struct connection *connection)
{
	const struct flow *f;

	if (connection == NULL || connection->closed)
		return NULL;
	f = flow_get(connection->application->host->transport, connection->id);
	return f != NULL && is_open(f) ? f : NULL;
}

/* Is there nothing in the way of what the connection sends? */
static bool
unhindered(const struct simulation *s, const struct connection *connection)
{
	const struct network *network = &s->network;
	const struct connection *peer =
		connection->link->ends[connection->server ? 0 : 1];
	const struct flow *f = open_flow(peer);

	return f != NULL && !f->starved && peer->application->reading &&
	       runs(connection->application->host) &&
	       runs(peer->application->host) && s->filter == NULL &&
	       network->burst == 0 &&
	       network->loss + network->corrupt <= PROGRESS_LOSS_MAX;
}

void
progress_check(struct simulation *s)
{
	for (struct connection *c = s->connections; c != NULL; c = c->next) {
		const struct flow *f = open_flow(c);
		uint64_t left = f != NULL ? work_left(f) : 0;

		if (left == 0 || left != c->work_left || !unhindered(s, c)) {
			c->work_left = left;
			c->moved_ns = s->now_ns;
		}
		CHECK(s, s->now_ns - c->moved_ns < PROGRESS_NS);
	}
}
