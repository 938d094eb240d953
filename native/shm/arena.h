/* SPDX-License-Identifier: MIT */
/*
 * Blocks of an arena in power-of-two size classes, by the buddy system
 * (Knowlton 1965; Knuth, TAOCP 1, 2.5) with lists of recently freed blocks in
 * front (lazy coalescing), so that the common path is a pop and a push.
 *
 * All state is in private memory of the one end that allocates; the other end
 * can only name an offset, which is checked against that state. The arena's
 * bytes themselves are never touched here.
 */
#ifndef SHM_ARENA_H
#define SHM_ARENA_H

#include <stdbool.h>
#include <stdint.h>

#define ARENA_BLOCK_BYTES_MIN 256u
#define ARENA_BLOCK_BYTES_MAX (8u << 20)
#define ARENA_FULL UINT32_MAX

struct arena;

/**
 * @param bytes multiple of ARENA_BLOCK_BYTES_MAX
 * @param lent_max blocks that may be out at a time
 * @return NULL if out of memory
 */
struct arena *arena_create(uint32_t bytes, uint32_t lent_max);

void arena_destroy(struct arena *arena);

/**
 * Take a block of at least so many bytes. A class below the largest never
 * splits the last free block of the largest class, so that a message of
 * maximal size is not starved by small ones.
 * @param bytes 1 .. ARENA_BLOCK_BYTES_MAX
 * @return offset from the start of the arena, or ARENA_FULL
 */
uint32_t arena_allocate(struct arena *arena, uint32_t bytes);

/** @return false, and nothing changes, if no lent block begins there */
bool arena_free(struct arena *arena, uint32_t offset);

/** Bytes of the lent block that begins at offset, or 0. */
uint32_t arena_block_bytes(const struct arena *arena, uint32_t offset);

/** Bytes in lent blocks. */
uint64_t arena_lent_bytes(const struct arena *arena);

/** Lent blocks. */
uint32_t arena_lent_blocks(const struct arena *arena);

/** Is a block of the largest class free beyond the last one? */
bool arena_has_spare(struct arena *arena);

/** Call visit, which may free it, for each lent block, in order of offset. */
void arena_visit_lent(const struct arena *arena,
	void (*visit)(void *context, uint32_t offset, uint32_t bytes),
	void *context);

#endif
