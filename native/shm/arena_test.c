/* SPDX-License-Identifier: MIT */
#include "shm/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"

#define MIB (1u << 20)
#define BLOCKS_MAX 8192u

static void
largest_blocks_fill_the_arena(void **state)
{
	struct arena *arena = arena_create(64 * MIB, BLOCKS_MAX);
	uint32_t offsets[8], i, j;

	(void)state;
	for (i = 0; i < 8; i++) {
		offsets[i] = arena_allocate(arena, 8 * MIB);
		assert_int_equal(offsets[i] % (8 * MIB), 0);
		for (j = 0; j < i; j++)
			assert_int_not_equal(offsets[i], offsets[j]);
	}
	assert_int_equal(arena_allocate(arena, 1), ARENA_FULL);
	assert_int_equal(arena_lent_bytes(arena), 64 * MIB);
	for (i = 0; i < 8; i++)
		assert_true(arena_free(arena, offsets[i]));
	assert_int_equal(arena_lent_bytes(arena), 0);
	arena_destroy(arena);
}

static void
a_block_holds_what_was_asked_for(void **state)
{
	static const uint32_t cases[][2] = {{1, 256}, {256, 256}, {257, 512},
		{4096, 4096}, {4097, 8192}, {8 * MIB - 1, 8 * MIB}};
	struct arena *arena = arena_create(32 * MIB, BLOCKS_MAX);
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(cases); i++) {
		uint32_t offset = arena_allocate(arena, cases[i][0]);

		assert_int_equal(arena_block_bytes(arena, offset), cases[i][1]);
		assert_true(arena_free(arena, offset));
		assert_int_equal(arena_block_bytes(arena, offset), 0);
	}
	arena_destroy(arena);
}

static void
small_blocks_leave_the_last_large_one_whole(void **state)
{
	struct arena *arena = arena_create(32 * MIB, UINT32_MAX);
	uint32_t count = 0, largest;

	(void)state;
	assert_true(arena_has_spare(arena));
	while (arena_allocate(arena, 4096) != ARENA_FULL)
		count++;
	assert_int_equal(count, 24 * MIB / 4096);
	assert_false(arena_has_spare(arena));
	largest = arena_allocate(arena, 8 * MIB);
	assert_int_not_equal(largest, ARENA_FULL);
	assert_true(arena_free(arena, largest));
	assert_int_equal(arena_allocate(arena, 4 * MIB), ARENA_FULL);
	arena_destroy(arena);
}

static void
freed_small_blocks_merge_for_a_large_one(void **state)
{
	struct arena *arena = arena_create(16 * MIB, BLOCKS_MAX);
	uint32_t offsets[64], i;

	(void)state;
	for (i = 0; i < 64; i++)
		offsets[i] = arena_allocate(arena, 300);
	assert_false(arena_has_spare(arena));
	for (i = 0; i < 64; i++)
		assert_true(arena_free(arena, offsets[i]));
	/* All of them are in the quick list now. */
	assert_true(arena_has_spare(arena));
	assert_int_not_equal(arena_allocate(arena, 8 * MIB), ARENA_FULL);
	assert_int_not_equal(arena_allocate(arena, 8 * MIB), ARENA_FULL);
	arena_destroy(arena);
}

static void
the_block_freed_last_is_lent_first(void **state)
{
	struct arena *arena = arena_create(16 * MIB, BLOCKS_MAX);
	uint32_t first = arena_allocate(arena, 1000);
	uint32_t second = arena_allocate(arena, 1000);

	(void)state;
	assert_true(arena_free(arena, second));
	assert_true(arena_free(arena, first));
	assert_int_equal(arena_allocate(arena, 1000), first);
	assert_int_equal(arena_allocate(arena, 1000), second);
	arena_destroy(arena);
}

static void
no_more_blocks_than_lent_max(void **state)
{
	struct arena *arena = arena_create(16 * MIB, 3);
	uint32_t first = arena_allocate(arena, 1);

	(void)state;
	arena_allocate(arena, 1);
	arena_allocate(arena, 1);
	assert_int_equal(arena_lent_blocks(arena), 3);
	assert_int_equal(arena_allocate(arena, 1), ARENA_FULL);
	assert_true(arena_free(arena, first));
	assert_int_equal(arena_allocate(arena, 1), first);
	arena_destroy(arena);
}

static void
free_refuses_what_is_not_lent(void **state)
{
	struct arena *arena = arena_create(16 * MIB, BLOCKS_MAX);
	uint32_t offset = arena_allocate(arena, 1024);
	uint32_t small = arena_allocate(arena, 256);

	(void)state;
	assert_false(arena_free(arena, offset + 1));
	assert_false(arena_free(arena, offset + 256));
	assert_false(arena_free(arena, 8 * MIB));
	assert_false(arena_free(arena, 16 * MIB));
	assert_false(arena_free(arena, UINT32_MAX));
	assert_false(arena_free(arena, UINT32_MAX - 255));
	assert_true(arena_free(arena, offset));
	assert_false(arena_free(arena, offset));
	assert_true(arena_free(arena, small));
	assert_true(arena_has_spare(arena));
	assert_false(arena_free(arena, offset));
	assert_int_equal(arena_lent_blocks(arena), 0);
	arena_destroy(arena);
}

struct model {
	uint32_t offsets[BLOCKS_MAX];
	uint32_t bytes[BLOCKS_MAX];
	uint32_t count;
	uint64_t total;
	uint8_t used[64 * MIB / 256]; /* per unit: within a lent block */
};

static void
model_mark(struct model *model, uint32_t offset, uint32_t bytes, uint8_t used)
{
	uint32_t unit;

	for (unit = offset / 256; unit < (offset + bytes) / 256; unit++)
		if (model->used[unit] == used)
			fail_msg("unit %u is lent twice or freed twice", unit);
	memset(&model->used[offset / 256], used, bytes / 256);
}

static void
model_allocate(struct model *model, struct arena *arena, uint32_t bytes)
{
	uint32_t offset = arena_allocate(arena, bytes);
	uint32_t block = u32_max(256, 1u << log2_ceil(bytes));

	if (offset == ARENA_FULL)
		return;
	assert_int_equal(offset % block, 0);
	assert_true(offset + block <= 64 * MIB);
	assert_int_equal(arena_block_bytes(arena, offset), block);
	model_mark(model, offset, block, 1);
	model->offsets[model->count] = offset;
	model->bytes[model->count++] = block;
	model->total += block;
}

static void
model_free(struct model *model, struct arena *arena, uint32_t i)
{
	assert_true(arena_free(arena, model->offsets[i]));
	model_mark(model, model->offsets[i], model->bytes[i], 0);
	model->total -= model->bytes[i];
	model->count--;
	model->offsets[i] = model->offsets[model->count];
	model->bytes[i] = model->bytes[model->count];
}

static void
visit_count(void *context, uint32_t offset, uint32_t bytes)
{
	struct model *model = context;

	assert_true(model->used[offset / 256]);
	assert_true(bytes <= model->total);
	model->total -= bytes;
	model->count--;
}

static void
random_use_agrees_with_a_model(void **state)
{
	struct model *model = calloc(1, sizeof(*model));
	struct arena *arena = arena_create(64 * MIB, BLOCKS_MAX);
	unsigned int seed, step, i;

	(void)state;
	for (seed = 1; seed <= 8; seed++) {
		for (step = 0; step < 20000; step++) {
			int pick = rand_r(&seed);
			uint32_t order = (uint32_t)rand_r(&seed) % 24;

			/* Tides, so that it runs full and empty. */
			if (pick % 8 < (step / 2000 % 2 ? 3 : 5))
				model_allocate(model, arena,
					1 + (uint32_t)rand_r(&seed) %
							(1u << order));
			else if (model->count != 0)
				model_free(model, arena,
					(uint32_t)pick / 8 % model->count);
			assert_int_equal(arena_lent_bytes(arena), model->total);
			assert_int_equal(
				arena_lent_blocks(arena), model->count);
		}
		arena_visit_lent(arena, visit_count, model);
		assert_int_equal(model->total, 0);
		assert_int_equal(model->count, 0);
		model->count = arena_lent_blocks(arena);
		model->total = arena_lent_bytes(arena);
		while (model->count != 0)
			model_free(model, arena, 0);
		for (i = 0; i < 8; i++)
			model_allocate(model, arena, 8 * MIB);
		assert_int_equal(model->count, 8);
		while (model->count != 0)
			model_free(model, arena, 0);
	}
	arena_destroy(arena);
	free(model);
}

static void
visit_free(void *context, uint32_t offset, uint32_t bytes)
{
	(void)bytes;
	assert_true(arena_free(context, offset));
}

static void
a_visit_may_free(void **state)
{
	struct arena *arena = arena_create(16 * MIB, BLOCKS_MAX);
	uint32_t i;

	(void)state;
	for (i = 0; i < 1000; i++)
		arena_allocate(arena, 256u << (i % 4));
	arena_visit_lent(arena, visit_free, arena);
	assert_int_equal(arena_lent_blocks(arena), 0);
	assert_int_not_equal(arena_allocate(arena, 8 * MIB), ARENA_FULL);
	assert_int_not_equal(arena_allocate(arena, 8 * MIB), ARENA_FULL);
	arena_destroy(arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(largest_blocks_fill_the_arena),
		cmocka_unit_test(a_block_holds_what_was_asked_for),
		cmocka_unit_test(small_blocks_leave_the_last_large_one_whole),
		cmocka_unit_test(freed_small_blocks_merge_for_a_large_one),
		cmocka_unit_test(the_block_freed_last_is_lent_first),
		cmocka_unit_test(no_more_blocks_than_lent_max),
		cmocka_unit_test(free_refuses_what_is_not_lent),
		cmocka_unit_test(random_use_agrees_with_a_model),
		cmocka_unit_test(a_visit_may_free),
	};

	return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
