// SPDX-License-Identifier: MIT
/*
 * Everything at once, from a seed: applications that connect, send, close,
 * reset, pause and die, on machines of one or more engines that stall, restart
 * and vanish, over a network with all faults. Then it heals, and what is left
 * must come to its end. `make sim SEED=n` runs one seed, `make sim SEED=n
 * SEEDS=m` m of them from n on.
 */
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "transport/flow.h"
#include "transport/simulation.h"

#define S NS_PER_S
#define MS NS_PER_MS

#ifdef __SANITIZE_ADDRESS__ /* each takes several times as long */
#define SEEDS 300u
#else
#define SEEDS 2000u
#endif
#define ACTIONS 120u

/* To print when it fails, also by a signal or a sanitizer. */
static uint64_t seed_at_hand;
static uint64_t packets;
static struct faults faults;

static struct application *
any_application(struct simulation *s)
{
	struct application *application;

	do
		application = s->applications[simulation_random(
			s, s->applications_length)];
	while (!application->open);
	return application;
}

static uint16_t
port_of(const struct simulation *s, const struct application *application)
{
	for (uint16_t i = 0; i < s->applications_length; i++)
		if (s->applications[i] == application)
			return (uint16_t)(PORT + i);
	return 0;
}

static void
application_begin(struct simulation *s, struct host *host)
{
	struct application *application = application_start(host);

	application_listen(application, port_of(s, application),
		1 + (uint32_t)simulation_random(s, 10));
}

/* One that its application may use, or NULL. */
static struct connection *
any_connection(struct simulation *s)
{
	struct connection *any = NULL;
	uint64_t count = 0;

	for (struct connection *c = s->connections; c != NULL; c = c->next)
		if (c->connected && !c->closed && !c->closing &&
			simulation_random(s, ++count) == 0)
			any = c;
	return any;
}

static uint32_t
any_length(struct simulation *s)
{
	/* All magnitudes up to 1 MiB, the small ones more often. */
	uint64_t magnitude =
		u64_min(simulation_random(s, 21), simulation_random(s, 21));

	return (uint32_t)simulation_random(s, UINT64_C(1) << magnitude);
}

/* Of any kind, most of them plain. */
static void
send_any(struct simulation *s, struct connection *connection)
{
	uint64_t kind = simulation_random(s, 2 * MACHNET_MESSAGE_CANCEL + 1);

	if (kind > MACHNET_MESSAGE_CANCEL)
		connection_send(connection, any_length(s));
	else
		connection_send_tagged(connection, any_length(s),
			(enum machnet_message_kind)kind,
			(uint32_t)simulation_random(s, UINT32_MAX));
}

static void
network_change(struct simulation *s)
{
	struct network *network = &s->network;

	memset(network, 0, sizeof(*network));
	network->delay_ns = 1000 << simulation_random(s, 12); /* up to 2 ms */
	if (simulation_chance(s, 5000))
		network->jitter_ns = simulation_random(s, 500000);
	if (simulation_chance(s, 5000))
		network->loss = (uint32_t)simulation_random(s, 2000);
	if (simulation_chance(s, 3000)) {
		network->burst = (uint32_t)simulation_random(s, 50);
		network->burst_packets = 1 + (uint32_t)simulation_random(s, 30);
	}
	if (simulation_chance(s, 3000))
		network->corrupt = (uint32_t)simulation_random(s, 1000);
	if (simulation_chance(s, 4000)) {
		network->packet_ns = 100 << simulation_random(s, 8);
		network->queue_packets =
			16 + (uint32_t)simulation_random(s, 500);
		network->mark_packets = (uint32_t)simulation_random(
			s, network->queue_packets / 2);
	}
	if (simulation_chance(s, 5000))
		network->duplicate = (uint32_t)simulation_random(s, 3000);
	if (simulation_chance(s, 5000))
		network->reorder = (uint32_t)simulation_random(s, 3000);
	for (uint32_t i = 0; i < s->hosts_length; i++)
		s->hosts[i].device_room =
			simulation_chance(s, 3000)
				? 1 + (uint32_t)simulation_random(s, 5)
				: UINT32_MAX;
}

static void
application_change(struct simulation *s, struct application *application)
{
	application->reading = simulation_chance(s, 6000);
	application->accepting = simulation_chance(s, 8000);
	application->unordered = simulation_chance(s, 5000);
	application->event_room =
		1 + (uint32_t)simulation_random(s, EVENTS_MAX);
	if (simulation_chance(s, 5000))
		application->event_room = 1 + application->event_room % 10;
	application_resume(application,
		simulation_chance(s, 5000)
			? UINT64_C(8388608) << simulation_random(s, 3)
			: simulation_random(s, 100000));
}

static void
applications_begin(struct simulation *s, const struct machine *machine)
{
	for (uint32_t i = 0; i < machine->engines_length; i++)
		application_begin(s, &machine->engines[i]);
}

/* Its cable is pulled for a while. */
static void
cut(struct simulation *s, const struct machine *machine)
{
	s->faults.cuts++;
	for (uint32_t i = 0; i < machine->engines_length; i++)
		machine->engines[i].up = false;
	simulation_run(s, simulation_random(s, 4 * S));
	for (uint32_t i = 0; i < machine->engines_length; i++)
		machine->engines[i].up = true;
	/* Cuts with only moments between outlast what is repeated. */
	simulation_run(s, S);
}

static void
fault(struct simulation *s)
{
	struct host *host = &s->hosts[simulation_random(s, s->hosts_length)];
	struct machine *machine = host->machine;
	/* So that somebody is left to do something. */
	bool deadly = s->applications_length + machine->engines_length + 1 <=
		      APPLICATIONS_MAX;

	switch (simulation_random(s, 8)) {
	case 0:
		cut(s, machine);
		break;
	case 1:
		if (!deadly)
			break;
		s->faults.restarts++;
		host_restart(host);
		applications_begin(s, machine);
		break;
	case 2:
		if (!deadly)
			break;
		s->faults.kills++;
		application_begin(s, host);
		application_kill(any_application(s));
		application_begin(s, host);
		break;
	case 3:
		s->faults.stalls++;
		host->stalled_until_ns =
			s->now_ns +
			simulation_random(s, MS << simulation_random(s, 12));
		break;
	case 4:
		if (machine->vnic == NULL)
			break;
		s->faults.rekeys++;
		classifier_rekey(machine->vnic);
		break;
	default:
		network_change(s);
		break;
	}
}

static void
act(struct simulation *s)
{
	struct connection *connection = any_connection(s);
	struct application *application = any_application(s);
	uint64_t what = simulation_random(s, 100);

	if (what < 15 || connection == NULL) {
		struct application *to = any_application(s);

		application_connect(application, to->host, port_of(s, to),
			(uint32_t)simulation_random(s, 1500));
	} else if (what < 80) {
		for (uint64_t n = simulation_random(s, 40); n != 0; n--)
			send_any(s, connection);
	} else if (what < 86) {
		connection_close(
			connection, (uint32_t)simulation_random(s, 3000));
	} else if (what < 89) {
		connection_reset(connection, "by chance");
	} else if (what < 97) {
		application_change(s, application);
	} else {
		fault(s);
	}
}

static void
heal(struct simulation *s)
{
	s->network = (struct network){.delay_ns = 20 * NS_PER_US};
	for (uint32_t i = 0; i < s->hosts_length; i++) {
		s->hosts[i].device_room = UINT32_MAX;
		s->hosts[i].stalled_until_ns = 0;
	}
	for (uint32_t i = 0; i < s->applications_length; i++) {
		struct application *application = s->applications[i];

		if (!application->open)
			continue;
		application->reading = true;
		application->accepting = true;
		application->event_room = EVENTS_MAX;
		application_resume(application, 64 << 20);
	}
	/* Those that were not accepted are taken now. */
	for (struct connection *c = s->connections; c != NULL; c = c->next)
		if (c->server && !c->closed)
			transport_accept(c->application->host->transport,
				&c->application->endpoint, c->id);
}

/* Whoever is connected is so with somebody, and has got everything. */
static void
check_progress(struct simulation *s)
{
	for (struct connection *c = s->connections; c != NULL; c = c->next) {
		const struct connection *peer;

		if (c->closed)
			continue;
		CHECK(s, c->connected);
		peer = c->link->ends[c->server ? 0 : 1];
		CHECK(s, peer != NULL && !peer->closed);
		CHECK(s, connection_delivered(c));
		CHECK(s,
			connection_out(c)->sent == connection_out(c)->accepted);
	}
}

static void
check_memory(struct simulation *s)
{
	for (uint32_t i = 0; i < s->applications_length; i++) {
		struct application *application = s->applications[i];
		uint32_t maps = 0;

		if (!application->open)
			continue;
		for (struct fragment_map *map = application->endpoint.maps;
			map != NULL; map = map->next)
			maps++;
		CHECK(s, maps == TRANSPORT_FRAGMENT_MAPS);
		CHECK(s, application->blocks_used == 0);
		CHECK(s, application->records_used == 0);
		CHECK(s, list_empty(&application->endpoint.pending));
		CHECK(s, list_empty(&application->endpoint.starved));
	}
}

static void
close_all(struct simulation *s)
{
	for (struct connection *c = s->connections; c != NULL; c = c->next)
		if (!c->closed && !c->closing)
			connection_close(c, 0);
	simulation_run(s, S);
	for (struct connection *c = s->connections; c != NULL; c = c->next)
		CHECK(s, c->closed);
	for (uint32_t i = 0; i < s->applications_length; i++)
		if (s->applications[i]->open)
			CHECK(s, s->applications[i]->listener->waiting == 0);
	/* The longest that a connection is remembered. */
	simulation_run(s, 12 * S);
	for (uint32_t i = 0; i < s->hosts_length; i++) {
		const struct transport *transport = s->hosts[i].transport;

		CHECK(s, transport_flows(transport) == 0);
		CHECK(s, transport_settled(transport));
		CHECK(s, transport_deadline_ns(transport) == UINT64_MAX);
	}
}

/* A machine, with one application on each of its engines. */
static void
machine_begin(struct simulation *s)
{
	struct classifier_options vnic = {
		.hash = (enum classifier_hash)simulation_random(s, 3),
		.table = (enum classifier_table)simulation_random(s, 2),
	};
	const struct host *host;

	s->driver = (enum driver)simulation_random(s, 3);
	s->defaults.mtu =
		(uint16_t)(TRANSPORT_MTU_MIN + simulation_random(s, 3000));
	if (simulation_chance(s, 5000))
		host = host_start(s);
	else
		host = engines_start(s, 2u << simulation_random(s, 2), &vnic);
	applications_begin(s, host->machine);
}

static void
run_seed(uint64_t seed)
{
	struct simulation *s = simulation_create(seed);
	uint64_t machines = 2 + simulation_random(s, 2);

	s->defaults.descriptors = (uint16_t)(32 << simulation_random(s, 4));
	for (uint64_t i = 0; i < machines; i++)
		machine_begin(s);
	network_change(s);
	for (unsigned i = 0; i < ACTIONS; i++) {
		act(s);
		simulation_run(s,
			simulation_random(s, 1000 << simulation_random(s, 16)));
	}
	heal(s);
	simulation_run(s, 15 * S);
	check_progress(s);
	check_memory(s);
	close_all(s);
	packets += s->packets_sent;
#define ADD(name) faults.name += s->faults.name;
	SIMULATION_FAULTS(ADD)
#undef ADD
	simulation_destroy(s);
}

static uint64_t
number_of(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text != NULL && *text != 0 ? strtoull(text, NULL, 10)
					  : otherwise;
}

static double
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / NS_PER_S;
}

/* @param all each of them must have happened */
static void
check_faults(bool all)
{
#define TELL(name)                                                             \
	print_message("# %s %llu\n", #name, (unsigned long long)faults.name);  \
	assert_true(!all || faults.name != 0);
	SIMULATION_FAULTS(TELL)
#undef TELL
}

static void
whatever_happens_the_promises_are_kept(void **state)
{
	uint64_t first = number_of("MACHNET_SEED", 1);
	uint64_t seeds = number_of(
		"MACHNET_SEEDS", number_of("MACHNET_SEED", 0) != 0 ? 1 : SEEDS);
	double begun = seconds();

	(void)state;
	for (uint64_t i = 0; i < seeds; i++) {
		seed_at_hand = first + i;
		run_seed(seed_at_hand);
	}
	print_message("# %llu seeds, %llu packets, %.0f packets a second\n",
		(unsigned long long)seeds, (unsigned long long)packets,
		(double)packets / (seconds() - begun));
	check_faults(seeds >= SEEDS);
}

static void
print_seed(void)
{
	fprintf(stderr, "# replay: make sim SEED=%llu\n",
		(unsigned long long)seed_at_hand);
}

static void
aborted(int number)
{
	print_seed();
	signal(number, SIG_DFL);
	raise(number);
}

/* Of the sanitizers, where there are any. */
void __sanitizer_set_death_callback(void (*callback)(void))
	__attribute__((weak));

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_happens_the_promises_are_kept),
	};
	int failed;

	signal(SIGABRT, aborted);
	if (__sanitizer_set_death_callback != NULL)
		__sanitizer_set_death_callback(print_seed);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (failed != 0)
		print_seed();
	return failed;
}
