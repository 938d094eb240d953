// SPDX-License-Identifier: MIT
/* SYNs in numbers: those of clients fit the queues of a NIC, and those of
 * strangers take nothing from anybody. */
#include <malloc.h>

#include "base/bits.h"
#include "transport/engines_world.h"
#include "transport/flow.h"

#define CLIENTS 64u
#define CLIENT_ENGINES 32u
#define CLIENT_MACHINES 4u

/* 64 engines of 4 machines connect in the same instant. */
static void
clients_at_once(uint32_t server_engines, const struct classifier_options *vnic)
{
	struct world w = world_start(7, server_engines, vnic);
	struct connection *connections[CLIENTS];
	struct machine_of_engines clients;

	for (unsigned m = 0; m < CLIENT_MACHINES; m++) {
		clients = world_machine(w.s, CLIENT_ENGINES, vnic);
		for (unsigned i = 0; i < CLIENTS / CLIENT_MACHINES; i++)
			connections[m * CLIENTS / CLIENT_MACHINES + i] =
				application_connect(clients.applications[i],
					w.servers.engines, PORT, 0);
	}
	for (unsigned i = 0; i < CLIENTS; i++) {
		RUN_UNTIL(w.s, connections[i]->connected, S);
		connection_send(connections[i], 1000);
	}
	for (unsigned i = 0; i < CLIENTS; i++)
		RUN_UNTIL(w.s, connection_delivered(connections[i]), S);
	for (unsigned i = 0; i < w.s->hosts_length; i++)
		assert_int_equal(w.s->hosts[i].rx_overflows, 0);
	simulation_destroy(w.s);
}

static void
sprays_of_64_clients_fit_a_queue(void **state)
{
	static const enum classifier_hash hashes[] = {CLASSIFIER_TOEPLITZ,
		CLASSIFIER_SIPHASH, CLASSIFIER_TOEPLITZ_NO_UDP_PORTS};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LENGTH(hashes); i++) {
		const struct classifier_options vnic = {.hash = hashes[i]};

		clients_at_once(1, &vnic);
		clients_at_once(4, &vnic);
	}
}

#define SPOOFED 1000000u
#define SPOOFED_PER_TURN 1000u

/* From an address of its own, to be answered on another pair. */
static void
syn_spoof(struct host *to, uint32_t number)
{
	uint8_t bytes[WIRE_HANDSHAKE_BYTES] = {0};
	const struct transport_path path = {
		.address = 0x0b000000 + number,
		.local_port = TRANSPORT_UDP_PORT,
		.remote_port = TRANSPORT_UDP_PORT,
	};
	const struct wire_syn syn = {
		.client = number + 1,
		.port = PORT,
		.mtu = 1500,
		.answer_from = TRANSPORT_PORT_FIRST,
		.answer_to = TRANSPORT_PORT_LAST,
		.engine = WIRE_ENGINE_ANY,
		.key = number,
	};
	uint32_t length = wire_syn_write(bytes, number, &syn);

	transport_receive(to->transport, to->simulation->now_ns, &path, 0,
		bytes, length, false);
}

static uint32_t
peers_length(const struct transport *t)
{
	uint32_t length = 0;

	for (unsigned i = 0; i < PEER_BUCKETS; i++)
		for (const struct peer *p = t->peers[i]; p != NULL; p = p->next)
			length++;
	return length;
}

/* What the process has from malloc when nothing is on its way. */
static size_t
allocated_bytes(struct simulation *s)
{
	simulation_run(s, 100 * MS);
	return mallinfo2().uordblks;
}

/* In turns of 1 ms, with a message in each. */
static void
flood(const struct pair *pair, uint32_t first, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++) {
		syn_spoof(pair->server_host, first + i);
		if ((i + 1) % SPOOFED_PER_TURN != 0)
			continue;
		connection_send(pair->client, 1000);
		simulation_run(pair->s, MS);
	}
	RUN_UNTIL(pair->s, connection_delivered(pair->client), 10 * MS);
}

static void
a_flood_of_syns_takes_a_budget_and_no_memory(void **state)
{
	const uint32_t turns = SPOOFED / SPOOFED_PER_TURN;
	const uint32_t per_turn = MS / ANSWER_NS;
	struct pair pair = pair_start(NULL);
	struct host *server = pair.server_host;
	const struct transport_counters *counters = host_counters(server);
	uint64_t answered = counters->syns_answered;
	size_t bytes;

	(void)state;
	flood(&pair, 0, SPOOFED / 2);
	bytes = allocated_bytes(pair.s);
	flood(&pair, SPOOFED / 2, SPOOFED / 2);
	assert_int_equal(allocated_bytes(pair.s), bytes);
	assert_int_equal(counters->messages_received, turns);
	assert_int_equal(host_counters(pair.client_host)->timeouts, 0);
	answered = counters->syns_answered - answered;
	/* Twice it had been calm before. */
	assert_in_range(
		answered, turns * per_turn, turns * per_turn + 2 * ANSWERS_MAX);
	assert_int_equal(answered + counters->syns_dropped, SPOOFED);
	/* Nobody is remembered who did not show a cookie. */
	assert_int_equal(transport_flows(server->transport), 1);
	assert_int_equal(peers_length(server->transport), 1);
	for (uint32_t i = 0; i < SPOOFED; i += 997)
		assert_null(
			rss_host_find(server->transport->rss, 0x0b000000 + i));
	simulation_destroy(pair.s);
}

static void
a_crowd_is_answered_after_a_flood(void **state)
{
	struct pair pair = pair_start(NULL);
	struct host *server = pair.server_host;
	const struct transport_counters *counters = host_counters(server);
	uint64_t dropped;

	(void)state;
	for (uint32_t i = 0; i < 2 * ANSWERS_MAX; i++)
		syn_spoof(server, i);
	dropped = counters->syns_dropped;
	assert_in_range(dropped, ANSWERS_MAX, ANSWERS_MAX + 1);
	simulation_run(pair.s, ANSWERS_MAX * ANSWER_NS);
	for (uint32_t i = 0; i < ANSWERS_MAX; i++)
		syn_spoof(server, i);
	assert_in_range(counters->syns_dropped - dropped, 0, 1);
	simulation_destroy(pair.s);
}

/* Each is of somebody else, and might be news to the other engines. */
static void
what_a_flood_teaches_is_told_within_a_budget(void **state)
{
	const uint32_t turns = 100;
	struct world w =
		world_start(7, 4, &(struct classifier_options){.host = 0});
	struct host *server = w.servers.engines;

	(void)state;
	simulation_run(w.s, MS);
	for (uint32_t i = 0; i < turns; i++) {
		for (uint32_t j = 0; j < MS / ANSWER_NS; j++)
			syn_spoof(server, i * SPOOFED_PER_TURN + j);
		simulation_run(w.s, MS);
	}
	assert_int_equal(
		host_counters(server)->syns_answered, turns * (MS / ANSWER_NS));
	assert_in_range(server->machine->observations, LESSONS_MAX,
		LESSONS_MAX + turns * MS / LESSON_NS);
	simulation_destroy(w.s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sprays_of_64_clients_fit_a_queue),
		cmocka_unit_test(a_flood_of_syns_takes_a_budget_and_no_memory),
		cmocka_unit_test(a_crowd_is_answered_after_a_flood),
		cmocka_unit_test(what_a_flood_teaches_is_told_within_a_budget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
