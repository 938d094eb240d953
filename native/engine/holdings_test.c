// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "engine/holdings.h"
#include "shm/arena.h"

#define ARENA_BYTES (32u << 20)
#define LARGE ARENA_BLOCK_BYTES_MAX

static void
a_connection_holds_as_much_as_is_free(void **state)
{
	struct holdings holdings;

	(void)state;
	assert_true(holdings_create(&holdings, ARENA_BYTES));
	holdings_lend(&holdings, 7, 0, LARGE);
	holdings_lend(&holdings, 7, LARGE, LARGE);
	assert_false(holdings_over(&holdings, 7, 100, 2 * LARGE));
	assert_true(holdings_over(&holdings, 7, 100, 2 * LARGE - 1));
	assert_true(holdings_over(&holdings, 7, 1, 2 * LARGE));
	assert_int_equal(holdings_room(&holdings, 7, 100, 2 * LARGE, 1400), 0);
	assert_int_equal(
		holdings_room(&holdings, 7, 5, 2 * LARGE + 4096, 1400), 2);
	assert_int_equal(holdings_room(&holdings, 7, 3, 4 * LARGE, 1400), 1);
	/* The others still have their share. */
	assert_false(holdings_over(&holdings, 8, 0, 0));
	assert_int_equal(holdings_return(&holdings, LARGE, LARGE), 7);
	assert_false(holdings_over(&holdings, 7, 1, LARGE));
	holdings_destroy(&holdings);
}

static void
a_wait_is_as_long_as_no_block_goes_in_or_out(void **state)
{
	struct holdings holdings;

	(void)state;
	assert_true(holdings_create(&holdings, ARENA_BYTES));
	assert_int_equal(holdings_wait_ms(&holdings, 7, 100 * NS_PER_MS), 0);
	assert_int_equal(holdings_wait_ms(&holdings, 7, 300 * NS_PER_MS), 200);
	assert_int_equal(holdings_wait_ms(&holdings, 8, 400 * NS_PER_MS), 0);
	holdings_lend(&holdings, 7, 0, 64);
	assert_int_equal(holdings_wait_ms(&holdings, 7, 500 * NS_PER_MS), 0);
	holdings_lend(&holdings, 8, 256, 64);
	assert_int_equal(holdings_wait_ms(&holdings, 7, 600 * NS_PER_MS), 100);
	holdings_return(&holdings, 0, 64);
	assert_int_equal(holdings_wait_ms(&holdings, 7, 700 * NS_PER_MS), 0);
	/* A wait that nobody heard of for so long is over. */
	assert_int_equal(holdings_wait_ms(&holdings, 7, 9 * NS_PER_S), 0);
	holdings_destroy(&holdings);
}

static void
what_is_held_is_counted(void **state)
{
	struct holdings holdings;

	(void)state;
	assert_true(holdings_create(&holdings, ARENA_BYTES));
	holdings_lend(&holdings, 7, 0, 64);
	holdings_lend(&holdings, 7, 256, 64);
	holdings_lend(&holdings, 8, 512, 256);
	assert_int_equal(holdings_blocks(&holdings, 7), 2);
	assert_int_equal(holdings.blocks, 3);
	assert_int_equal(holdings.bytes, 384);
	holdings_return(&holdings, 256, 64);
	assert_int_equal(holdings_blocks(&holdings, 7), 1);
	assert_int_equal(holdings.blocks, 2);
	assert_int_equal(holdings.bytes, 320);
	holdings_destroy(&holdings);
}

static void
what_was_not_lent_cannot_come_back(void **state)
{
	struct holdings holdings;

	(void)state;
	assert_true(holdings_create(&holdings, ARENA_BYTES));
	assert_int_equal(holdings_return(&holdings, 256, 256), 0);
	holdings_lend(&holdings, 7, 256, 256);
	assert_int_equal(holdings_return(&holdings, 256, 256), 7);
	assert_int_equal(holdings_return(&holdings, 256, 256), 0);
	assert_false(holdings_over(&holdings, 7, 0, 0));
	holdings_destroy(&holdings);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_holds_as_much_as_is_free),
		cmocka_unit_test(a_wait_is_as_long_as_no_block_goes_in_or_out),
		cmocka_unit_test(what_is_held_is_counted),
		cmocka_unit_test(what_was_not_lent_cannot_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
