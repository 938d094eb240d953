/* SPDX-License-Identifier: MIT */
#include "shm/layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
the_parts_follow_one_another(void **state)
{
	const uint32_t arena_bytes = MACHNET_ARENA_BYTES_DEFAULT;
	struct channel_layout l;

	(void)state;
	assert_true(channel_layout_init(&l, arena_bytes));
	assert_true(l.submissions >= sizeof(struct channel_header));
	assert_true(l.completions >=
		    l.submissions +
			    CHANNEL_SUBMISSIONS * sizeof(struct submission));
	assert_true(
		l.sent >= l.completions + CHANNEL_COMPLETIONS *
						  sizeof(struct machnet_event));
	assert_true(l.released >= l.sent + 4 * CHANNEL_BLOCKS_LENT_MAX);
	assert_true(l.tx_arena >= l.released + 4 * CHANNEL_BLOCKS_LENT_MAX);
	assert_int_equal(l.tx_arena % 4096, 0);
	assert_int_equal(l.rx_arena, l.tx_arena + arena_bytes);
	assert_int_equal(l.bytes, l.rx_arena + arena_bytes);
	assert_int_equal(l.arena_bytes, arena_bytes);
}

static void
only_powers_of_two_within_the_limits(void **state)
{
	struct channel_layout l;

	(void)state;
	assert_true(channel_layout_init(&l, MACHNET_ARENA_BYTES_MIN));
	assert_true(channel_layout_init(&l, MACHNET_ARENA_BYTES_MAX));
	assert_true(l.bytes <= INT32_MAX);
	assert_false(channel_layout_init(&l, 0));
	assert_false(channel_layout_init(&l, MACHNET_ARENA_BYTES_MIN / 2));
	assert_false(channel_layout_init(&l, MACHNET_ARENA_BYTES_MAX * 2));
	assert_false(channel_layout_init(&l, MACHNET_ARENA_BYTES_MIN * 3 / 2));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_parts_follow_one_another),
		cmocka_unit_test(only_powers_of_two_within_the_limits),
	};

	return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
