/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "machnet/machnet.h"

static const int32_t statuses[] = {
#define STATUS_VALUE(name, value, message) MACHNET_##name,
	MACHNET_STATUS_LIST(STATUS_VALUE)
#undef STATUS_VALUE
};

static void
every_status_has_a_name_and_a_message(void **state)
{
	size_t i;

	(void)state;
	assert_string_equal(machnet_status_name(MACHNET_CLOSED), "CLOSED");
	for (i = 0; i < ARRAY_LENGTH(statuses); i++) {
		const char *message = machnet_status_message(statuses[i]);

		/* Without gaps, so that a list by index works. */
		assert_int_equal(statuses[i], -(int32_t)i);
		assert_string_not_equal(
			machnet_status_name(statuses[i]), "UNKNOWN");
		assert_int_not_equal(message[strlen(message) - 1], '.');
	}
	assert_string_equal(machnet_status_name(1), "UNKNOWN");
	assert_string_equal(machnet_status_name(INT32_MIN), "UNKNOWN");
	assert_string_equal(machnet_status_message(1), "unknown status");
}

static void
the_socket_path_follows_the_environment(void **state)
{
	char path[MACHNET_SOCKET_PATH_BYTES];

	(void)state;
	setenv("MACHNET_SOCKET", "/a/b", 1);
	assert_int_equal(machnet_socket_path_default(path, sizeof(path)), 4);
	assert_string_equal(path, "/a/b");
	assert_int_equal(machnet_socket_path_default(path, 5), 4);
	assert_int_equal(
		machnet_socket_path_default(path, 4), MACHNET_INVALID_ARGUMENT);
	assert_int_equal(
		machnet_socket_path_default(path, 0), MACHNET_INVALID_ARGUMENT);
	setenv("MACHNET_SOCKET", "", 1);
	assert_true(machnet_socket_path_default(path, sizeof(path)) > 0);
	assert_int_equal(path[0], '/');
	assert_non_null(strstr(path, "machnet.sock"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_status_has_a_name_and_a_message),
		cmocka_unit_test(the_socket_path_follows_the_environment),
	};

	return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
