// SPDX-License-Identifier: MIT
/*
 * Machines of several engines behind vNICs that nobody can look into: the real
 * handshake and the real rss/ against the fabric's classifier.
 */
#include "base/bits.h"
#include "transport/flow.h"
#include "transport/simulation.h"

#define MS NS_PER_MS
#define S NS_PER_S
#define ENGINES_MAX 64u

/* An application on each engine of two machines; the servers listen on ports
 * of their own, PORT + engine. */
struct world {
	struct simulation *s;
	uint32_t engines;
	struct host *clients;
	struct host *servers;
	struct application *client_applications[ENGINES_MAX];
	struct application *server_applications[ENGINES_MAX];
};

static void
applications_start(struct host *hosts, uint32_t engines,
	struct application **applications, bool listen)
{
	for (uint32_t i = 0; i < engines; i++) {
		applications[i] = application_start(&hosts[i]);
		if (listen)
			application_listen(
				applications[i], (uint16_t)(PORT + i), 128);
	}
}

static struct world
world_start(
	uint64_t seed, uint32_t engines, const struct classifier_options *vnic)
{
	struct world w = {
		.s = simulation_create(seed),
		.engines = engines,
	};

	w.clients = engines_start(w.s, engines, vnic);
	w.servers = engines_start(w.s, engines, vnic);
	applications_start(w.clients, engines, w.client_applications, false);
	applications_start(w.servers, engines, w.server_applications, true);
	return w;
}

static uint32_t
probes_of(const struct host *engines, uint32_t length)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < length; i++)
		sum += (uint32_t)(host_counters(&engines[i])->probes_sent +
				  host_counters(&engines[i])->probes_answered);
	return sum;
}

static struct connection *
connect_engines(struct world *w, uint32_t from, uint32_t to)
{
	return application_connect(w->client_applications[from], w->servers,
		(uint16_t)(PORT + to), 0);
}

/* Both ends tell the same of it, each from its side. */
static void
path_checks(const struct connection *client, const struct connection *server)
{
	const struct machnet_path *ours = client->path;
	const struct machnet_path *theirs = server->path;
	bool handed = ours->method == MACHNET_PATH_HANDOVER ||
		      theirs->method == MACHNET_PATH_HANDOVER;

	assert_int_equal(ours->local_engine, theirs->remote_engine);
	assert_int_equal(ours->remote_engine, theirs->local_engine);
	assert_int_equal(ours->out_from, theirs->in_from);
	assert_int_equal(ours->out_to, theirs->in_to);
	assert_int_equal(ours->in_from, theirs->out_from);
	assert_int_equal(ours->in_to, theirs->out_to);
	assert_int_equal(ours->probes, theirs->probes);
	assert_int_equal(ours->rounds, theirs->rounds);
	assert_true(ours->setup_us > theirs->setup_us);
	assert_true(theirs->setup_us != 0);
	if (!handed)
		assert_int_equal(ours->method, theirs->method);
	/* Where it was opened off its engines, it moved since. */
	assert_int_equal(ours->moves != 0, handed);
}

/* @return packets of both sides until both directions were where they should */
static uint32_t
connect_settled(struct world *w, uint32_t from, uint32_t to)
{
	uint32_t before = probes_of(w->clients, w->engines) +
			  probes_of(w->servers, w->engines);
	struct connection *connection = connect_engines(w, from, to);
	struct connection *accepted;
	uint32_t handovers;

	RUN_UNTIL(w->s, connection->connected, 50 * MS);
	assert_int_equal(connection->path->local_engine, from);
	assert_int_equal(connection->path->remote_engine, to);
	assert_int_equal(connection->path->moves, 0);
	assert_int_not_equal(connection->path->rounds, 0);
	assert_in_range(connection->path->probes, 2,
		probes_of(w->clients, w->engines) +
			probes_of(w->servers, w->engines) - before);
	accepted = application_accepted(w->server_applications[to]);
	assert_non_null(accepted);
	connection_send(connection, 1000);
	connection_send(accepted, 1000);
	simulation_run(w->s, 100 * MS);
	handovers = simulation_handovers(w->s);
	for (unsigned i = 0; i < 10; i++) {
		connection_send(connection, 1000);
		connection_send(accepted, 1000);
		simulation_run(w->s, MS);
	}
	assert_true(connection_delivered(connection));
	assert_true(connection_delivered(accepted));
	assert_int_equal(simulation_handovers(w->s), handovers);
	path_checks(connection, accepted);
	connection_close(connection, 0);
	connection_close(accepted, 0);
	simulation_run(w->s, MS);
	return probes_of(w->clients, w->engines) +
	       probes_of(w->servers, w->engines) - before;
}

static int
ascending(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static uint32_t
percentile_95(uint32_t *values, uint32_t length)
{
	qsort(values, length, sizeof(*values), ascending);
	return values[length * 95 / 100];
}

static uint32_t
first_connections(uint32_t engines, uint32_t keys, enum classifier_hash hash)
{
	const struct classifier_options vnic = {.hash = hash};
	uint32_t *packets = calloc(keys, sizeof(*packets));
	uint32_t result;

	assert_non_null(packets);
	for (uint32_t i = 0; i < keys; i++) {
		struct world w = world_start(i + 1, engines, &vnic);
		uint32_t from = (uint32_t)simulation_random(w.s, engines);
		uint32_t to = (uint32_t)simulation_random(w.s, engines);

		packets[i] = connect_settled(&w, from, to);
		simulation_destroy(w.s);
	}
	result = percentile_95(packets, keys);
	free(packets);
	return result;
}

static void
first_connections_take_few_packets(void **state)
{
	(void)state;
	assert_true(first_connections(4, 200, CLASSIFIER_TOEPLITZ) <= 12);
	assert_true(first_connections(8, 200, CLASSIFIER_TOEPLITZ) <= 12);
	assert_true(first_connections(16, 200, CLASSIFIER_TOEPLITZ) <= 12);
	assert_true(first_connections(32, 200, CLASSIFIER_TOEPLITZ) <= 12);
}

/* A NIC that does not look at ports: there is no pair that would do. */
static void
connections_beside_their_engines_only_cost_speed(void **state)
{
	const struct classifier_options vnic = {
		.hash = CLASSIFIER_TOEPLITZ_NO_UDP_PORTS};
	struct world w = world_start(1, 4, &vnic);

	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		struct connection *connection = connect_engines(&w, i, 3 - i);

		RUN_UNTIL(w.s, connection->connected, 50 * MS);
		for (unsigned n = 0; n < 100; n++)
			connection_send(connection, 10000);
		RUN_UNTIL(w.s, connection_delivered(connection), 50 * MS);
		assert_int_equal(
			host_counters(&w.clients[i])->packets_malformed, 0);
		assert_int_equal(host_counters(&w.clients[i])->timeouts, 0);
	}
	assert_true(simulation_handovers(w.s) > 1000);
	simulation_destroy(w.s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_connections_take_few_packets),
		cmocka_unit_test(
			connections_beside_their_engines_only_cost_speed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
