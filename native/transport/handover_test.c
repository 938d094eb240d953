// SPDX-License-Identifier: MIT
/*
 * What goes on where packets come in at other engines than their own: it is
 * handed over, nothing is lost, and mended in the background.
 */
#include "base/bits.h"
#include "transport/engines_world.h"

#define CONNECTIONS 64u
/* Twice the longest time that a search waits for the next one, and some. */
#define REPAIR_NS (20 * S)

/* Many connections between any engines, all settled. */
static void
connect_many(struct world *w, struct ends ends[CONNECTIONS])
{
	for (unsigned i = 0; i < CONNECTIONS; i++) {
		ends[i] = world_connect(w, world_engine(w), world_engine(w));
		connection_send(ends[i].client, 100);
		connection_send(ends[i].server, 100);
	}
	simulation_run(w->s, 100 * MS);
}

/* Each sends a message both ways in each millisecond. */
static void
exchange(struct world *w, const struct ends ends[CONNECTIONS], uint64_t ns)
{
	uint64_t end_ns = w->s->now_ns + ns;

	while (w->s->now_ns < end_ns) {
		for (unsigned i = 0; i < CONNECTIONS; i++) {
			connection_send(ends[i].client, 100);
			connection_send(ends[i].server, 100);
		}
		simulation_run(w->s, MS);
	}
}

static void
all_delivered(struct world *w, const struct ends ends[CONNECTIONS])
{
	simulation_run(w->s, 10 * MS);
	for (unsigned i = 0; i < CONNECTIONS; i++) {
		assert_true(connection_delivered(ends[i].client));
		assert_true(connection_delivered(ends[i].server));
	}
}

static uint64_t
timeouts(const struct world *w)
{
	return MACHINE_SUM(&w->clients, timeouts) +
	       MACHINE_SUM(&w->servers, timeouts);
}

/* Live migration: both NICs have another key all of a sudden. */
static void
a_new_key_is_learned_while_traffic_goes_on(void **state)
{
	static const enum classifier_hash hashes[] = {
		CLASSIFIER_TOEPLITZ, CLASSIFIER_SIPHASH};

	(void)state;
	for (uint32_t round = 0; round < 8; round++) {
		const struct classifier_options vnic = {
			.hash = hashes[round % 2]};
		struct world w = world_start(round + 1, 4u << round / 4, &vnic);
		struct ends ends[CONNECTIONS];
		uint32_t handovers, moved = 0;

		connect_many(&w, ends);
		handovers = simulation_handovers(w.s);
		exchange(&w, ends, 20 * MS);
		assert_int_equal(simulation_handovers(w.s), handovers);
		classifier_rekey(w.clients.engines->machine->vnic);
		classifier_rekey(w.servers.engines->machine->vnic);
		exchange(&w, ends, S);
		handovers = simulation_handovers(w.s);
		exchange(&w, ends, 50 * MS);
		assert_int_equal(simulation_handovers(w.s), handovers);
		all_delivered(&w, ends);
		assert_int_equal(timeouts(&w), 0);
		for (unsigned i = 0; i < CONNECTIONS; i++)
			moved += ends[i].client->path->moves != 0;
		assert_in_range(moved, CONNECTIONS / 2, CONNECTIONS);
		simulation_destroy(w.s);
	}
}

/* The fast path of the NIC is away for a while, as on Azure. */
static void
the_synthetic_path_is_outlived(void **state)
{
	const struct classifier_options vnic = {.hash = CLASSIFIER_TOEPLITZ};
	struct world w = world_start(3, 4, &vnic);
	struct ends ends[CONNECTIONS];
	uint32_t handovers;

	(void)state;
	connect_many(&w, ends);
	classifier_synthetic_until(
		w.servers.engines->machine->vnic, w.s->now_ns + 300 * MS);
	handovers = simulation_handovers(w.s);
	exchange(&w, ends, 300 * MS);
	assert_true(simulation_handovers(w.s) > handovers);
	all_delivered(&w, ends);
	exchange(&w, ends, S);
	handovers = simulation_handovers(w.s);
	exchange(&w, ends, 50 * MS);
	all_delivered(&w, ends);
	assert_int_equal(simulation_handovers(w.s), handovers);
	assert_int_equal(timeouts(&w), 0);
	simulation_destroy(w.s);
}

/* Connections that open while it lasts, by hand-over, come to their engines
 * when it is over. */
static void
what_opens_on_the_synthetic_path_is_repaired(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 4; round++) {
		const struct classifier_options vnic = {
			.hash = round < 2 ? CLASSIFIER_TOEPLITZ
					  : CLASSIFIER_SIPHASH,
			.synthetic_first = round % 2,
		};
		struct world w = world_start(round + 1, 4, &vnic);
		uint64_t until_ns = w.s->now_ns + 5 * S;
		struct ends ends[CONNECTIONS];
		uint32_t handovers;

		classifier_synthetic_until(
			w.clients.engines->machine->vnic, until_ns);
		classifier_synthetic_until(
			w.servers.engines->machine->vnic, until_ns);
		connect_many(&w, ends);
		/* With searches all along, the last ones after it. */
		while (w.s->now_ns < until_ns + REPAIR_NS) {
			exchange(&w, ends, MS);
			simulation_run(w.s, 99 * MS);
		}
		handovers = simulation_handovers(w.s);
		exchange(&w, ends, 50 * MS);
		assert_int_equal(simulation_handovers(w.s), handovers);
		all_delivered(&w, ends);
		simulation_destroy(w.s);
	}
}

/* Only the first packet of each flow takes the synthetic path. */
static void
first_packets_on_another_path_mislead_nobody(void **state)
{
	const struct classifier_options vnic = {
		.hash = CLASSIFIER_TOEPLITZ,
		.synthetic_first = true,
	};

	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++) {
		struct world w = world_start(seed, 4, &vnic);

		for (unsigned i = 0; i < 8; i++) {
			struct ends ends = world_connect(
				&w, world_engine(&w), world_engine(&w));

			connection_send(ends.client, 1000);
			connection_send(ends.server, 1000);
			simulation_run(w.s, 10 * MS);
			assert_true(connection_delivered(ends.client));
			assert_true(connection_delivered(ends.server));
			world_close(&w, &ends);
		}
		simulation_destroy(w.s);
	}
}

/* Whatever the network does to SYNs and answers, connections open. */
static void
a_bad_network_only_slows_the_search(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		const struct classifier_options vnic = {
			.hash = seed % 2 ? CLASSIFIER_TOEPLITZ
					 : CLASSIFIER_SIPHASH,
			.table = seed % 4 < 2 ? CLASSIFIER_ROUND_ROBIN
					      : CLASSIFIER_SHUFFLED,
		};
		struct world w = world_start(seed, 8, &vnic);

		w.s->network.loss = 1000;
		w.s->network.duplicate = 1000;
		w.s->network.reorder = 1000;
		for (unsigned i = 0; i < 4; i++) {
			uint32_t to = world_engine(&w);
			struct connection *client = application_connect(
				w.clients.applications[world_engine(&w)],
				w.servers.engines, (uint16_t)(PORT + to), 0);

			RUN_UNTIL(w.s, client->connected, S);
			for (unsigned n = 0; n < 20; n++)
				connection_send(client, 1000);
			RUN_UNTIL(w.s, connection_delivered(client), S);
			assert_non_null(application_accepted(
				w.servers.applications[to]));
		}
		simulation_destroy(w.s);
	}
}

static void
firewalls_let_connections_through(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 60; round++) {
		struct classifier_options vnic = {
			.hash = round % 2 ? CLASSIFIER_TOEPLITZ
					  : CLASSIFIER_SIPHASH,
		};
		struct world w = {.engines = 4};
		struct ends ends;

		w.s = simulation_create(round + 1);
		w.s->driver = (enum driver)(round / 2 % 3);
		vnic.firewall = true; /* that nobody may open from outside */
		w.clients = world_machine(w.s, w.engines, &vnic);
		vnic.firewall = false;
		w.servers = world_machine(w.s, w.engines, &vnic);
		world_listen(&w.servers);
		for (unsigned i = 0; i < 4; i++) {
			ends = world_connect(
				&w, world_engine(&w), world_engine(&w));
			if (vnic.hash == CLASSIFIER_TOEPLITZ)
				world_settle(&w, &ends);
			connection_send(ends.client, 1000);
			connection_send(ends.server, 1000);
			simulation_run(w.s, 10 * MS);
			assert_true(connection_delivered(ends.client));
			assert_true(connection_delivered(ends.server));
			world_close(&w, &ends);
		}
		simulation_destroy(w.s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_key_is_learned_while_traffic_goes_on),
		cmocka_unit_test(the_synthetic_path_is_outlived),
		cmocka_unit_test(what_opens_on_the_synthetic_path_is_repaired),
		cmocka_unit_test(first_packets_on_another_path_mislead_nobody),
		cmocka_unit_test(a_bad_network_only_slows_the_search),
		cmocka_unit_test(firewalls_let_connections_through),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
