// SPDX-License-Identifier: MIT
/*
 * Two transports back to back, no device and no thread between them: how many
 * instructions a message takes (under callgrind, see bench/transport/cost.ts),
 * and, in simulated time, what loss does to its rate and its round trips.
 *
 *     transport_cost SIZE WINDOW MESSAGES [LOSS [LATENCY_US [PACKET_NS [u]]]]
 *
 * WINDOW messages of SIZE bytes, 8 or more, are under way, each is sent back.
 * LOSS is the share of packets that get lost, PACKET_NS what an engine takes
 * for one; u: messages may overtake one another.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "transport/transport.h"

#define MTU 1500u
#define WIRE_SLOTS 4096u
#define WINDOW_MAX 256u
#define TURN_NS 2000u
#define ROUND_TRIP_US_MAX 100000u

struct packet {
	uint64_t due_ns;
	struct transport_path path;
	uint32_t length;
	uint8_t bytes[MTU];
};

/* Packets on their way to one side. */
struct wire {
	uint32_t head, tail;
	uint64_t free_ns;
	struct packet packets[WIRE_SLOTS];
};

struct side {
	struct transport *transport;
	struct endpoint endpoint;
	struct services *services;
	struct listeners *listeners;
	struct wire in;
	struct side *other;
	uint32_t connection;
	/* Memory of messages that came, and the records to send them back. */
	uint8_t *memory;
	struct tx_message records[2 * WINDOW_MAX];
	uint32_t free[2 * WINDOW_MAX];
	uint32_t free_length;
	/* Messages to be answered after the transport's call. */
	struct machnet_event answers[2 * WINDOW_MAX];
	uint32_t answers_length;
	uint64_t received;
	uint32_t sent;
};

static struct side sides[2];
static uint32_t size, window;
static uint64_t now_ns = NS_PER_S;
static uint64_t round_trips[ROUND_TRIP_US_MAX + 1]; /* how many, by us */
static double loss;
static uint64_t latency_ns, packet_ns;

static uint8_t *
packet_begin(void *context)
{
	struct wire *wire = &((struct side *)context)->other->in;

	if (wire->tail - wire->head == WIRE_SLOTS)
		return NULL;
	return wire->packets[wire->tail % WIRE_SLOTS].bytes;
}

static void
packet_send(void *context, const struct transport_path *path, uint32_t length)
{
	struct side *side = context;
	struct wire *wire = &side->other->in;
	struct packet *packet = &wire->packets[wire->tail % WIRE_SLOTS];

	if (loss != 0 && drand48() < loss)
		return;
	if (wire->free_ns < now_ns)
		wire->free_ns = now_ns;
	wire->free_ns += packet_ns;
	packet->due_ns = wire->free_ns + latency_ns;
	packet->path = (struct transport_path){
		.address = 0x0a000001 + (uint32_t)(side - sides),
		.local_port = path->remote_port,
		.remote_port = path->local_port,
	};
	packet->length = length;
	wire->tail++;
}

static uint8_t *
message_allocate(void *context, struct endpoint *endpoint, uint32_t connection,
	uint32_t length, bool urgent, uint32_t *offset)
{
	struct side *side = context;

	(void)endpoint;
	(void)connection;
	(void)urgent;
	assert(length == size);
	if (side->free_length == 0)
		return NULL;
	*offset = side->free[--side->free_length];
	return side->memory + (size_t)*offset * size;
}

static bool
message_capped(void *context, struct endpoint *endpoint, uint32_t connection)
{
	(void)context;
	(void)endpoint;
	(void)connection;
	return false;
}

static uint32_t
message_room(void *context, struct endpoint *endpoint, uint32_t connection,
	uint32_t bytes)
{
	const struct side *side = context;

	(void)endpoint;
	(void)connection;
	(void)bytes;
	return side->free_length;
}

static void
message_free(void *context, struct endpoint *endpoint, uint32_t offset)
{
	struct side *side = context;

	(void)endpoint;
	side->free[side->free_length++] = offset;
}

static void
message_sent(
	void *context, struct endpoint *endpoint, struct tx_message *message)
{
	message_free(context, endpoint, message->offset);
}

static bool
deliver(void *context, struct endpoint *endpoint,
	const struct machnet_event *event)
{
	struct side *side = context;

	(void)endpoint;
	if (event->kind == MACHNET_EVENT_MESSAGE)
		side->answers[side->answers_length++] = *event;
	else if (event->kind == MACHNET_EVENT_CONNECTED ||
		 event->kind == MACHNET_EVENT_ACCEPTED)
		side->connection = event->connection;
	return true;
}

static const struct transport_ops ops = {
	.packet_begin = packet_begin,
	.packet_send = packet_send,
	.message_allocate = message_allocate,
	.message_capped = message_capped,
	.message_room = message_room,
	.message_free = message_free,
	.message_sent = message_sent,
	.deliver = deliver,
};

static void
send_message(struct side *side, uint32_t offset)
{
	struct tx_message *message = &side->records[offset];

	message->bytes = side->memory + (size_t)offset * size;
	message->offset = offset;
	message->length = size;
	transport_send(side->transport, now_ns, &side->endpoint,
		side->connection, message);
}

static void
side_open(struct side *side)
{
	struct transport_options options = {
		.address = 0x0a000001 + (uint32_t)(side - sides),
		.mtu = MTU,
		.engines = 1,
		.descriptors = 256,
		.flows_max = 16,
		.instance = 1 + (uint64_t)(side - sides),
	};

	side->services = services_create();
	side->listeners = listeners_create(side->services, 0);
	options.listeners = side->listeners;
	side->other = &sides[side == sides];
	side->transport = transport_create(&options, &ops, side);
	side->memory = calloc(2 * WINDOW_MAX, size);
	if (side->transport == NULL || side->memory == NULL ||
		!endpoint_open(&side->endpoint))
		abort();
	for (uint32_t i = 0; i < 2 * WINDOW_MAX; i++)
		side->free[side->free_length++] = i;
}

/* What comes back says when it was sent. */
static void
note_round_trip(struct side *side, uint32_t offset)
{
	uint8_t *bytes = side->memory + (size_t)offset * size;
	uint64_t sent_ns, us;

	memcpy(&sent_ns, bytes, sizeof(sent_ns));
	us = (now_ns - sent_ns) / NS_PER_US;
	round_trips[us < ROUND_TRIP_US_MAX ? us : ROUND_TRIP_US_MAX]++;
	memcpy(bytes, &now_ns, sizeof(now_ns));
}

static void
print_round_trips(uint64_t replies)
{
	const double shares[] = {0.5, 0.99, 0.999, 1};
	uint64_t seen = 0;
	uint32_t us = 0;

	printf("us:");
	for (unsigned i = 0; i < 4; i++) {
		while ((double)seen < (double)replies * shares[i])
			seen += round_trips[us++];
		printf(" p%g %u", 100 * shares[i], us - 1);
	}
	printf("\n");
}

static void
turn(struct side *side, uint64_t *left)
{
	struct wire *wire = &side->in;

	/* Applications answer a turn later: they are elsewhere. */
	for (uint32_t i = 0; i < side->answers_length; i++) {
		if (side == &sides[0])
			note_round_trip(side, side->answers[i].offset);
		side->received++;
		if (side == &sides[1] || *left > 0) {
			*left -= side == &sides[0];
			send_message(side, side->answers[i].offset);
		} else {
			message_free(side, NULL, side->answers[i].offset);
		}
	}
	side->answers_length = 0;
	while (wire->head != wire->tail &&
		wire->packets[wire->head % WIRE_SLOTS].due_ns <= now_ns) {
		const struct packet *packet =
			&wire->packets[wire->head % WIRE_SLOTS];

		transport_receive(side->transport, now_ns, &packet->path, 0,
			packet->bytes, packet->length, false);
		wire->head++;
	}
	transport_poll(side->transport, now_ns);
}

static void
print_counters(void)
{
	for (uint32_t i = 0; i < 2; i++) {
		const struct transport_counters *counters =
			transport_counters(sides[i].transport);

#define PRINT(name)                                                            \
	if (counters->name != 0)                                               \
		printf(" " #name " %llu", (unsigned long long)counters->name);
		TRANSPORT_COUNTERS(PRINT)
#undef PRINT
		printf("\n");
	}
}

static void
turns(uint64_t *left, uint64_t replies)
{
	while (sides[0].received < replies) {
		now_ns += TURN_NS;
		turn(&sides[0], left);
		turn(&sides[1], left);
	}
}

static void
connect_sides(uint64_t *left, uint32_t flags)
{
	int32_t status;

	listeners_add(
		sides[1].listeners, &sides[1].endpoint, 1, false, 16, &status);
	transport_connect(sides[0].transport, now_ns, &sides[0].endpoint, 1,
		0x0a000002, 1, 60000, flags);
	while (sides[0].connection == 0 || sides[1].connection == 0) {
		now_ns += TURN_NS;
		turn(&sides[0], left);
		turn(&sides[1], left);
	}
}

int
main(int argc, char **argv)
{
	uint64_t messages, left, begin_ns;

	if (argc < 4 || argc > 8)
		return EXIT_FAILURE;
	size = (uint32_t)strtoul(argv[1], NULL, 10);
	window = (uint32_t)strtoul(argv[2], NULL, 10);
	messages = left = strtoull(argv[3], NULL, 10);
	latency_ns = (argc > 5 ? strtoull(argv[5], NULL, 10) : 20) * NS_PER_US;
	packet_ns = argc > 6 ? strtoull(argv[6], NULL, 10) : 0;
	if (size < sizeof(now_ns) || window == 0 || window > WINDOW_MAX ||
		messages < window)
		return EXIT_FAILURE;
	side_open(&sides[0]);
	side_open(&sides[1]);
	connect_sides(&left, argc > 7 ? TRANSPORT_UNORDERED : 0);
	loss = argc > 4 ? strtod(argv[4], NULL) : 0;
	begin_ns = now_ns;
	for (left -= window; sides[0].sent < window; sides[0].sent++) {
		uint32_t offset = sides[0].free[--sides[0].free_length];

		memcpy(sides[0].memory + (size_t)offset * size, &now_ns,
			sizeof(now_ns));
		send_message(&sides[0], offset);
	}
	turns(&left, messages);
	printf("%.0f/s\n",
		(double)messages * NS_PER_S / (double)(now_ns - begin_ns));
	print_round_trips(messages);
	print_counters();
	return EXIT_SUCCESS;
}
