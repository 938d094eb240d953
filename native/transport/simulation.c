// SPDX-License-Identifier: MIT
#include "transport/simulation.h"

#include <stdio.h>

#include "base/bits.h"
#include "transport/flow.h"
#include "wire/ethernet.h"

/* How often a busy engine turns. */
#define TURN_NS 1000u
#define FRAME_BYTES_MAX 2048u
#define ADDRESS_FIRST 0x0a000001u

static uint64_t
random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15; /* splitmix64 */

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

uint64_t
simulation_random(struct simulation *s, uint64_t below)
{
	return random_next(&s->random) % below;
}

bool
simulation_chance(struct simulation *s, uint32_t of_10000)
{
	return of_10000 != 0 && simulation_random(s, 10000) < of_10000;
}

void
simulation_check(struct simulation *s, bool condition, const char *what,
	const char *file, int line)
{
	if (condition)
		return;
	print_error("MACHNET_SEED=%llu, at %.6f s\n",
		(unsigned long long)s->seed, (double)s->now_ns / 1e9);
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
	s->now_ns = simulation_random(s, 1000000) * NS_PER_S;
	s->network = (struct network){.delay_ns = 20 * NS_PER_US};
	s->defaults = (struct transport_options){
		.mtu = 1500,
		.engines = 1,
		.descriptors = 256,
		.flows_max = CONNECTIONS_MAX - 1,
	};
	return s;
}

/* The network. */

static bool
earlier(const struct packet *a, const struct packet *b)
{
	return a->arrival_ns != b->arrival_ns ? a->arrival_ns < b->arrival_ns
					      : a->order < b->order;
}

static void
heap_push(struct simulation *s, struct packet *packet)
{
	uint32_t at = s->packets_length++;

	if (at == s->packets_capacity) {
		s->packets_capacity = s->packets_capacity * 2 + 64;
		s->packets = realloc(s->packets,
			s->packets_capacity * sizeof(struct packet *));
		assert_non_null(s->packets);
	}
	while (at != 0 && earlier(packet, s->packets[(at - 1) / 2])) {
		s->packets[at] = s->packets[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	s->packets[at] = packet;
}

static struct packet *
heap_pop(struct simulation *s)
{
	struct packet *top = s->packets[0];
	struct packet *last = s->packets[--s->packets_length];
	uint32_t at = 0;

	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child + 1 < s->packets_length &&
			earlier(s->packets[child + 1], s->packets[child]))
			child++;
		if (child >= s->packets_length ||
			!earlier(s->packets[child], last))
			break;
		s->packets[at] = s->packets[child];
		at = child;
	}
	if (s->packets_length != 0)
		s->packets[at] = last;
	return top;
}

static void
packet_put(struct simulation *s, struct packet *packet)
{
	const struct network *network = &s->network;

	packet->order = s->order++;
	packet->arrival_ns = s->now_ns + network->delay_ns;
	if (network->jitter_ns != 0)
		packet->arrival_ns += simulation_random(s, network->jitter_ns);
	if (simulation_chance(s, network->reorder))
		packet->arrival_ns +=
			simulation_random(s, 10 * network->delay_ns);
	heap_push(s, packet);
}

static struct packet *
packet_copy(const struct packet *packet)
{
	size_t bytes = sizeof(*packet) + packet->length;
	struct packet *copy = malloc(bytes);

	assert_non_null(copy);
	memcpy(copy, packet, bytes);
	return copy;
}

/* As the network sees the packet, for vNICs. @return its length */
static uint32_t
frame_of(const struct packet *packet, uint8_t *frame)
{
	struct udp_address address = {
		.source_ip = packet->path.address,
		.destination_ip = packet->to,
		.source_port = packet->path.remote_port,
		.destination_port = packet->path.local_port,
	};

	memcpy(frame + UDP_PAYLOAD_OFFSET, packet->bytes, packet->length);
	return udp_frame_write(frame, &address, packet->length,
		FRAME_VERIFIED_IPV4 | FRAME_VERIFIED_UDP);
}

uint8_t *
packet_room(struct host *host)
{
	if (host->device_used >= host->device_room)
		return NULL;
	return host->device;
}

void
packet_transmit(
	struct host *from, const struct transport_path *path, uint32_t length)
{
	struct simulation *s = from->simulation;
	struct packet *packet = malloc(sizeof(*packet) + length);
	uint8_t frame[FRAME_BYTES_MAX];

	assert_non_null(packet);
	CHECK(s, length <= from->options.mtu - 28u);
	memcpy(packet->bytes, from->device, length);
	packet->to = path->address;
	packet->length = length;
	packet->path = (struct transport_path){
		.address = from->address,
		.local_port = path->remote_port,
		.remote_port = path->local_port,
	};
	if (from->machine->vnic != NULL)
		classifier_sent(from->machine->vnic, frame,
			frame_of(packet, frame), s->now_ns);
	from->device_used++;
	from->sent[packet->bytes[1] & 15]++;
	if (s->stranger != NULL && s->stranger->address == packet->to)
		stranger_receive(s->stranger, packet);
	if (!from->up || (s->filter != NULL && !s->filter(s, packet)) ||
		simulation_chance(s, s->network.loss)) {
		free(packet);
		return;
	}
	if (simulation_chance(s, s->network.duplicate))
		packet_put(s, packet_copy(packet));
	packet_put(s, packet);
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
	assert_non_null(host->device);
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

	options.seed ^= s->seed;
	options.host = s->addresses;
	options.queues = engines;
	machine->vnic = classifier_create(&options);
	assert_non_null(machine->vnic);
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
	host->up = up;
}

void
host_restart(struct host *host)
{
	host_stop(host);
	transport_start(host);
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

static void
burst_count(struct machine *machine, uint64_t now_ns, uint32_t queue)
{
	if (machine->burst_ns != now_ns)
		memset(machine->burst, 0, sizeof(machine->burst));
	machine->burst_ns = now_ns;
	machine->burst_max =
		u32_max(machine->burst_max, ++machine->burst[queue]);
}

/* What the engine that got it does: hand over what is another's. */
static void
packet_deliver(struct simulation *s, const struct packet *packet)
{
	struct host *to = simulation_host(s, packet->to);
	uint8_t frame[FRAME_BYTES_MAX];
	uint32_t queue, engine;

	if (to == NULL || !to->up)
		return;
	queue = to->options.engine;
	if (to->machine->vnic != NULL) {
		queue = classifier_queue(to->machine->vnic, frame,
			frame_of(packet, frame), s->now_ns);
		if (queue == CLASSIFIER_REFUSED)
			return;
		burst_count(to->machine, s->now_ns, queue);
		engine = transport_engine_of(packet->bytes, packet->length);
		if (engine >= to->options.engines)
			engine = queue;
		else if (engine != queue)
			to->machine->handovers++;
		to = &to->machine->engines[engine];
	}
	transport_receive(to->transport, s->now_ns, &packet->path, queue,
		packet->bytes, packet->length, false);
}

/* The clock. */

static uint64_t
next_ns(const struct simulation *s)
{
	uint64_t next = UINT64_MAX;

	if (s->packets_length != 0)
		next = s->packets[0]->arrival_ns;
	for (uint32_t i = 0; i < s->hosts_length; i++)
		next = u64_min(
			next, transport_deadline_ns(s->hosts[i].transport));
	for (uint32_t i = 0; i < s->applications_length; i++)
		if (s->applications[i]->reading &&
			s->applications[i]->events_length != 0)
			next = 0;
	return u64_max(next, s->now_ns + TURN_NS);
}

bool
simulation_step(struct simulation *s, uint64_t end_ns)
{
	if (s->now_ns >= end_ns)
		return false;
	s->now_ns = u64_min(next_ns(s), end_ns);
	while (s->packets_length != 0 &&
		s->packets[0]->arrival_ns <= s->now_ns) {
		struct packet *packet = heap_pop(s);

		packet_deliver(s, packet);
		free(packet);
	}
	for (uint32_t i = 0; i < s->hosts_length; i++) {
		s->hosts[i].device_used = 0;
		transport_poll(s->hosts[i].transport, s->now_ns);
	}
	for (uint32_t i = 0; i < s->applications_length; i++)
		if (s->applications[i]->open && s->applications[i]->reading)
			application_read(s->applications[i], UINT32_MAX);
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
	while (s->packets_length != 0)
		free(heap_pop(s));
	free(s->packets);
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
