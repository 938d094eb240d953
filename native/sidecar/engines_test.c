// SPDX-License-Identifier: MIT
/*
 * Sidecars of several engines on a wire that is no NIC: what an engine sends
 * comes in at the engine of the same number, whatever the ports, so that all
 * that is for another one is handed over, and stays so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sidecar/application.h"
#include "sidecar/hosts.h"

#define ENGINES 3u
#define PORT 888
#define MESSAGE_BYTES (1u << 20)
/* Together many times as many packets as a queue has mbufs. */
#define ROUNDS 8u

static const char *const more[] = {"--engines", "3", NULL};
static struct host a, b;
static struct application clients[ENGINES], servers[ENGINES];

static int
set_up(void **state)
{
	if (hosts_set_up(state) != 0)
		return -1;
	host_start_server(&a, more);
	host_start_client(&b, more);
	applications_attach(clients, &a, ENGINES);
	applications_attach(servers, &b, ENGINES);
	for (uint32_t i = 0; i < ENGINES; i++)
		application_listen(&servers[i], 0, (uint16_t)(PORT + i));
	return 0;
}

static int
tear_down(void **state)
{
	for (uint32_t i = 0; i < ENGINES; i++) {
		application_end(&clients[i]);
		application_end(&servers[i]);
	}
	host_stop(&b);
	host_stop(&a);
	return hosts_tear_down(state);
}

/* Is all that was handed over at its engine, and was there room for it? */
static void
handed_over(const struct host *host)
{
	host_counts(host, "packets_handed_over", 1);
	host_settles(host, "packets_taken_over",
		host_counter(host, "packets_handed_over"));
	assert_int_equal(host_counter(host, "mbufs_exhausted"), 0);
}

static void
what_comes_in_at_another_engine_is_handed_over(void **state)
{
	uint8_t *bytes = malloc(MESSAGE_BYTES);
	uint32_t client_side, server_side;

	(void)state;
	assert_non_null(bytes);
	for (uint32_t i = 0; i < ENGINES * ENGINES; i++) {
		struct application *client = &clients[i / ENGINES];
		struct application *server = &servers[i % ENGINES];

		application_pair(client, &client_side, server, &server_side,
			(uint16_t)(PORT + i % ENGINES));
		for (uint32_t round = 0; round < ROUNDS; round++) {
			memset(bytes, (int)(i * ROUNDS + round), MESSAGE_BYTES);
			application_send(
				client, client_side, bytes, MESSAGE_BYTES);
			application_receive(
				server, server_side, bytes, MESSAGE_BYTES);
			application_send(
				server, server_side, bytes, MESSAGE_BYTES);
			application_receive(
				client, client_side, bytes, MESSAGE_BYTES);
		}
	}
	free(bytes);
	handed_over(&a);
	handed_over(&b);
}

static void
counters_are_those_of_the_engines_together(void **state)
{
	const char *const names[] = {
		"channels", "connections", "messages_received"};

	(void)state;
	assert_int_equal(host_counter(&b, "engines"), ENGINES);
	for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
		uint64_t sum = 0;

		for (uint32_t i = 0; i < ENGINES; i++) {
			char name[64];

			snprintf(
				name, sizeof(name), "engine%u_%s", i, names[n]);
			assert_in_range(host_counter(&b, name), 1, UINT32_MAX);
			sum += host_counter(&b, name);
		}
		assert_int_equal(host_counter(&b, names[n]), sum);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			what_comes_in_at_another_engine_is_handed_over),
		cmocka_unit_test(counters_are_those_of_the_engines_together),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
