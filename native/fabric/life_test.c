/* SPDX-License-Identifier: MIT */
/* From the start of a fabric to its end, gentle or not, and hosts that go and
 * come back meanwhile. */
#include "fabric/lab.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const no_options[] = {NULL};

/* There is no fabric. */
static void
wait_for_no_links(void)
{
	uint64_t end_ns = clock_now_ns() + LAB_WAIT_NS;

	for (uint32_t i = 0; i < LAB_HOSTS; i++)
		while (port_link_up(&lab_hosts[i])) {
			assert_true(clock_now_ns() < end_ns);
			usleep(1000);
		}
}

/* Send frames to a host that has gone, until the fabric drops one because it
 * knows. What it gave the host before is lost as well. */
static void
lose_frames(uint32_t from, uint32_t to)
{
	uint64_t end_ns = clock_now_ns() + LAB_WAIT_NS;
	uint64_t before;
	char name[32];

	snprintf(name, sizeof(name), "port%u_drop_link_down", to);
	before = lab_counter(name);
	do {
		assert_true(clock_now_ns() < end_ns);
		lab_send_frame(from, to, 7);
	} while (lab_counter(name) == before);
}

static void
a_host_may_go_and_come_back(void **state)
{
	(void)state;
	lab_start("--latency-us", "100");
	lab_introduce();
	for (uint32_t i = 0; i < 5; i++) {
		port_close(&lab_hosts[1]);
		lose_frames(0, 1);
		lab_pass_frame(2, 0, 1);
		lab_host_open(1);
		lab_wait_for_link(1);
		lab_pass_frame(1, 0, 2);
		lab_pass_frame(0, 1, 3);
	}
}

static void
a_killed_fabric_is_replaced(void **state)
{
	(void)state;
	lab_start(NULL, NULL);
	lab_fabric_end(SIGKILL);
	wait_for_no_links();
	assert_int_equal(access(lab_path("fabric.sock"), F_OK), 0);
	assert_int_equal(access(lab_path("host0.memif"), F_OK), 0);
	lab_fabric = lab_fabric_spawn(no_options);
	assert_true(lab_fabric > 0);
	lab_wait_for_links();
	lab_introduce();
	assert_int_equal(lab_counter("port0_packets_sent"), 1);
}

static void
a_second_fabric_is_refused(void **state)
{
	(void)state;
	lab_start(NULL, NULL);
	/* Its message goes to stderr. */
	assert_int_equal(lab_fabric_spawn(no_options), -1);
	lab_introduce();
}

static void
it_ends_when_asked_and_leaves_no_file(void **state)
{
	static const int signals[] = {SIGTERM, SIGINT};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(signals); i++) {
		lab_start("--poll", i == 0 ? "adaptive" : "busy");
		lab_introduce();
		assert_int_equal(lab_fabric_end(signals[i]), 0);
		assert_int_not_equal(access(lab_path("fabric.sock"), F_OK), 0);
		assert_int_not_equal(access(lab_path("host0.memif"), F_OK), 0);
		assert_int_not_equal(
			access(lab_path("host0.memif.bell0"), F_OK), 0);
		lab_stop(state);
	}
}

#define TEST(function) cmocka_unit_test_teardown(function, lab_stop)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_host_may_go_and_come_back),
		TEST(a_killed_fabric_is_replaced),
		TEST(a_second_fabric_is_refused),
		TEST(it_ends_when_asked_and_leaves_no_file),
	};

	if (argc != 2)
		return EXIT_FAILURE;
	lab_program = argv[1];
	return cmocka_run_group_tests(tests, lab_set_up, lab_tear_down);
}
