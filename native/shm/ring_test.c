/* SPDX-License-Identifier: MIT */
#include "shm/ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define CAPACITY 8u

struct fixture {
	struct ring_shared shared;
	uint64_t entries[CAPACITY];
	struct ring_producer producer;
	struct ring_consumer consumer;
};

static void
setup(struct fixture *f)
{
	*f = (struct fixture){0};
	ring_producer_init(&f->producer, &f->shared, f->entries, 8, CAPACITY);
	ring_consumer_init(&f->consumer, &f->shared, f->entries, 8, CAPACITY);
}

static void
push(struct fixture *f, uint64_t value)
{
	assert_true(ring_room(&f->producer, 1) >= 1);
	ring_push(&f->producer, &value);
}

static uint64_t
pop(struct fixture *f)
{
	uint64_t value;

	assert_true(ring_available(&f->consumer) >= 1);
	ring_pop(&f->consumer, &value);
	return value;
}

static void
entries_arrive_in_order_across_the_wrap(void **state)
{
	uint64_t in = 0, out = 0;
	struct fixture f;
	uint32_t burst;

	(void)state;
	setup(&f);
	/* 32 bit indices wrap too. */
	f.shared.produced = f.shared.consumed = UINT32_MAX - 20;
	f.producer.produced = f.producer.consumed = UINT32_MAX - 20;
	f.consumer.produced = f.consumer.consumed = UINT32_MAX - 20;
	for (burst = 1; burst <= CAPACITY; burst++) {
		while (in < out + burst)
			push(&f, in++);
		ring_publish(&f.producer);
		while (out < in)
			assert_int_equal(pop(&f), out++);
		assert_int_equal(ring_available(&f.consumer), 0);
		ring_consume(&f.consumer);
	}
}

static void
nothing_is_seen_before_publish(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	push(&f, 1);
	push(&f, 2);
	assert_int_equal(ring_available(&f.consumer), 0);
	ring_publish(&f.producer);
	assert_int_equal(ring_available(&f.consumer), 2);
}

static void
a_full_ring_has_room_again_after_consume(void **state)
{
	struct fixture f;
	uint32_t i;

	(void)state;
	setup(&f);
	for (i = 0; i < CAPACITY; i++)
		push(&f, i);
	ring_publish(&f.producer);
	assert_int_equal(ring_room(&f.producer, 1), 0);
	pop(&f);
	pop(&f);
	assert_int_equal(ring_room(&f.producer, 1), 0);
	ring_consume(&f.consumer);
	assert_int_equal(ring_room(&f.producer, 1), 2);
	assert_int_equal(ring_room(&f.producer, 100), 2);
}

static void
room_is_looked_up_only_when_the_cached_view_is_short(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	push(&f, 1);
	ring_publish(&f.producer);
	pop(&f);
	ring_consume(&f.consumer);
	assert_int_equal(ring_room(&f.producer, 1), CAPACITY - 1);
	assert_int_equal(ring_room(&f.producer, CAPACITY), CAPACITY);
}

static void
a_producer_that_runs_ahead_is_corrupt(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	f.shared.produced = CAPACITY + 1;
	assert_int_equal(ring_available(&f.consumer), RING_CORRUPT);
	f.shared.produced = UINT32_MAX;
	assert_int_equal(ring_available(&f.consumer), RING_CORRUPT);
	f.shared.produced = CAPACITY;
	assert_int_equal(ring_available(&f.consumer), CAPACITY);
}

static void
a_consumer_that_runs_ahead_or_back_is_corrupt(void **state)
{
	struct fixture f;
	uint32_t i;

	(void)state;
	setup(&f);
	for (i = 0; i < CAPACITY; i++)
		push(&f, i);
	ring_publish(&f.producer);
	f.shared.consumed = CAPACITY + 1;
	assert_int_equal(ring_room(&f.producer, 1), RING_CORRUPT);
	f.shared.consumed = 3;
	assert_int_equal(ring_room(&f.producer, 1), 3);
	f.shared.consumed = 2;
	assert_int_equal(ring_room(&f.producer, 4), RING_CORRUPT);
	f.shared.consumed = UINT32_MAX;
	assert_int_equal(ring_room(&f.producer, 4), RING_CORRUPT);
}

/* Whatever the other side writes, the ends stay within the ring: the address
 * sanitizer watches. */
static void
hostile_indices_do_no_harm(void **state)
{
	unsigned int seed = 7;
	struct fixture f;
	uint64_t value;
	int step;

	(void)state;
	setup(&f);
	for (step = 0; step < 100000; step++) {
		f.shared.produced = (uint32_t)rand_r(&seed) % 64 - 32;
		f.shared.consumed = (uint32_t)rand_r(&seed) % 64 - 32;
		if (ring_available(&f.consumer) > 0)
			ring_pop(&f.consumer, &value);
		if (ring_room(&f.producer, 1) > 0)
			ring_push(&f.producer, &value);
		assert_in_range(ring_room(&f.producer, 0), 0, CAPACITY);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_arrive_in_order_across_the_wrap),
		cmocka_unit_test(nothing_is_seen_before_publish),
		cmocka_unit_test(a_full_ring_has_room_again_after_consume),
		cmocka_unit_test(
			room_is_looked_up_only_when_the_cached_view_is_short),
		cmocka_unit_test(a_producer_that_runs_ahead_is_corrupt),
		cmocka_unit_test(a_consumer_that_runs_ahead_or_back_is_corrupt),
		cmocka_unit_test(hostile_indices_do_no_harm),
	};

	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
