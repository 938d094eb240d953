/* SPDX-License-Identifier: MIT */
#include "rss/host.h"

#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/splitmix64.h"

/* Peers live in sets of so many, as the lines of a cache do. */
#define WAYS 8u
/* Bits of queues by which first packets did not stray, when it is certain that
 * they do not. */
#define STEADY_BITS 20u

struct rss_host *
rss_host_create(const struct rss_options *options)
{
	struct rss_host *host;

	if (!rss_ports_valid(options->ports) || options->queues == 0 ||
		options->queues > RSS_QUEUES_MAX ||
		!rss_ports_hold(options->ports,
			rss_pair(options->base_port, options->base_port)) ||
		!is_power_of_two(options->peers_max) ||
		options->peers_max < WAYS)
		return NULL;
	host = calloc(1, sizeof(*host));
	if (host == NULL)
		return NULL;
	host->options = *options;
	host->random = options->seed;
	rss_map_init(&host->own, options->queues);
	rss_map_hint(&host->own, options->key);
	/* Untouched pages of the table cost nothing. */
	host->peers = calloc(options->peers_max, sizeof(*host->peers));
	if (host->peers == NULL) {
		free(host);
		return NULL;
	}
	return host;
}

void
rss_host_destroy(struct rss_host *host)
{
	if (host == NULL)
		return;
	free(host->peers);
	free(host);
}

uint64_t
rss_random(struct rss_host *host)
{
	return splitmix64(&host->random);
}

static uint64_t
hash(const struct rss_host *host, uint32_t address)
{
	return splitmix64_mix(host->options.seed ^ address);
}

static struct rss_peer *
set_of(const struct rss_host *host, uint32_t address)
{
	uint64_t sets = host->options.peers_max / WAYS;

	return &host->peers[(hash(host, address) & (sets - 1)) * WAYS];
}

struct rss_peer *
rss_host_find(struct rss_host *host, uint32_t address)
{
	struct rss_peer *set = set_of(host, address);

	for (unsigned i = 0; i < WAYS; i++)
		if (set[i].used != 0 && set[i].address == address)
			return &set[i];
	return NULL;
}

struct rss_peer *
rss_host_meet(struct rss_host *host, uint32_t address)
{
	struct rss_peer *peer = rss_host_find(host, address);
	struct rss_peer *set = set_of(host, address);

	if (++host->time == 0)
		host->time = 1;
	if (peer == NULL) {
		peer = set;
		for (unsigned i = 1; i < WAYS; i++)
			if (set[i].used == 0 ||
				(peer->used != 0 &&
					serial_before(set[i].used, peer->used)))
				peer = &set[i];
		memset(peer, 0, sizeof(*peer));
		peer->address = address;
	}
	peer->used = host->time;
	return peer;
}

/* What the packet says, next to one that came before it between the same
 * hosts. The map may be new after. */
static bool
compare(struct rss_map *map, struct rss_fact *reference,
	const struct rss_observation *seen)
{
	struct rss_fact fact = {
		.pair = seen->pair,
		.queue = seen->queue,
		.valid = true,
	};
	enum rss_verdict verdict = RSS_NEWS;
	const struct rss_theory *theory;

	/* One of before the map was forgotten tells nothing of the new key. */
	if (reference->valid && reference->epoch == map->epoch)
		verdict = rss_map_learn(map, reference->pair ^ seen->pair,
			(uint32_t)reference->queue ^ seen->queue);
	else
		reference->valid = false;
	fact.epoch = map->epoch;
	if (verdict == RSS_WRONG || !reference->valid)
		*reference = fact;
	theory = rss_map_theory(map);
	/* What proves a theory is news as well. */
	return verdict != RSS_FORETOLD ||
	       (theory != NULL && !rss_theory_proved(theory));
}

static void
remember(struct rss_direction *direction, const struct rss_map *map,
	uint32_t queue, uint32_t pair)
{
	if (direction->pairs_epoch != map->epoch)
		direction->pairs_valid = 0;
	if ((direction->pairs_valid & ~(UINT64_C(1) << queue)) != 0 ||
		direction->pairs_valid == 0)
		direction->tried = 0;
	direction->tried |= UINT64_C(1) << (splitmix64_mix(pair) >> 58);
	direction->pairs_epoch = map->epoch;
	direction->pairs[queue] = pair;
	direction->pairs_valid |= UINT64_C(1) << queue;
}

/* Next to the first packet of its flow. */
static bool
place_learn(struct rss_map *map, const struct rss_observation *seen)
{
	return seen->place >= RSS_WITH &&
	       rss_map_compare(map, seen->place == RSS_WITH);
}

static bool
stranger_observe(struct rss_host *host, const struct rss_observation *seen)
{
	unsigned i = hash(host, seen->address) >> 58;
	bool news;

	if (seen->remote || seen->queue >= host->own.queues)
		return false;
	if (host->strangers[i].address != seen->address)
		host->strangers[i].fact.valid = false;
	host->strangers[i].address = seen->address;
	news = place_learn(&host->own, seen);
	news |= compare(&host->own, &host->strangers[i].fact, seen);
	return news;
}

bool
rss_host_observe(struct rss_host *host, const struct rss_observation *seen)
{
	struct rss_peer *peer = rss_host_find(host, seen->address);
	struct rss_direction *direction;
	struct rss_map *map;
	bool news;

	if (!rss_ports_hold(host->options.ports, seen->pair) ||
		(seen->place == RSS_FIRST && rss_strays(host, peer)))
		return false;
	if (peer == NULL)
		return stranger_observe(host, seen);
	direction = seen->remote ? &peer->out : &peer->in;
	map = seen->remote ? &peer->map : &host->own;
	if (seen->remote)
		rss_peer_told(peer, seen->queues, (struct rss_key){0}, false);
	if (seen->queue >= map->queues)
		return false;
	news = place_learn(map, seen);
	news |= compare(map, &direction->reference, seen);
	news |= seen->mirrored && !peer->mirrored;
	peer->mirrored |= seen->mirrored;
	/* Where it can be foretold it need not be remembered, except that a
	 * pair that was seen to work is better. */
	if ((direction->pairs_valid >> seen->queue & 1) == 0)
		news |= rss_map_choices(map) > 1;
	remember(direction, map, seen->queue, seen->pair);
	return news;
}

void
rss_peer_told(
	struct rss_peer *peer, uint32_t queues, struct rss_key key, bool strays)
{
	if (queues == 0 || queues > RSS_QUEUES_MAX)
		return;
	if (peer->map.queues != queues) {
		uint16_t epoch = peer->map.epoch;

		rss_map_init(&peer->map, queues);
		peer->map.epoch = (uint16_t)(epoch + 1);
	}
	if (strays)
		rss_map_strays(&peer->map);
	if (key.known != 0)
		rss_map_hint(&peer->map, key);
}

bool
rss_strays(const struct rss_host *host, const struct rss_peer *peer)
{
	return host->own.strays != 0 || (peer != NULL && peer->map.strays != 0);
}

bool
rss_flat(const struct rss_host *host, const struct rss_peer *peer, bool remote,
	uint32_t bits)
{
	const struct rss_direction *direction = remote ? &peer->out : &peer->in;
	const struct rss_map *map = rss_direction_map(host, peer, remote);
	uint32_t pairs = (uint32_t)__builtin_popcountll(direction->tried);

	if (rss_map_flat(map, bits))
		return true;
	return direction->pairs_epoch == map->epoch &&
	       is_power_of_two(direction->pairs_valid) &&
	       (pairs - 1) * (log2_ceil(map->queues + 1u) - 1) >= bits;
}

bool
rss_doubtful(
	const struct rss_host *host, const struct rss_peer *peer, bool leisure)
{
	uint32_t bits = leisure ? STEADY_BITS : RSS_DOUBT_BITS;

	return !rss_strays(host, peer) && !rss_map_steady(&host->own, bits) &&
	       !rss_map_steady(&peer->map, bits);
}

bool
rss_remembered(const struct rss_host *host, const struct rss_peer *peer,
	bool remote, uint32_t queue, uint32_t *pair)
{
	const struct rss_direction *direction = remote ? &peer->out : &peer->in;
	const struct rss_map *map = rss_direction_map(host, peer, remote);

	if (direction->pairs_epoch != map->epoch || queue >= RSS_QUEUES_MAX ||
		(direction->pairs_valid >> queue & 1) == 0)
		return false;
	*pair = direction->pairs[queue];
	return true;
}

void
rss_forget(struct rss_peer *peer, bool remote, uint32_t queue)
{
	struct rss_direction *direction = remote ? &peer->out : &peer->in;

	if (queue < RSS_QUEUES_MAX)
		direction->pairs_valid &= ~(UINT64_C(1) << queue);
}
