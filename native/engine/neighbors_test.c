// SPDX-License-Identifier: MIT
#include "engine/neighbors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define FIRST 0x0a000001u

static struct neighbors neighbors;
static const struct mac mac = {{2, 0, 0, 0, 0, 7}};
static int packets[NEIGHBORS_MAX + 1]; /* stand for what waits */

static int
set_up(void **state)
{
	(void)state;
	neighbors_init(&neighbors);
	return 0;
}

static struct neighbor *
enter(uint32_t address)
{
	void *evicted;
	struct neighbor *neighbor =
		neighbors_enter(&neighbors, address, &evicted);

	assert_null(evicted);
	assert_int_equal(neighbor->address, address);
	return neighbor;
}

static void
a_stranger_is_asked_for_and_heard(void **state)
{
	struct neighbor *neighbor = enter(FIRST);

	(void)state;
	assert_false(neighbor->known);
	assert_ptr_equal(neighbors_find(&neighbors, FIRST), neighbor);
	assert_null(neighbors_find(&neighbors, FIRST + 1));
	assert_true(neighbor_ask(&neighbors, neighbor, 100));
	assert_false(neighbor_ask(&neighbors, neighbor, 101));
	neighbor_heard(neighbor, &mac, 200);
	assert_true(neighbor->known);
	assert_memory_equal(&neighbor->mac, &mac, sizeof(mac));
	assert_false(neighbor_ask(&neighbors, neighbor, 300));
	assert_null(neighbors_due(&neighbors, UINT64_MAX));
	assert_ptr_equal(enter(FIRST), neighbor);
}

static void
one_that_is_silent_is_asked_again_and_given_up(void **state)
{
	struct neighbor *neighbor = enter(FIRST);
	uint64_t now = 1000;
	uint32_t asked = 0;

	(void)state;
	assert_true(neighbor_ask(&neighbors, neighbor, now));
	for (asked = 1; neighbor->tries < NEIGHBOR_TRIES; asked++) {
		assert_null(
			neighbors_due(&neighbors, now + NEIGHBOR_RETRY_NS - 1));
		now += NEIGHBOR_RETRY_NS;
		assert_ptr_equal(neighbors_due(&neighbors, now), neighbor);
		assert_true(neighbor_ask(&neighbors, neighbor, now));
	}
	assert_int_equal(asked, NEIGHBOR_TRIES);
	now += NEIGHBOR_RETRY_NS;
	assert_ptr_equal(neighbors_due(&neighbors, now), neighbor);
	neighbor->pending = &packets[0];
	assert_ptr_equal(neighbor_forget(&neighbors, neighbor), &packets[0]);
	assert_null(neighbors_find(&neighbors, FIRST));
	assert_null(neighbors_due(&neighbors, UINT64_MAX));
	/* Nothing of it is left for the next one. */
	neighbor = enter(FIRST);
	assert_false(neighbor->known);
	assert_null(neighbor->pending);
	assert_true(neighbor_ask(&neighbors, neighbor, now));
}

static void
those_who_wait_are_due_in_order(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 10; i++)
		assert_true(
			neighbor_ask(&neighbors, enter(FIRST + i), 1000 + i));
	for (uint32_t i = 0; i < 10; i++) {
		struct neighbor *due =
			neighbors_due(&neighbors, 1000 + i + NEIGHBOR_RETRY_NS);

		assert_non_null(due);
		assert_int_equal(due->address, FIRST + i);
		neighbor_heard(due, &mac, 2000);
	}
}

static void
one_that_was_not_heard_for_long_is_asked_but_stays_known(void **state)
{
	struct neighbor *neighbor = enter(FIRST);

	(void)state;
	neighbor_heard(neighbor, &mac, 0);
	assert_false(neighbor_ask(&neighbors, neighbor, NEIGHBOR_FRESH_NS - 1));
	assert_true(neighbor_ask(&neighbors, neighbor, NEIGHBOR_FRESH_NS));
	assert_true(neighbor->known);
	assert_false(neighbor_ask(&neighbors, neighbor, NEIGHBOR_FRESH_NS + 1));
	neighbor_heard(neighbor, &mac, NEIGHBOR_FRESH_NS + 2);
	assert_null(neighbors_due(&neighbors, UINT64_MAX));
}

static void
the_one_that_was_used_least_recently_makes_room(void **state)
{
	void *evicted;

	(void)state;
	for (uint32_t i = 0; i < NEIGHBORS_MAX; i++) {
		struct neighbor *neighbor = enter(FIRST + i);

		neighbor->pending = &packets[i];
		neighbor_ask(&neighbors, neighbor, i);
	}
	/* The first is used, so the second goes, with what waited for it. */
	assert_non_null(neighbors_find(&neighbors, FIRST));
	neighbors_enter(&neighbors, FIRST + NEIGHBORS_MAX, &evicted);
	assert_ptr_equal(evicted, &packets[1]);
	assert_null(neighbors_find(&neighbors, FIRST + 1));
	assert_non_null(neighbors_find(&neighbors, FIRST));
	assert_non_null(neighbors_find(&neighbors, FIRST + NEIGHBORS_MAX));
	/* It is not asked for any more. */
	assert_int_equal(neighbors_due(&neighbors, UINT64_MAX)->address, FIRST);
	neighbor_heard(neighbors_find(&neighbors, FIRST), &mac, 1);
	assert_int_equal(
		neighbors_due(&neighbors, UINT64_MAX)->address, FIRST + 2);
}

/* Every chain and list holds what it should after a long life. */
static void
ten_thousand_addresses_come_and_go(void **state)
{
	uint32_t address = FIRST, found = 0;
	void *evicted;

	(void)state;
	for (uint32_t i = 0; i < 10000; i++) {
		/* Many of them in the same bucket. */
		address = address * 1664525u + 1013904223u;
		address = (address & 0x3ff0ffffu) | 0x01000000u;
		neighbors_enter(&neighbors, address, &evicted);
		if (i % 3 == 0)
			neighbor_forget(&neighbors,
				neighbors_find(&neighbors, address));
		else
			assert_non_null(neighbors_find(&neighbors, address));
	}
	for (uint32_t i = 0; i < NEIGHBORS_MAX; i++) {
		struct neighbor *neighbor = &neighbors.all[i];

		if (neighbor->address == 0)
			continue;
		assert_ptr_equal(neighbors_find(&neighbors, neighbor->address),
			neighbor);
		found++;
	}
	assert_in_range(found, NEIGHBORS_MAX / 2, NEIGHBORS_MAX);
}

static void
only_addresses_of_hosts_can_be_entered(void **state)
{
	(void)state;
	assert_true(neighbors_addressable(0x01000000));
	assert_true(neighbors_addressable(FIRST));
	assert_true(neighbors_addressable(0xdfffffff));
	assert_false(neighbors_addressable(0));
	assert_false(neighbors_addressable(0x00ffffff));
	assert_false(neighbors_addressable(0x7f000001));
	assert_false(neighbors_addressable(0xe0000000));
	assert_false(neighbors_addressable(0xffffffff));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(
			a_stranger_is_asked_for_and_heard, set_up),
		cmocka_unit_test_setup(
			one_that_is_silent_is_asked_again_and_given_up, set_up),
		cmocka_unit_test_setup(those_who_wait_are_due_in_order, set_up),
		cmocka_unit_test_setup(
			one_that_was_not_heard_for_long_is_asked_but_stays_known,
			set_up),
		cmocka_unit_test_setup(
			the_one_that_was_used_least_recently_makes_room,
			set_up),
		cmocka_unit_test_setup(
			ten_thousand_addresses_come_and_go, set_up),
		cmocka_unit_test(only_addresses_of_hosts_can_be_entered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
