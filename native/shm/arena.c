/* SPDX-License-Identifier: MIT */
#include "shm/arena.h"

#include <assert.h>
#include <stdlib.h>

#include "base/bits.h"

#define UNIT_BYTES ARENA_BLOCK_BYTES_MIN
#define UNIT_SHIFT 8u
#define ORDER_MAX 15u
#define ORDERS (ORDER_MAX + 1)
#define UNIT_NONE 0xffffffu

static_assert(UNIT_BYTES == 1u << UNIT_SHIFT, "a unit is the smallest block");
static_assert(UNIT_BYTES << ORDER_MAX == ARENA_BLOCK_BYTES_MAX, "classes");

/* Blocks freed recently that wait in front of the buddy lists: so many bytes
 * and so many blocks of a class at most. */
#define QUICK_BYTES_MAX (1u << 20)
#define QUICK_BLOCKS_MAX 64u

/* Of the first unit of a block; all other units are INSIDE. */
enum unit_state {
	UNIT_INSIDE = 0,
	UNIT_FREE = 1,	/* in the buddy list of its order, may be merged */
	UNIT_QUICK = 2, /* in the quick list of its order */
	UNIT_LENT = 3,
};

/* One word per 256 bytes of arena. Zero is INSIDE, so the pages of this table
 * are not touched before the pages that they describe. */
struct unit {
	uint64_t next : 24;
	uint64_t previous : 24; /* FREE only */
	uint64_t order : 8;
	uint64_t state : 8;
};
static_assert(sizeof(struct unit) == 8, "one word");

struct arena {
	uint32_t units_count;
	uint32_t lent_blocks;
	uint32_t lent_max;
	uint32_t orders_free; /* bit per order: its buddy list has a block */
	uint64_t lent_bytes;
	uint32_t free_first[ORDERS];
	uint32_t quick_first[ORDERS];
	uint32_t quick_blocks[ORDERS];
	uint32_t largest_free; /* blocks in the list of ORDER_MAX */
	struct unit units[];
};

static uint32_t
order_of(uint32_t bytes)
{
	return bytes <= UNIT_BYTES ? 0 : log2_ceil(bytes) - UNIT_SHIFT;
}

static void
free_list_push(struct arena *arena, uint32_t at, uint32_t order)
{
	uint32_t first = arena->free_first[order];
	struct unit *unit = &arena->units[at];

	unit->state = UNIT_FREE;
	unit->order = order;
	unit->next = first;
	unit->previous = UNIT_NONE;
	if (first != UNIT_NONE)
		arena->units[first].previous = at;
	arena->free_first[order] = at;
	arena->orders_free |= 1u << order;
	arena->largest_free += order == ORDER_MAX;
}

static void
free_list_remove(struct arena *arena, uint32_t at)
{
	struct unit *unit = &arena->units[at];
	uint32_t order = unit->order;

	assert(unit->state == UNIT_FREE);
	if (unit->previous != UNIT_NONE)
		arena->units[unit->previous].next = unit->next;
	else
		arena->free_first[order] = unit->next;
	if (unit->next != UNIT_NONE)
		arena->units[unit->next].previous = unit->previous;
	if (arena->free_first[order] == UNIT_NONE)
		arena->orders_free &= ~(1u << order);
	arena->largest_free -= order == ORDER_MAX;
}

/** Put a block into the buddy lists, merged as far as it goes. */
static void
coalesce(struct arena *arena, uint32_t at, uint32_t order)
{
	for (; order < ORDER_MAX; order++) {
		uint32_t buddy = at ^ (1u << order);
		struct unit *other = &arena->units[buddy];

		if (other->state != UNIT_FREE || other->order != order)
			break;
		free_list_remove(arena, buddy);
		arena->units[u32_max(at, buddy)].state = UNIT_INSIDE;
		at = u32_min(at, buddy);
	}
	free_list_push(arena, at, order);
}

static uint32_t
quick_pop(struct arena *arena, uint32_t order)
{
	uint32_t at = arena->quick_first[order];

	if (at != UNIT_NONE) {
		arena->quick_first[order] = arena->units[at].next;
		arena->quick_blocks[order]--;
	}
	return at;
}

static bool
quick_push(struct arena *arena, uint32_t at, uint32_t order)
{
	struct unit *unit = &arena->units[at];
	uint32_t limit = u32_min(
		QUICK_BLOCKS_MAX, QUICK_BYTES_MAX >> (order + UNIT_SHIFT));

	if (arena->quick_blocks[order] >= limit)
		return false;
	unit->state = UNIT_QUICK;
	unit->next = arena->quick_first[order];
	arena->quick_first[order] = at;
	arena->quick_blocks[order]++;
	return true;
}

static void
quick_flush(struct arena *arena)
{
	uint32_t order, at;

	for (order = 0; order < ORDERS; order++)
		while ((at = quick_pop(arena, order)) != UNIT_NONE)
			coalesce(arena, at, order);
}

/** Take the smallest free block that holds 1 << order units; split it. */
static uint32_t
buddy_take(struct arena *arena, uint32_t order)
{
	uint32_t candidates = arena->orders_free & ~((1u << order) - 1);
	uint32_t at, found;

	if (candidates == 0)
		return UNIT_NONE;
	found = (uint32_t)__builtin_ctz(candidates);
	if (found == ORDER_MAX && order < ORDER_MAX && arena->largest_free < 2)
		return UNIT_NONE;
	at = arena->free_first[found];
	free_list_remove(arena, at);
	while (found > order) {
		found--;
		free_list_push(arena, at + (1u << found), found);
	}
	arena->units[at].order = order;
	return at;
}

struct arena *
arena_create(uint32_t bytes, uint32_t lent_max)
{
	uint32_t units_count = bytes / UNIT_BYTES;
	struct arena *arena;
	uint32_t order, at;

	assert(bytes % ARENA_BLOCK_BYTES_MAX == 0);
	arena = calloc(
		1, sizeof(*arena) + (size_t)units_count * sizeof(struct unit));
	if (arena == NULL)
		return NULL;
	arena->units_count = units_count;
	arena->lent_max = lent_max;
	for (order = 0; order < ORDERS; order++) {
		arena->free_first[order] = UNIT_NONE;
		arena->quick_first[order] = UNIT_NONE;
	}
	/* From the top, so that the lowest block is handed out first. */
	for (at = units_count; at != 0;) {
		at -= 1u << ORDER_MAX;
		free_list_push(arena, at, ORDER_MAX);
	}
	return arena;
}

void
arena_destroy(struct arena *arena)
{
	free(arena);
}

uint32_t
arena_allocate(struct arena *arena, uint32_t bytes)
{
	uint32_t order = order_of(bytes);
	uint32_t at;

	assert(bytes >= 1 && bytes <= ARENA_BLOCK_BYTES_MAX);
	if (arena->lent_blocks == arena->lent_max)
		return ARENA_FULL;
	at = quick_pop(arena, order);
	if (at == UNIT_NONE)
		at = buddy_take(arena, order);
	if (at == UNIT_NONE) {
		quick_flush(arena);
		at = buddy_take(arena, order);
	}
	if (at == UNIT_NONE)
		return ARENA_FULL;
	arena->units[at].state = UNIT_LENT;
	arena->lent_blocks++;
	arena->lent_bytes += UNIT_BYTES << order;
	return at << UNIT_SHIFT;
}

uint32_t
arena_block_bytes(const struct arena *arena, uint32_t offset)
{
	uint32_t at = offset >> UNIT_SHIFT;

	if (offset % UNIT_BYTES != 0 || at >= arena->units_count ||
		arena->units[at].state != UNIT_LENT)
		return 0;
	return UNIT_BYTES << arena->units[at].order;
}

bool
arena_free(struct arena *arena, uint32_t offset)
{
	uint32_t bytes = arena_block_bytes(arena, offset);
	uint32_t at = offset >> UNIT_SHIFT;
	uint32_t order;

	if (bytes == 0)
		return false;
	order = arena->units[at].order;
	arena->lent_blocks--;
	arena->lent_bytes -= bytes;
	if (!quick_push(arena, at, order))
		coalesce(arena, at, order);
	return true;
}

uint64_t
arena_lent_bytes(const struct arena *arena)
{
	return arena->lent_bytes;
}

uint32_t
arena_lent_blocks(const struct arena *arena)
{
	return arena->lent_blocks;
}

bool
arena_has_spare(struct arena *arena)
{
	if (arena->largest_free < 2)
		quick_flush(arena);
	return arena->largest_free >= 2;
}

void
arena_visit_lent(const struct arena *arena,
	void (*visit)(void *context, uint32_t offset, uint32_t bytes),
	void *context)
{
	uint32_t at, units;

	for (at = 0; at < arena->units_count; at += units) {
		const struct unit *unit = &arena->units[at];

		/* visit may free the block, which may merge it. */
		units = 1u << unit->order;
		if (unit->state == UNIT_LENT)
			visit(context, at << UNIT_SHIFT, units << UNIT_SHIFT);
	}
}
