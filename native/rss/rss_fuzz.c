// SPDX-License-Identifier: MIT
/*
 * What peers say of queues and keys, and how they answer probes. An input is a
 * script: a few bytes choose the options, then come steps of a byte for what
 * happens and what it takes. Whatever is said, the tables stay sound, probes
 * keep to the range of ports and to their number, and nothing that is said of
 * other NICs changes what is known of our own.
 */
#include <string.h>

#include "base/bits.h"
#include "base/fuzz.h"
#include "rss/plan.h"

#define STEPS_MAX 500u
/* Looking through all that is known takes as long as so many. */
#define CHECK_STEPS 16u
#define PEERS_MAX 8u
#define PLANS 2u

struct script {
	struct fuzz_input input;
	struct rss_host *host;
	struct rss_plan plans[PLANS];
	uint32_t addresses[PLANS];
	struct rss_probe probes[PLANS][RSS_BURST_MAX];
	unsigned lengths[PLANS];
};

static void
space_check(const struct space *space)
{
	uint32_t rank = 0;

	for (unsigned i = 0; i < SPACE_UNKNOWNS; i++) {
		uint64_t row = space->rows[i];

		if (row == 0)
			continue;
		rank++;
		/* Its highest unknown is the one that it is kept by. */
		FUZZ_CHECK((row & SPACE_MASK) >> i == 1);
		FUZZ_CHECK(row >> (SPACE_UNKNOWNS + RSS_QUEUE_BITS_MAX) == 0);
	}
	FUZZ_CHECK(rank == space->rank);
}

static void
map_check(const struct rss_map *map)
{
	struct rss_key key = rss_map_key(map);

	FUZZ_CHECK(map->queues <= RSS_QUEUES_MAX);
	FUZZ_CHECK(map->bits <= RSS_QUEUE_BITS_MAX);
	FUZZ_CHECK((key.known | key.value) >> RSS_KEY_BITS == 0);
	FUZZ_CHECK((key.value & ~key.known) == 0);
	for (unsigned i = 0; i < RSS_THEORIES; i++)
		space_check(&map->theories[i].space);
}

static void
peer_check(const struct rss_host *host, const struct rss_peer *peer)
{
	map_check(&peer->map);
	for (uint32_t queue = 0; queue <= UINT8_MAX; queue++) {
		uint32_t pair;

		if (rss_remembered(host, peer, true, queue, &pair))
			FUZZ_CHECK(rss_ports_hold(host->options.ports, pair));
	}
}

static void
host_check(const struct rss_host *host)
{
	map_check(&host->own);
	FUZZ_CHECK(host->own.queues == host->options.queues);
	for (uint32_t i = 0; i < PEERS_MAX; i++)
		if (host->peers[i].used != 0)
			peer_check(host, &host->peers[i]);
}

/* Few, so that they meet again. */
static uint32_t
address(struct script *s)
{
	return 1 + fuzz_u8(&s->input) % (2 * PEERS_MAX);
}

static void
told(struct script *s)
{
	struct rss_peer *peer = rss_host_meet(s->host, address(s));
	uint32_t queues = fuzz_u8(&s->input);
	struct rss_key key = {
		.known = fuzz_u64(&s->input), .value = fuzz_u64(&s->input)};
	struct rss_map own = s->host->own;

	key.told = key.known >> 63;
	rss_peer_told(peer, queues, key, key.value >> 63);
	FUZZ_CHECK(memcmp(&own, &s->host->own, sizeof(own)) == 0);
}

static void
observe(struct script *s)
{
	struct rss_observation seen = {
		.address = address(s),
		.remote = fuzz_u8(&s->input) & 1,
		.queue = fuzz_u8(&s->input),
		.queues = fuzz_u8(&s->input),
		.pair = fuzz_u32(&s->input),
		.place = fuzz_u8(&s->input) % (RSS_ELSEWHERE + 1),
	};
	struct rss_map own = s->host->own;

	/* Most of them from our ports. */
	if ((seen.pair & 0x80000000) == 0)
		seen.pair =
			rss_pair(s->host->options.ports.first,
				s->host->options.ports.first) |
			(seen.pair & rss_ports_mask(s->host->options.ports));
	rss_host_observe(s->host, &seen);
	if (seen.remote)
		FUZZ_CHECK(memcmp(&own, &s->host->own, sizeof(own)) == 0);
}

static void
plan_begin(struct script *s, unsigned p)
{
	uint32_t wanted = fuzz_u8(&s->input);

	s->addresses[p] = address(s);
	s->lengths[p] = 0;
	if (wanted & 0x80)
		rss_plan_begin_out(&s->plans[p], wanted % RSS_QUEUES_MAX,
			fuzz_u32(&s->input));
	else
		rss_plan_begin(&s->plans[p], wanted % s->host->options.queues);
}

static void
plan_next(struct script *s, unsigned p)
{
	struct rss_plan *plan = &s->plans[p];
	struct rss_ports ports = s->host->options.ports;
	uint32_t probes = plan->probes;

	s->lengths[p] =
		rss_plan_next(plan, s->host, s->addresses[p], s->probes[p]);
	FUZZ_CHECK(s->lengths[p] <= RSS_BURST_MAX);
	FUZZ_CHECK(plan->probes == probes + s->lengths[p]);
	/* A probe and its answer. */
	FUZZ_CHECK(2u * plan->probes <= plan->limit + 1u);
	for (unsigned i = 0; i < s->lengths[p]; i++) {
		const struct rss_probe *probe = &s->probes[p][i];

		FUZZ_CHECK(rss_ports_hold(ports, probe->pairs[RSS_OUT]));
		/* The pair in of rss_plan_begin_out is the caller's. */
		if (plan->ways[RSS_IN].wanted != RSS_ANY)
			FUZZ_CHECK(rss_ports_hold(ports, probe->pairs[RSS_IN]));
	}
	if (s->lengths[p] == 0)
		for (unsigned w = 0; w < RSS_WAYS; w++)
			FUZZ_CHECK(plan->ways[w].state != RSS_OPEN);
}

static void
plan_answer(struct script *s, unsigned p)
{
	uint32_t probe = fuzz_u8(&s->input);
	uint32_t queue_in = fuzz_u8(&s->input) % s->host->options.queues;
	uint32_t queue_out = fuzz_u8(&s->input);
	uint32_t wanted_out = fuzz_u8(&s->input);

	if (s->lengths[p] == 0)
		return;
	rss_plan_answer(&s->plans[p], s->host, s->addresses[p],
		&s->probes[p][probe % s->lengths[p]], queue_in, queue_out,
		wanted_out);
	wanted_out = s->plans[p].ways[RSS_OUT].wanted;
	FUZZ_CHECK(wanted_out < RSS_QUEUES_MAX || wanted_out == RSS_ANY);
}

static void
step(struct script *s)
{
	uint8_t code = fuzz_u8(&s->input);
	unsigned p = code >> 7;

	switch (code % 8) {
	case 0:
		told(s);
		break;
	case 1:
	case 2:
		observe(s);
		break;
	case 3:
		plan_begin(s, p);
		break;
	case 4:
		plan_next(s, p);
		break;
	case 5:
		plan_answer(s, p);
		break;
	case 6:
		rss_plan_opened(&s->plans[p], s->host, s->addresses[p],
			fuzz_u8(&s->input) % s->host->options.queues,
			fuzz_u8(&s->input));
		break;
	case 7:
		rss_plan_silence(&s->plans[p]);
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct script s = {.input = {bytes, bytes + length}};
	struct rss_options options = {.peers_max = PEERS_MAX};
	uint32_t count = 1u << fuzz_u8(&s.input) % 16;

	options.queues = 1 + fuzz_u8(&s.input) % RSS_QUEUES_MAX;
	options.ports.first = (uint16_t)(0x8000 & ~(count - 1));
	options.ports.last = (uint16_t)(options.ports.first + count - 1);
	options.base_port = options.ports.last;
	options.seed = fuzz_u8(&s.input);
	options.key = (struct rss_key){
		.known = options.seed % 2 == 0 ? 0 : UINT64_MAX,
		.value = options.seed * 0x9e3779b97f4a7c15,
		.told = true,
	};
	s.host = rss_host_create(&options);
	FUZZ_CHECK(s.host != NULL);
	for (unsigned p = 0; p < PLANS; p++)
		plan_begin(&s, p);
	for (unsigned i = 0; i < STEPS_MAX && fuzz_left(&s.input) != 0; i++) {
		step(&s);
		if (i % CHECK_STEPS == 0)
			host_check(s.host);
	}
	host_check(s.host);
	rss_host_destroy(s.host);
	return 0;
}
