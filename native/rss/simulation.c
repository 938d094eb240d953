/* SPDX-License-Identifier: MIT */
#include "rss/simulation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/splitmix64.h"
#include "rss/nic.h"

#define PEERS_MAX 16u

static const struct rss_ports ports = {.first = 30720, .last = 31743};

void
sim_host_rekey(struct sim_host *host, uint64_t *random)
{
	for (unsigned i = 0; i < TOEPLITZ_KEY_BYTES; i++)
		host->nic.key[i] = (uint8_t)splitmix64(random);
	for (unsigned i = 0; i < SIM_TABLE_LENGTH; i++)
		host->nic.table[i] =
			host->nic.hash == SIM_TABLE
				? (uint8_t)(splitmix64(random) % host->queues)
				: (uint8_t)(i % host->queues);
}

void
sim_host_init(struct sim_host *host, uint64_t *random, uint32_t address,
	uint32_t queues, enum sim_hash hash)
{
	struct rss_options options = {
		.ports = ports,
		.base_port = 31580,
		.queues = (uint16_t)queues,
		.peers_max = PEERS_MAX,
		.seed = splitmix64(random),
	};

	*host = (struct sim_host){
		.address = address,
		.queues = queues,
		.nic.hash = hash,
		.knowledge = rss_host_create(&options),
	};
	if (host->knowledge == NULL)
		abort();
	sim_host_rekey(host, random);
}

void
sim_host_told(struct sim_host *host, const struct sim_nic *nic)
{
	struct rss_nic told = {
		.key_bytes = sizeof(nic->key),
		.entries = SIM_TABLE_LENGTH,
	};

	memcpy(told.key, nic->key, sizeof(nic->key));
	for (unsigned i = 0; i < SIM_TABLE_LENGTH; i++)
		told.table[i] = nic->table[i];
	rss_map_hint(&host->knowledge->own, rss_nic_key(&told, host->queues));
}

void
sim_host_free(struct sim_host *host)
{
	rss_host_destroy(host->knowledge);
	host->knowledge = NULL;
}

static uint32_t
crc32(uint32_t crc, const uint8_t *bytes, unsigned length)
{
	for (unsigned i = 0; i < length; i++) {
		crc ^= bytes[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (0x82f63b78 & (0u - (crc & 1)));
	}
	return crc;
}

uint32_t
sim_queue(const struct sim_host *host, uint32_t from, uint32_t pair)
{
	const struct sim_nic *nic = &host->nic;
	uint8_t input[12];
	uint64_t state;
	uint32_t hash;

	store_be32(input, from);
	store_be32(input + 4, host->address);
	store_be32(input + 8, pair);
	switch (nic->hash) {
	case SIM_NONLINEAR:
		state = load_le64(nic->key) ^ (uint64_t)from << 32 ^ pair;
		hash = (uint32_t)(splitmix64(&state) >> 32);
		break;
	case SIM_CRC:
		hash = crc32(load_le32(nic->key), input, 12);
		break;
	case SIM_IGNORES_PORTS:
		hash = toeplitz_hash(nic->key, input, 8);
		break;
	default:
		hash = toeplitz_hash(nic->key, input, 12);
	}
	return nic->table[hash % SIM_TABLE_LENGTH];
}

struct sim_answer
sim_syn(const struct sim_host *client, struct sim_host *server, uint32_t pair)
{
	struct rss_observation seen = {
		.address = client->address,
		.pair = pair,
		.queue = (uint8_t)sim_queue(server, client->address, pair),
		.queues = (uint8_t)server->queues,
	};

	rss_host_observe(server->knowledge, &seen);
	return (struct sim_answer){
		.queue = seen.queue,
		.key = rss_map_key(&server->knowledge->own),
	};
}

uint32_t
sim_answered(struct sim_host *client, const struct sim_host *server,
	const struct rss_probe *probe, const struct sim_answer *answer)
{
	struct rss_observation out = {
		.address = server->address,
		.pair = probe->pairs[RSS_OUT],
		.queue = (uint8_t)answer->queue,
		.queues = (uint8_t)server->queues,
		.remote = true,
		.place = rss_probe_place(probe, RSS_OUT, answer->queue),
	};
	struct rss_observation in = {
		.address = server->address,
		.pair = probe->pairs[RSS_IN],
		.queue = (uint8_t)sim_queue(
			client, server->address, probe->pairs[RSS_IN]),
		.queues = (uint8_t)client->queues,
	};

	in.place = rss_probe_place(probe, RSS_IN, in.queue);
	rss_peer_told(rss_host_meet(client->knowledge, server->address),
		server->queues, answer->key, false);
	rss_host_observe(client->knowledge, &out);
	rss_host_observe(client->knowledge, &in);
	return in.queue;
}

void
sim_exchange(struct sim_host *client, struct sim_host *server,
	const struct rss_probe *probe, uint32_t queues[RSS_WAYS])
{
	struct sim_answer answer =
		sim_syn(client, server, probe->pairs[RSS_OUT]);

	queues[RSS_IN] = sim_answered(client, server, probe, &answer);
	queues[RSS_OUT] = answer.queue;
}

/* SYNs and answers until the plan is done. */
static void
handshake(struct sim_host *client, struct sim_host *server,
	uint32_t server_engine, struct rss_plan *plan)
{
	struct rss_probe probes[RSS_BURST_MAX];
	uint32_t queues[RSS_WAYS];
	unsigned length;

	while ((length = rss_plan_next(
			plan, client->knowledge, server->address, probes)) != 0)
		for (unsigned i = 0; i < length; i++) {
			sim_exchange(client, server, &probes[i], queues);
			rss_plan_answer(plan, client->knowledge,
				server->address, &probes[i], queues[RSS_IN],
				queues[RSS_OUT], server_engine);
		}
}

struct sim_result
sim_connect(struct sim_host *client, struct sim_host *server,
	uint32_t client_engine, uint32_t server_engine)
{
	struct sim_result result = {0};
	uint32_t queues[RSS_WAYS];
	struct rss_probe opened = {0};
	struct rss_plan plan;

	rss_plan_begin(&plan, client_engine);
	for (unsigned opens = 0;; opens++) {
		handshake(client, server, server_engine, &plan);
		for (unsigned w = 0; w < RSS_WAYS; w++)
			opened.pairs[w] = plan.ways[w].pair;
		/* CONFIRM and ACCEPT; a probe like any other, if they must come
		 * again. */
		sim_exchange(client, server, &opened, queues);
		rss_plan_opened(&plan, client->knowledge, server->address,
			queues[RSS_IN], queues[RSS_OUT]);
		result.hit = queues[RSS_IN] == client_engine &&
			     queues[RSS_OUT] == server_engine;
		if (opens == 0) {
			result.handed_over = !result.hit;
			result.rounds = plan.rounds;
		}
		if (plan.ways[RSS_IN].state != RSS_OPEN &&
			plan.ways[RSS_OUT].state != RSS_OPEN)
			break;
	}
	result.packets = (uint32_t)plan.probes + plan.answers;
	result.rounds_all = plan.rounds;
	result.method = rss_plan_method(&plan);
	return result;
}
