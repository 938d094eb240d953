// SPDX-License-Identifier: MIT
/*
 * The server's side of a handshake. It keeps nothing until CONFIRM shows a
 * cookie of its own making (as SYN cookies, Bernstein 1996): a MAC over all
 * that the SYN said, SipHash-2-4-128 under the sidecar's secret.
 */
#include <string.h>

#include "transport/close.h"
#include "transport/deliver.h"
#include "transport/handshake.h"
#include "transport/path.h"
#include "transport/peers.h"
#include "transport/receive.h"
#include "transport/routes.h"
#include "transport/search.h"
#include "transport/send.h"

#define NS_TO_MS32(ns) ((uint32_t)((ns) / NS_PER_MS))

static void
cookie_mac(const struct transport *t, const struct transport_path *path,
	const struct wire_syn *syn, const struct wire_cookie *cookie,
	uint64_t mac[2])
{
	struct {
		uint64_t key;
		uint32_t address, client, time_ms;
		uint16_t local_port, remote_port, answer_from, answer_to;
		uint16_t port, mtu, wanted, flags, engine, zero;
	} facts;
	uint8_t both[16];
	uint8_t secret[16];

	memset(&facts, 0, sizeof(facts)); /* padding is hashed, too */
	facts.key = syn->key;
	facts.address = path->address;
	facts.client = syn->client;
	facts.time_ms = cookie->time_ms;
	facts.local_port = path->local_port;
	facts.remote_port = path->remote_port;
	facts.answer_from = syn->answer_from;
	facts.answer_to = syn->answer_to;
	facts.port = syn->port;
	facts.mtu = syn->mtu;
	facts.wanted = syn->engine;
	facts.flags = syn->flags & ~WIRE_SYN_AGAIN;
	facts.engine = cookie->engine;
	memcpy(secret, t->options.secret, sizeof(secret));
	crypto_shorthash_siphashx24(
		both, (const unsigned char *)&facts, sizeof(facts), secret);
	memcpy(mac, both, sizeof(both));
}

static bool
cookie_valid(const struct transport *t, uint64_t now,
	const struct transport_path *path, const struct wire_syn *syn,
	const struct wire_cookie *cookie)
{
	uint64_t mac[2];
	int32_t age_ms = (int32_t)(NS_TO_MS32(now) - cookie->time_ms);

	/* Made by an engine whose turn began later than ours, perhaps. */
	if (age_ms > (int32_t)COOKIE_LIFE_MS || age_ms < -COOKIE_SKEW_MS)
		return false;
	cookie_mac(t, path, syn, cookie, mac);
	return sodium_memcmp(mac, cookie->mac, sizeof(mac)) == 0;
}

static void
refuse(struct transport *t, const struct transport_path *path,
	const struct wire_syn *syn, int16_t status)
{
	struct wire_reset reset = {.key = syn->key, .status = status};
	uint8_t *packet = packet_begin(t);

	if (packet == NULL)
		return;
	t->counters.connections_refused++;
	packet_send(t, path, wire_reset_write(packet, syn->client, &reset));
}

static bool
syn_acceptable(struct transport *t, const struct wire_syn *syn)
{
	/* An answer only ever goes from and to ports of ours, so that nobody
	 * makes us talk to another service. */
	if (transport_port_valid(t, syn->answer_from) &&
		transport_port_valid(t, syn->answer_to) &&
		syn->mtu >= TRANSPORT_MTU_MIN && syn->client != 0)
		return true;
	t->counters.packets_malformed++;
	return false;
}

/* The engine that is to accept: the one that the client was told before, else
 * this one, else whichever has its turn. @return WIRE_ENGINE_ANY if nobody
 * listens */
static uint16_t
owner_choose(struct transport *t, const struct wire_syn *syn)
{
	uint64_t engines = listeners_engines(t->options.listeners, syn->port);
	uint64_t after;

	if (engines == 0)
		return WIRE_ENGINE_ANY;
	if (syn->engine < CONNECTION_ENGINES &&
		(engines >> syn->engine & 1) != 0)
		return syn->engine;
	if ((engines >> t->options.engine & 1) != 0)
		return t->options.engine;
	/* Not 1 << (owner + 1), which may be a shift too far. */
	after = engines & ~((UINT64_C(2) << t->owner_last) - 1);
	t->owner_last = (uint8_t)__builtin_ctzll(after != 0 ? after : engines);
	return t->owner_last;
}

/* The cookie proves that it was asked before, and where that came in. */
static enum rss_place
syn_place(struct transport *t, uint64_t now, const struct transport_path *path,
	const struct wire_syn *syn)
{
	if ((syn->flags & WIRE_SYN_AGAIN) == 0)
		return RSS_FIRST;
	if (!cookie_valid(t, now, path, syn, &syn->cookie)) {
		t->counters.cookies_refused++;
		return RSS_FIRST;
	}
	return syn->cookie.engine == t->queue ? RSS_WITH : RSS_ELSEWHERE;
}

void
syn_receive(struct transport *t, uint64_t now,
	const struct transport_path *path, uint64_t number,
	const struct wire_syn *syn)
{
	struct wire_answer answer = {
		.cookie = {.time_ms = NS_TO_MS32(now), .engine = t->queue},
		.engines = t->options.engines,
		.mtu = t->options.mtu,
		.instance = t->options.instance,
	};
	struct transport_path back = {
		.address = path->address,
		.local_port = syn->answer_from,
		.remote_port = syn->answer_to,
	};
	/* What the CONFIRM will show: the same, but for the owner. */
	struct wire_syn confirmed = *syn;
	uint8_t *packet;

	if (!syn_acceptable(t, syn))
		return;
	if (!answer_allowed(t, now)) {
		t->counters.syns_dropped++;
		return;
	}
	/* Before this SYN teaches: what its answer tells anyway would seem to
	 * prove the key. */
	answer.nic_key = nic_key(t);
	if (allowance_take(&t->lessons, now, LESSON_NS, LESSONS_MAX))
		observe(t, path->address, path_pair_in(path),
			syn_place(t, now, path, syn));
	answer.owner = confirmed.engine = owner_choose(t, syn);
	if (answer.owner == WIRE_ENGINE_ANY && syn->port != 0) {
		refuse(t, &back, syn, MACHNET_CONNECTION_REFUSED);
		return;
	}
	packet = packet_begin(t);
	if (packet == NULL)
		return;
	cookie_mac(t, path, &confirmed, &answer.cookie, answer.cookie.mac);
	t->counters.syns_answered++;
	packet_send(t, &back,
		wire_answer_write(packet, syn->client, number, &answer));
}

static void
accept_send(struct transport *t, struct flow *f, uint64_t number)
{
	struct wire_accept accept = {
		.server = f->id,
		.fragment_bytes = f->fragment_bytes,
		.queue = t->queue,
		.key = f->key,
		.instance = t->options.instance,
		/* Nothing was acknowledged by a client that needs this. */
		.first_number = f->acked_largest + 1,
	};
	uint8_t *packet = packet_begin(t);

	if (packet == NULL)
		return; /* CONFIRM comes again */
	packet_send(t, &f->route->path,
		wire_accept_write(packet, f->peer_id, number, &accept));
}

/* How the client found the way, as it says. */
static void
path_confirmed(const struct transport *t, struct flow *f,
	const struct wire_confirm *confirm)
{
	path_opened(f,
		f->route->queue != t->options.engine
			? RSS_HANDOVER
			: found_by(confirm->method),
		confirm->probes, confirm->rounds,
		confirm->setup_us * NS_PER_US);
}

static struct flow *
passive_open(struct transport *t, uint64_t now,
	const struct transport_path *path, const struct transport_path *back,
	bool first, const struct wire_confirm *confirm,
	struct listener *listener)
{
	uint32_t queue =
		first && t->rss->own.strays != 0 ? t->options.engine : t->queue;
	struct flow *f = flow_allocate(t, listener->endpoint);

	if (f == NULL)
		return NULL;
	f->state = FLOW_OPEN;
	if (!peer_join(t, now, f, back) ||
		!route_join(t, f, connection_engine(confirm->syn.client),
			path_pair_out(back))) {
		flow_free(t, f);
		return NULL;
	}
	route_in_set(t, now, f->route, path_pair_in(path), queue, first);
	path_confirmed(t, f, confirm);
	f->passive = true;
	f->unordered = (confirm->syn.flags & WIRE_SYN_UNORDERED) != 0;
	f->listener = listener->id;
	f->service_port = listener->port;
	f->fragment_bytes = (uint16_t)fragment_bytes_of(
		u32_min(t->options.mtu, confirm->syn.mtu));
	f->peer_key = confirm->syn.key;
	flow_index_add(t, f, confirm->syn.client);
	send_open(f, number_first(t));
	receive_open(f, now, confirm->first_number);
	f->sent_ns = now;
	f->state_deadline_ns = now + ACCEPT_PROBE_NS;
	flow_arm(t, f);
	listener->waiting++;
	t->counters.connections_accepted++;
	return f;
}

/* @return whether it was a repeat, which opens nothing */
static bool
repeat_receive(struct transport *t, uint64_t now,
	const struct transport_path *path, const struct transport_path *back,
	uint64_t number, const struct wire_confirm *confirm)
{
	struct flow *youngest =
		flow_index_find(t, back->address, confirm->syn.client);

	for (struct flow *f = youngest; f != NULL; f = flow_index_next(f)) {
		if (!f->passive || f->peer_key != confirm->syn.key)
			continue;
		if (f->state == FLOW_OPEN || f->state == FLOW_CLOSING) {
			/* Perhaps no ACCEPT came through on the other pair. */
			if (path_pair_out(back) !=
				path_pair_out(&f->route->path)) {
				route_heard(t, now, f->route, path);
				route_set(f->route, path_pair_out(back));
				path_confirmed(t, f, confirm);
			}
			if (f->srtt_ns == 0)
				f->sent_ns = 0;
			accept_send(t, f, number);
		}
		return true;
	}
	/* The client gave the id anew, so our flow is of the past. */
	if (youngest != NULL)
		flow_end(t, now, youngest, MACHNET_CONNECTION_RESET);
	return false;
}

/* The client is who it says. @return whether the CONFIRM may be the first
 * packet on its pair */
static bool
confirm_learn(struct transport *t, const struct transport_path *path,
	const struct transport_path *syn, const struct wire_confirm *confirm)
{
	uint32_t pair = path_pair_in(path);
	enum rss_place place = RSS_FIRST;

	if (pair == path_pair_in(syn))
		place = confirm->cookie.engine == t->queue ? RSS_LATER
							   : RSS_ELSEWHERE;
	nic_key_told(t, path->address, confirm->engines, &confirm->nic_key);
	observe(t, path->address, pair, place);
	return place == RSS_FIRST;
}

void
confirm_receive(struct transport *t, uint64_t now,
	const struct transport_path *path, uint64_t number,
	const struct wire_confirm *confirm)
{
	struct transport_path back = {
		.address = path->address,
		.local_port = confirm->send_from,
		.remote_port = confirm->send_to,
	};
	const struct transport_path syn = {
		.address = path->address,
		.local_port = confirm->syn_to,
		.remote_port = confirm->syn_from,
	};
	struct listener *listener;
	struct peer *peer;
	struct flow *f;
	bool first;

	if (!syn_acceptable(t, &confirm->syn))
		return;
	if (!transport_port_valid(t, back.local_port) ||
		!transport_port_valid(t, back.remote_port)) {
		t->counters.packets_malformed++;
		return;
	}
	if (!cookie_valid(t, now, &syn, &confirm->syn, &confirm->cookie)) {
		t->counters.cookies_refused++;
		return;
	}
	first = confirm_learn(t, path, &syn, confirm);
	peer = peer_find(t, path->address);
	if (peer != NULL &&
		!peer_instance(t, now, peer, confirm->instance, NULL))
		return;
	if (repeat_receive(t, now, path, &back, number, confirm))
		return;
	listener = listeners_next(t->options.listeners, confirm->syn.port);
	if (listener == NULL) {
		refuse(t, &back, &confirm->syn, MACHNET_CONNECTION_REFUSED);
		return;
	}
	if (listener->waiting >= listener->backlog) {
		/* CONFIRM comes again; by then there may be room. */
		t->counters.backlog_overflows++;
		return;
	}
	f = passive_open(t, now, path, &back, first, confirm, listener);
	if (f == NULL) {
		refuse(t, &back, &confirm->syn, MACHNET_TOO_MANY_CONNECTIONS);
		return;
	}
	peer_instance(t, now, f->peer, confirm->instance, f);
	accept_send(t, f, number);
	receive_deliver(t, now, f);
}
