// SPDX-License-Identifier: MIT
/*
 * The client's side of a handshake: SYNs until it is known which pairs of ports
 * to use, then CONFIRM with the cookie of an ANSWER, until ACCEPT.
 */
#include <string.h>

#include "transport/deliver.h"
#include "transport/handshake.h"
#include "transport/path.h"
#include "transport/peers.h"
#include "transport/receive.h"
#include "transport/recovery.h"
#include "transport/routes.h"
#include "transport/search.h"
#include "transport/send.h"

/* CONFIRMs without an answer before one goes the way that the SYN went. */
#define CONFIRM_TRIES 2u

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

void
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

void
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
