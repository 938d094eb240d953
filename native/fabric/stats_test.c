/* SPDX-License-Identifier: MIT */
#include "fabric/stats.h"

#include <stdlib.h>
#include <string.h>

#include "fabric/fake_hosts.h"

static char text[32768];

static void
read_stats(void)
{
	FILE *output = fmemopen(text, sizeof(text), "w");

	assert_non_null(output);
	stats_write(lab.fabric, output);
	assert_int_equal(fclose(output), 0);
}

static void
counters_are_listed_by_name(void **state)
{
	(void)state;
	start(&plain);
	send_frame(1, EVERYBODY);
	run_for(0);
	read_stats();
	assert_non_null(strstr(text, "mtu 1500\n"));
	assert_non_null(strstr(text, "port0_queue0_packets_received 1\n"));
	assert_non_null(strstr(text, "port0_packets_sent 0\n"));
	assert_non_null(strstr(text, "port0_packets_received 1\n"));
	assert_non_null(strstr(text, "port1_packets_sent 1\n"));
	assert_non_null(strstr(text, "port2_drop_depth 0\n"));
	assert_non_null(strstr(text, "port2_synthetic 0\n"));
	assert_null(strstr(text, "port3_"));
	assert_null(strstr(text, "port0_queue1_"));
}

static void
several_queues_are_listed_and_added_up(void **state)
{
	struct switch_options options = plain;
	uint32_t total = 0;
	(void)state;
	options.hosts[1].queues = 3;
	start(&options);
	teach_addresses(3);
	for (uint16_t i = 0; i < 100; i++)
		send_udp(0, 1, i, 7, 0);
	run_for(0);
	read_stats();
	for (uint32_t queue = 0; queue < 3; queue++) {
		char name[64];
		const char *line;

		snprintf(name, sizeof(name),
			"\nport1_queue%u_packets_received ", queue);
		line = strstr(text, name);
		assert_non_null(line);
		total += (uint32_t)strtoul(line + strlen(name), NULL, 10);
	}
	assert_int_equal(total, 100 + 2);
	assert_non_null(strstr(text, "\nport1_packets_received 102\n"));
	assert_null(strstr(text, "port1_queue3"));
}

/* Frames without a hash do the same with any keys; so must what is told. */
static void
nothing_is_told_of_keys(void **state)
{
	static char first[sizeof(text)];
	struct switch_options options = plain;

	for (options.seed = 1; options.seed <= 2; options.seed++) {
		options.hosts[1].queues = 4;
		start(&options);
		teach_addresses(3);
		classifier_rekey(switch_classifier(lab.fabric, 1));
		read_stats();
		if (options.seed == 1)
			memcpy(first, text, sizeof(text));
		stop(state);
	}
	assert_non_null(strstr(first, "port1_rekeyed 1\n"));
	assert_string_equal(first, text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(counters_are_listed_by_name, stop),
		cmocka_unit_test_teardown(
			several_queues_are_listed_and_added_up, stop),
		cmocka_unit_test(nothing_is_told_of_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
