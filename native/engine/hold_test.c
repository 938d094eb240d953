/* SPDX-License-Identifier: MIT */
#include "engine/hold.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LOOK_NS (NS_PER_US / 5)

static struct hold hold;
static uint64_t now_ns, worked_ns;

static int
begin(void **state)
{
	(void)state;
	hold = (struct hold){0};
	now_ns = worked_ns = 1000 * NS_PER_S;
	return 0;
}

static void
work(void)
{
	hold_worked(&hold);
	worked_ns = now_ns;
}

static bool
look(bool waited_for)
{
	now_ns += LOOK_NS;
	return hold_on(&hold, waited_for, now_ns - worked_ns, now_ns);
}

/* There is work, then none. @return how long the processor was kept */
static uint64_t
wait_in_vain(void)
{
	uint64_t began_ns = now_ns;

	work();
	while (look(true))
		continue;
	return now_ns - began_ns;
}

static void
it_is_kept_for_those_who_wait_here(void **state)
{
	(void)state;
	assert_false(look(false));
	for (int i = 0; i < 100; i++) {
		assert_true(look(true));
		assert_false(look(false));
		assert_true(look(true));
		work();
	}
	assert_int_equal(hold.off_ns, 0);
}

static void
nobody_waits_for_long(void **state)
{
	(void)state;
	assert_int_equal(wait_in_vain(), HOLD_NS);
	/* Nor once more before there was work. */
	now_ns += NS_PER_S;
	assert_false(look(true));
	work();
	assert_true(look(true));
}

static void
what_was_in_vain_is_put_off_for_longer_each_time(void **state)
{
	uint64_t off_ns = 0, next_ns;

	(void)state;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(wait_in_vain(), HOLD_NS);
		next_ns = hold.off_until_ns - now_ns;
		assert_true(next_ns > off_ns || next_ns == HOLD_OFF_NS_MAX);
		off_ns = next_ns;
		work();
		assert_false(look(true));
		now_ns = hold.off_until_ns - LOOK_NS - 1;
		work();
		assert_false(look(true));
		now_ns++;
		work();
		assert_true(look(true));
		/* It was neither in vain nor not. */
		assert_false(look(false));
	}
	assert_int_equal(off_ns, HOLD_OFF_NS_MAX);
}

static void
what_was_not_in_vain_makes_up_for_as_many(void **state)
{
	uint64_t off_ns = HOLD_OFF_NS_MIN;

	(void)state;
	wait_in_vain();
	for (; off_ns < HOLD_OFF_NS_MAX / HOLD_OFF_GROWTH;
		off_ns *= HOLD_OFF_GROWTH) {
		assert_int_equal(hold.off_ns, off_ns);
		now_ns = hold.off_until_ns;
		wait_in_vain();
	}
	for (; off_ns >= HOLD_OFF_NS_MIN; off_ns /= HOLD_OFF_GROWTH) {
		assert_int_equal(hold.off_ns, off_ns);
		now_ns = hold.off_until_ns;
		work();
		assert_true(look(true));
		work();
		assert_false(hold.on);
	}
	wait_in_vain();
	assert_int_equal(hold.off_ns, HOLD_OFF_NS_MIN);
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_is_kept_for_those_who_wait_here),
		TEST(nobody_waits_for_long),
		TEST(what_was_in_vain_is_put_off_for_longer_each_time),
		TEST(what_was_not_in_vain_makes_up_for_as_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
