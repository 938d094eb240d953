/* SPDX-License-Identifier: MIT */
/*
 * Single-producer single-consumer ring in memory shared with a process that
 * is not trusted. Each end keeps its own index and a cached copy of the
 * other's in private memory, so that the shared cache lines move only when the
 * cached view runs out (as in Lee et al., "MCRingBuffer", 2010), and checks
 * what it reads: an index that the other side cannot have reached is
 * RING_CORRUPT.
 *
 * Indices run free and are masked on use; entries are copied in and out.
 */
#ifndef SHM_RING_H
#define SHM_RING_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bits.h"

/* The shared words, each on its own cache line. */
struct ring_shared {
	alignas(CACHE_LINE_BYTES) _Atomic uint32_t produced;
	alignas(CACHE_LINE_BYTES) _Atomic uint32_t consumed;
};
_Static_assert(sizeof(struct ring_shared) == 128, "shared between processes");

#define RING_CORRUPT (-1)

/* Private ends. */
struct ring_producer {
	struct ring_shared *shared;
	void *entries;
	uint32_t entry_bytes;
	uint32_t capacity; /* power of two */
	uint32_t produced; /* ours, with what is not yet published */
	uint32_t consumed; /* the other's, as last seen */
};

struct ring_consumer {
	struct ring_shared *shared;
	const void *entries;
	uint32_t entry_bytes;
	uint32_t capacity;
	uint32_t consumed; /* ours */
	uint32_t produced; /* the other's, as last seen */
};

void ring_producer_init(struct ring_producer *ring, struct ring_shared *shared,
	void *entries, uint32_t entry_bytes, uint32_t capacity);

void ring_consumer_init(struct ring_consumer *ring, struct ring_shared *shared,
	const void *entries, uint32_t entry_bytes, uint32_t capacity);

/** Free entries (at least wanted, if there are so many), or RING_CORRUPT. */
int32_t ring_room(struct ring_producer *ring, uint32_t wanted);

/** Copy one entry in; the caller saw room. Not seen before ring_publish. */
void ring_push(struct ring_producer *ring, const void *entry);

/** Make all that was pushed visible to the consumer (release). */
void ring_publish(struct ring_producer *ring);

/** Entries to take (0 if none), or RING_CORRUPT. */
int32_t ring_available(struct ring_consumer *ring);

/** Copy one entry out; the caller saw that it is available. */
void ring_pop(struct ring_consumer *ring, void *entry);

/** Give the room of all that was popped back to the producer (release). */
void ring_consume(struct ring_consumer *ring);

#endif
