// SPDX-License-Identifier: MIT
/*
 * Sidecars on a fabric, whose drivers tell the keys of their vNICs, or those of
 * others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sidecar/application.h"
#include "sidecar/hosts.h"

#define ENGINES 4u
#define PORT 888
/* By its keys the pair that is tried first leads to no engine that is wanted
 * then. */
#define SEED 4u
#define ROUNDS 32u

static const char *fabric_program;
static struct host hosts[2];
static struct application clients[ENGINES], servers[ENGINES];

static void
fabric_start(void)
{
	char seed[16], line[128];
	int output[2];
	FILE *said;

	snprintf(seed, sizeof(seed), "%u", SEED);
	assert_int_equal(pipe(output), 0);
	if (hosts_fork() == 0) {
		dup2(output[1], STDOUT_FILENO);
		execl(fabric_program, fabric_program, "--directory",
			hosts_folder, "--hosts", "2", "--queues", "4", "--seed",
			seed, NULL);
		_exit(127);
	}
	close(output[1]);
	said = fdopen(output[0], "r");
	assert_non_null(said);
	assert_non_null(fgets(line, sizeof(line), said));
	assert_non_null(strstr(line, "ready"));
	fclose(said);
}

/* Its driver tells the key of the vNIC that it has on a fabric of that seed. */
static void
sidecar_start(uint32_t i, unsigned seed)
{
	static const char *const more[] = {"--engines", "4", NULL};
	char name[16], ip[16], vnic[32];

	snprintf(name, sizeof(name), "host%u", i);
	snprintf(ip, sizeof(ip), "10.0.0.%u/24", i + 1);
	snprintf(vnic, sizeof(vnic), "%u %u", seed, i);
	assert_int_equal(setenv("MACHNET_TEST_VNIC", vnic, 1), 0);
	host_start(&hosts[i], &(struct host_options){
				      .name = name,
				      .device = hosts_memif(name, false),
				      .ip = ip,
				      .more = more,
			      });
	host_says(&hosts[i], "machnetd: link up");
}

static int
begin(void **state, unsigned seed)
{
	if (hosts_set_up(state) != 0)
		return -1;
	fabric_start();
	for (uint32_t i = 0; i < 2; i++)
		sidecar_start(i, seed);
	applications_attach(clients, &hosts[0], ENGINES);
	applications_attach(servers, &hosts[1], ENGINES);
	for (uint32_t i = 0; i < ENGINES; i++)
		application_listen(&servers[i], 0, (uint16_t)(PORT + i));
	return 0;
}

static int
set_up(void **state)
{
	return begin(state, SEED);
}

static int
set_up_to_lie(void **state)
{
	return begin(state, SEED + 1);
}

static int
tear_down(void **state)
{
	for (uint32_t i = 0; i < ENGINES; i++) {
		application_end(&clients[i]);
		application_end(&servers[i]);
	}
	for (uint32_t i = 0; i < 2; i++)
		host_stop(&hosts[i]);
	return hosts_tear_down(state);
}

/* Packets that came in at another engine, on both hosts. */
static uint64_t
handed_over(void)
{
	return host_counter(&hosts[0], "packets_handed_over") +
	       host_counter(&hosts[1], "packets_handed_over");
}

static void
connect_all(uint32_t client_sides[ENGINES], uint32_t server_sides[ENGINES])
{
	for (uint32_t i = 0; i < ENGINES; i++)
		application_pair(&clients[i], &client_sides[i], &servers[i],
			&server_sides[i], (uint16_t)(PORT + i));
}

static void
talk(const uint32_t client_sides[ENGINES], const uint32_t server_sides[ENGINES])
{
	for (uint32_t round = 0; round < ROUNDS; round++)
		for (uint32_t i = 0; i < ENGINES; i++)
			application_round_trip(&clients[i], client_sides[i],
				&servers[i], server_sides[i]);
}

/* The first of them is computed, at least; pairs that were seen are remembered.
 * That one SYN does is for transport/engines_test.c to see, on a machine that
 * never stands still. */
static void
told_keys_land_every_connection(void **state)
{
	uint32_t client_sides[ENGINES], server_sides[ENGINES];
	uint64_t before;

	(void)state;
	connect_all(client_sides, server_sides);
	/* Until the first acknowledgements are through. */
	talk(client_sides, server_sides);
	before = handed_over();
	talk(client_sides, server_sides);
	assert_int_equal(handed_over(), before);
	assert_in_range(host_counter(&hosts[0], "paths_computed"), 1, ENGINES);
	assert_int_equal(host_counter(&hosts[0], "paths_predicted"), 0);
	assert_int_equal(host_counter(&hosts[0], "paths_handover"), 0);
	/* Nothing was to be repaired. */
	assert_int_equal(host_counter(&hosts[0], "routes_moved"), 0);
	assert_int_equal(host_counter(&hosts[1], "routes_moved"), 0);
}

static void
keys_that_are_not_in_use_are_learned(void **state)
{
	uint32_t client_sides[ENGINES], server_sides[ENGINES];
	uint64_t before, now;
	uint64_t end_ms = hosts_now_ms() + HOSTS_WAIT_MS;

	(void)state;
	connect_all(client_sides, server_sides);
	now = handed_over();
	do {
		before = now;
		talk(client_sides, server_sides);
		now = handed_over();
	} while (now != before && hosts_now_ms() < end_ms);
	assert_int_equal(now, before);
	/* Some were right by chance, perhaps. */
	assert_in_range(
		host_counter(&hosts[0], "paths_computed"), 0, ENGINES - 1);
	assert_true(host_counter(&hosts[0], "probes_sent") +
			    host_counter(&hosts[1], "probes_sent") >
		    ENGINES);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			told_keys_land_every_connection, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			keys_that_are_not_in_use_are_learned, set_up_to_lie,
			tear_down),
	};

	(void)argc;
	fabric_program = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
