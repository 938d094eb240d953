// SPDX-License-Identifier: MIT
#include "transport/fuzz_world.h"

#include <string.h>

#include "base/bits.h"

/* How often a busy engine turns, and how long a packet takes. */
#define TURN_NS 1000u
#define DELAY_NS (20 * NS_PER_US)
/* Turns that find something to do while no time passes. */
#define TURNS_BUSY_MAX 64u
/* Packets of both hosts in a tenth of a second without anything new to say. */
#define PACKETS_QUIET_MAX 500

/* Hosts. */

static void
transport_start(struct host *host)
{
	struct transport_options *options = &host->options;
	uint64_t start = ++host->world->starts;

	memset(options->seed, (int)start, sizeof(options->seed));
	memset(options->secret, (int)start, sizeof(options->secret));
	options->instance = start;
	host->transport = transport_create(options, &application_ops, host);
	FUZZ_CHECK(host->transport != NULL);
}

void
host_restart(struct host *host)
{
	uint32_t room = host->device_room;

	host->device_room = 0;
	application_kill(host);
	transport_destroy(host->transport);
	host->device_room = room;
	transport_start(host);
	application_open(host);
}

/* The counts that the transport keeps are those of what it counts. */
static void
flow_check(const struct flow *f)
{
	uint64_t oldest =
		f->sent != NULL ? f->sent->number_oldest : f->number_next;
	uint32_t inflight = 0, lost = 0, used = 0, passed = 0;

	FUZZ_CHECK(f->number_next - oldest <= WIRE_PACKET_WINDOW);
	for (uint64_t n = oldest; n != f->number_next; n++) {
		uint8_t state = f->sent->packets[n & WINDOW_MASK].state;

		inflight += state == SENT_INFLIGHT;
		lost += state == SENT_LOST;
	}
	FUZZ_CHECK(f->inflight == inflight);
	FUZZ_CHECK(f->lost == lost);
	if (f->received == NULL)
		return;
	for (uint32_t i = 0; i < TRANSPORT_MESSAGE_WINDOW; i++)
		used += f->received->messages[i].state != RX_EMPTY;
	for (uint32_t i = 0; i < PASSED_MAX; i++)
		passed += f->received->passed[i].state != RX_EMPTY;
	FUZZ_CHECK(f->received->passed_length == passed);
	FUZZ_CHECK(f->received->used == used + passed);
}

static void
host_check(const struct host *host)
{
	const struct transport *t = host->transport;
	uint32_t used = 0, credits = t->credits_free;

	for (uint32_t i = 1; i < t->flows_touched; i++) {
		if (t->flows[i].state == FLOW_FREE)
			continue;
		used++;
		credits += t->flows[i].credit;
		flow_check(&t->flows[i]);
	}
	FUZZ_CHECK(t->flows_used == used);
	FUZZ_CHECK(credits < t->options.descriptors);
}

/* Nothing may be left over of the connections that were. */
static void
host_check_empty(const struct host *host)
{
	const struct transport *t = host->transport;

	FUZZ_CHECK(transport_flows(t) == 0);
	FUZZ_CHECK(transport_settled(t));
	FUZZ_CHECK(list_empty(&t->ready));
	FUZZ_CHECK(list_empty(&t->acks));
	FUZZ_CHECK(list_empty(&t->acks_delayed));
	FUZZ_CHECK(list_empty(&t->active) && t->active_length == 0);
	FUZZ_CHECK(transport_deadline_ns(t) == UINT64_MAX);
	for (uint32_t i = 0; i < INDEX_BUCKETS; i++)
		FUZZ_CHECK(t->index[i] == NULL);
	for (uint32_t i = 0; i < PEER_BUCKETS; i++)
		FUZZ_CHECK(t->peers[i] == NULL);
}

/* The world. */

struct world *
world_create(const struct transport_options *options)
{
	struct world *world = calloc(1, sizeof(*world));

	FUZZ_CHECK(world != NULL);
	world->now_ns = 1000 * NS_PER_S;
	for (uint32_t i = 0; i < HOSTS; i++) {
		struct host *host = &world->hosts[i];

		host->world = world;
		host->index = i;
		host->device_room = UINT32_MAX;
		host->options = *options;
		host->options.address = HOST_ADDRESS + i;
		host->services = services_create();
		FUZZ_CHECK(host->services != NULL);
		host->options.listeners = listeners_create(host->services, 0);
		FUZZ_CHECK(host->options.listeners != NULL);
		transport_start(host);
		application_open(host);
	}
	return world;
}

/* A loop that is told of work although there is none takes a whole core. */
static void
host_poll(struct host *host)
{
	const struct world *world = host->world;
	uint32_t turns = 0;

	do {
		transport_poll(host->transport, world->now_ns);
		if (host->device_room == 0)
			return;
		FUZZ_CHECK(turns++ < TURNS_BUSY_MAX);
	} while (transport_deadline_ns(host->transport) <= world->now_ns);
}

void
world_check(const struct world *world)
{
	for (uint32_t i = 0; i < HOSTS; i++)
		host_check(&world->hosts[i]);
}

void
world_poll(struct world *world)
{
	for (uint32_t i = 0; i < HOSTS; i++)
		host_poll(&world->hosts[i]);
}

static uint64_t
next_ns(const struct world *world)
{
	uint64_t next = UINT64_MAX;

	if (world->packets_length != 0)
		next = world->now_ns + DELAY_NS;
	for (uint32_t i = 0; i < HOSTS; i++) {
		uint64_t deadline =
			transport_deadline_ns(world->hosts[i].transport);

		/* It waits for its device. */
		if (deadline <= world->now_ns)
			deadline = world->now_ns + NS_PER_MS;
		next = u64_min(next, deadline);
	}
	return u64_max(next, world->now_ns + TURN_NS);
}

static void
deliver_all(struct world *world)
{
	for (uint32_t left = world->packets_length; left != 0; left--) {
		struct packet *packet = world_take(world, 0);

		host_receive(&world->hosts[packet->to], &packet->path,
			packet->bytes, packet->length, false);
		free(packet);
	}
}

void
world_run(struct world *world, uint64_t ns)
{
	uint64_t end_ns = world->now_ns + ns;

	while (world->now_ns < end_ns) {
		world->now_ns = u64_min(next_ns(world), end_ns);
		deliver_all(world);
		world_poll(world);
		for (uint32_t i = 0; i < HOSTS; i++)
			application_read(&world->hosts[i], EVENTS_MAX);
	}
}

/* No more shortages. */
static void
world_mend(struct world *world)
{
	for (uint32_t i = 0; i < HOSTS; i++) {
		struct host *host = &world->hosts[i];
		struct application *application = &host->application;

		host->device_room = UINT32_MAX;
		application->event_room = EVENTS_MAX;
		application->memory_bytes = 2 * MACHNET_MESSAGE_BYTES_MAX;
		if (application->open)
			endpoint_resume(host->transport, world->now_ns,
				&application->endpoint, true);
	}
}

/* What was accepted is delivered, unless it was refused or lost. */
static void
world_check_delivered(struct world *world)
{
	for (uint32_t i = 0; i < HOSTS; i++) {
		struct host *host = &world->hosts[i];
		struct application *application = &host->application;

		FUZZ_CHECK(application->tokens_length == 0);
		for (uint32_t j = 0; j < application->connections_length; j++) {
			const struct connection *connection =
				&application->connections[j];
			const struct connection *peer =
				connection_peer(host, connection);

			if (peer != NULL && !peer->closing && !world->forged)
				FUZZ_CHECK(connection->sent == peer->received);
		}
	}
}

/* Packets of both hosts that are too many for the bytes that they moved. */
static int64_t
packets_idle(const struct world *world)
{
	int64_t packets = 0;

	for (uint32_t i = 0; i < HOSTS; i++) {
		const struct host *host = &world->hosts[i];

		packets += (int64_t)host->packets_sent;
		packets -= (int64_t)transport_counters(host->transport)
				   ->bytes_received /
			   256;
	}
	return packets;
}

static void
world_close(struct world *world)
{
	for (uint32_t i = 0; i < HOSTS; i++) {
		struct host *host = &world->hosts[i];
		struct application *application = &host->application;

		for (uint32_t j = application->connections_length; j != 0; j--)
			application_close(
				host, &application->connections[j - 1], 500);
	}
}

/* Two that answer each other's answers never end. */
static void
world_check_quiet(struct world *world)
{
	int64_t before = packets_idle(world);

	world_run(world, NS_PER_S / 10);
	FUZZ_CHECK(packets_idle(world) - before <= PACKETS_QUIET_MAX);
}

void
world_end(struct world *world)
{
	world_mend(world);
	world_run(world, 2 * NS_PER_S);
	world_check_quiet(world);
	world_check_delivered(world);
	world_close(world);
	world_run(world, NS_PER_S);
	for (uint32_t i = 0; i < HOSTS; i++) {
		FUZZ_CHECK(world->hosts[i].application.connections_length == 0);
		application_kill(&world->hosts[i]);
	}
	world_run(world, 15 * NS_PER_S);
	for (uint32_t i = 0; i < HOSTS; i++) {
		host_check_empty(&world->hosts[i]);
		transport_destroy(world->hosts[i].transport);
		listeners_destroy(world->hosts[i].options.listeners);
		services_destroy(world->hosts[i].services);
		free(world->hosts[i].device);
	}
	while (world->packets_length != 0)
		free(world_take(world, 0));
	free(world);
}
