// SPDX-License-Identifier: MIT
#include "transport/simulation.h"

#include <stdio.h>

#include "base/bits.h"
#include "base/splitmix64.h"
#include "transport/flow.h"

/* How often a busy engine turns, and what it takes from its RX queue then. */
#define TURN_NS 1000u
#define RX_BURST 32u
#define PROGRESS_CHECK_NS (50 * NS_PER_MS)
#define ADDRESS_FIRST 0x0a000001u

uint64_t
simulation_random(struct simulation *s, uint64_t below)
{
	return splitmix64(&s->random) % below;
}

bool
simulation_chance(struct simulation *s, uint32_t of_10000)
{
	return of_10000 != 0 && simulation_random(s, 10000) < of_10000;
}

void
simulation_fail(
	struct simulation *s, const char *what, const char *file, int line)
{
	print_error("seed %llu, at %.6f s\n", (unsigned long long)s->seed,
		(double)(s->now_ns - s->begun_ns) / NS_PER_S);
	_assert_true(0, what, file, line);
}

struct simulation *
simulation_create(uint64_t seed)
{
	struct simulation *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->seed = seed;
	s->random = seed;
	/* Machines have been up for long; the transport must not care. */
	s->begun_ns = simulation_random(s, 1000000) * NS_PER_S;
	s->now_ns = s->begun_ns;
	s->network = (struct network){.delay_ns = 20 * NS_PER_US};
	s->defaults = (struct transport_options){
		.mtu = 1500,
		.engines = 1,
		.descriptors = 256,
		.flows_max = CONNECTIONS_MAX - 1,
	};
	return s;
}

/* Hosts. */

struct host *
simulation_host(struct simulation *s, uint32_t address)
{
	for (uint32_t i = 0; i < s->hosts_length; i++)
		if (s->hosts[i].address == address)
			return &s->hosts[i];
	return NULL;
}

static void
transport_start(struct host *host)
{
	struct simulation *s = host->simulation;
	struct transport_options *options = &host->options;

	for (unsigned i = 0; i < sizeof(options->seed); i++)
		options->seed[i] = (uint8_t)simulation_random(s, 256);
	if (host == host->machine->engines) {
		for (unsigned i = 0; i < sizeof(options->secret); i++)
			options->secret[i] = (uint8_t)simulation_random(s, 256);
		options->instance = simulation_random(s, UINT64_MAX) | 1;
	} else {
		memcpy(options->secret, host->machine->engines->options.secret,
			sizeof(options->secret));
		options->instance = host->machine->engines->options.instance;
	}
	host->transport = transport_create(options, &application_ops, host);
	assert_non_null(host->transport);
}

static struct machine *
machine_create(struct simulation *s)
{
	struct machine *machine = calloc(1, sizeof(*machine));

	assert_non_null(machine);
	machine->engines = &s->hosts[s->hosts_length];
	machine->services = services_create();
	assert_non_null(machine->services);
	s->addresses++;
	return machine;
}

static struct host *
engine_start(struct simulation *s, struct machine *machine, uint32_t engine,
	uint32_t engines)
{
	struct host *host = &s->hosts[s->hosts_length];

	assert_true(s->hosts_length < HOSTS_MAX);
	s->hosts_length++;
	machine->engines_length++;
	host->simulation = s;
	host->machine = machine;
	host->address = ADDRESS_FIRST + s->addresses - 1;
	host->up = true;
	host->device_room = UINT32_MAX;
	host->options = s->defaults;
	host->options.address = host->address;
	if (engines > 1) {
		host->options.engine = (uint16_t)engine;
		host->options.engines = (uint16_t)engines;
	}
	host->options.listeners =
		listeners_create(machine->services, host->options.engine);
	assert_non_null(host->options.listeners);
	host->device = malloc(host->options.mtu - 28u);
	host->rx = calloc(host->options.descriptors, sizeof(struct packet *));
	assert_non_null(host->device);
	assert_non_null(host->rx);
	transport_start(host);
	return host;
}

struct host *
host_start(struct simulation *s)
{
	return engine_start(s, machine_create(s), 0, 1);
}

struct host *
engines_start(struct simulation *s, uint32_t engines,
	const struct classifier_options *vnic)
{
	struct classifier_options options = *vnic;
	struct machine *machine = machine_create(s);
	struct rss_nic nic;

	options.seed ^= s->seed;
	options.host = s->addresses;
	options.queues = engines;
	machine->vnic = classifier_create(&options);
	assert_non_null(machine->vnic);
	nic = classifier_nic(machine->vnic);
	if (s->driver == DRIVER_LIES)
		classifier_rekey(machine->vnic);
	s->defaults.nic_key = s->driver == DRIVER_SILENT
				      ? (struct rss_key){0}
				      : rss_nic_key(&nic, engines);
	for (uint32_t i = 0; i < engines; i++)
		engine_start(s, machine, i, engines);
	return machine->engines;
}

uint32_t
simulation_handovers(const struct simulation *s)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < s->hosts_length; i++)
		if (s->hosts[i].machine->engines == &s->hosts[i])
			sum += s->hosts[i].machine->handovers;
	return sum;
}

static void
host_stop(struct host *host)
{
	struct simulation *s = host->simulation;
	bool up = host->up;

	host->up = false;
	for (uint32_t i = 0; i < s->applications_length; i++)
		if (s->applications[i]->host == host)
			application_kill(s->applications[i]);
	transport_destroy(host->transport);
	while (host->rx_length != 0)
		free(rx_pop(host));
	host->stalled_until_ns = 0;
	host->up = up;
}

void
host_restart(struct host *host)
{
	const struct machine *machine = host->machine;

	for (uint32_t i = 0; i < machine->engines_length; i++)
		host_stop(&machine->engines[i]);
	for (uint32_t i = 0; i < machine->engines_length; i++)
		transport_start(&machine->engines[i]);
}

void
host_receive(struct host *host, const struct transport_path *path,
	const uint8_t *bytes, uint32_t length)
{
	/* A copy of exactly that size shows reads behind the end. */
	uint8_t *copy = malloc(length);

	memcpy(copy, bytes, length);
	transport_receive(host->transport, host->simulation->now_ns, path,
		host->options.engine, copy, length, false);
	free(copy);
}

const struct transport_counters *
host_counters(const struct host *host)
{
	return transport_counters(host->transport);
}

uint64_t
host_packets_sent(const struct host *host)
{
	return host_counters(host)->packets_sent;
}

/* The clock. */

/* When an engine has something to do. */
static uint64_t
host_next_ns(const struct host *host)
{
	return u64_max(host->rx_length != 0
			       ? 0
			       : transport_deadline_ns(host->transport),
		host->stalled_until_ns);
}

static uint64_t
next_ns(const struct simulation *s)
{
	uint64_t next = UINT64_MAX;

	if (s->packets_length != 0)
		next = s->packets[0]->arrival_ns;
	for (uint32_t i = 0; i < s->hosts_length; i++)
		next = u64_min(next, host_next_ns(&s->hosts[i]));
	for (uint32_t i = 0; i < s->applications_length; i++)
		if (s->applications[i]->reading &&
			s->applications[i]->events_length != 0)
			next = 0;
	return u64_max(next, s->now_ns + TURN_NS);
}

/* What an engine does in a turn. */
static void
host_turn(struct host *host)
{
	uint64_t now_ns = host->simulation->now_ns;
	uint32_t burst = u32_min(host->rx_length, RX_BURST);
	bool busy;

	if (now_ns < host->stalled_until_ns)
		return;
	busy = host_next_ns(host) <= now_ns;
	host->device_used = 0;
	transport_occupancy(host->transport,
		(uint8_t)(host->rx_length * 255 / host->options.descriptors),
		host->rx_length <= RX_BURST);
	while (burst-- != 0) {
		struct packet *packet = rx_pop(host);

		if (!rx_hand_over(host, packet))
			transport_receive(host->transport, now_ns,
				&packet->path, packet->queue, packet->bytes,
				packet->length, packet->marked);
		free(packet);
	}
	transport_poll(host->transport, now_ns);
	if (busy)
		invariants_check(host);
}

bool
simulation_step(struct simulation *s, uint64_t end_ns)
{
	if (s->now_ns >= end_ns)
		return false;
	s->now_ns = u64_min(next_ns(s), end_ns);
	network_step(s);
	for (uint32_t i = 0; i < s->hosts_length; i++)
		host_turn(&s->hosts[i]);
	for (uint32_t i = 0; i < s->applications_length; i++)
		if (s->applications[i]->open && s->applications[i]->reading)
			application_read(s->applications[i], UINT32_MAX);
	if (s->now_ns >= s->progress_ns) {
		s->progress_ns = s->now_ns + PROGRESS_CHECK_NS;
		progress_check(s);
	}
	return true;
}

void
simulation_run(struct simulation *s, uint64_t ns)
{
	uint64_t end_ns = s->now_ns + ns;

	while (simulation_step(s, end_ns))
		;
}

void
simulation_destroy(struct simulation *s)
{
	for (uint32_t i = 0; i < s->hosts_length; i++) {
		host_stop(&s->hosts[i]);
		listeners_destroy(s->hosts[i].options.listeners);
		free(s->hosts[i].device);
		free(s->hosts[i].rx);
	}
	/* The last engine of a machine first, which is gone with its first. */
	for (uint32_t i = s->hosts_length; i-- != 0;) {
		struct machine *machine = s->hosts[i].machine;

		if (machine->engines != &s->hosts[i])
			continue;
		classifier_destroy(machine->vnic);
		services_destroy(machine->services);
		free(machine);
	}
	for (uint32_t i = 0; i < s->applications_length; i++)
		free(s->applications[i]);
	network_free(s);
	while (s->connections != NULL) {
		struct connection *next = s->connections->next;

		free(s->connections);
		s->connections = next;
	}
	while (s->links != NULL) {
		struct link *next = s->links->next;

		free(s->links->streams[0].messages);
		free(s->links->streams[1].messages);
		free(s->links);
		s->links = next;
	}
	stranger_free(s->stranger);
	free(s);
}
