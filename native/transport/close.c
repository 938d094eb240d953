// SPDX-License-Identifier: MIT
/*
 * The ways in which a connection ends. Whichever it is, the application hears
 * CLOSED exactly once, and the peer hears of it: by FIN, by RESET, or by its
 * next packet being refused.
 */
#include <stdlib.h>
#include <string.h>

#include "transport/close.h"
#include "transport/credits.h"
#include "transport/deliver.h"
#include "transport/handshake.h"
#include "transport/peers.h"
#include "transport/receive.h"
#include "transport/send.h"

/* Nothing is sent or awaited any more. */
static void
stop(struct transport *t, struct flow *f)
{
	send_discard(t, f);
	credits_return(t, f);
	list_leave(&f->ready_node);
	f->state_deadline_ns = 0;
	f->rto_deadline_ns = 0;
	f->tries = 0;
	wheel_cancel(&t->flow_timers, &f->timer);
}

struct ending *
ending_take(struct transport *t, struct flow *f)
{
	if (f->ending == NULL)
		f->ending = freelist_take(&t->endings, sizeof(*f->ending));
	return f->ending;
}

void
ending_return(struct transport *t, struct flow *f)
{
	if (f->ending == NULL)
		return;
	free(f->ending->reason);
	memset(f->ending, 0, sizeof(*f->ending));
	freelist_give(&t->endings, f->ending);
	f->ending = NULL;
}

void
backlog_leave(struct transport *t, struct flow *f)
{
	struct listener *listener;

	if (!f->passive || f->accepted)
		return;
	f->accepted = true;
	listener = listeners_get(t->options.listeners, f->listener);
	if (listener != NULL)
		listener->waiting--;
}

static void
leave_endpoint(struct transport *t, struct flow *f)
{
	struct endpoint *endpoint = f->endpoint;

	if (endpoint == NULL)
		return;
	credits_return(t, f);
	if (f->ending != NULL && f->ending->reason_length != 0)
		t->ops.message_free(
			t->context, endpoint, f->ending->reason_offset);
	ending_return(t, f);
	receive_discard(t, f);
	backlog_leave(t, f);
	list_leave(&f->endpoint_node);
	list_leave(&f->pending_node);
	list_leave(&f->starved_node);
	endpoint->flows_length--;
	f->endpoint = NULL;
}

void
flow_end(struct transport *t, uint64_t now, struct flow *f, int32_t status)
{
	if (f->endpoint == NULL || f->state == FLOW_ENDED)
		return;
	stop(t, f);
	if (status == MACHNET_CONNECTION_RESET)
		receive_discard(t, f);
	if (f->state == FLOW_OPEN || f->state == FLOW_CLOSING) {
		if (status == MACHNET_OK)
			t->counters.connections_closed++;
		else if (status == MACHNET_CONNECTION_LOST)
			t->counters.connections_lost++;
		else
			t->counters.connections_reset++;
	}
	f->state = FLOW_ENDED;
	f->status = status;
	receive_deliver(t, now, f);
}

static void
reset_begin(struct transport *t, uint64_t now, struct flow *f)
{
	leave_endpoint(t, f);
	f->state = FLOW_RESETTING;
	t->resetting++;
	reset_send(t, f);
	f->rto_deadline_ns = now + RTO_INITIAL_NS;
	flow_arm(t, f);
}

void
flow_told(struct transport *t, uint64_t now, struct flow *f)
{
	/* We gave up on the peer, which may be there all the same. */
	if (f->status == MACHNET_CONNECTION_LOST ||
		f->status == MACHNET_CLOSE_TIMED_OUT)
		reset_begin(t, now, f);
	else
		flow_linger(t, now, f);
}

void
flow_linger(struct transport *t, uint64_t now, struct flow *f)
{
	if (f->state == FLOW_RESETTING)
		t->resetting--;
	leave_endpoint(t, f);
	if (f->peer_id == 0) {
		flow_free(t, f);
		return;
	}
	f->state = FLOW_LINGER;
	f->rto_deadline_ns = 0;
	f->state_deadline_ns =
		now + (f->passive ? COOKIE_LIFE_MS * NS_PER_MS : LINGER_NS);
	/* Not the peer's liveness, only its repeats matter from here on. */
	peer_leave(f);
	flow_arm(t, f);
}

static void
tell_reason(struct transport *t, struct flow *f, const uint8_t *reason,
	uint32_t length)
{
	/* The reset matters more than its reason. */
	if (length == 0 || ending_take(t, f) == NULL)
		return;
	f->ending->reason = malloc(length);
	if (f->ending->reason == NULL)
		return;
	memcpy(f->ending->reason, reason, length);
	f->ending->reason_length = length;
}

void
flow_abandon(struct transport *t, uint64_t now, struct flow *f,
	const uint8_t *reason, uint32_t reason_length)
{
	bool connected = f->state == FLOW_OPEN || f->state == FLOW_CLOSING;

	stop(t, f);
	leave_endpoint(t, f);
	if (!connected) {
		flow_told(t, now, f);
		return;
	}
	t->counters.connections_reset++;
	f->status = MACHNET_CONNECTION_RESET;
	tell_reason(t, f, reason, reason_length);
	reset_begin(t, now, f);
}

void
reset_send(struct transport *t, struct flow *f)
{
	struct wire_reset reset = {
		.key = f->peer_key,
		.status = MACHNET_CONNECTION_RESET,
	};
	uint8_t *packet = packet_begin(t);

	if (packet == NULL)
		return; /* the retry will find room */
	if (f->endpoint == NULL && f->ending != NULL) {
		reset.reason = f->ending->reason;
		reset.reason_length = (uint16_t)f->ending->reason_length;
	}
	packet_send(t, &f->route->path,
		wire_reset_write(packet, f->peer_id, &reset));
}

/* The peer wants to know that its RESET came. */
static void
reset_acknowledge(struct transport *t, const struct flow *f)
{
	struct wire_reset reset = {.key = f->peer_key, .status = MACHNET_OK};
	uint8_t *packet;

	if (f->route == NULL)
		return; /* it never was open */
	packet = packet_begin(t);
	if (packet != NULL)
		packet_send(t, &f->route->path,
			wire_reset_write(packet, f->peer_id, &reset));
}

void
reset_unknown(struct transport *t, uint64_t now,
	const struct transport_path *path, const struct wire_header *header)
{
	struct wire_reset reset = {
		.echo = header->number,
		.echo_connection = header->connection,
		.status = MACHNET_CONNECTION_RESET,
	};
	uint8_t *packet;

	if (!answer_allowed(t, now))
		return;
	packet = packet_begin(t);
	if (packet != NULL)
		packet_send(t, path, wire_reset_write(packet, 0, &reset));
}

/* Did we send a packet of that number lately? */
static bool
echo_plausible(const struct flow *f, uint64_t number)
{
	return f->number_next - 1 - number < WIRE_PACKET_WINDOW ||
	       f->ack_number_next - 1 - number < WIRE_PACKET_WINDOW;
}

static void
keep_reason(struct transport *t, struct flow *f, const struct wire_reset *reset)
{
	uint8_t *bytes;

	/* The reset matters more than its reason. */
	if (reset->reason_length == 0 || ending_take(t, f) == NULL)
		return;
	bytes = t->ops.message_allocate(t->context, f->endpoint, f->id,
		reset->reason_length, false, &f->ending->reason_offset);
	if (bytes == NULL)
		return;
	memcpy(bytes, reset->reason, reset->reason_length);
	f->ending->reason_length = reset->reason_length;
}

static void
reset_apply(struct transport *t, uint64_t now, struct flow *f,
	const struct wire_reset *reset)
{
	switch (f->state) {
	case FLOW_SYN:
	case FLOW_CONFIRM:
		flow_end(t, now, f,
			reset->status == MACHNET_TOO_MANY_CONNECTIONS
				? MACHNET_TOO_MANY_CONNECTIONS
				: MACHNET_CONNECTION_REFUSED);
		break;
	case FLOW_OPEN:
	case FLOW_CLOSING:
		reset_acknowledge(t, f);
		keep_reason(t, f, reset);
		flow_end(t, now, f, MACHNET_CONNECTION_RESET);
		break;
	case FLOW_RESETTING:
		/* Both at once, or the answer to ours. */
		if (reset->status != MACHNET_OK)
			reset_acknowledge(t, f);
		flow_linger(t, now, f);
		break;
	default:
		if (reset->status != MACHNET_OK)
			reset_acknowledge(t, f);
		break;
	}
}

void
reset_receive(struct transport *t, uint64_t now,
	const struct transport_path *path, const struct wire_header *header,
	const uint8_t *bytes, uint32_t length)
{
	struct wire_reset reset;
	struct flow *f;
	bool genuine;

	if (!wire_reset_read(&reset, bytes, length)) {
		t->counters.packets_malformed++;
		return;
	}
	if (header->connection != 0) {
		f = flow_get(t, header->connection);
		genuine = f != NULL && reset.key == f->key &&
			  (f->state != FLOW_SYN || reset.status < 0);
	} else {
		f = flow_index_find(t, path->address, reset.echo_connection);
		genuine = f != NULL && echo_plausible(f, reset.echo);
	}
	if (f == NULL) {
		t->counters.packets_stale++;
		return;
	}
	if (!genuine || f->peer->path.address != path->address) {
		t->counters.resets_forged++;
		return;
	}
	reset_apply(t, now, f, &reset);
}

void
close_progress(struct transport *t, uint64_t now, struct flow *f)
{
	if (f->state == FLOW_CLOSING && send_idle(f))
		flow_end(t, now, f, MACHNET_OK);
}

bool
transport_settled(const struct transport *t)
{
	return t->resetting == 0;
}

/* @param pair 0: whichever */
static void
fail_opening(struct transport *t, uint64_t now, uint32_t address,
	uint32_t pair_out, int32_t status)
{
	struct peer *peer = peer_find(t, address);
	struct list *node, *next;

	if (peer == NULL)
		return;
	for (node = peer->flows.next; node != &peer->flows; node = next) {
		struct flow *f = container_of(node, struct flow, peer_node);

		next = node->next;
		if ((f->state == FLOW_SYN || f->state == FLOW_CONFIRM) &&
			(pair_out == 0 || handshake_sent(f, pair_out)))
			flow_end(t, now, f, status);
	}
}

void
transport_host_unreachable(struct transport *t, uint64_t now, uint32_t address)
{
	fail_opening(t, now, address, 0, MACHNET_HOST_UNREACHABLE);
}

void
transport_port_unreachable(
	struct transport *t, uint64_t now, const struct transport_path *path)
{
	if (transport_port_valid(t, path->local_port) &&
		transport_port_valid(t, path->remote_port))
		fail_opening(t, now, path->address, path_pair_out(path),
			MACHNET_CONNECTION_REFUSED);
}
