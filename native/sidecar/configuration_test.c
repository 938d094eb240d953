// SPDX-License-Identifier: MIT
#include "sidecar/configuration.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"

static struct configuration configuration;
static struct machnet_error error;

static struct machnet_engine_options
options(const char *ip, const char *gateway)
{
	struct machnet_engine_options made = {
		.device = "memif:/tmp/wire", .socket = "/tmp/control"};

	strcpy(made.ip, ip);
	strcpy(made.gateway, gateway);
	return made;
}

static void
accepted(const struct machnet_engine_options *given)
{
	if (configuration_read(&configuration, given, &error) != MACHNET_OK)
		fail_msg("%s", error.message);
}

static void
refused(const struct machnet_engine_options *given, const char *words)
{
	assert_int_equal(configuration_read(&configuration, given, &error),
		MACHNET_INVALID_ARGUMENT);
	if (strstr(error.message, words) == NULL)
		fail_msg("not \"%s\": %s", words, error.message);
}

static void
what_is_given_is_used(void **state)
{
	struct machnet_engine_options given =
		options("10.1.2.3/20", "10.1.0.1");

	(void)state;
	given.mtu = 4000;
	given.engines = 64;
	given.poll = MACHNET_POLL_BUSY;
	given.peer_timeout_ms = 60000;
	accepted(&given);
	assert_string_equal(configuration.device, "memif:/tmp/wire");
	assert_string_equal(configuration.socket, "/tmp/control");
	assert_int_equal(configuration.address, 0x0a010203);
	assert_int_equal(configuration.prefix_length, 20);
	assert_int_equal(configuration.gateway, 0x0a010001);
	assert_int_equal(configuration.mtu, 4000);
	assert_int_equal(configuration.poll, MACHNET_POLL_BUSY);
	assert_int_equal(configuration.peer_timeout_ms, 60000);
	assert_int_equal(configuration.engines, 64);
}

static void
there_is_one_engine_unless_more_are_asked_for(void **state)
{
	struct machnet_engine_options given = options("10.1.2.3/20", "");

	(void)state;
	accepted(&given);
	assert_int_equal(configuration.engines, 1);
}

static void
every_engine_may_have_a_core(void **state)
{
	const char *const wrong[] = {"1", "1,2,3,4", "1,2,", ",1,2,3", "1,,2,3",
		"a,1,2", "1-", "3-1", "1-4", "1,2,-3", "1,2,3 ", "1 ,2,3",
		"1,2,1024", "1,2,99999999999999999999", "0-99999999999"};
	struct machnet_engine_options given = options("10.1.2.3/20", "");

	(void)state;
	given.engines = 3;
	accepted(&given);
	assert_int_equal(configuration.cores[0], -1);
	strcpy(given.cores, "7,1,1023");
	accepted(&given);
	assert_int_equal(configuration.cores[0], 7);
	assert_int_equal(configuration.cores[1], 1);
	assert_int_equal(configuration.cores[2], 1023);
	strcpy(given.cores, "2-3,0");
	accepted(&given);
	assert_int_equal(configuration.cores[0], 2);
	assert_int_equal(configuration.cores[1], 3);
	assert_int_equal(configuration.cores[2], 0);
	for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
		strcpy(given.cores, wrong[i]);
		refused(&given, "Cannot use cores \"");
	}
	memset(given.cores, '1', sizeof(given.cores));
	refused(&given, "too long");
}

static void
the_control_socket_has_a_default(void **state)
{
	struct machnet_engine_options given = options("10.1.2.3/20", "");

	(void)state;
	given.socket[0] = '\0';
	setenv("MACHNET_SOCKET", "/tmp/from-environment", 1);
	accepted(&given);
	assert_string_equal(configuration.socket, "/tmp/from-environment");
	unsetenv("MACHNET_SOCKET");
	accepted(&given);
	assert_non_null(strstr(configuration.socket, "machnet.sock"));
}

static void
an_address_is_one_of_a_host(void **state)
{
	const char *const right[] = {"10.0.0.1/24", "10.0.0.254/24",
		"10.0.0.1/32", "10.0.0.0/31", "10.0.0.1/31", "10.0.0.255/8",
		"10.0.1.0/16", "223.255.255.254/30", "1.0.0.1/1"};
	const char *const wrong[] = {"", "/", "10.0.0.1", "10.0.0.1/",
		"10.0.0.1/a", "10.0.0.1/24a", "10.0.0.1/ 24", "10.0.0.1/-1",
		"10.0.0.1/+24", "10.0.0.1/0", "10.0.0.1/33", "10.0.0.1/999",
		"10.0.0/24", "10.0.0.1.1/24", "10.0.0.256/24", " 10.0.0.1/24",
		"host/24", "10.0.0.0/24", "10.0.0.255/24", "0.0.0.0/8",
		"0.0.0.1/8", "127.0.0.1/8", "224.0.0.1/8", "255.255.255.255/1",
		"240.0.0.1/8"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(right); i++) {
		struct machnet_engine_options given = options(right[i], "");

		accepted(&given);
	}
	for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
		struct machnet_engine_options given = options(wrong[i], "");

		refused(&given, "Cannot use ip \"");
		if (strstr(error.message, wrong[i]) == NULL)
			fail_msg("%s", error.message);
	}
}

static void
a_gateway_is_another_host_of_the_subnet(void **state)
{
	const char *const wrong[] = {"10.0.0.2", "10.0.1.1", "10.0.0.255",
		"10.0.0.0", "0.0.0.0", "224.0.0.1", "gateway", "10.0.0.1/24"};
	struct machnet_engine_options given;

	(void)state;
	given = options("10.0.0.2/24", "10.0.0.1");
	accepted(&given);
	assert_int_equal(configuration.gateway, 0x0a000001);
	given = options("10.0.0.2/24", "");
	accepted(&given);
	assert_int_equal(configuration.gateway, 0);
	/* As Google's cloud has it. */
	given = options("10.0.0.2/32", "10.0.0.1");
	accepted(&given);
	for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
		given = options("10.0.0.2/24", wrong[i]);
		refused(&given, "Cannot use gateway \"");
		assert_non_null(strstr(error.message, wrong[i]));
	}
}

static void
the_others_have_bounds(void **state)
{
	struct machnet_engine_options given = options("10.0.0.2/24", "");

	(void)state;
	given.engines = 65;
	refused(&given, "Cannot start 65 engines: there may be 64");
	given = options("10.0.0.2/24", "");
	given.poll = 2;
	refused(&given, "Cannot use poll mode 2");
	given.poll = MACHNET_POLL_ADAPTIVE;
	given.peer_timeout_ms = 99;
	refused(&given, "Cannot use a peer timeout of 99 ms");
	given.peer_timeout_ms = 60001;
	refused(&given, "Cannot use a peer timeout of 60001 ms");
	given = options("10.0.0.2/24", "");
	given.drive = 2;
	refused(&given, "Cannot use drive 2");
	given.drive = MACHNET_DRIVE_INLINE;
	accepted(&given);
	assert_int_equal(configuration.drive, MACHNET_DRIVE_INLINE);
	given.engines = 2;
	refused(&given, "Cannot drive inline");
	given.engines = 1;
	given.poll = MACHNET_POLL_BUSY;
	refused(&given, "Cannot drive inline");
	given = options("10.0.0.2/24", "");
	memset(given.device, 'x', sizeof(given.device));
	refused(&given, "too long");
	given = options("10.0.0.2/24", "");
	memset(given.ip, '1', sizeof(given.ip));
	refused(&given, "too long");
	given = options("10.0.0.2/24", "");
	memset(given.gateway, '1', sizeof(given.gateway));
	refused(&given, "too long");
	given = options("10.0.0.2/24", "");
	memset(given.socket, '/', sizeof(given.socket));
	refused(&given, "too long");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_given_is_used),
		cmocka_unit_test(there_is_one_engine_unless_more_are_asked_for),
		cmocka_unit_test(every_engine_may_have_a_core),
		cmocka_unit_test(the_control_socket_has_a_default),
		cmocka_unit_test(an_address_is_one_of_a_host),
		cmocka_unit_test(a_gateway_is_another_host_of_the_subnet),
		cmocka_unit_test(the_others_have_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
