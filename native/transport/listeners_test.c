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

static int
setup(void **state)
{
	*state = listeners_create();
	return *state == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	listeners_destroy(*state);
	return 0;
}

static void
a_port_has_one_listener(void **state)
{
	struct listeners *listeners = *state;
	struct listener *listener;
	int32_t status;

	listener = listeners_add(listeners, &one, 888, 5, &status);
	assert_non_null(listener);
	assert_int_equal(status, MACHNET_OK);
	assert_int_equal(listener->port, 888);
	assert_int_equal(listener->backlog, 5);
	assert_ptr_equal(listeners_find(listeners, 888), listener);
	assert_ptr_equal(listeners_get(listeners, listener->id), listener);
	assert_null(listeners_add(listeners, &two, 888, 5, &status));
	assert_int_equal(status, MACHNET_ADDRESS_IN_USE);
	assert_null(listeners_find(listeners, 889));
}

static void
the_highest_port_can_be_listened_on(void **state)
{
	int32_t status;

	assert_non_null(listeners_add(*state, &one, UINT16_MAX, 1, &status));
	assert_non_null(listeners_find(*state, UINT16_MAX));
}

static void
a_removed_listener_has_a_stale_id_and_a_free_port(void **state)
{
	struct listeners *listeners = *state;
	uint32_t ids[3 * LISTENERS_MAX];
	struct listener *listener;
	int32_t status;

	for (unsigned i = 0; i < 3 * LISTENERS_MAX; i++) {
		listener = listeners_add(listeners, &one, 888, 1, &status);
		assert_non_null(listener);
		ids[i] = listener->id;
		assert_int_not_equal(ids[i], 0);
		listeners_remove(listeners, listener);
		assert_null(listeners_find(listeners, 888));
	}
	assert_non_null(listeners_add(listeners, &two, 888, 1, &status));
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
		listeners, &one, LISTENERS_PORT_FIRST, 1, &status));
	first = listeners_add(listeners, &one, 0, 1, &status);
	second = listeners_add(listeners, &one, 0, 1, &status);
	assert_non_null(first);
	assert_non_null(second);
	assert_true(first->port > LISTENERS_PORT_FIRST);
	assert_true(second->port > LISTENERS_PORT_FIRST);
	assert_int_not_equal(first->port, second->port);
}

static void
the_table_can_be_full_and_empty_again(void **state)
{
	struct listeners *listeners = *state;
	int32_t status;

	for (unsigned i = 0; i < LISTENERS_MAX; i++)
		assert_non_null(listeners_add(
			listeners, i % 2 == 0 ? &one : &two, 0, 1, &status));
	assert_null(listeners_add(listeners, &one, 0, 1, &status));
	assert_int_equal(status, MACHNET_TOO_MANY_LISTENERS);
	listeners_remove_endpoint(listeners, &one);
	for (unsigned i = 0; i < LISTENERS_MAX / 2; i++)
		assert_non_null(listeners_add(listeners, &one, 0, 1, &status));
	assert_null(listeners_add(listeners, &one, 0, 1, &status));
}

static void
an_endpoint_takes_only_its_own_listeners_along(void **state)
{
	struct listeners *listeners = *state;
	int32_t status;

	listeners_add(listeners, &one, 1, 1, &status);
	listeners_add(listeners, &two, 2, 1, &status);
	listeners_add(listeners, &one, 3, 1, &status);
	listeners_remove_endpoint(listeners, &one);
	assert_null(listeners_find(listeners, 1));
	assert_non_null(listeners_find(listeners, 2));
	assert_null(listeners_find(listeners, 3));
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
