// SPDX-License-Identifier: MIT
#include "engine/drive.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

#define ROUNDS 200u
#define WAIT_NS (60 * NS_PER_S)

/* What turns work on, with no lock of its own. */
struct engine {
	uint64_t turns;
};

static struct drive drive;
static struct engine engine;
static _Atomic uint64_t helped; /* turns by the helper */
static _Atomic uint32_t stop;

static int
set_up(void **state)
{
	(void)state;
	memset(&engine, 0, sizeof(engine));
	atomic_store(&helped, 0);
	atomic_store(&stop, 0);
	if (!drive_init(&drive))
		return -1;
	drive_open(&drive, &engine);
	return 0;
}

static void
one_at_a_time_has_it(void **state)
{
	(void)state;
	assert_true(drive_take(&drive));
	assert_false(drive_take(&drive));
	assert_ptr_equal(drive.engine, &engine);
	drive_give(&drive);
	assert_true(drive_take(&drive));
	drive_give(&drive);
}

static void
the_helper_is_needed_while_the_application_is_away(void **state)
{
	(void)state;
	assert_true(drive_away(&drive, 1000));
	assert_true(drive_enter(&drive, 1000));
	assert_false(drive_away(&drive, 1000));
	assert_false(drive_away(&drive, 999)); /* an older look at the clock */
	assert_false(drive_away(&drive, 1000 + DRIVE_BUSY_NS));
	assert_true(drive_away(&drive, 1001 + DRIVE_BUSY_NS));
	drive_leave(&drive);
	assert_true(drive_away(&drive, 1001));
}

static void
a_closed_drive_is_the_helpers(void **state)
{
	(void)state;
	assert_true(drive_enter(&drive, 1000));
	drive_close(&drive);
	assert_true(drive_away(&drive, 1000));
	assert_false(drive_enter(&drive, 1001));
	drive_open(&drive, &engine);
	assert_true(drive_enter(&drive, 1002));
}

static void
turn(void)
{
	engine.turns++;
}

static void *
help(void *argument)
{
	(void)argument;
	while (atomic_load(&stop) == 0) {
		uint64_t now = clock_now_ns();

		if (!drive_away(&drive, now)) {
			drive_watch(&drive, now);
			continue;
		}
		if (!drive_take(&drive))
			continue;
		turn();
		drive_give(&drive);
		atomic_fetch_add(&helped, 1);
	}
	return NULL;
}

/* @return turns of the application's own */
static uint64_t
poll_for_a_while(void)
{
	uint64_t turns = 0;

	for (uint32_t i = 0; i < 1000; i++) {
		assert_true(drive_enter(&drive, clock_now_ns()));
		if (!drive_take(&drive))
			continue;
		turn();
		turns++;
		drive_give(&drive);
	}
	return turns;
}

/* Without a word, or after one. */
static void
wait_for_help(void)
{
	uint64_t before = atomic_load(&helped);
	uint64_t end_ns = clock_now_ns() + WAIT_NS;

	while (atomic_load(&helped) == before)
		if (clock_now_ns() > end_ns)
			fail_msg("nobody helps");
}

static void
threads_take_turns_and_one_always_does(void **state)
{
	uint64_t turns = 0;
	pthread_t helper;

	(void)state;
	assert_int_equal(pthread_create(&helper, NULL, help, NULL), 0);
	for (uint32_t round = 0; round < ROUNDS; round++) {
		turns += poll_for_a_while();
		if (round % 2 == 0)
			drive_leave(&drive);
		wait_for_help();
	}
	atomic_store(&stop, 1);
	drive_close(&drive);
	pthread_join(helper, NULL);
	assert_int_equal(engine.turns, turns + atomic_load(&helped));
	assert_true(turns > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(one_at_a_time_has_it, set_up),
		cmocka_unit_test_setup(
			the_helper_is_needed_while_the_application_is_away,
			set_up),
		cmocka_unit_test_setup(a_closed_drive_is_the_helpers, set_up),
		cmocka_unit_test_setup(
			threads_take_turns_and_one_always_does, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
