/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "client/shares.h"
#include "shm/layout.h"

#define ARENA_BYTES (32u << 20)
#define CONNECTIONS 200u
#define ROUNDS 200000u

/* Against a plain count, with ids that collide in the table. */
static void
counts_stay_true(void **state)
{
	uint32_t *held = calloc(CONNECTIONS, sizeof(*held));
	uint32_t holder[CHANNEL_BLOCKS_LENT_MAX], offset[ARRAY_LENGTH(holder)];
	struct arena *arena =
		arena_create(ARENA_BYTES, CHANNEL_BLOCKS_LENT_MAX);
	struct shares shares;
	uint32_t count = 0;
	unsigned seed = 7;

	(void)state;
	assert_true(shares_init(&shares, ARENA_BYTES));
	for (uint32_t round = 0; round < ROUNDS; round++) {
		uint32_t one = (uint32_t)rand_r(&seed) % CONNECTIONS;
		/* Multiples of 2^18 spread over 2^14 entries only badly. */
		uint32_t id = one << 24 | one >> 4;
		uint64_t free = ARENA_BYTES - arena_lent_bytes(arena);
		bool allowed = shares_allow(&shares, id, arena, ARENA_BYTES);

		assert_int_equal(allowed, held[one] <= free);
		if (allowed && rand_r(&seed) % 2 == 0) {
			uint32_t at = arena_allocate(
				arena, 1u << (8 + rand_r(&seed) % 12));

			if (at == ARENA_FULL)
				continue;
			shares_take(
				&shares, id, at, arena_block_bytes(arena, at));
			held[one] += arena_block_bytes(arena, at);
			holder[count] = one;
			offset[count++] = at;
		} else if (count > 0) {
			uint32_t i = (uint32_t)rand_r(&seed) % count;
			uint32_t bytes = arena_block_bytes(arena, offset[i]);

			shares_give(&shares, offset[i], bytes);
			arena_free(arena, offset[i]);
			held[holder[i]] -= bytes;
			holder[i] = holder[--count];
			offset[i] = offset[count];
		}
	}
	arena_destroy(arena);
	shares_destroy(&shares);
	free(held);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_stay_true),
	};

	return cmocka_run_group_tests_name("shares", tests, NULL, NULL);
}
