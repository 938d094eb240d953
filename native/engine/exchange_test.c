// SPDX-License-Identifier: MIT
#include "engine/exchange.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#define THREADS 4u
#define PARCELS 50000u
#define WAIT_MS 60000

static bool
readable(const struct exchange *exchange, uint32_t engine)
{
	struct pollfd pollfd = {
		.fd = exchange_fd(exchange, engine), .events = POLLIN};

	return poll(&pollfd, 1, 0) == 1;
}

static bool
post(struct exchange *exchange, uint32_t engine, uint32_t to, uint32_t number)
{
	struct parcel parcel = {
		.kind = PARCEL_NEIGHBOR, .neighbor = {.address = number}};

	return exchange_post(exchange, engine, to, &parcel);
}

static void
expect(struct exchange *exchange, uint32_t engine, uint32_t number)
{
	struct parcel parcel;

	assert_true(exchange_take(exchange, engine, &parcel));
	assert_int_equal(parcel.kind, PARCEL_NEIGHBOR);
	assert_int_equal(parcel.neighbor.address, number);
}

static void
expect_none(struct exchange *exchange, uint32_t engine)
{
	struct parcel parcel;

	assert_false(exchange_take(exchange, engine, &parcel));
}

static void
parcels_come_after_the_flush_to_whom_they_are_for(void **state)
{
	struct exchange *exchange = exchange_create(3);

	(void)state;
	assert_int_equal(exchange_engines(exchange), 3);
	assert_true(post(exchange, 0, 1, 10));
	assert_true(post(exchange, 0, 2, 20));
	assert_true(post(exchange, 0, 1, 11));
	expect_none(exchange, 1);
	exchange_flush(exchange, 0);
	expect(exchange, 1, 10);
	expect(exchange, 1, 11);
	expect_none(exchange, 1);
	expect(exchange, 2, 20);
	expect_none(exchange, 0);
	exchange_destroy(exchange);
}

static void
a_full_ring_takes_no_more_and_hurts_no_other(void **state)
{
	struct exchange *exchange = exchange_create(3);

	(void)state;
	for (uint32_t i = 0; i < EXCHANGE_CAPACITY; i++)
		assert_true(post(exchange, 0, 1, i));
	assert_false(post(exchange, 0, 1, 1000));
	assert_true(post(exchange, 0, 2, 1));
	assert_true(post(exchange, 2, 1, 2000));
	exchange_flush(exchange, 0);
	expect(exchange, 1, 0);
	assert_true(post(exchange, 0, 1, EXCHANGE_CAPACITY));
	assert_false(post(exchange, 0, 1, 1000));
	exchange_flush(exchange, 0);
	exchange_flush(exchange, 2);
	for (uint32_t i = 1; i < EXCHANGE_CAPACITY; i++)
		expect(exchange, 1, i);
	/* What came meanwhile has not lost its turn. */
	expect(exchange, 1, 2000);
	expect(exchange, 1, EXCHANGE_CAPACITY);
	expect_none(exchange, 1);
	exchange_destroy(exchange);
}

static void
all_64_engines_reach_one_another(void **state)
{
	struct exchange *exchange = exchange_create(EXCHANGE_ENGINES_MAX);

	(void)state;
	for (uint32_t i = 0; i < EXCHANGE_ENGINES_MAX; i++) {
		for (uint32_t j = 0; j < EXCHANGE_ENGINES_MAX; j++)
			assert_true(post(exchange, i, j, i));
		exchange_flush(exchange, i);
	}
	for (uint32_t i = 0; i < EXCHANGE_ENGINES_MAX; i++) {
		uint64_t seen = 0;
		struct parcel parcel;

		while (exchange_take(exchange, i, &parcel))
			seen |= UINT64_C(1) << parcel.neighbor.address;
		assert_int_equal(seen, UINT64_MAX);
	}
	exchange_destroy(exchange);
}

static void
only_a_sleeping_engine_is_woken(void **state)
{
	struct exchange *exchange = exchange_create(2);

	(void)state;
	post(exchange, 0, 1, 1);
	exchange_flush(exchange, 0);
	assert_false(readable(exchange, 1));
	assert_false(exchange_sleep(exchange, 1)); /* there is one */
	exchange_wake(exchange, 1);
	expect(exchange, 1, 1);
	expect_none(exchange, 1);
	assert_true(exchange_sleep(exchange, 1));
	assert_false(readable(exchange, 1));
	post(exchange, 0, 1, 2);
	assert_false(readable(exchange, 1));
	exchange_flush(exchange, 0);
	assert_true(readable(exchange, 1));
	assert_false(readable(exchange, 0));
	exchange_destroy(exchange);
}

struct engine {
	struct exchange *exchange;
	pthread_t thread;
	uint32_t number;
	uint32_t next[THREADS]; /* to expect of each, or to post to each */
	uint32_t taken;
	bool disordered;
};

static void
take_all(struct engine *engine)
{
	struct parcel parcel;

	while (exchange_take(engine->exchange, engine->number, &parcel)) {
		uint32_t from = parcel.neighbor.mac.bytes[0];

		engine->disordered |=
			parcel.neighbor.address != engine->next[from]++;
		engine->taken++;
	}
}

static void
sleep_until_woken(struct engine *engine)
{
	struct pollfd pollfd = {
		.fd = exchange_fd(engine->exchange, engine->number),
		.events = POLLIN,
	};
	uint64_t ignored;

	if (exchange_sleep(engine->exchange, engine->number) &&
		poll(&pollfd, 1, WAIT_MS) == 1)
		engine->disordered |= read(pollfd.fd, &ignored, 8) != 8;
	exchange_wake(engine->exchange, engine->number);
}

/* Everybody posts to everybody, and sleeps when there is nothing to do. */
static void *
run(void *argument)
{
	struct engine *engine = argument;
	uint32_t posted[THREADS] = {0};
	uint32_t left = (THREADS - 1) * PARCELS;

	while (left != 0 || engine->taken < (THREADS - 1) * PARCELS) {
		uint32_t before = left + engine->taken;

		for (uint32_t to = 0; to < THREADS; to++) {
			struct parcel parcel = {
				.kind = PARCEL_NEIGHBOR,
				.neighbor = {.address = posted[to],
					.mac = {{(uint8_t)engine->number}}},
			};

			if (to == engine->number || posted[to] == PARCELS ||
				!exchange_post(engine->exchange, engine->number,
					to, &parcel))
				continue;
			posted[to]++;
			left--;
		}
		exchange_flush(engine->exchange, engine->number);
		take_all(engine);
		if (left == 0 && left + engine->taken == before &&
			engine->taken < (THREADS - 1) * PARCELS)
			sleep_until_woken(engine);
	}
	return NULL;
}

static void
threads_lose_and_reorder_nothing_and_wake(void **state)
{
	struct exchange *exchange = exchange_create(THREADS);
	struct engine engines[THREADS] = {0};

	(void)state;
	for (uint32_t i = 0; i < THREADS; i++) {
		engines[i].exchange = exchange;
		engines[i].number = i;
		pthread_create(&engines[i].thread, NULL, run, &engines[i]);
	}
	for (uint32_t i = 0; i < THREADS; i++) {
		pthread_join(engines[i].thread, NULL);
		assert_false(engines[i].disordered);
		assert_int_equal(engines[i].taken, (THREADS - 1) * PARCELS);
	}
	exchange_destroy(exchange);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			parcels_come_after_the_flush_to_whom_they_are_for),
		cmocka_unit_test(a_full_ring_takes_no_more_and_hurts_no_other),
		cmocka_unit_test(all_64_engines_reach_one_another),
		cmocka_unit_test(only_a_sleeping_engine_is_woken),
		cmocka_unit_test(threads_lose_and_reorder_nothing_and_wake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
