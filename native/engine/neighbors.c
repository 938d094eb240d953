// SPDX-License-Identifier: MIT
#include "engine/neighbors.h"

#include <string.h>

#include "base/bits.h"

void
neighbors_init(struct neighbors *neighbors)
{
	memset(neighbors, 0, sizeof(*neighbors));
	list_init(&neighbors->recent);
	list_init(&neighbors->asked);
	for (uint32_t i = 0; i < NEIGHBORS_MAX; i++) {
		list_append(&neighbors->recent, &neighbors->all[i].recent);
		list_init(&neighbors->all[i].asked);
	}
}

static struct neighbor **
bucket(struct neighbors *neighbors, uint32_t address)
{
	/* Neighbors share a prefix: the low bits tell them apart. */
	return &neighbors->buckets[address & (NEIGHBORS_BUCKETS - 1)];
}

static void
touch(struct neighbors *neighbors, struct neighbor *neighbor)
{
	list_leave(&neighbor->recent);
	list_append(&neighbors->recent, &neighbor->recent);
}

struct neighbor *
neighbors_find(struct neighbors *neighbors, uint32_t address)
{
	struct neighbor *neighbor = *bucket(neighbors, address);

	while (neighbor != NULL && neighbor->address != address)
		neighbor = neighbor->next;
	if (neighbor != NULL)
		touch(neighbors, neighbor);
	return neighbor;
}

struct neighbor *
neighbors_enter(struct neighbors *neighbors, uint32_t address, void **evicted)
{
	struct neighbor *neighbor = neighbors_find(neighbors, address);
	struct neighbor **chain = bucket(neighbors, address);

	*evicted = NULL;
	if (neighbor != NULL)
		return neighbor;
	neighbor =
		container_of(neighbors->recent.next, struct neighbor, recent);
	if (neighbor->address != 0)
		*evicted = neighbor_forget(neighbors, neighbor);
	neighbor->address = address;
	neighbor->next = *chain;
	*chain = neighbor;
	touch(neighbors, neighbor);
	return neighbor;
}

bool
neighbor_ask(
	struct neighbors *neighbors, struct neighbor *neighbor, uint64_t now_ns)
{
	if (neighbor->known && now_ns - neighbor->heard_ns < NEIGHBOR_FRESH_NS)
		return false;
	if (neighbor->tries != 0 && now_ns < neighbor->retry_ns)
		return false;
	neighbor->tries++;
	neighbor->retry_ns = now_ns + NEIGHBOR_RETRY_NS;
	list_leave(&neighbor->asked);
	list_append(&neighbors->asked, &neighbor->asked);
	return true;
}

void
neighbor_heard(
	struct neighbor *neighbor, const struct mac *mac, uint64_t now_ns)
{
	neighbor->known = true;
	neighbor->mac = *mac;
	neighbor->heard_ns = now_ns;
	neighbor->tries = 0;
	list_leave(&neighbor->asked);
}

struct neighbor *
neighbors_due(struct neighbors *neighbors, uint64_t now_ns)
{
	struct neighbor *neighbor;

	if (list_empty(&neighbors->asked))
		return NULL;
	/* All wait equally long, so the first that asked is due first. */
	neighbor = container_of(neighbors->asked.next, struct neighbor, asked);
	return neighbor->retry_ns <= now_ns ? neighbor : NULL;
}

void *
neighbor_forget(struct neighbors *neighbors, struct neighbor *neighbor)
{
	struct neighbor **link = bucket(neighbors, neighbor->address);
	void *pending = neighbor->pending;

	while (*link != neighbor)
		link = &(*link)->next;
	*link = neighbor->next;
	list_leave(&neighbor->asked);
	neighbor->address = 0;
	neighbor->known = false;
	neighbor->tries = 0;
	neighbor->pending = NULL;
	/* Free entries are taken first. */
	list_leave(&neighbor->recent);
	neighbor->recent.next = neighbors->recent.next;
	neighbor->recent.previous = &neighbors->recent;
	neighbors->recent.next->previous = &neighbor->recent;
	neighbors->recent.next = &neighbor->recent;
	return pending;
}
