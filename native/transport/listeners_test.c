// SPDX-License-Identifier: MIT
#include "transport/listeners.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "transport/transport.h"

static struct endpoint one, two;
static struct services *services;

static int
setup(void **state)
{
	services = services_create();
	*state = listeners_create(services, 3);
	return services == NULL || *state == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	listeners_destroy(*state);
	services_destroy(services);
	return 0;
}

static void
a_port_has_one_listener(void **state)
{
	struct listeners *listeners = *state;
	struct listener *listener;
	int32_t status;

	listener = listeners_add(listeners, &one, 888, false, 5, &status);
	assert_non_null(listener);
	assert_int_equal(status, MACHNET_OK);
	assert_int_equal(listener->port, 888);
	assert_int_equal(listener->backlog, 5);
	assert_ptr_equal(listeners_next(listeners, 888), listener);
	assert_ptr_equal(listeners_get(listeners, listener->id), listener);
	assert_null(listeners_add(listeners, &two, 888, false, 5, &status));
	assert_int_equal(status, MACHNET_ADDRESS_IN_USE);
	assert_null(listeners_next(listeners, 889));
}

static void
the_highest_port_can_be_listened_on(void **state)
{
	int32_t status;

	assert_non_null(
		listeners_add(*state, &one, UINT16_MAX, false, 1, &status));
	assert_non_null(listeners_next(*state, UINT16_MAX));
}

static void
a_removed_listener_has_a_stale_id_and_a_free_port(void **state)
{
	struct listeners *listeners = *state;
	uint32_t ids[3 * LISTENERS_MAX];
	struct listener *listener;
	int32_t status;

	for (unsigned i = 0; i < 3 * LISTENERS_MAX; i++) {
		listener =
			listeners_add(listeners, &one, 888, false, 1, &status);
		assert_non_null(listener);
		ids[i] = listener->id;
		assert_int_not_equal(ids[i], 0);
		listeners_remove(listeners, listener);
		assert_null(listeners_next(listeners, 888));
	}
	assert_non_null(listeners_add(listeners, &two, 888, false, 1, &status));
	for (unsigned i = 0; i < 3 * LISTENERS_MAX; i++)
		assert_null(listeners_get(listeners, ids[i]));
}

static void
port_0_chooses_a_free_dynamic_port(void **state)
{
	struct listeners *listeners = *state;
	struct listener *first, *second;
	int32_t status;

	assert_non_null(listeners_add(
		listeners, &one, SERVICES_PORT_FIRST, false, 1, &status));
	first = listeners_add(listeners, &one, 0, false, 1, &status);
	second = listeners_add(listeners, &one, 0, false, 1, &status);
	assert_non_null(first);
	assert_non_null(second);
	assert_true(first->port > SERVICES_PORT_FIRST);
	assert_true(second->port > SERVICES_PORT_FIRST);
	assert_int_not_equal(first->port, second->port);
}

static void
the_table_can_be_full_and_empty_again(void **state)
{
	struct listeners *listeners = *state;
	int32_t status;

	for (unsigned i = 0; i < LISTENERS_MAX; i++)
		assert_non_null(listeners_add(listeners,
			i % 2 == 0 ? &one : &two, 0, false, 1, &status));
	assert_null(listeners_add(listeners, &one, 0, false, 1, &status));
	assert_int_equal(status, MACHNET_TOO_MANY_LISTENERS);
	listeners_remove_endpoint(listeners, &one);
	for (unsigned i = 0; i < LISTENERS_MAX / 2; i++)
		assert_non_null(
			listeners_add(listeners, &one, 0, false, 1, &status));
	assert_null(listeners_add(listeners, &one, 0, false, 1, &status));
}

static void
an_endpoint_takes_only_its_own_listeners_along(void **state)
{
	struct listeners *listeners = *state;
	int32_t status;

	listeners_add(listeners, &one, 1, false, 1, &status);
	listeners_add(listeners, &two, 2, false, 1, &status);
	listeners_add(listeners, &one, 3, false, 1, &status);
	listeners_remove_endpoint(listeners, &one);
	assert_null(listeners_next(listeners, 1));
	assert_non_null(listeners_next(listeners, 2));
	assert_null(listeners_next(listeners, 3));
}

static void
a_port_for_reuse_is_shared_in_turns(void **state)
{
	struct listeners *listeners = *state;
	struct listener *all[3];
	int32_t status;

	for (unsigned i = 0; i < 3; i++) {
		all[i] = listeners_add(listeners, i == 1 ? &two : &one, 888,
			true, 1000, &status);
		assert_non_null(all[i]);
	}
	for (unsigned i = 0; i < 300; i++)
		listeners_next(listeners, 888)->waiting++;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(all[i]->waiting, 100);
	/* Who has no room is passed over, unless nobody has. */
	all[0]->waiting = all[1]->waiting = 1000;
	for (unsigned i = 0; i < 3; i++)
		assert_ptr_equal(listeners_next(listeners, 888), all[2]);
	all[2]->waiting = 1000;
	assert_non_null(listeners_next(listeners, 888));
	/* Whoever goes leaves the others in the circle. */
	all[0]->waiting = all[1]->waiting = all[2]->waiting = 0;
	listeners_remove(listeners, all[1]);
	assert_ptr_not_equal(
		listeners_next(listeners, 888), listeners_next(listeners, 888));
	listeners_remove(listeners, all[0]);
	assert_ptr_equal(listeners_next(listeners, 888), all[2]);
	assert_int_equal(listeners_engines(listeners, 888), 1u << 3);
	listeners_remove(listeners, all[2]);
	assert_null(listeners_next(listeners, 888));
	assert_int_equal(listeners_engines(listeners, 888), 0);
}

static void
a_port_is_shared_only_if_all_want_to(void **state)
{
	struct listeners *listeners = *state;
	int32_t status;

	assert_non_null(listeners_add(listeners, &one, 888, true, 1, &status));
	assert_null(listeners_add(listeners, &two, 888, false, 1, &status));
	assert_int_equal(status, MACHNET_ADDRESS_IN_USE);
	assert_non_null(listeners_add(listeners, &one, 889, false, 1, &status));
	assert_null(listeners_add(listeners, &two, 889, true, 1, &status));
	listeners_remove_endpoint(listeners, &one);
	assert_non_null(listeners_add(listeners, &two, 888, false, 1, &status));
}

static void
engines_see_each_other_s_ports(void **state)
{
	struct listeners *listeners = *state;
	struct listeners *others = listeners_create(services, 63);
	int32_t status;

	assert_non_null(listeners_add(listeners, &one, 888, true, 1, &status));
	assert_null(listeners_next(others, 888));
	assert_null(listeners_add(others, &one, 888, false, 1, &status));
	assert_int_equal(status, MACHNET_ADDRESS_IN_USE);
	assert_non_null(listeners_add(others, &one, 888, true, 1, &status));
	assert_int_equal(listeners_engines(listeners, 888),
		UINT64_C(1) << 63 | UINT64_C(1) << 3);
	listeners_remove_endpoint(listeners, &one);
	assert_int_equal(listeners_engines(others, 888), UINT64_C(1) << 63);
	listeners_destroy(others);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_port_has_one_listener),
		TEST(the_highest_port_can_be_listened_on),
		TEST(a_removed_listener_has_a_stale_id_and_a_free_port),
		TEST(port_0_chooses_a_free_dynamic_port),
		TEST(the_table_can_be_full_and_empty_again),
		TEST(an_endpoint_takes_only_its_own_listeners_along),
		TEST(a_port_for_reuse_is_shared_in_turns),
		TEST(a_port_is_shared_only_if_all_want_to),
		TEST(engines_see_each_other_s_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
