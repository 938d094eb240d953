// SPDX-License-Identifier: MIT
/*
 * What applications are told of the way that their packets take: how it was
 * found, and, whenever a packet shows that it changed, what it is.
 */
#include <string.h>

#include "transport/deliver.h"
#include "transport/path.h"

_Static_assert((int)RSS_SINGLE == (int)MACHNET_PATH_SINGLE &&
		       (int)RSS_COMPUTED == (int)MACHNET_PATH_COMPUTED &&
		       (int)RSS_PREDICTED == (int)MACHNET_PATH_PREDICTED &&
		       (int)RSS_REMEMBERED == (int)MACHNET_PATH_REMEMBERED &&
		       (int)RSS_SPRAYED == (int)MACHNET_PATH_SPRAYED &&
		       (int)RSS_HANDOVER == (int)MACHNET_PATH_HANDOVER,
	"told as they are");

void
path_count(struct transport *t, uint32_t method)
{
	struct transport_counters *counters = &t->counters;

	counters->paths_single += method == RSS_SINGLE;
	counters->paths_computed += method == RSS_COMPUTED;
	counters->paths_predicted += method == RSS_PREDICTED;
	counters->paths_remembered += method == RSS_REMEMBERED;
	counters->paths_sprayed += method == RSS_SPRAYED;
	counters->paths_handover += method == RSS_HANDOVER;
}

void
path_opened(struct flow *f, uint32_t method, uint32_t probes, uint32_t rounds,
	uint64_t setup_ns)
{
	f->method = (uint8_t)method;
	f->probes = (uint16_t)u32_min(probes, UINT16_MAX);
	f->rounds = (uint8_t)u32_min(rounds, UINT8_MAX);
	f->setup_us = (uint32_t)u64_min(setup_ns / NS_PER_US, UINT32_MAX);
	f->moves_before = f->route->moves;
	f->path_told = f->route->changes - 1;
}

bool
path_tell(struct transport *t, struct flow *f)
{
	const struct route *route = f->route;
	const struct machnet_path path = {
		.kind = MACHNET_EVENT_PATH,
		.local_engine = (uint8_t)t->options.engine,
		.remote_engine = (uint8_t)route->engine,
		.connection = f->id,
		.out_from = route->path.local_port,
		.out_to = route->path.remote_port,
		.in_from = rss_pair_sender(route->pair_in),
		.in_to = rss_pair_receiver(route->pair_in),
		.method = f->method,
		.probes = f->probes,
		.rounds = f->rounds,
		.setup_us = f->setup_us,
		.moves = (uint16_t)(route->moves - f->moves_before),
	};
	struct machnet_event event;

	memcpy(&event, &path, sizeof(event));
	if (!flow_deliver(t, f, &event))
		return false;
	f->path_told = route->changes;
	return true;
}
