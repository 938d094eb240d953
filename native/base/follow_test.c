/* SPDX-License-Identifier: MIT */
#include "base/follow.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define HERE 2u
#define THERE 3u
#define LOOK_NS (2 * NS_PER_US)

static struct follow follow;
static uint64_t now_ns;
static bool crowded;

static int
begin(void **state)
{
	(void)state;
	follow_init(&follow);
	crowded = true;
	now_ns = 1000 * NS_PER_S;
	return 0;
}

static bool
look(uint32_t there)
{
	now_ns += LOOK_NS;
	return follow_now(&follow, HERE, there, crowded, now_ns);
}

/* @return how long it took until the thread went */
static uint64_t
wait_until_it_goes(void)
{
	uint64_t began_ns = now_ns;

	while (!look(THERE))
		assert_in_range(now_ns - began_ns, 0, FOLLOW_GAP_NS);
	return now_ns - began_ns;
}

static void
it_goes_where_the_other_has_been_for_a_while(void **state)
{
	(void)state;
	assert_int_equal(wait_until_it_goes(), FOLLOW_AFTER_NS + LOOK_NS);
}

static void
it_goes_where_the_other_is_now(void **state)
{
	(void)state;
	for (uint64_t ns = 0; ns < 3 * FOLLOW_AFTER_NS; ns += 2 * LOOK_NS) {
		assert_false(look(THERE));
		assert_false(look(THERE + 1));
	}
	for (uint64_t ns = 0; ns < 3 * FOLLOW_AFTER_NS; ns += 3 * LOOK_NS) {
		assert_false(look(THERE));
		assert_false(look(HERE));
		assert_false(look(PROCESSOR_NONE));
	}
	wait_until_it_goes();
}

static void
who_is_alone_stays(void **state)
{
	(void)state;
	crowded = false;
	for (uint64_t ns = 0; ns < 3 * FOLLOW_AFTER_NS; ns += LOOK_NS)
		assert_false(look(THERE));
	crowded = true;
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

static void
it_goes_where_it_may_and_is_free_afterwards(void **state)
{
	cpu_set_t all, one, after;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		assert_int_equal(
			follow_move((uint32_t)cpu), !!CPU_ISSET(cpu, &all));
		assert_int_equal(
			sched_getaffinity(0, sizeof(after), &after), 0);
		assert_true(CPU_EQUAL(&after, &all));
	}
	assert_false(follow_move(CPU_SETSIZE));
	assert_false(follow_move(PROCESSOR_NONE));
	/* Who is bound to a processor stays there. */
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
		for (int other = 0; other < CPU_SETSIZE; other++)
			assert_int_equal(
				follow_move((uint32_t)other), other == cpu);
		assert_int_equal(sched_getcpu(), cpu);
		sched_setaffinity(0, sizeof(all), &all);
	}
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_goes_where_the_other_has_been_for_a_while),
		TEST(it_goes_where_the_other_is_now),
		TEST(who_is_alone_stays),
		TEST(it_goes_now_and_then_at_most),
		TEST(it_goes_where_it_may_and_is_free_afterwards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
