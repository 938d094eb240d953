// SPDX-License-Identifier: MIT
/*
 * A plan of rss/, carried out: SYNs that go out in bursts, and what their
 * answers teach.
 */
#include "transport/search.h"

static void
observation_take(struct transport *t, const struct rss_observation *seen)
{
	if (rss_host_observe(t->rss, seen) && t->ops.observed != NULL &&
		t->options.engines > 1)
		t->ops.observed(t->context, seen);
}

void
observe(struct transport *t, uint32_t address, uint32_t pair,
	enum rss_place place)
{
	const struct rss_observation here = {
		.address = address,
		.pair = pair,
		.queue = (uint8_t)t->queue,
		.queues = (uint8_t)t->options.engines,
		.place = (uint8_t)place,
	};

	observation_take(t, &here);
}

void
observe_remote(struct transport *t, struct rss_observation there,
	uint32_t queue, uint32_t queues)
{
	if (queue >= RSS_QUEUES_MAX || queues == 0 || queues > RSS_QUEUES_MAX)
		return;
	there.queue = (uint8_t)queue;
	there.queues = (uint8_t)queues;
	there.remote = true;
	observation_take(t, &there);
}

void
transport_observe(
	struct transport *t, const struct rss_observation *observation)
{
	if (observation->remote)
		rss_host_meet(t->rss, observation->address);
	rss_host_observe(t->rss, observation);
}

struct wire_nic_key
nic_key(const struct transport *t)
{
	struct rss_key key = rss_map_key(&t->rss->own);

	return (struct wire_nic_key){
		.known = key.known,
		.value = key.value,
		.told = key.told,
		.strays = t->rss->own.strays != 0,
	};
}

void
nic_key_told(struct transport *t, uint32_t address, uint32_t queues,
	const struct wire_nic_key *told)
{
	const struct rss_key key = {
		.known = told->known,
		.value = told->value,
		.told = told->told,
	};

	rss_peer_told(
		rss_host_meet(t->rss, address), queues, key, told->strays);
}

uint32_t
search_next(struct transport *t, struct search *search, uint32_t address)
{
	search->length =
		rss_plan_next(&search->plan, t->rss, address, search->probes);
	search->open = (uint32_t)((UINT64_C(1) << search->length) - 1);
	search->number = random_u64(&t->random);
	search->resent = false;
	search->packets += search->length;
	search->rounds += search->length != 0;
	t->counters.probe_rounds += search->length != 0;
	return search->length;
}

/* The i-th of the burst. Asked again it has a number of its own: an answer to
 * the first time would be one too late. */
static void
syn_send(struct transport *t, const struct search *search, uint32_t i,
	uint32_t address, const struct wire_syn *like)
{
	const struct rss_probe *probe = &search->probes[i];
	struct transport_path path = path_of(address, probe->pairs[RSS_OUT]);
	struct wire_syn syn = *like;
	uint64_t number = search->number + i;
	uint8_t *packet = packet_begin(t);

	if (packet == NULL)
		return; /* as if it was lost */
	syn.answer_from = rss_pair_sender(probe->pairs[RSS_IN]);
	syn.answer_to = rss_pair_receiver(probe->pairs[RSS_IN]);
	if (probe->again) {
		number += RSS_BURST_MAX;
		syn.flags |= WIRE_SYN_AGAIN;
		syn.cookie = search->answers[i].cookie;
		syn.engine = search->answers[i].owner;
	}
	t->counters.probes_sent++;
	packet_send(t, &path, wire_syn_write(packet, number, &syn));
}

void
search_send(struct transport *t, const struct search *search, uint32_t address,
	const struct wire_syn *syn)
{
	for (uint32_t i = 0; i < search->length; i++)
		syn_send(t, search, i, address, syn);
}

void
search_again(struct transport *t, struct search *search,
	const struct rss_probe *probe, uint32_t address,
	const struct wire_syn *syn)
{
	uint32_t i = (uint32_t)(probe - search->probes);

	search->open |= 1u << i;
	search->resent = false;
	search->packets++;
	syn_send(t, search, i, address, syn);
}

bool
search_resend(struct transport *t, struct search *search, uint32_t address,
	const struct wire_syn *syn)
{
	bool mirrored = search->plan.mirrored;

	if (search->open == 0)
		return false;
	rss_plan_silence(&search->plan);
	if (search->resent || search->plan.mirrored != mirrored)
		return false;
	search->resent = true;
	for (uint32_t i = 0; i < search->length; i++) {
		if ((search->open >> i & 1) == 0)
			continue;
		search->packets++;
		syn_send(t, search, i, address, syn);
	}
	return true;
}

struct rss_probe *
search_answered(struct search *search, uint64_t number,
	const struct transport_path *path)
{
	uint64_t i = number - search->number;
	bool again = i >= RSS_BURST_MAX;

	i -= again ? RSS_BURST_MAX : 0;
	if (i >= search->length || (search->open >> i & 1) == 0 ||
		search->probes[i].again != again ||
		/* Another pair would teach us what is not so. */
		search->probes[i].pairs[RSS_IN] != path_pair_in(path))
		return NULL;
	search->open &= ~(1u << i);
	return &search->probes[i];
}

bool
search_learn(struct transport *t, struct search *search,
	struct rss_probe *probe, uint32_t address,
	const struct wire_answer *answer, uint32_t owner)
{
	uint32_t queue_out = answer->cookie.engine;
	const struct rss_observation there = {
		.address = address,
		.pair = probe->pairs[RSS_OUT],
		.mirrored = search->plan.mirrored,
		.place = rss_probe_place(probe, RSS_OUT, queue_out),
	};

	search->packets++;
	search->answers[probe - search->probes].cookie = answer->cookie;
	search->answers[probe - search->probes].owner = answer->owner;
	t->counters.probes_answered++;
	nic_key_told(t, address, answer->engines, &answer->nic_key);
	observe_remote(t, there, queue_out, answer->engines);
	observe(t, address, probe->pairs[RSS_IN],
		rss_probe_place(probe, RSS_IN, t->queue));
	return rss_plan_answer(&search->plan, t->rss, address, probe, t->queue,
		queue_out, owner);
}
