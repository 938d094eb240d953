// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "transport/close.h"
#include "transport/credits.h"
#include "transport/deliver.h"
#include "transport/handshake.h"
#include "transport/path.h"
#include "transport/peers.h"
#include "transport/receive.h"
#include "transport/recovery.h"
#include "transport/routes.h"
#include "transport/send.h"

static struct rss_host *
rss_create(struct transport *t)
{
	const struct rss_options options = {
		.ports = t->options.ports,
		.base_port = TRANSPORT_UDP_PORT,
		.queues = t->options.engines,
		.peers_max = RSS_PEERS_MAX,
		.seed = random_u64(&t->random),
		.key = t->options.nic_key,
	};

	return rss_host_create(&options);
}

struct transport *
transport_create(const struct transport_options *options,
	const struct transport_ops *ops, void *context)
{
	struct transport *t = calloc(1, sizeof(*t));

	if (t == NULL || sodium_init() < 0) {
		free(t);
		return NULL;
	}
	t->options = *options;
	t->ops = *ops;
	t->context = context;
	/* Untouched pages of the table cost nothing. */
	t->flows = calloc(options->flows_max + 1, sizeof(*t->flows));
	if (t->flows == NULL) {
		free(t);
		return NULL;
	}
	if (t->options.peer_timeout_ms == 0)
		t->options.peer_timeout_ms = TRANSPORT_PEER_TIMEOUT_MS;
	random_init(&t->random, options->seed);
	if (t->options.ports.first == 0)
		t->options.ports = (struct rss_ports){
			TRANSPORT_PORT_FIRST, TRANSPORT_PORT_LAST};
	t->rss = rss_create(t);
	if (t->rss == NULL) {
		free(t->flows);
		free(t);
		return NULL;
	}
	t->flows_touched = 1; /* index 0 is never given, so no id is 0 */
	list_init(&t->ready);
	list_init(&t->held);
	list_init(&t->acks);
	list_init(&t->acks_delayed);
	credits_init(t);
	wheel_init(&t->flow_timers, 0);
	wheel_init(&t->peer_timers, 0);
	wheel_init(&t->route_timers, 0);
	return t;
}

void
transport_destroy(struct transport *t)
{
	for (uint32_t i = 1; i < t->flows_touched; i++)
		if (t->flows[i].state != FLOW_FREE)
			flow_free(t, &t->flows[i]);
	peers_free(t);
	freelist_destroy(&t->setups);
	freelist_destroy(&t->endings);
	freelist_destroy(&t->send_windows);
	freelist_destroy(&t->receive_windows);
	rss_host_destroy(t->rss);
	free(t->flows);
	/* The secrets. Most pages of the tables were never touched. */
	sodium_memzero(&t->options, sizeof(t->options));
	sodium_memzero(&t->random, sizeof(t->random));
	free(t);
}

const struct transport_counters *
transport_counters(const struct transport *t)
{
	return &t->counters;
}

void
transport_occupancy(struct transport *t, uint8_t occupancy, bool all)
{
	t->occupancy = occupancy;
	t->queue_waits = !all;
}

uint32_t
transport_flows(const struct transport *t)
{
	return t->flows_used;
}

bool
endpoint_open(struct endpoint *endpoint)
{
	memset(endpoint, 0, sizeof(*endpoint));
	list_init(&endpoint->flows);
	list_init(&endpoint->ready);
	list_init(&endpoint->ready_node);
	list_init(&endpoint->pending);
	list_init(&endpoint->starved);
	for (unsigned i = 0; i < TRANSPORT_FRAGMENT_MAPS; i++) {
		struct fragment_map *map = malloc(sizeof(*map));

		if (map == NULL)
			break;
		map->next = endpoint->maps;
		endpoint->maps = map;
	}
	return endpoint->maps != NULL;
}

void
endpoint_close(struct transport *t, uint64_t now, struct endpoint *endpoint,
	const char *reason)
{
	while (!list_empty(&endpoint->flows)) {
		struct flow *f = container_of(
			endpoint->flows.next, struct flow, endpoint_node);

		flow_abandon(t, now, f, (const uint8_t *)reason,
			(uint32_t)strlen(reason));
	}
	list_leave(&endpoint->ready_node);
	while (endpoint->maps != NULL) {
		struct fragment_map *next = endpoint->maps->next;

		free(endpoint->maps);
		endpoint->maps = next;
	}
}

void
endpoint_resume(struct transport *t, uint64_t now, struct endpoint *endpoint,
	bool memory)
{
	/* Those that find no room are pending again, behind the others. */
	endpoint->full = false;
	while (!endpoint->full && !list_empty(&endpoint->pending)) {
		struct flow *f = container_of(
			endpoint->pending.next, struct flow, pending_node);

		list_leave(&f->pending_node);
		receive_deliver(t, now, f);
	}
	if (memory)
		receive_unstarve(t, endpoint);
}

/* Timers. */

/* Not a word since ACCEPT, which may be lost, and the client have given up: its
 * engine says whether it has. A client without a word says that it has not. */
static void
open_timeout(struct transport *t, uint64_t now, struct flow *f)
{
	if (f->passive) {
		f->probe_due = true;
		send_ready(t, now, f);
	} else if (f->message_next == 0) {
		receive_want_ack(t, f);
	}
	flow_arm(t, f);
}

static void
state_timeout(struct transport *t, uint64_t now, struct flow *f)
{
	f->state_deadline_ns = 0;
	switch (f->state) {
	case FLOW_SYN:
	case FLOW_CONFIRM:
		flow_end(t, now, f, MACHNET_CONNECTION_TIMED_OUT);
		break;
	case FLOW_OPEN:
		open_timeout(t, now, f);
		break;
	case FLOW_CLOSING:
		flow_end(t, now, f, MACHNET_CLOSE_TIMED_OUT);
		break;
	case FLOW_LINGER:
		flow_free(t, f);
		break;
	default:
		break;
	}
}

static uint32_t
reset_tries(const struct transport *t)
{
	static_assert(RESET_TRIES + TRANSPORT_PEER_TIMEOUT_MS_MAX * NS_PER_MS /
					      RESET_WAIT_MAX_NS <=
			      UINT8_MAX,
		"flow.tries");
	return RESET_TRIES + (uint32_t)(t->options.peer_timeout_ms * NS_PER_MS /
					RESET_WAIT_MAX_NS);
}

static void
retry_timeout(struct transport *t, uint64_t now, struct flow *f)
{
	f->rto_deadline_ns = 0;
	switch (f->state) {
	case FLOW_SYN:
	case FLOW_CONFIRM:
		f->tries++;
		handshake_retry(t, now, f);
		break;
	case FLOW_OPEN:
	case FLOW_CLOSING:
		recovery_timeout(t, now, f);
		break;
	case FLOW_RESETTING:
		if (++f->tries >= reset_tries(t)) {
			flow_linger(t, now, f);
			break;
		}
		reset_send(t, f);
		f->rto_deadline_ns =
			now + u64_min(RTO_INITIAL_NS << u32_min(f->tries, 8),
				      RESET_WAIT_MAX_NS);
		break;
	default:
		break;
	}
	flow_arm(t, f);
}

static void
fire_timers(struct transport *t, uint64_t now)
{
	struct list due;

	list_init(&due);
	wheel_advance(&t->flow_timers, now, &due);
	while (!list_empty(&due)) {
		struct flow *f =
			container_of(due.next, struct flow, timer.node);

		wheel_cancel(&t->flow_timers, &f->timer);
		if (f->state_deadline_ns != 0 && f->state_deadline_ns <= now)
			state_timeout(t, now, f);
		else if (f->rto_deadline_ns != 0 && f->rto_deadline_ns <= now)
			retry_timeout(t, now, f);
		else
			flow_arm(t, f);
	}
	wheel_advance(&t->peer_timers, now, &due);
	while (!list_empty(&due)) {
		struct peer *peer =
			container_of(due.next, struct peer, timer.node);

		wheel_cancel(&t->peer_timers, &peer->timer);
		peer_timeout(t, now, peer);
	}
	wheel_advance(&t->route_timers, now, &due);
	while (!list_empty(&due)) {
		struct route *route =
			container_of(due.next, struct route, timer.node);

		wheel_cancel(&t->route_timers, &route->timer);
		route_timeout(t, now, route);
	}
}

uint64_t
transport_deadline_ns(const struct transport *t)
{
	uint64_t deadline;

	if (!list_empty(&t->ready) || !list_empty(&t->acks))
		return 0;
	deadline = u64_min(
		wheel_next_ns(&t->flow_timers), wheel_next_ns(&t->peer_timers));
	deadline = u64_min(deadline, wheel_next_ns(&t->route_timers));
	if (!list_empty(&t->acks_delayed))
		deadline = u64_min(deadline, container_of(t->acks_delayed.next,
						     struct flow, ack_node)
						     ->ack_due_ns);
	if (!list_empty(&t->held))
		deadline = u64_min(deadline, send_held_until(t));
	return deadline;
}

/* Packets. */

bool
transport_port_valid(const struct transport *t, uint16_t port)
{
	return port >= t->options.ports.first && port <= t->options.ports.last;
}

static void
receive_for_flow(struct transport *t, uint64_t now,
	const struct transport_path *path, const struct wire_header *header,
	const uint8_t *bytes, uint32_t length, bool marked)
{
	struct flow *f = flow_get(t, header->connection);

	if (f == NULL || f->peer->path.address != path->address) {
		t->counters.packets_unknown++;
		reset_unknown(t, now, path, header);
		return;
	}
	/* Before ACCEPT, which will come again, or after RESET, which is on its
	 * way again. */
	if (f->peer_id == 0 || f->state == FLOW_RESETTING) {
		t->counters.packets_stale++;
		return;
	}
	route_heard(t, now, f->route, path);
	if (f->path_told != f->route->changes && f->announced &&
		f->state == FLOW_OPEN)
		path_tell(t, f);
	receive_data(t, now, f, header, bytes, length, marked);
}

void
transport_receive(struct transport *t, uint64_t now,
	const struct transport_path *path, uint32_t queue, const uint8_t *bytes,
	uint32_t length, bool marked)
{
	struct wire_header header;

	t->queue = (uint16_t)queue;
	t->counters.packets_received++;
	if (!wire_header_read(&header, bytes, length)) {
		t->counters.packets_malformed++;
		return;
	}
	switch (header.type) {
	case WIRE_DATA:
	case WIRE_ACK:
		receive_for_flow(t, now, path, &header, bytes, length, marked);
		break;
	case WIRE_RESET:
		reset_receive(t, now, path, &header, bytes, length);
		break;
	case WIRE_PING:
	case WIRE_PONG:
		ping_receive(t, now, path, &header, bytes, length);
		break;
	default:
		handshake_receive(t, now, path, &header, bytes, length);
		break;
	}
}

static bool
ack_send(struct transport *t, uint64_t now, struct flow *f)
{
	struct wire_header header = {
		.type = WIRE_ACK,
		.flags = WIRE_FLAG_ACK,
		.connection = f->peer_id,
		.number = f->ack_number_next,
	};
	uint8_t *packet = packet_begin(t);
	uint32_t length;

	if (packet == NULL)
		return false;
	f->ack_number_next++;
	length = wire_header_write(packet, &header);
	length += receive_ack_write(t, f, now, packet + length);
	t->counters.acks_sent++;
	packet_send(t, &f->route->path, length);
	return true;
}

/* @return false if the device took no more */
static bool
endpoint_turn(struct transport *t, uint64_t now, struct endpoint *endpoint)
{
	bool room = true;

	/* Else its turn goes on that found the device full. */
	if (endpoint->deficit <= 0)
		endpoint->deficit += ENDPOINT_QUANTUM;
	while (room && endpoint->deficit > 0 && !list_empty(&endpoint->ready)) {
		struct flow *f = container_of(
			endpoint->ready.next, struct flow, ready_node);

		list_leave(&f->ready_node);
		room = send_turn(t, now, f);
		/* It goes on where it had to stop. */
		if (f->deficit > 0 && !list_empty(&f->ready_node)) {
			list_leave(&f->ready_node);
			list_append(endpoint->ready.next, &f->ready_node);
		}
	}
	if (list_empty(&endpoint->ready))
		endpoint->deficit = 0;
	else
		list_join(&t->ready, &endpoint->ready_node);
	return room;
}

static void
endpoints_turn(struct transport *t, uint64_t now)
{
	struct list turns;
	bool room = true;

	list_init(&turns);
	list_take(&turns, &t->ready);
	while (room && !list_empty(&turns)) {
		struct endpoint *endpoint =
			container_of(turns.next, struct endpoint, ready_node);

		list_leave(&endpoint->ready_node);
		room = endpoint_turn(t, now, endpoint);
		if (endpoint->deficit > 0) {
			list_leave(&endpoint->ready_node);
			list_append(turns.next, &endpoint->ready_node);
		}
	}
	/* Those that found the device full come first the next time. */
	list_take(&turns, &t->ready);
	list_take(&t->ready, &turns);
}

void
transport_poll(struct transport *t, uint64_t now)
{
	if (wheel_behind(&t->flow_timers, now)) {
		fire_timers(t, now);
		credits_reclaim(t, now);
	}
	if (!list_empty(&t->acks_delayed))
		receive_acks_due(t, now);
	if (!list_empty(&t->held))
		send_held(t, now);
	if (!list_empty(&t->ready))
		endpoints_turn(t, now);
	while (!list_empty(&t->acks)) {
		/* Writing the ACK takes it from the list. */
		if (!ack_send(t, now,
			    container_of(t->acks.next, struct flow, ack_node)))
			break;
	}
}

/* Requests of applications. */

void
transport_accept(
	struct transport *t, struct endpoint *endpoint, uint32_t connection)
{
	struct flow *f = flow_of(t, endpoint, connection);

	if (f != NULL)
		backlog_leave(t, f);
}

void
transport_send(struct transport *t, uint64_t now, struct endpoint *endpoint,
	uint32_t connection, struct tx_message *message)
{
	struct flow *f = flow_of(t, endpoint, connection);

	if (f == NULL || f->state != FLOW_OPEN) {
		t->ops.message_sent(t->context, endpoint, message);
		return;
	}
	send_queue(t, now, f, message);
}

void
transport_close(struct transport *t, uint64_t now, struct endpoint *endpoint,
	uint32_t connection, uint32_t timeout_ms)
{
	struct flow *f = flow_of(t, endpoint, connection);

	if (f == NULL || f->state != FLOW_OPEN)
		return;
	if (ending_take(t, f) == NULL) {
		flow_end(t, now, f, MACHNET_OUT_OF_MEMORY);
		return;
	}
	if (timeout_ms == 0)
		timeout_ms = CLOSE_TIMEOUT_MS_DEFAULT;
	f->state = FLOW_CLOSING;
	f->state_deadline_ns = now + timeout_ms * NS_PER_MS;
	flow_arm(t, f);
	receive_close(t, f);
	f->ending->fin.fin = true;
	send_queue(t, now, f, &f->ending->fin);
}

void
transport_reset(struct transport *t, uint64_t now, struct endpoint *endpoint,
	uint32_t connection, const uint8_t *reason, uint32_t length)
{
	struct flow *f = flow_of(t, endpoint, connection);
	struct machnet_event event = {
		.kind = MACHNET_EVENT_CLOSED,
		.connection = connection,
		.status = MACHNET_CONNECTION_RESET,
	};

	if (f == NULL)
		return;
	flow_abandon(t, now, f, reason, length);
	t->ops.deliver(t->context, endpoint, &event);
}
