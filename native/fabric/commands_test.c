/* SPDX-License-Identifier: MIT */
#include "fabric/commands.h"

#include <stdlib.h>
#include <string.h>

#include "fabric/fake_hosts.h"

static char *answer;

/* @return the answer, until the next one */
static const char *
ask(const char *line)
{
	char *copy = strdup(line);
	size_t length;
	FILE *output;

	free(answer);
	output = open_memstream(&answer, &length);
	command_run(lab.fabric, copy, lab.now_ns, output);
	fclose(output);
	free(copy);
	return answer;
}

static int
end(void **state)
{
	free(answer);
	answer = NULL;
	return stop(state);
}

static uint64_t
rekeyed(uint32_t port)
{
	return classifier_counters(switch_classifier(lab.fabric, port))
		->rekeyed;
}

static void
keys_can_be_renewed_of_one_or_of_all(void **state)
{
	(void)state;
	start(&plain);
	assert_string_equal(ask("rekey 1"), "ok\n");
	assert_int_equal(rekeyed(0), 0);
	assert_int_equal(rekeyed(1), 1);
	assert_string_equal(ask(" rekey\r"), "ok\n");
	assert_int_equal(rekeyed(0), 1);
	assert_int_equal(rekeyed(1), 2);
}

static void
a_cable_can_be_cut_and_mended(void **state)
{
	(void)state;
	start(&plain);
	teach_addresses(3);
	assert_string_equal(ask("cut 1 1000"), "ok\n");
	run_for(999 * NS_PER_MS);
	send_frame(0, 1);
	run_for(0);
	assert_int_equal(lab.arrived, 0);
	assert_string_equal(ask("cut 1 0"), "ok\n");
	send_frame(0, 1);
	run_for(0);
	assert_int_equal(lab.arrived, 1);
}

static void
hash_firewall_and_synthetic_path_can_change(void **state)
{
	const struct classifier_counters *counters;

	(void)state;
	start(&plain);
	teach_addresses(3);
	counters = classifier_counters(switch_classifier(lab.fabric, 1));
	assert_string_equal(ask("synthetic 1 1000"), "ok\n");
	send_udp(0, 1, 1, 2, 0);
	run_for(0);
	assert_int_equal(counters->synthetic, 1);
	assert_string_equal(ask("firewall 1 on"), "ok\n");
	send_udp(0, 1, 1, 2, 0);
	run_for(0);
	assert_int_equal(counters->drop_firewall, 1);
	assert_string_equal(ask("firewall 1 off"), "ok\n");
	send_udp(0, 1, 1, 2, 0);
	run_for(0);
	assert_int_equal(counters->drop_firewall, 1);
	assert_string_equal(ask("hash 1 siphash"), "ok\n");
	assert_string_equal(ask("hash 1 no-udp-ports"), "ok\n");
	assert_string_equal(ask("hash 1 toeplitz"), "ok\n");
}

static void
stats_are_told(void **state)
{
	(void)state;
	start(&plain);
	assert_non_null(strstr(ask("stats"), "port2_packets_sent 0\n"));
}

static void
what_makes_no_sense_is_refused(void **state)
{
	static const char *const lines[] = {"", " ", "key", "stats 1",
		"rekey 3", "rekey -1", "rekey 1 2",
		"rekey 99999999999999999999", "cut 1", "cut 1 -5",
		"cut 1 3600001", "cut 1 1 1", "cut 1 1 1 1 1 1", "hash 1 md5",
		"hash 1", "firewall 1 maybe", "synthetic 1 1x", "rekey 1x",
		"\x01\xff"};

	(void)state;
	start(&plain);
	for (uint32_t i = 0; i < ARRAY_LENGTH(lines); i++) {
		assert_int_equal(strncmp(ask(lines[i]), "error: ", 7), 0);
		assert_int_equal(answer[strlen(answer) - 1], '\n');
	}
	assert_non_null(strstr(ask("rekey 7"), "\"7\""));
	for (uint32_t port = 0; port < 3; port++)
		assert_int_equal(rekeyed(port), 0);
}

#define TEST(function) cmocka_unit_test_teardown(function, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(keys_can_be_renewed_of_one_or_of_all),
		TEST(a_cable_can_be_cut_and_mended),
		TEST(hash_firewall_and_synthetic_path_can_change),
		TEST(stats_are_told),
		TEST(what_makes_no_sense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
