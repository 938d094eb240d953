/* SPDX-License-Identifier: MIT */
#include "client/crowd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SLICE_NS (3 * NS_PER_MS)
#define SHORT_NS (2 * NS_PER_US)

static struct crowd crowd;
static uint64_t now_ns;

static int
begin(void **state)
{
	(void)state;
	crowd = (struct crowd){0};
	now_ns = 1000 * NS_PER_S;
	return 0;
}

static void
yields(unsigned count, uint64_t took_ns)
{
	while (count-- != 0) {
		now_ns += took_ns;
		crowd_yielded(&crowd, took_ns, now_ns);
	}
}

static bool
is_there(void)
{
	return crowd_is_there(&crowd, now_ns);
}

static void
long_yields_in_a_row_tell_a_crowd(void **state)
{
	(void)state;
	yields(CROWD_ROW - 1, SLICE_NS);
	assert_false(is_there());
	yields(100, SHORT_NS);
	assert_false(is_there());
	yields(1, SLICE_NS);
	assert_true(is_there());
	now_ns += CROWD_NS - 1;
	assert_true(is_there());
	now_ns++;
	assert_false(is_there());
}

static void
long_yields_now_and_then_do_not(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++) {
		yields(CROWD_ROW - 1, SLICE_NS);
		assert_false(is_there());
		now_ns += CROWD_GAP_NS + 1;
	}
	yields(100 * CROWD_ROW, CROWD_YIELD_NS);
	assert_false(is_there());
}

static void
one_long_yield_more_tells_that_it_is_still_there(void **state)
{
	(void)state;
	yields(CROWD_ROW - 1, SLICE_NS);
	for (int i = 0; i < 20; i++) {
		yields(1, SLICE_NS);
		assert_true(is_there());
		now_ns = crowd.until_ns;
		yields(10, SHORT_NS);
		assert_false(is_there());
	}
}

static void
a_crowd_that_went_is_forgotten(void **state)
{
	(void)state;
	yields(CROWD_ROW + 3, SLICE_NS);
	now_ns = crowd.until_ns + CROWD_GAP_NS + 1;
	yields(CROWD_ROW - 1, SLICE_NS);
	assert_false(is_there());
	yields(1, SLICE_NS);
	assert_true(is_there());
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(long_yields_in_a_row_tell_a_crowd),
		TEST(long_yields_now_and_then_do_not),
		TEST(one_long_yield_more_tells_that_it_is_still_there),
		TEST(a_crowd_that_went_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
