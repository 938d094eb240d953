// SPDX-License-Identifier: MIT
#include "transport/engines_world.h"

struct machine_of_engines
world_machine(struct simulation *s, uint32_t engines,
	const struct classifier_options *vnic)
{
	struct machine_of_engines machine = {
		.engines = engines_start(s, engines, vnic),
		.length = engines,
	};

	for (uint32_t i = 0; i < engines; i++)
		machine.applications[i] =
			application_start(&machine.engines[i]);
	return machine;
}

void
world_listen(const struct machine_of_engines *machine)
{
	for (uint32_t i = 0; i < machine->length; i++)
		application_listen(
			machine->applications[i], (uint16_t)(PORT + i), 128);
}

struct world
world_told(uint64_t seed, uint32_t engines,
	const struct classifier_options *vnic, enum driver clients,
	enum driver servers)
{
	struct world w = {
		.s = simulation_create(seed),
		.engines = engines,
		.strays = vnic->synthetic_first,
	};

	w.s->driver = clients;
	w.clients = world_machine(w.s, engines, vnic);
	w.s->driver = servers;
	w.servers = world_machine(w.s, engines, vnic);
	world_listen(&w.servers);
	return w;
}

struct world
world_start(
	uint64_t seed, uint32_t engines, const struct classifier_options *vnic)
{
	return world_told(seed, engines, vnic, DRIVER_SILENT, DRIVER_SILENT);
}

uint32_t
world_engine(struct world *w)
{
	return (uint32_t)simulation_random(w->s, w->engines);
}

uint64_t
machine_sum(const struct machine_of_engines *machine, size_t counter)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < machine->length; i++)
		sum += *(const uint64_t *)((const uint8_t *)host_counters(
						   &machine->engines[i]) +
					   counter);
	return sum;
}

uint32_t
world_probes(const struct world *w)
{
	return (uint32_t)(MACHINE_SUM(&w->clients, probes_sent) +
			  MACHINE_SUM(&w->clients, probes_answered) +
			  MACHINE_SUM(&w->servers, probes_sent) +
			  MACHINE_SUM(&w->servers, probes_answered));
}

struct ends
world_connect(struct world *w, uint32_t from, uint32_t to)
{
	uint32_t before = world_probes(w);
	struct ends ends = {
		.client = application_connect(w->clients.applications[from],
			w->servers.engines, (uint16_t)(PORT + to), 0),
	};
	const struct machnet_path *path;

	RUN_UNTIL(w->s, ends.client->connected, 50 * MS);
	path = ends.client->path;
	assert_int_equal(path->local_engine, from);
	assert_int_equal(path->remote_engine, to);
	assert_int_equal(path->moves, 0);
	assert_int_not_equal(path->rounds, 0);
	assert_in_range(path->probes, 1, world_probes(w) - before);
	ends.server = application_accepted(w->servers.applications[to]);
	assert_non_null(ends.server);
	return ends;
}

/* Both ends tell the same of it, each from its side. */
static void
paths_check(const struct machnet_path *ours, const struct machnet_path *theirs,
	bool strays)
{
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
	/* Where it was opened off its engines, it moved since. Where first
	 * packets stray this may show only later. */
	if (handed || !strays)
		assert_int_equal(ours->moves != 0, handed);
}

/* Ten messages each way, one in so long. */
static void
exchange(struct world *w, const struct ends *ends, uint64_t interval_ns)
{
	for (unsigned i = 0; i < 10; i++) {
		connection_send(ends->client, 1000);
		connection_send(ends->server, 1000);
		simulation_run(w->s, interval_ns);
	}
}

void
world_settle(struct world *w, const struct ends *ends)
{
	uint32_t handovers;

	exchange(w, ends, 10 * MS);
	handovers = simulation_handovers(w->s);
	exchange(w, ends, MS);
	assert_true(connection_delivered(ends->client));
	assert_true(connection_delivered(ends->server));
	assert_int_equal(simulation_handovers(w->s), handovers);
	paths_check(ends->client->path, ends->server->path, w->strays);
}

void
world_close(struct world *w, const struct ends *ends)
{
	connection_close(ends->client, 0);
	connection_close(ends->server, 0);
	RUN_UNTIL(w->s, ends->client->closed && ends->server->closed, S);
}
