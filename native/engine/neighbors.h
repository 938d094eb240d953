/* SPDX-License-Identifier: MIT */
/*
 * Who has which IPv4 address on our link (ARP, RFC 826). Pure state: what is
 * to be asked comes out, what was heard comes in, and so does the time. Fixed
 * size; the entry that was used least recently makes room.
 */
#ifndef ENGINE_NEIGHBORS_H
#define ENGINE_NEIGHBORS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "wire/ethernet.h"

#define NEIGHBORS_MAX 1024u
#define NEIGHBORS_BUCKETS 1024u
/* Unanswered requests, and the time between two: after the last one the host
 * is unreachable, well before a connect gives up by itself. */
#define NEIGHBOR_TRIES 4u
#define NEIGHBOR_RETRY_NS UINT64_C(150000000)
/* Age at which an entry in use is asked for again. */
#define NEIGHBOR_FRESH_NS UINT64_C(30000000000)

struct neighbor {
	struct list recent;    /* most recently used last */
	struct list asked;     /* while a request is unanswered */
	struct neighbor *next; /* of the hash chain */
	uint32_t address;      /* 0: the entry is free */
	bool known;	       /* mac is valid */
	uint8_t tries;	       /* requests sent in a row */
	struct mac mac;
	uint64_t heard_ns;
	uint64_t retry_ns;
	void *pending; /* what of the caller's waits for it, or NULL */
};

struct neighbors {
	struct list recent;
	struct list asked;
	struct neighbor *buckets[NEIGHBORS_BUCKETS];
	struct neighbor all[NEIGHBORS_MAX];
};

/** Can it be the address of a host (RFC 1122, 3.2.1.3)? Others must not be
 * entered. */
static inline bool
neighbors_addressable(uint32_t address)
{
	uint32_t first = address >> 24;

	return first != 0 && first != 127 && first < 224;
}

void neighbors_init(struct neighbors *neighbors);

/** Find an entry and count it as used; NULL if there is none. */
struct neighbor *neighbors_find(struct neighbors *neighbors, uint32_t address);

/**
 * Find or make an entry.
 * @param evicted if an entry had to make room, what waited there (the
 *        caller's to free), else NULL
 */
struct neighbor *neighbors_enter(
	struct neighbors *neighbors, uint32_t address, void **evicted);

/**
 * Should a request go out now? If so it is counted. True at first, every
 * NEIGHBOR_RETRY_NS while nobody answers, and when an entry is old.
 */
bool neighbor_ask(struct neighbors *neighbors, struct neighbor *neighbor,
	uint64_t now_ns);

/** The neighbor said what its MAC is. */
void neighbor_heard(
	struct neighbor *neighbor, const struct mac *mac, uint64_t now_ns);

/**
 * The next neighbor whose retry is due, or NULL. With tries used up it is
 * unreachable, and the caller forgets it; else the caller asks again.
 */
struct neighbor *neighbors_due(struct neighbors *neighbors, uint64_t now_ns);

/** @return what waited (the caller's to free), or NULL */
void *neighbor_forget(struct neighbors *neighbors, struct neighbor *neighbor);

#endif
