// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

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
		cmocka_unit_test(what_was_not_lent_cannot_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
