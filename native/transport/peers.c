// SPDX-License-Identifier: MIT
/*
 * Liveness belongs to the other host, not to the connection: one PING for all
 * connections to it, and only while it is silent.
 */
#include <stdlib.h>

#include "transport/close.h"
#include "transport/peers.h"
#include "transport/routes.h"

static struct peer **
bucket(struct transport *t, uint32_t address)
{
	/* Fibonacci hashing; a stranger gets no peer without a cookie. */
	return &t->peers[(address * 2654435769u) >> 22];
}
_Static_assert(PEER_BUCKETS == 1u << (32 - 22), "the top bits of the product");

static uint64_t
lost_ns(const struct transport *t)
{
	return t->options.peer_timeout_ms * NS_PER_MS;
}

static uint64_t
silent_ns(const struct transport *t)
{
	return u64_min(lost_ns(t) / PEER_SILENT_SHARE, PEER_SILENT_MAX_NS);
}

struct peer *
peer_find(struct transport *t, uint32_t address)
{
	struct peer *peer = *bucket(t, address);

	while (peer != NULL && peer->path.address != address)
		peer = peer->next;
	return peer;
}

bool
peer_join(struct transport *t, uint64_t now, struct flow *f,
	const struct transport_path *path)
{
	struct peer *peer = peer_find(t, path->address);

	if (peer == NULL) {
		struct peer **chain = bucket(t, path->address);

		peer = calloc(1, sizeof(*peer));
		if (peer == NULL)
			return false;
		peer->path = *path;
		list_init(&peer->flows);
		timer_init(&peer->timer);
		peer->next = *chain;
		*chain = peer;
		wheel_set(&t->peer_timers, &peer->timer, now + silent_ns(t));
	}
	if (list_empty(&peer->flows))
		peer->heard_ns = now;
	f->peer = peer;
	peer->references++;
	list_append(&peer->flows, &f->peer_node);
	return true;
}

void
peer_leave(struct flow *f)
{
	list_leave(&f->peer_node);
}

void
peer_release(struct flow *f)
{
	if (f->peer == NULL)
		return;
	peer_leave(f);
	f->peer->references--;
	f->peer = NULL;
}

static void
peer_free(struct transport *t, struct peer *peer)
{
	struct peer **link = bucket(t, peer->path.address);

	wheel_cancel(&t->peer_timers, &peer->timer);
	while (*link != peer)
		link = &(*link)->next;
	*link = peer->next;
	routes_free(t, peer);
	free(peer);
}

void
peers_free(struct transport *t)
{
	for (unsigned i = 0; i < PEER_BUCKETS; i++)
		while (t->peers[i] != NULL)
			peer_free(t, t->peers[i]);
}

/* End all connections to a host but one. Handshakes go on by themselves. */
static void
end_all(struct transport *t, uint64_t now, struct peer *peer, int32_t status,
	const struct flow *keep)
{
	struct list *node, *next;

	for (node = peer->flows.next; node != &peer->flows; node = next) {
		struct flow *f = container_of(node, struct flow, peer_node);

		next = node->next;
		if (f == keep)
			continue;
		if (f->state == FLOW_OPEN || f->state == FLOW_CLOSING)
			flow_end(t, now, f, status);
		else if (f->state == FLOW_RESETTING &&
			 status == MACHNET_CONNECTION_RESET)
			flow_linger(t, now, f); /* it has forgotten it */
	}
}

bool
peer_instance(struct transport *t, uint64_t now, struct peer *peer,
	uint64_t instance, const struct flow *keep)
{
	bool restarted = peer->instance != 0 && peer->instance != instance;

	if (restarted && instance == peer->instance_before) {
		t->counters.packets_stale++;
		return false;
	}
	if (restarted)
		peer->instance_before = peer->instance;
	peer->instance = instance;
	peer->heard_ns = now;
	if (restarted)
		end_all(t, now, peer, MACHNET_CONNECTION_RESET, keep);
	return true;
}

/* That of a connection that is open, or else of one that is to be. */
static struct transport_path
ping_path(const struct peer *peer, struct wire_ping *ping)
{
	const struct route *route = peer->routes;
	uint32_t pair = rss_pair_swap(path_pair_out(&peer->path));

	while (route != NULL && route->references == 0)
		route = route->next;
	if (route != NULL)
		pair = route->pair_in;
	ping->answer_from = rss_pair_sender(pair);
	ping->answer_to = rss_pair_receiver(pair);
	return route != NULL ? route->path : peer->path;
}

static void
ping_send(struct transport *t, struct peer *peer)
{
	struct wire_ping ping = {.instance = t->options.instance};
	struct transport_path path = ping_path(peer, &ping);
	uint8_t *packet = packet_begin(t);

	if (packet == NULL)
		return;
	/* The same one until it is answered, however long that takes. */
	while (peer->ping == 0)
		peer->ping = random_u64(&t->random);
	t->counters.pings_sent++;
	packet_send(t, &path,
		wire_ping_write(packet, WIRE_PING,
			connection_id(0, t->options.engine, 0), peer->ping,
			&ping));
}

void
peer_timeout(struct transport *t, uint64_t now, struct peer *peer)
{
	uint64_t due_ns = peer->timer.tick << WHEEL_TICK_NS_LOG2;
	uint64_t silence_ns;

	if (peer->references == 0) {
		peer_free(t, peer);
		return;
	}
	if (list_empty(&peer->flows)) {
		wheel_set(&t->peer_timers, &peer->timer, now + silent_ns(t));
		return;
	}
	/* While our own engine did not run nobody was asked. */
	if (now - due_ns > silent_ns(t))
		peer->heard_ns = u64_min(now, peer->heard_ns + now - due_ns);
	silence_ns = now - peer->heard_ns;
	if (silence_ns >= lost_ns(t)) {
		peer->heard_ns = now;
		wheel_set(&t->peer_timers, &peer->timer, now + silent_ns(t));
		end_all(t, now, peer, MACHNET_CONNECTION_LOST, NULL);
		return;
	}
	if (silence_ns < silent_ns(t)) {
		wheel_set(&t->peer_timers, &peer->timer,
			peer->heard_ns + silent_ns(t));
		return;
	}
	ping_send(t, peer);
	wheel_set(&t->peer_timers, &peer->timer, now + silent_ns(t) / 2);
}

static void
pong_send(struct transport *t, uint64_t now, const struct transport_path *path,
	const struct wire_header *header, const struct wire_ping *asked)
{
	const struct wire_ping pong = {.instance = t->options.instance};
	struct transport_path back = {
		.address = path->address,
		.local_port = asked->answer_from,
		.remote_port = asked->answer_to,
	};
	uint8_t *packet;

	if (!transport_port_valid(t, back.local_port) ||
		!transport_port_valid(t, back.remote_port)) {
		t->counters.packets_malformed++;
		return;
	}
	if (!answer_allowed(t, now))
		return;
	packet = packet_begin(t);
	if (packet != NULL)
		packet_send(t, &back,
			wire_ping_write(packet, WIRE_PONG, header->connection,
				header->number, &pong));
}

void
ping_receive(struct transport *t, uint64_t now,
	const struct transport_path *path, const struct wire_header *header,
	const uint8_t *bytes, uint32_t length)
{
	struct peer *peer;
	struct wire_ping ping;

	if (!wire_ping_read(&ping, bytes, length)) {
		t->counters.packets_malformed++;
		return;
	}
	if (header->type == WIRE_PING) {
		pong_send(t, now, path, header, &ping);
		return;
	}
	peer = peer_find(t, path->address);
	if (peer == NULL || peer->ping == 0 || peer->ping != header->number) {
		t->counters.packets_stale++;
		return;
	}
	peer->ping = 0;
	peer_instance(t, now, peer, ping.instance, NULL);
}
