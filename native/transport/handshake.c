// SPDX-License-Identifier: MIT
/*
 * SYN, ANSWER, CONFIRM, ACCEPT. The server keeps nothing until CONFIRM shows a
 * cookie of its own making (as SYN cookies, Bernstein 1996): a MAC over all
 * that the SYN said, SipHash-2-4-128 under the sidecar's secret.
 */
#include <string.h>

#include "transport/flow.h"

/* CONFIRMs without an answer before one goes the way that the SYN went. */
#define CONFIRM_TRIES 2u
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

/* Halved, so that it never gets to the end; not 0, which means none. */
static uint64_t
number_first(struct transport *t)
{
	return random_u64(&t->random) >> 1 | 1;
}

/* The client. */

/* But for the pair that it is to be answered on. */
static struct wire_syn
syn_of(const struct transport *t, const struct flow *f)
{
	return (struct wire_syn){
		.client = f->id,
		.port = f->service_port,
		.mtu = t->options.mtu,
		.engine = f->setup->owner,
		.flags = f->unordered ? WIRE_SYN_UNORDERED : 0,
		.key = f->key,
	};
}

/* Pairs that were given up, or that a CONFIRM makes up, and lead where they
 * should none the less, do so by chance. */
static uint32_t
found_by(uint32_t method)
{
	return u32_min(method, RSS_SPRAYED);
}

static void
confirm_send(struct transport *t, uint64_t now, struct flow *f)
{
	struct setup *setup = f->setup;
	const struct rss_way *ways = setup->search.plan.ways;
	/* A pair that was never tried may be one that a firewall shuts. */
	bool tried = f->tries >= CONFIRM_TRIES;
	struct wire_confirm confirm = {
		.syn = syn_of(t, f),
		.cookie = setup->cookie,
		.engines = t->options.engines,
		.instance = t->options.instance,
		.first_number = f->number_next,
		.syn_from = rss_pair_sender(setup->syn[RSS_OUT]),
		.syn_to = rss_pair_receiver(setup->syn[RSS_OUT]),
		.nic_key = nic_key(t),
		.method = (uint16_t)rss_plan_method(&setup->search.plan),
		.probes = (uint16_t)u32_min(setup->search.packets, UINT16_MAX),
		.rounds = (uint16_t)u32_min(setup->search.rounds, UINT16_MAX),
		.setup_us = (uint32_t)((now - setup->begun_ns) / NS_PER_US),
	};
	struct transport_path path;
	uint8_t *packet;

	for (unsigned w = 0; w < RSS_WAYS; w++)
		setup->sent[w] = tried ? setup->syn[w] : ways[w].pair;
	packet = packet_begin(t);
	if (packet == NULL)
		return;
	confirm.syn.answer_from = rss_pair_sender(setup->syn[RSS_IN]);
	confirm.syn.answer_to = rss_pair_receiver(setup->syn[RSS_IN]);
	confirm.send_from = rss_pair_sender(setup->sent[RSS_IN]);
	confirm.send_to = rss_pair_receiver(setup->sent[RSS_IN]);
	path = path_of(f->peer->path.address, setup->sent[RSS_OUT]);
	f->sent_ns = f->tries == 0 ? now : 0;
	packet_send(
		t, &path, wire_confirm_write(packet, setup->number, &confirm));
}

static void
confirm_begin(struct transport *t, uint64_t now, struct flow *f)
{
	f->state = FLOW_CONFIRM;
	f->tries = 0;
	f->setup->number = random_u64(&t->random);
	/* Not again with a second cookie: the server may know the first. */
	if (f->number_next == 0)
		send_open(f, number_first(t));
	confirm_send(t, now, f);
}

/* The next SYNs, or the CONFIRM when it is known where to send it. */
static void
syn_next(struct transport *t, uint64_t now, struct flow *f)
{
	struct search *search = &f->setup->search;
	uint32_t address = f->peer->path.address;
	struct wire_syn syn = syn_of(t, f);

	if (search_next(t, search, address) == 0) {
		if (f->setup->cookie_ns != 0) {
			confirm_begin(t, now, f);
			return;
		}
		/* All that it may cost was spent, and nobody answered. */
		rss_plan_begin(&search->plan, t->options.engine);
		search_next(t, search, address);
	}
	search_send(t, search, address, &syn);
}

static void
retry_arm(struct transport *t, uint64_t now, struct flow *f)
{
	uint32_t doublings = u32_min(f->tries, 8);

	/* What is sent twice may do without a longer wait. */
	doublings -= doublings != 0;
	f->rto_deadline_ns =
		now + u64_min(SETUP_WAIT_NS << doublings, RTO_MAX_NS);
	flow_arm(t, f);
}

/* Pairs that were not tried before got no answer, and are to be found anew. */
static bool
confirm_shut_out(struct flow *f)
{
	struct setup *setup = f->setup;

	return f->state == FLOW_CONFIRM && f->tries == CONFIRM_TRIES &&
	       memcmp(setup->sent, setup->syn, sizeof(setup->syn)) != 0 &&
	       rss_plan_mirror(&setup->search.plan);
}

void
handshake_retry(struct transport *t, uint64_t now, struct flow *f)
{
	struct search *search = &f->setup->search;
	struct wire_syn syn = syn_of(t, f);

	/* One that grows old while the backlog is full is of no use. */
	if (f->state == FLOW_CONFIRM &&
		now - f->setup->cookie_ns > COOKIE_LIFE_MS * NS_PER_MS / 2) {
		f->state = FLOW_SYN;
		f->setup->cookie_ns = 0;
		rss_plan_begin(&search->plan, t->options.engine);
		search->open = 0;
	}
	if (confirm_shut_out(f)) {
		f->state = FLOW_SYN;
		search->open = 0;
	}
	if (f->state == FLOW_CONFIRM)
		confirm_send(t, now, f);
	else if (!search_resend(t, search, f->peer->path.address, &syn))
		syn_next(t, now, f);
	retry_arm(t, now, f);
}

bool
handshake_sent(const struct flow *f, uint32_t pair_out)
{
	const struct search *search = &f->setup->search;

	if (f->state == FLOW_CONFIRM)
		return f->setup->sent[RSS_OUT] == pair_out;
	for (uint32_t i = 0; i < search->length; i++)
		if (search->probes[i].pairs[RSS_OUT] == pair_out)
			return true;
	return false;
}

void
setup_return(struct transport *t, struct flow *f)
{
	if (f->setup == NULL)
		return;
	freelist_give(&t->setups, f->setup);
	f->setup = NULL;
}

static struct flow *
active_open(struct transport *t, uint64_t now, struct endpoint *endpoint,
	uint32_t address)
{
	struct transport_path path = path_of(
		address, rss_pair(TRANSPORT_UDP_PORT, TRANSPORT_UDP_PORT));
	struct flow *f = flow_allocate(t, endpoint);

	if (f == NULL)
		return NULL;
	f->state = FLOW_SYN;
	f->setup = freelist_take(&t->setups, sizeof(*f->setup));
	if (f->setup == NULL || !peer_join(t, now, f, &path)) {
		flow_free(t, f);
		return NULL;
	}
	return f;
}

void
transport_connect(struct transport *t, uint64_t now, struct endpoint *endpoint,
	uint32_t token, uint32_t address, uint16_t port, uint32_t timeout_ms,
	uint32_t flags)
{
	struct flow *f = active_open(t, now, endpoint, address);

	if (f == NULL) {
		struct machnet_event event = {
			.kind = MACHNET_EVENT_CONNECTED,
			.token = token,
			.status = MACHNET_TOO_MANY_CONNECTIONS,
			.address = address,
			.port = port,
		};

		t->ops.deliver(t->context, endpoint, &event);
		return;
	}
	memset(f->setup, 0, sizeof(*f->setup));
	f->setup->token = token;
	f->setup->owner = WIRE_ENGINE_ANY;
	f->setup->begun_ns = now;
	rss_plan_begin(&f->setup->search.plan, t->options.engine);
	f->unordered = (flags & TRANSPORT_UNORDERED) != 0;
	f->service_port = port;
	if (timeout_ms == 0)
		timeout_ms = CONNECT_TIMEOUT_MS_DEFAULT;
	f->state_deadline_ns = now + timeout_ms * NS_PER_MS;
	handshake_retry(t, now, f);
}

static void
answer_receive(struct transport *t, uint64_t now, struct flow *f,
	const struct transport_path *path, uint64_t number,
	const struct wire_answer *answer)
{
	struct setup *setup = f->setup;
	uint32_t address = path->address;
	struct rss_probe *probe = NULL;
	struct wire_syn syn;
	bool again;

	if (f->state == FLOW_SYN)
		probe = search_answered(&setup->search, number, path);
	if (probe == NULL) {
		t->counters.packets_stale++;
		return;
	}
	if (!peer_instance(t, now, f->peer, answer->instance, f))
		return;
	if (setup->owner == WIRE_ENGINE_ANY || setup->cookie_ns == 0)
		setup->owner = answer->owner;
	/* A cookie is for one owner. */
	if (setup->owner == answer->owner) {
		setup->cookie = answer->cookie;
		setup->cookie_ns = now;
		memcpy(setup->syn, probe->pairs, sizeof(setup->syn));
		setup->queues[RSS_IN] = (uint8_t)t->queue;
		setup->queues[RSS_OUT] = (uint8_t)answer->cookie.engine;
	}
	again = search_learn(
		t, &setup->search, probe, address, answer, setup->owner);
	f->tries = 0;
	if (rss_plan_done(&setup->search.plan, t->rss, address)) {
		confirm_begin(t, now, f);
	} else if (again) {
		syn = syn_of(t, f);
		search_again(t, &setup->search, probe, address, &syn);
	} else if (setup->search.open == 0) {
		syn_next(t, now, f);
	} else {
		return;
	}
	retry_arm(t, now, f);
}

static uint32_t
fragment_bytes_of(uint32_t mtu)
{
	return mtu - 28 - WIRE_HEADER_BYTES - WIRE_ACK_BYTES_MAX -
	       WIRE_FRAME_BYTES - WIRE_TAG_BYTES;
}

static bool
fragment_bytes_valid(const struct transport *t, uint16_t bytes)
{
	return bytes <= fragment_bytes_of(t->options.mtu) &&
	       bytes >= fragment_bytes_of(TRANSPORT_MTU_MIN);
}

/* Of the CONFIRM or the ACCEPT, that may not be the first on its pair. */
static enum rss_place
place_of(const struct setup *setup, enum rss_way_name w, uint32_t pair,
	uint32_t queue)
{
	const struct rss_way *way = &setup->search.plan.ways[w];

	if (pair == setup->syn[w])
		return queue == setup->queues[w] ? RSS_LATER : RSS_ELSEWHERE;
	if (way->seen && pair == way->pair)
		return queue == way->wanted ? RSS_LATER : RSS_ELSEWHERE;
	return RSS_FIRST;
}

/* Where they lead, next to the queues that they came in on: those that may have
 * strayed will be seen on the next packets. */
static void
accept_learn(struct transport *t, uint64_t now, const struct flow *f,
	uint32_t pair_in, uint32_t queues[RSS_WAYS])
{
	const struct setup *setup = f->setup;
	uint32_t address = f->peer->path.address;
	struct rss_peer *peer = rss_host_meet(t->rss, address);
	const struct rss_observation there = {
		.address = address,
		.pair = setup->sent[RSS_OUT],
		.place = place_of(
			setup, RSS_OUT, setup->sent[RSS_OUT], queues[RSS_OUT]),
	};
	enum rss_place place = place_of(setup, RSS_IN, pair_in, queues[RSS_IN]);

	observe_remote(t, there, queues[RSS_OUT], peer->map.queues);
	observe(t, address, pair_in, place);
	if (there.place == RSS_FIRST && peer->map.strays != 0)
		queues[RSS_OUT] = f->route->engine;
	if (place == RSS_FIRST && t->rss->own.strays != 0)
		queues[RSS_IN] = t->options.engine;
	route_in_set(
		t, now, f->route, pair_in, queues[RSS_IN], place == RSS_FIRST);
}

/* The CONFIRM and its answer show where the pairs lead. */
static bool
accept_route(struct transport *t, uint64_t now, struct flow *f,
	const struct transport_path *path, const struct wire_accept *accept)
{
	struct setup *setup = f->setup;
	struct rss_plan *plan = &setup->search.plan;
	uint32_t engine = connection_engine(accept->server);
	uint32_t address = path->address;
	uint32_t queues[RSS_WAYS] = {t->queue, accept->queue};
	uint32_t method;

	if (!route_join(t, f, engine, setup->sent[RSS_OUT]))
		return false; /* the next ACCEPT, perhaps */
	accept_learn(t, now, f, path_pair_in(path), queues);
	rss_plan_opened(plan, t->rss, address, queues[RSS_IN], queues[RSS_OUT]);
	if (queues[RSS_OUT] != engine)
		route_repair(t, now, f->route);
	method =
		queues[RSS_OUT] != engine || queues[RSS_IN] != t->options.engine
			? RSS_HANDOVER
			: found_by(rss_plan_method(plan));
	path_count(t, method);
	path_opened(f, method, setup->search.packets, setup->search.rounds,
		now - setup->begun_ns);
	return true;
}

static void
accept_receive(struct transport *t, uint64_t now, struct flow *f,
	const struct transport_path *path, const struct wire_accept *accept)
{
	if (f->state != FLOW_CONFIRM) {
		t->counters.packets_stale++;
		return;
	}
	if (accept->server == 0 ||
		!fragment_bytes_valid(t, accept->fragment_bytes)) {
		t->counters.packets_malformed++;
		return;
	}
	if (!peer_instance(t, now, f->peer, accept->instance, f))
		return;
	if (!accept_route(t, now, f, path, accept))
		return;
	recovery_accepted(f, now);
	f->state = FLOW_OPEN;
	f->tries = 0;
	f->state_deadline_ns = now + ACCEPT_ACK_NS;
	f->rto_deadline_ns = 0;
	flow_arm(t, f);
	f->fragment_bytes = accept->fragment_bytes;
	f->peer_key = accept->key;
	flow_index_add(t, f, accept->server);
	receive_open(f, now, accept->first_number);
	t->counters.connections_opened++;
	receive_deliver(t, now, f);
}

/* The server. */

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

static void
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

static void
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

void
handshake_receive(struct transport *t, uint64_t now,
	const struct transport_path *path, const struct wire_header *header,
	const uint8_t *bytes, uint32_t length)
{
	union {
		struct wire_syn syn;
		struct wire_answer answer;
		struct wire_confirm confirm;
		struct wire_accept accept;
	} packet;
	struct flow *f = NULL;
	bool valid = false;

	switch (header->type) {
	case WIRE_SYN:
		valid = wire_syn_read(&packet.syn, bytes, length);
		break;
	case WIRE_ANSWER:
		valid = wire_answer_read(&packet.answer, bytes, length);
		break;
	case WIRE_CONFIRM:
		valid = wire_confirm_read(&packet.confirm, bytes, length);
		break;
	case WIRE_ACCEPT:
		valid = wire_accept_read(&packet.accept, bytes, length);
		break;
	}
	if (!valid) {
		t->counters.packets_malformed++;
		return;
	}
	if (header->type == WIRE_SYN) {
		syn_receive(t, now, path, header->number, &packet.syn);
		return;
	}
	if (header->type == WIRE_CONFIRM) {
		confirm_receive(t, now, path, header->number, &packet.confirm);
		return;
	}
	if (header->type == WIRE_ANSWER &&
		connection_index(header->connection) == 0) {
		route_answered(t, now, path, header->number, &packet.answer);
		return;
	}
	f = flow_get(t, header->connection);
	if (f == NULL || f->peer->path.address != path->address ||
		f->setup == NULL ||
		(header->type == WIRE_ACCEPT &&
			f->setup->number != header->number)) {
		t->counters.packets_stale++;
		return;
	}
	if (header->type == WIRE_ANSWER)
		answer_receive(t, now, f, path, header->number, &packet.answer);
	else
		accept_receive(t, now, f, path, &packet.accept);
}
