// SPDX-License-Identifier: MIT
#include "transport/fuzz_world.h"
#include "transport/peers.h"

#include <string.h>

#include "base/bits.h"

/* How often a busy engine turns, and how long a packet takes. */
#define TURN_NS 1000u
#define DELAY_NS (20 * NS_PER_US)
/* Turns that find something to do while no time passes. */
#define TURNS_BUSY_MAX 64u
/* Packets of both hosts in a tenth of a second without anything new to say. */
#define PACKETS_QUIET_MAX 500

/* Bytes of messages are windows into this. */
static uint8_t noise_bytes[2 * MEMORY_BYTES];

static const uint8_t *
noise(uint32_t receiver_id, uint32_t number)
{
	uint64_t start = (((uint64_t)receiver_id << 32) + number) *
			 UINT64_C(0x9e3779b97f4a7c15);

	if (noise_bytes[0] == 0)
		for (uint32_t i = 0; i < sizeof(noise_bytes); i++)
			noise_bytes[i] = (uint8_t)(i * i / 251 + i % 7 + 1);
	return noise_bytes + (start >> 44);
}
_Static_assert(MEMORY_BYTES == 1u << (64 - 44), "the top bits");

/* What the transports ask for. */

static uint8_t *
packet_begin_op(void *context)
{
	struct host *host = context;

	if (host->device_room == 0)
		return NULL;
	free(host->device);
	host->device = fuzz_memory(host->options.mtu - 28u);
	return host->device;
}

static void
packet_put(struct world *world, struct packet *packet)
{
	if (world->packets_length == PACKETS_MAX)
		free(world_take(world, 0));
	world->packets[world->packets_length++] = packet;
}

/* A stranger keeps nothing but the cookie. */
static void
stranger_receive(struct host *from, uint32_t length)
{
	struct wire_answer answer;

	if (wire_answer_read(&answer, from->device, length))
		from->world->cookie = answer.cookie;
}

/* Every other fragment, so that packets of both kinds are retransmitted. */
static bool
packet_attach_op(void *context, struct endpoint *endpoint,
	struct tx_message *message, uint32_t offset, uint32_t length)
{
	struct host *host = context;

	FUZZ_CHECK(endpoint == &host->application.endpoint);
	FUZZ_CHECK(host->device != NULL && host->attached_length == 0);
	FUZZ_CHECK((uint64_t)offset + length <= message->length);
	if (offset / length % 2 == 0)
		return false;
	host->attached = message->bytes + offset;
	host->attached_length = length;
	return true;
}

static void
packet_send_op(
	void *context, const struct transport_path *path, uint32_t length)
{
	struct host *host = context;
	uint32_t to = path->address - HOST_ADDRESS;
	struct packet *packet;

	FUZZ_CHECK(host->device != NULL);
	FUZZ_CHECK(length <= host->options.mtu - 28u);
	host->device_room--;
	host->packets_sent++;
	host->bytes_sent += length;
	if (to < HOSTS) {
		packet = malloc(sizeof(*packet) + length);
		FUZZ_CHECK(packet != NULL);
		*packet = (struct packet){
			.path = {.address = host->options.address,
				.local_port = path->remote_port,
				.remote_port = path->local_port},
			.to = to,
			.length = length,
		};
		length -= host->attached_length;
		memcpy(packet->bytes, host->device, length);
		if (host->attached_length != 0)
			memcpy(packet->bytes + length, host->attached,
				host->attached_length);
		packet_put(host->world, packet);
	} else {
		stranger_receive(host, length);
	}
	host->attached_length = 0;
	free(host->device);
	host->device = NULL;
}

/* May a connection that nobody reads have no more? As the engine has it: it
 * holds more than is free. */
static bool
message_capped_op(void *context, struct endpoint *endpoint, uint32_t connection)
{
	const struct host *host = context;
	const struct application *application = &host->application;
	uint32_t used = application->memory_used;

	FUZZ_CHECK(application->open && endpoint == &application->endpoint);
	for (uint32_t i = 0; i < application->events_length; i++) {
		const struct machnet_event *event =
			&application->events[(application->events_first + i) %
					     EVENTS_MAX];

		if (event->connection == connection)
			used += event->length;
	}
	return used > application->memory_bytes;
}

static uint32_t
message_room_op(void *context, struct endpoint *endpoint, uint32_t connection,
	uint32_t bytes)
{
	const struct host *host = context;
	const struct application *application = &host->application;
	uint32_t used = application->memory_used;

	(void)connection;
	FUZZ_CHECK(application->open && endpoint == &application->endpoint);
	return used < application->memory_bytes
		       ? (application->memory_bytes - used) / bytes
		       : 0;
}

static uint8_t *
message_allocate_op(void *context, struct endpoint *endpoint,
	uint32_t connection, uint32_t length, bool urgent, uint32_t *offset)
{
	struct host *host = context;
	struct application *application = &host->application;
	uint32_t limit = application->memory_bytes / (urgent ? 1 : 2);
	uint32_t blocks = BLOCKS_MAX / (urgent ? 1 : 2);

	FUZZ_CHECK(length != 0 && length <= MACHNET_MESSAGE_BYTES_MAX);
	if (message_capped_op(host, endpoint, connection) ||
		application->memory_used + length > limit)
		return NULL;
	for (uint32_t i = 1; i < blocks; i++) {
		struct block *block = &application->blocks[i];

		if (block->bytes != NULL)
			continue;
		block->bytes = fuzz_memory(length);
		block->length = length;
		application->memory_used += length;
		*offset = i;
		return block->bytes;
	}
	return NULL;
}

static struct block *
block_of(struct application *application, uint32_t offset)
{
	FUZZ_CHECK(offset != 0 && offset < BLOCKS_MAX);
	FUZZ_CHECK(application->blocks[offset].bytes != NULL);
	return &application->blocks[offset];
}

static void
message_free_op(void *context, struct endpoint *endpoint, uint32_t offset)
{
	struct host *host = context;
	struct application *application = &host->application;
	struct block *block = block_of(application, offset);

	FUZZ_CHECK(application->open && endpoint == &application->endpoint);
	free(block->bytes);
	block->bytes = NULL;
	application->memory_used -= block->length;
}

static void
message_sent_op(
	void *context, struct endpoint *endpoint, struct tx_message *message)
{
	struct host *host = context;

	FUZZ_CHECK(host->application.open);
	FUZZ_CHECK(endpoint == &host->application.endpoint);
	FUZZ_CHECK(host->application.records_used != 0);
	host->application.records_used--;
	free(message);
}

/* Events, as they are handed over. */

static struct connection *
connection_find(struct application *application, uint32_t id)
{
	for (uint32_t i = 0; i < application->connections_length; i++)
		if (application->connections[i].id == id)
			return &application->connections[i];
	return NULL;
}

static void
connection_add(struct host *host, uint32_t id)
{
	struct application *application = &host->application;
	const struct flow *f = flow_get(host->transport, id);

	FUZZ_CHECK(f != NULL);
	FUZZ_CHECK(connection_find(application, id) == NULL);
	FUZZ_CHECK(application->connections_length < FLOWS_MAX);
	application->connections[application->connections_length++] =
		(struct connection){.id = id, .unordered = f->unordered};
}

static void
connection_remove(struct application *application, uint32_t id)
{
	struct connection *connection = connection_find(application, id);

	FUZZ_CHECK(connection != NULL);
	*connection =
		application->connections[--application->connections_length];
}

static void
connected(struct host *host, const struct machnet_event *event)
{
	struct application *application = &host->application;
	uint32_t i = 0;

	while (i < application->tokens_length &&
		application->tokens[i] != event->token)
		i++;
	FUZZ_CHECK(i < application->tokens_length);
	application->tokens[i] =
		application->tokens[--application->tokens_length];
	FUZZ_CHECK(event->status <= 0);
	if (event->status == MACHNET_OK)
		connection_add(host, event->connection);
}

static void
message_received(
	struct application *application, const struct machnet_event *event)
{
	struct connection *connection =
		connection_find(application, event->connection);
	const struct block *block;

	FUZZ_CHECK(connection != NULL);
	connection->received++;
	connection->plain_received += event->kind == MACHNET_EVENT_MESSAGE;
	if (event->length == 0)
		return;
	block = block_of(application, event->offset);
	FUZZ_CHECK(block->length == event->length);
}

/* Of an unordered connection any message will do that has a record, or had one:
 * a small one passes all the large ones that wait, and one that was passed may
 * be for long. One of a request says which it is. */
static bool
message_intact(const struct connection *connection,
	const struct machnet_event *event, const uint8_t *bytes)
{
	bool plain = event->kind == MACHNET_EVENT_MESSAGE;
	uint32_t number = plain ? connection->plain_received - 1 : event->token;
	uint32_t youngest = number, oldest = number;
	uint32_t length = event->length;

	if (plain && connection->unordered) {
		youngest += RECORDS_MAX;
		oldest = 0;
	}
	for (uint32_t n = number; n <= youngest; n++)
		if (memcmp(bytes, noise(connection->id, n), length) == 0)
			return true;
	for (uint32_t n = oldest; n < number; n++)
		if (memcmp(bytes, noise(connection->id, n), length) == 0)
			return true;
	return false;
}

static void
message_check(struct host *host, const struct machnet_event *event)
{
	struct application *application = &host->application;

	if (host->world->forged || event->length == 0)
		return;
	FUZZ_CHECK(
		message_intact(connection_find(application, event->connection),
			event, application->blocks[event->offset].bytes));
}

/* The other end, if its application knows it, too. */
static struct connection *
connection_peer(struct host *host, const struct connection *connection)
{
	const struct flow *f = flow_get(host->transport, connection->id);
	struct host *other;

	if (f == NULL || f->peer->path.address - HOST_ADDRESS >= HOSTS)
		return NULL;
	other = &host->world->hosts[f->peer->path.address - HOST_ADDRESS];
	return connection_find(&other->application, f->peer_id);
}

static void
closed(struct host *host, const struct machnet_event *event)
{
	struct application *application = &host->application;
	struct connection *connection =
		connection_find(application, event->connection);
	const struct connection *peer;

	FUZZ_CHECK(connection != NULL);
	FUZZ_CHECK(event->status <= 0);
	FUZZ_CHECK(event->length <= MACHNET_REASON_BYTES_MAX);
	if (event->length != 0)
		block_of(application, event->offset);
	peer = connection_peer(host, connection);
	/* The peer's FIN ended it, so all that came before it is here. */
	if (!host->world->forged && event->status == MACHNET_OK &&
		!connection->closing && peer != NULL)
		FUZZ_CHECK(connection->received == peer->sent);
	connection_remove(application, event->connection);
}

static bool
deliver_op(void *context, struct endpoint *endpoint,
	const struct machnet_event *event)
{
	struct host *host = context;
	struct application *application = &host->application;

	FUZZ_CHECK(application->open && endpoint == &application->endpoint);
	if (application->events_length >= application->event_room)
		return false;
	switch (event->kind) {
	case MACHNET_EVENT_CONNECTED:
		connected(host, event);
		break;
	case MACHNET_EVENT_ACCEPTED:
		connection_add(host, event->connection);
		break;
	case MACHNET_EVENT_MESSAGE:
	case MACHNET_EVENT_REQUEST:
	case MACHNET_EVENT_REPLY:
	case MACHNET_EVENT_FAILURE:
	case MACHNET_EVENT_CANCEL:
		message_received(application, event);
		message_check(host, event);
		break;
	case MACHNET_EVENT_PATH:
		FUZZ_CHECK(event->length == 0);
		break;
	case MACHNET_EVENT_CLOSED:
		closed(host, event);
		break;
	default:
		FUZZ_CHECK(!"an event that the transport has");
	}
	application->events[(application->events_first +
				    application->events_length++) %
			    EVENTS_MAX] = *event;
	return true;
}

static const struct transport_ops ops = {
	.packet_begin = packet_begin_op,
	.packet_attach = packet_attach_op,
	.packet_send = packet_send_op,
	.message_allocate = message_allocate_op,
	.message_capped = message_capped_op,
	.message_room = message_room_op,
	.message_free = message_free_op,
	.message_sent = message_sent_op,
	.deliver = deliver_op,
};

/* Applications. */

void
application_open(struct host *host)
{
	struct application *application = &host->application;
	int32_t status;

	memset(application, 0, sizeof(*application));
	application->open = true;
	application->event_room = EVENTS_MAX;
	application->memory_bytes = MEMORY_BYTES;
	FUZZ_CHECK(endpoint_open(&application->endpoint));
	FUZZ_CHECK(
		listeners_add(host->options.listeners, &application->endpoint,
			PORT, false, FLOWS_MAX / 2, &status) != NULL);
}

/* Gives back what a lent event holds. */
static struct machnet_event
event_take(struct host *host)
{
	struct application *application = &host->application;
	struct machnet_event event =
		application->events[application->events_first++ % EVENTS_MAX];

	application->events_length--;
	if (event.length != 0)
		message_free_op(host, &application->endpoint, event.offset);
	return event;
}

void
application_kill(struct host *host)
{
	struct application *application = &host->application;

	if (!application->open)
		return;
	listeners_remove_endpoint(
		host->options.listeners, &application->endpoint);
	endpoint_close(host->transport, host->world->now_ns,
		&application->endpoint, "the application ended");
	while (application->events_length != 0)
		event_take(host);
	FUZZ_CHECK(application->records_used == 0);
	FUZZ_CHECK(application->memory_used == 0);
	FUZZ_CHECK(application->endpoint.flows_length == 0);
	FUZZ_CHECK(list_empty(&application->endpoint.flows));
	FUZZ_CHECK(list_empty(&application->endpoint.pending));
	FUZZ_CHECK(list_empty(&application->endpoint.starved));
	application->open = false;
	application->connections_length = 0;
	application->tokens_length = 0;
}

void
application_read(struct host *host, uint32_t max)
{
	struct application *application = &host->application;
	uint32_t used = application->memory_used;

	if (!application->open || application->events_length == 0)
		return;
	for (; max != 0 && application->events_length != 0; max--) {
		struct machnet_event event = event_take(host);

		if (event.length != 0)
			transport_released(host->transport,
				&application->endpoint, event.connection);
		if (event.kind == MACHNET_EVENT_ACCEPTED)
			transport_accept(host->transport,
				&application->endpoint, event.connection);
	}
	endpoint_resume(host->transport, host->world->now_ns,
		&application->endpoint, application->memory_used < used);
}

/* Some requests need room for one event: the engine sees to it. */
static bool
room_for_event(struct host *host)
{
	struct application *application = &host->application;

	if (!application->open || application->event_room == 0)
		return false;
	while (application->events_length >= application->event_room)
		application_read(host, 1);
	return true;
}

void
application_connect(struct host *host, uint32_t address, uint16_t port,
	uint32_t timeout, uint32_t flags)
{
	struct application *application = &host->application;
	uint32_t token = host->world->tokens++;

	if (!room_for_event(host) || application->tokens_length == FLOWS_MAX)
		return;
	application->tokens[application->tokens_length++] = token;
	transport_connect(host->transport, host->world->now_ns,
		&application->endpoint, token, address, port, timeout, flags);
}

void
application_send(struct host *host, struct connection *connection,
	uint32_t length, enum machnet_message_kind kind)
{
	struct application *application = &host->application;
	const struct flow *f = flow_get(host->transport, connection->id);
	uint32_t used = application->records_used;
	struct tx_message *message;

	FUZZ_CHECK(length <= MEMORY_BYTES);
	if (used == RECORDS_MAX || f == NULL)
		return;
	message = calloc(1, sizeof(*message));
	FUZZ_CHECK(message != NULL);
	message->kind = (uint8_t)kind;
	/* Which one it is, as far as its bytes matter. */
	message->request = kind == MACHNET_MESSAGE_PLAIN
				   ? connection->plain_sent
				   : connection->sent;
	message->bytes = noise(f->peer_id, message->request);
	message->length = length;
	application->records_used++;
	transport_send(host->transport, host->world->now_ns,
		&application->endpoint, connection->id, message);
	if (application->records_used > used) {
		connection->sent++;
		connection->plain_sent += kind == MACHNET_MESSAGE_PLAIN;
	}
}

void
application_close(
	struct host *host, struct connection *connection, uint32_t timeout)
{
	connection->closing = true;
	transport_close(host->transport, host->world->now_ns,
		&host->application.endpoint, connection->id, timeout);
}

void
application_reset(struct host *host, uint32_t id, const char *reason)
{
	struct application *application = &host->application;

	/* Making room may be its end already. */
	if (!room_for_event(host) || connection_find(application, id) == NULL)
		return;
	transport_reset(host->transport, host->world->now_ns,
		&application->endpoint, id, (const uint8_t *)reason,
		(uint32_t)strlen(reason));
}

/* Hosts. */

static void
transport_start(struct host *host)
{
	struct transport_options *options = &host->options;
	uint64_t start = ++host->world->starts;

	memset(options->seed, (int)start, sizeof(options->seed));
	memset(options->secret, (int)start, sizeof(options->secret));
	options->instance = start;
	host->transport = transport_create(options, &ops, host);
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

/* Does it answer a SYN that opens nothing? Those have numbers in a row. */
static bool
answer_asked_for(
	const struct host *host, uint32_t address, const uint8_t *bytes)
{
	const struct peer *peer = peer_find(host->transport, address);
	uint64_t number = load_le64(bytes + 8);

	if (peer == NULL || bytes[1] != WIRE_ANSWER)
		return false;
	for (const struct route *r = peer->routes; r != NULL; r = r->next)
		if (number - r->search.number < UINT64_C(2) * RSS_BURST_MAX)
			return true;
	return false;
}

/* Is it for a connection that is, or was, the sender's? */
static bool
packet_known(const struct host *host, uint32_t address, const uint8_t *bytes,
	uint32_t length)
{
	return length >= WIRE_HEADER_BYTES &&
	       (flow_get(host->transport, load_le32(bytes + 4)) != NULL ||
		       answer_asked_for(host, address, bytes));
}

/* A stranger gets no more than it sent, but for a RESET, which is small. */
void
host_receive(struct host *host, const struct transport_path *path,
	const uint8_t *bytes, uint32_t length, bool marked)
{
	uint64_t packets = host->packets_sent;
	uint64_t sent = host->bytes_sent;
	bool known = packet_known(host, path->address, bytes, length);
	uint8_t *copy = fuzz_memory(length);

	if (length != 0)
		memcpy(copy, bytes, length);
	transport_receive(host->transport, host->world->now_ns, path, 0, copy,
		length, marked);
	FUZZ_CHECK(host->packets_sent - packets <= 1);
	FUZZ_CHECK(known || host->bytes_sent - sent <=
				    u32_max(length, WIRE_RESET_BYTES));
	free(copy);
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

struct packet *
world_take(struct world *world, uint32_t index)
{
	struct packet *packet = world->packets[index];

	world->packets_length--;
	memmove(&world->packets[index], &world->packets[index + 1],
		(world->packets_length - index) * sizeof(struct packet *));
	return packet;
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
