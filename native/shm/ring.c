/* SPDX-License-Identifier: MIT */
#include "shm/ring.h"

#include <assert.h>
#include <string.h>

void
ring_producer_init(struct ring_producer *ring, struct ring_shared *shared,
	void *entries, uint32_t entry_bytes, uint32_t capacity)
{
	assert(is_power_of_two(capacity));
	*ring = (struct ring_producer){
		.shared = shared,
		.entries = entries,
		.entry_bytes = entry_bytes,
		.capacity = capacity,
	};
}

void
ring_consumer_init(struct ring_consumer *ring, struct ring_shared *shared,
	const void *entries, uint32_t entry_bytes, uint32_t capacity)
{
	assert(is_power_of_two(capacity));
	*ring = (struct ring_consumer){
		.shared = shared,
		.entries = entries,
		.entry_bytes = entry_bytes,
		.capacity = capacity,
	};
}

int32_t
ring_room(struct ring_producer *ring, uint32_t wanted)
{
	uint32_t used = ring->produced - ring->consumed;
	uint32_t consumed;

	if (ring->capacity - used < wanted) {
		consumed = atomic_load_explicit(
			&ring->shared->consumed, memory_order_acquire);
		/* It moves forward, and no further than we produced. */
		if (consumed - ring->consumed > used)
			return RING_CORRUPT;
		ring->consumed = consumed;
		used = ring->produced - consumed;
	}
	return (int32_t)(ring->capacity - used);
}

void
ring_push(struct ring_producer *ring, const void *entry)
{
	size_t at = ring->produced & (ring->capacity - 1);

	assert(ring->produced - ring->consumed < ring->capacity);
	memcpy((char *)ring->entries + at * ring->entry_bytes, entry,
		ring->entry_bytes);
	ring->produced++;
}

void
ring_publish(struct ring_producer *ring)
{
	atomic_store_explicit(
		&ring->shared->produced, ring->produced, memory_order_release);
}

int32_t
ring_available(struct ring_consumer *ring)
{
	uint32_t produced;

	if (ring->produced == ring->consumed) {
		produced = atomic_load_explicit(
			&ring->shared->produced, memory_order_acquire);
		/* What was seen before is all taken, so this is also the
		 * check that it moved forward. */
		if (produced - ring->consumed > ring->capacity)
			return RING_CORRUPT;
		ring->produced = produced;
	}
	return (int32_t)(ring->produced - ring->consumed);
}

void
ring_pop(struct ring_consumer *ring, void *entry)
{
	size_t at = ring->consumed & (ring->capacity - 1);

	assert(ring->produced != ring->consumed);
	memcpy(entry, (const char *)ring->entries + at * ring->entry_bytes,
		ring->entry_bytes);
	ring->consumed++;
}

void
ring_consume(struct ring_consumer *ring)
{
	atomic_store_explicit(
		&ring->shared->consumed, ring->consumed, memory_order_release);
}
