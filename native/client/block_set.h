/* SPDX-License-Identifier: MIT */
/* A set of blocks of one arena: a bit for each place where one can begin. */
#ifndef CLIENT_BLOCK_SET_H
#define CLIENT_BLOCK_SET_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "shm/arena.h"

struct block_set {
	uint64_t *words;
};

static inline bool
block_set_init(struct block_set *set, uint32_t arena_bytes)
{
	set->words = calloc(
		arena_bytes / ARENA_BLOCK_BYTES_MIN / 64, sizeof(*set->words));
	return set->words != NULL;
}

static inline void
block_set_destroy(struct block_set *set)
{
	free(set->words);
}

static inline uint64_t
block_set_bit(uint32_t offset)
{
	return UINT64_C(1) << (offset / ARENA_BLOCK_BYTES_MIN % 64);
}

static inline bool
block_set_has(const struct block_set *set, uint32_t offset)
{
	return (set->words[offset / ARENA_BLOCK_BYTES_MIN / 64] &
		       block_set_bit(offset)) != 0;
}

static inline void
block_set_add(struct block_set *set, uint32_t offset)
{
	set->words[offset / ARENA_BLOCK_BYTES_MIN / 64] |=
		block_set_bit(offset);
}

static inline void
block_set_remove(struct block_set *set, uint32_t offset)
{
	set->words[offset / ARENA_BLOCK_BYTES_MIN / 64] &=
		~block_set_bit(offset);
}

#endif
