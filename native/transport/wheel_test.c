// SPDX-License-Identifier: MIT
#include "transport/wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/clock.h"
#include "base/splitmix64.h"

#define TICK_NS (UINT64_C(1) << WHEEL_TICK_NS_LOG2)
#define TIMERS 500u

struct fixture {
	struct wheel wheel;
	uint64_t now_ns;
	uint64_t random;
	struct timer timers[TIMERS];
	uint64_t deadlines_ns[TIMERS]; /* 0: not set */
};

static struct fixture *
setup(uint64_t now_ns)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->now_ns = now_ns;
	f->random = now_ns;
	wheel_init(&f->wheel, now_ns);
	for (unsigned i = 0; i < TIMERS; i++)
		timer_init(&f->timers[i]);
	return f;
}

static void
set(struct fixture *f, unsigned i, uint64_t in_ns)
{
	f->deadlines_ns[i] = f->now_ns + in_ns;
	wheel_set(&f->wheel, &f->timers[i], f->deadlines_ns[i]);
}

/* From 1 ns to 4 min, all magnitudes alike. */
static uint64_t
any_delay(struct fixture *f)
{
	return 1 +
	       (splitmix64(&f->random) >> (24 + splitmix64(&f->random) % 40)) %
		       (240 * NS_PER_S);
}

/* Each comes when it is due, not a tick before and not one after, in order.
 * @return how many came */
static unsigned
advance(struct fixture *f, uint64_t now_ns)
{
	uint64_t before_ns = f->now_ns;
	uint64_t tick = 0;
	struct list due;
	unsigned count = 0;

	list_init(&due);
	f->now_ns = now_ns;
	wheel_advance(&f->wheel, now_ns, &due);
	while (!list_empty(&due)) {
		struct timer *timer =
			container_of(due.next, struct timer, node);
		unsigned i = (unsigned)(timer - f->timers);

		wheel_cancel(&f->wheel, timer);
		assert_true(timer->tick >= tick);
		tick = timer->tick;
		assert_true(f->deadlines_ns[i] != 0);
		assert_true(f->deadlines_ns[i] <= now_ns);
		assert_true(f->deadlines_ns[i] + TICK_NS > before_ns);
		f->deadlines_ns[i] = 0;
		count++;
	}
	for (unsigned i = 0; i < TIMERS; i++)
		assert_true(f->deadlines_ns[i] == 0 ||
			    f->deadlines_ns[i] + TICK_NS > now_ns);
	return count;
}

static uint64_t
earliest(const struct fixture *f)
{
	uint64_t earliest_ns = UINT64_MAX;

	for (unsigned i = 0; i < TIMERS; i++)
		if (f->deadlines_ns[i] != 0)
			earliest_ns = u64_min(earliest_ns, f->deadlines_ns[i]);
	return earliest_ns;
}

static void
timers_fire_in_order_and_on_time(void **state)
{
	struct fixture *f = setup(123456789 * NS_PER_S);

	(void)state;
	for (unsigned i = 0; i < TIMERS; i++)
		set(f, i, any_delay(f));
	for (unsigned turn = 0; turn < 20000; turn++) {
		unsigned i = splitmix64(&f->random) % TIMERS;

		advance(f, f->now_ns + any_delay(f) / 8);
		if (splitmix64(&f->random) % 4 == 0) {
			wheel_cancel(&f->wheel, &f->timers[i]);
			f->deadlines_ns[i] = 0;
		} else {
			set(f, i, any_delay(f));
		}
	}
	advance(f, f->now_ns + 241 * NS_PER_S);
	assert_int_equal(earliest(f), UINT64_MAX);
	assert_true(wheel_next_ns(&f->wheel) == UINT64_MAX);
	free(f);
}

/* Who sleeps until the next time misses nothing and does not sleep at all only
 * when it is due. */
static void
the_next_time_is_never_late(void **state)
{
	struct fixture *f = setup(0);
	unsigned wakes = 0, fired = 0;

	(void)state;
	for (unsigned i = 0; i < TIMERS; i++)
		set(f, i, any_delay(f));
	while (fired < 5 * TIMERS) {
		uint64_t next_ns = wheel_next_ns(&f->wheel);
		unsigned i = splitmix64(&f->random) % TIMERS;

		assert_true(next_ns <= earliest(f) + TICK_NS - 1);
		assert_true(next_ns > f->now_ns || f->now_ns == 0);
		fired += advance(f, next_ns);
		wakes++;
		if (f->deadlines_ns[i] == 0)
			set(f, i, any_delay(f));
	}
	/* Early at most where a coarse slot opens. */
	assert_in_range(wakes, 1, 20 * TIMERS);
	free(f);
}

/* An idle wheel does not wake its owner each time that a coarse slot opens. */
static void
the_next_time_is_that_of_the_next_timer(void **state)
{
	struct fixture *f = setup(0);
	uint64_t slot_ns = WHEEL_SLOTS * TICK_NS;

	(void)state;
	advance(f, TICK_NS);
	set(f, 0, 500 * NS_PER_MS);
	assert_in_range(wheel_next_ns(&f->wheel), 500 * NS_PER_MS - slot_ns,
		500 * NS_PER_MS + TICK_NS);
	/* Not all of a level lies before the next one's slot opens. */
	set(f, 1, 2 * NS_PER_S);
	assert_in_range(wheel_next_ns(&f->wheel), 500 * NS_PER_MS - slot_ns,
		500 * NS_PER_MS + TICK_NS);
	free(f);
}

static void
a_deadline_in_the_past_fires_at_the_next_tick(void **state)
{
	struct fixture *f = setup(NS_PER_S);

	(void)state;
	wheel_set(&f->wheel, &f->timers[0], 5);
	f->deadlines_ns[0] = NS_PER_S;
	assert_int_equal(advance(f, NS_PER_S), 1);
	free(f);
}

/* As when a transport is made long before its clock is first told. Tick by tick
 * it would never end. */
static void
a_long_time_passes_at_once(void **state)
{
	struct fixture *f = setup(0);

	(void)state;
	wheel_set(&f->wheel, &f->timers[0], UINT64_C(1) << 60);
	wheel_set(&f->wheel, &f->timers[1], 5 * TICK_NS);
	f->deadlines_ns[0] = f->deadlines_ns[1] = 1;
	f->now_ns = 0;
	assert_int_equal(advance(f, UINT64_C(1) << 60), 2);
	free(f);
}

static void
a_timer_that_is_due_can_be_set_and_cancelled(void **state)
{
	struct fixture *f = setup(0);
	struct list due;

	(void)state;
	list_init(&due);
	for (unsigned i = 0; i < 3; i++)
		set(f, i, 5 * TICK_NS);
	wheel_advance(&f->wheel, 5 * TICK_NS, &due);
	f->now_ns = 5 * TICK_NS;
	wheel_cancel(&f->wheel, &f->timers[0]);
	f->deadlines_ns[0] = 0;
	set(f, 1, 300 * TICK_NS);
	assert_ptr_equal(due.next, &f->timers[2].node);
	wheel_cancel(&f->wheel, &f->timers[2]);
	f->deadlines_ns[2] = 0;
	assert_true(list_empty(&due));
	/* The one that was set again is neither lost nor early. */
	assert_int_equal(advance(f, 304 * TICK_NS), 0);
	assert_int_equal(advance(f, 305 * TICK_NS), 1);
	free(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_fire_in_order_and_on_time),
		cmocka_unit_test(the_next_time_is_never_late),
		cmocka_unit_test(the_next_time_is_that_of_the_next_timer),
		cmocka_unit_test(a_deadline_in_the_past_fires_at_the_next_tick),
		cmocka_unit_test(a_long_time_passes_at_once),
		cmocka_unit_test(a_timer_that_is_due_can_be_set_and_cancelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
