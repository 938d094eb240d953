/* SPDX-License-Identifier: MIT */
#include "engine/follow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define THERE 3u
#define LOOK_NS (2 * NS_PER_US)

static struct follow follow;
static uint64_t now_ns;

static int
begin(void **state)
{
	(void)state;
	follow_init(&follow);
	follow.crowded = true;
	now_ns = 1000 * NS_PER_S;
	return 0;
}

static bool
look(uint32_t cpu)
{
	now_ns += LOOK_NS;
	return follow_now(&follow, cpu, now_ns);
}

/* @return how long it took until the engine went */
static uint64_t
wait_until_it_goes(void)
{
	uint64_t began_ns = now_ns;

	while (!look(THERE))
		assert_in_range(now_ns - began_ns, 0, FOLLOW_GAP_NS);
	return now_ns - began_ns;
}

static void
it_goes_where_all_have_been_for_a_while(void **state)
{
	(void)state;
	assert_int_equal(wait_until_it_goes(), FOLLOW_AFTER_NS + LOOK_NS);
}

static void
it_goes_where_they_are_now(void **state)
{
	(void)state;
	for (uint64_t ns = 0; ns < 3 * FOLLOW_AFTER_NS; ns += 2 * LOOK_NS) {
		assert_false(look(THERE));
		assert_false(look(THERE + 1));
	}
	for (uint64_t ns = 0; ns < 3 * FOLLOW_AFTER_NS; ns += 2 * LOOK_NS) {
		assert_false(look(THERE));
		assert_false(look(FOLLOW_NOWHERE));
	}
	wait_until_it_goes();
}

static void
who_is_alone_stays(void **state)
{
	(void)state;
	follow.crowded = false;
	for (uint64_t ns = 0; ns < 3 * FOLLOW_AFTER_NS; ns += LOOK_NS)
		assert_false(look(THERE));
	follow.crowded = true;
	assert_int_equal(wait_until_it_goes(), FOLLOW_AFTER_NS + LOOK_NS);
}

static void
it_goes_now_and_then_at_most(void **state)
{
	(void)state;
	wait_until_it_goes();
	for (int i = 0; i < 10; i++)
		assert_in_range(wait_until_it_goes(), FOLLOW_GAP_NS,
			FOLLOW_GAP_NS + LOOK_NS);
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_goes_where_all_have_been_for_a_while),
		TEST(it_goes_where_they_are_now),
		TEST(who_is_alone_stays),
		TEST(it_goes_now_and_then_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
