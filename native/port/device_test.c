/* SPDX-License-Identifier: MIT */
#include "port/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"

struct accepted {
	const char *text;
	enum device_kind kind;
	bool server;
	const char *target;
};

static void
device_parse_takes_every_kind(void **state)
{
	static const struct accepted cases[] = {
		{"memif:/run/a.sock", DEVICE_MEMIF, false, "/run/a.sock"},
		{"memif:/run/a.sock,server", DEVICE_MEMIF, true, "/run/a.sock"},
		{"memif:a.sock", DEVICE_MEMIF, false, "./a.sock"},
		{"af_packet:eth0", DEVICE_AF_PACKET, false, "eth0"},
		{"af_packet:eth0.100", DEVICE_AF_PACKET, false, "eth0.100"},
		{"af_xdp:ens5", DEVICE_AF_XDP, false, "ens5"},
		{"tap:tap0", DEVICE_TAP, false, "tap0"},
		{"0000:00:05.0", DEVICE_PCI, false, "0000:00:05.0"},
		{"00:1F.7", DEVICE_PCI, false, "0000:00:1f.7"},
		{"ABCD:00:05.0", DEVICE_PCI, false, "abcd:00:05.0"},
	};
	struct machnet_error error;
	struct device device;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(cases); i++) {
		assert_int_equal(device_parse(&device, cases[i].text, &error),
			MACHNET_OK);
		assert_int_equal(device.kind, cases[i].kind);
		assert_int_equal(device.server, cases[i].server);
		assert_string_equal(device.target, cases[i].target);
	}
}

static void
device_parse_refuses_what_is_no_device(void **state)
{
	static const char *const cases[] = {
		"",
		"eth0",
		"ring:0",
		"pci:00:05.0",
		"memif",
		"memif:",
		"memif:,server",
		"memif:/a.sock,client",
		"memif:/a.sock,server,",
		"memif:/a[1].sock",
		"af_packet:",
		"af_packet:interface-name-too-long",
		"af_packet:eth0,qpairs=4",
		"af_xdp:a/b",
		"tap:a b",
		"00:05",
		"00:05.8",
		"00:05.0 ",
		"0:05.0",
		"00000:00:05.0",
		"0000:00:05.00",
		"AF_PACKET:eth0",
	};
	struct machnet_error error;
	struct device device;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(cases); i++) {
		assert_int_equal(device_parse(&device, cases[i], &error),
			MACHNET_INVALID_ARGUMENT);
		assert_non_null(strstr(error.message, cases[i]));
	}
}

static void
device_parse_lists_the_kinds(void **state)
{
	static const char *const kinds[] = {
		"memif:", "af_packet:", "af_xdp:", "tap:", "PCI"};
	struct machnet_error error;
	struct device device;
	size_t i;

	(void)state;
	device_parse(&device, "dpdk:0", &error);
	for (i = 0; i < ARRAY_LENGTH(kinds); i++)
		assert_non_null(strstr(error.message, kinds[i]));
}

static void
device_parse_bounds_the_length(void **state)
{
	struct machnet_error error;
	struct device device;
	char text[1024];

	(void)state;
	/* A socket's path has 107 bytes. */
	snprintf(text, sizeof(text), "memif:/%0106d", 0);
	assert_int_equal(device_parse(&device, text, &error), MACHNET_OK);
	snprintf(text, sizeof(text), "memif:/%0107d", 0);
	assert_int_equal(
		device_parse(&device, text, &error), MACHNET_INVALID_ARGUMENT);
	snprintf(text, sizeof(text), "memif:/%01000d", 0);
	assert_int_equal(
		device_parse(&device, text, &error), MACHNET_INVALID_ARGUMENT);
	assert_int_equal(
		device_parse(&device, "af_xdp:fifteen-bytes-x", &error),
		MACHNET_OK);
	assert_int_equal(device_parse(&device, "af_xdp:sixteen-bytes--x", NULL),
		MACHNET_INVALID_ARGUMENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(device_parse_takes_every_kind),
		cmocka_unit_test(device_parse_refuses_what_is_no_device),
		cmocka_unit_test(device_parse_lists_the_kinds),
		cmocka_unit_test(device_parse_bounds_the_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
