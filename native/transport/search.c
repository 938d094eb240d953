// SPDX-License-Identifier: MIT
/*
 * A plan of rss/, carried out: SYNs that go out in bursts, and what their
 * answers teach.
 */
#include "transport/flow.h"

static void
observation_take(struct transport *t, const struct rss_observation *seen)
{
	if (rss_host_observe(t->rss, seen) && t->ops.observed != NULL &&
		t->options.engines > 1)
		t->ops.observed(t->context, seen);
}

static bool
queue_valid(uint32_t queue, uint32_t queues)
{
	return queue < RSS_QUEUES_MAX && queues != 0 &&
	       queues <= RSS_QUEUES_MAX;
}

void
observe(struct transport *t, uint32_t address, uint32_t pair, uint32_t queue,
	uint32_t queues, bool remote)
{
	const struct rss_observation seen = {
		.address = address,
		.pair = pair,
		.queue = (uint8_t)queue,
		.queues = (uint8_t)queues,
		.remote = remote,
	};

	if (queue_valid(queue, queues))
		observation_take(t, &seen);
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

	rss_peer_told(rss_host_meet(t->rss, address), queues, key);
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

void
syn_send(struct transport *t, const struct search *search, uint32_t i,
	uint32_t address, struct wire_syn *syn)
{
	const struct rss_probe *probe = &search->probes[i];
	struct transport_path path = path_of(address, probe->pairs[RSS_OUT]);
	uint8_t *packet = packet_begin(t);

	if (packet == NULL)
		return; /* as if it was lost */
	syn->answer_from = rss_pair_sender(probe->pairs[RSS_IN]);
	syn->answer_to = rss_pair_receiver(probe->pairs[RSS_IN]);
	t->counters.probes_sent++;
	packet_send(t, &path, wire_syn_write(packet, search->number + i, syn));
}

bool
search_resend(struct transport *t, struct search *search, uint32_t address,
	struct wire_syn *syn)
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

const struct rss_probe *
search_answered(struct search *search, uint64_t number)
{
	uint64_t i = number - search->number;

	if (i >= search->length || (search->open >> i & 1) == 0)
		return NULL;
	search->open &= ~(1u << i);
	return &search->probes[i];
}

void
search_learn(struct transport *t, struct search *search,
	const struct rss_probe *probe, uint32_t address,
	const struct wire_answer *answer, uint32_t owner)
{
	search->packets++;
	t->counters.probes_answered++;
	nic_key_told(t, address, answer->engines, &answer->nic_key);
	if (queue_valid(answer->cookie.engine, answer->engines)) {
		const struct rss_observation there = {
			.address = address,
			.pair = probe->pairs[RSS_OUT],
			.queue = (uint8_t)answer->cookie.engine,
			.queues = (uint8_t)answer->engines,
			.remote = true,
			.mirrored = search->plan.mirrored,
		};

		observation_take(t, &there);
	}
	observe(t, address, probe->pairs[RSS_IN], t->queue, t->options.engines,
		false);
	rss_plan_answer(&search->plan, t->rss, address, probe, t->queue,
		answer->cookie.engine, owner);
}
