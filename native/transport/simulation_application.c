// SPDX-License-Identifier: MIT
/*
 * The applications of a simulation: their memory, the events that they take,
 * and what their transport asks for.
 */
#include "transport/simulation.h"

/* What message_allocate lent, by offset. */
struct block {
	uint8_t *bytes;
	uint32_t length;
};

#define BLOCKS_MAX 8192u
static struct block blocks[BLOCKS_MAX]; /* 0 is not used */
static uint32_t blocks_next;

static struct application *
application_of(struct endpoint *endpoint)
{
	return (struct application *)endpoint;
}

/* What the transport asks for. */

static uint8_t *
packet_begin_op(void *context)
{
	return packet_room(context);
}

/* Every other fragment, so that packets of both kinds are retransmitted. */
static bool
packet_attach_op(void *context, struct endpoint *endpoint,
	struct tx_message *message, uint32_t offset, uint32_t length)
{
	struct application *application = application_of(endpoint);

	CHECK(simulation_of(application),
		(uint64_t)offset + length <= message->length);
	return offset / length % 2 == 1 &&
	       packet_append(context, message->bytes + offset, length);
}

static void
packet_send_op(
	void *context, const struct transport_path *path, uint32_t length)
{
	packet_transmit(context, path, length);
}

static uint8_t *
message_allocate_op(void *context, struct endpoint *endpoint,
	uint32_t connection, uint32_t length, bool urgent, uint32_t *offset)
{
	struct application *application = application_of(endpoint);
	struct simulation *s = simulation_of(application);
	uint64_t used = application->memory_used + length;
	uint64_t limit = application->memory_bytes / (urgent ? 1 : 2);
	uint32_t at;

	(void)context;
	(void)connection;
	CHECK(s, application->open);
	CHECK(s, length != 0 && length <= MACHNET_MESSAGE_BYTES_MAX);
	if (used > limit)
		return NULL;
	do
		at = 1 + blocks_next++ % (BLOCKS_MAX - 1);
	while (blocks[at].bytes != NULL);
	blocks[at].bytes = malloc(length);
	assert_non_null(blocks[at].bytes);
	blocks[at].length = length;
	application->memory_used = used;
	application->blocks_used++;
	*offset = at;
	return blocks[at].bytes;
}

static bool
message_capped_op(void *context, struct endpoint *endpoint, uint32_t connection)
{
	(void)context;
	(void)endpoint;
	(void)connection;
	return false;
}

static void
message_waits_op(void *context, struct endpoint *endpoint, uint32_t connection,
	uint64_t now_ns)
{
	struct application *application = application_of(endpoint);
	struct simulation *s = simulation_of(application);

	(void)context;
	CHECK(s, application->open && now_ns == s->now_ns);
	(void)connection;
	application->waits++;
}

static uint32_t
message_room_op(void *context, struct endpoint *endpoint, uint32_t connection,
	uint32_t bytes)
{
	const struct application *application = application_of(endpoint);
	uint64_t used = application->memory_used;
	uint64_t limit = application->memory_bytes;

	(void)context;
	(void)connection;
	return used < limit ? (uint32_t)((limit - used) / bytes) : 0;
}

static void
message_free_op(void *context, struct endpoint *endpoint, uint32_t offset)
{
	struct application *application = application_of(endpoint);

	(void)context;
	CHECK(simulation_of(application), offset < BLOCKS_MAX);
	CHECK(simulation_of(application), blocks[offset].bytes != NULL);
	free(blocks[offset].bytes);
	blocks[offset].bytes = NULL;
	application->memory_used -= blocks[offset].length;
	application->blocks_used--;
}

static void
message_sent_op(
	void *context, struct endpoint *endpoint, struct tx_message *message)
{
	(void)context;
	connection_sent(application_of(endpoint), message);
}

static bool
deliver_op(void *context, struct endpoint *endpoint,
	const struct machnet_event *event)
{
	struct application *application = application_of(endpoint);
	struct simulation *s = simulation_of(application);

	(void)context;
	CHECK(s, application->open);
	if (application->events_length >= application->event_room)
		return false;
	if (event->kind == MACHNET_EVENT_ACCEPTED)
		connection_join(
			connection_new(application, true), event->connection);
	else if (event->kind == MACHNET_EVENT_CONNECTED && event->status == 0)
		connection_join(connection_of_token(s, event->token),
			event->connection);
	application->events[(application->events_first +
				    application->events_length++) %
			    EVENTS_MAX] = *event;
	return true;
}

/* As over the rings between engines. */
static void
observed_op(void *context, const struct rss_observation *observation)
{
	struct host *host = context;
	struct host *engines = host->machine->engines;

	host->machine->observations++;
	for (uint32_t i = 0; i < host->options.engines; i++)
		if (&engines[i] != host)
			transport_observe(engines[i].transport, observation);
}

const struct transport_ops application_ops = {
	.packet_begin = packet_begin_op,
	.packet_attach = packet_attach_op,
	.packet_send = packet_send_op,
	.message_allocate = message_allocate_op,
	.message_capped = message_capped_op,
	.message_waits = message_waits_op,
	.message_room = message_room_op,
	.message_free = message_free_op,
	.message_sent = message_sent_op,
	.deliver = deliver_op,
	.observed = observed_op,
};

/* What applications do. */

struct application *
application_start(struct host *host)
{
	struct simulation *s = host->simulation;
	struct application *application = calloc(1, sizeof(*application));

	assert_non_null(application);
	assert_true(s->applications_length < APPLICATIONS_MAX);
	s->applications[s->applications_length++] = application;
	application->host = host;
	application->open = true;
	application->reading = true;
	application->accepting = true;
	application->event_room = 256;
	application->memory_bytes = 64 << 20;
	assert_true(endpoint_open(&application->endpoint));
	return application;
}

void
application_kill(struct application *application)
{
	struct host *host = application->host;
	struct simulation *s = host->simulation;

	if (!application->open)
		return;
	listeners_remove_endpoint(
		host->options.listeners, &application->endpoint);
	endpoint_close(host->transport, s->now_ns, &application->endpoint,
		"the application ended");
	while (application->events_length != 0) {
		struct machnet_event *event =
			&application->events[application->events_first++ %
					     EVENTS_MAX];

		application->events_length--;
		if (event->length != 0)
			message_free_op(
				host, &application->endpoint, event->offset);
	}
	for (struct connection *c = s->connections; c != NULL; c = c->next)
		if (c->application == application)
			c->closed = true;
	CHECK(s, application->records_used == 0);
	CHECK(s, application->blocks_used == 0);
	CHECK(s, application->endpoint.flows_length == 0);
	/* Nothing may refer to it any more. */
	memset(&application->endpoint, 0xa5, sizeof(application->endpoint));
	application->open = false;
}

/* Told before the connection is announced, and again while it is open. */
static struct machnet_path *
path_of_id(struct application *application, uint32_t id)
{
	return &application->paths[connection_index(id) % CONNECTIONS_MAX];
}

static void
path_join(struct application *application, struct connection *connection)
{
	struct simulation *s = simulation_of(application);

	connection->path = path_of_id(application, connection->id);
	CHECK(s, connection->path->connection == connection->id);
}

static void
path_read(struct application *application, const struct machnet_event *event)
{
	CHECK(simulation_of(application), event->length == 0);
	memcpy(path_of_id(application, event->connection), event,
		sizeof(*event));
}

static void
connected(struct application *application, const struct machnet_event *event)
{
	struct simulation *s = simulation_of(application);
	struct connection *connection = connection_of_token(s, event->token);

	CHECK(s, !connection->connected && !connection->closed);
	connection->status = event->status;
	connection->connected = event->status == 0;
	connection->closed = event->status != 0;
	if (connection->connected)
		path_join(application, connection);
}

static void
message_read(struct application *application, const struct machnet_event *event)
{
	const struct block *block = &blocks[event->offset];

	CHECK(simulation_of(application),
		event->length == 0 || block->length == event->length);
	connection_receive(connection_of(application, event->connection), event,
		block->bytes);
	if (event->length != 0)
		message_free_op(application->host, &application->endpoint,
			event->offset);
}

static void
closed(struct application *application, const struct machnet_event *event)
{
	struct simulation *s = simulation_of(application);
	struct connection *connection =
		connection_of(application, event->connection);
	struct connection *peer =
		connection->link->ends[connection->server ? 0 : 1];

	CHECK(s, connection->connected);
	connection->closed = true;
	connection->status = event->status;
	CHECK(s, connection_out(connection)->sent ==
			 connection_out(connection)->accepted);
	/* The peer's FIN ended it, so all that came before it is here. */
	if (event->status == 0 && !connection->closing && peer != NULL &&
		!s->unchecked)
		CHECK(s, connection_delivered(peer));
	if (event->length == 0)
		return;
	CHECK(s, event->length <= MACHNET_REASON_BYTES_MAX);
	memcpy(connection->reason, blocks[event->offset].bytes, event->length);
	message_free_op(
		application->host, &application->endpoint, event->offset);
}

static void
event_read(struct application *application, const struct machnet_event *event)
{
	struct host *host = application->host;
	struct connection *connection;

	switch (event->kind) {
	case MACHNET_EVENT_CONNECTED:
		connected(application, event);
		break;
	case MACHNET_EVENT_ACCEPTED:
		connection = connection_of(application, event->connection);
		connection->connected = true;
		path_join(application, connection);
		if (application->accepting)
			transport_accept(host->transport,
				&application->endpoint, event->connection);
		break;
	case MACHNET_EVENT_MESSAGE:
	case MACHNET_EVENT_REQUEST:
	case MACHNET_EVENT_REPLY:
	case MACHNET_EVENT_FAILURE:
	case MACHNET_EVENT_CANCEL:
		message_read(application, event);
		break;
	case MACHNET_EVENT_PATH:
		path_read(application, event);
		break;
	case MACHNET_EVENT_CLOSED:
		closed(application, event);
		break;
	}
}

static uint32_t
events_take(struct application *application, uint32_t max)
{
	uint32_t count = 0;

	while (application->events_length != 0 && count < max) {
		struct machnet_event event =
			application->events[application->events_first++ %
					    EVENTS_MAX];

		application->events_length--;
		event_read(application, &event);
		count++;
	}
	return count;
}

void
application_room_make(struct application *application)
{
	while (application->events_length != 0 &&
		application->events_length >= application->event_room)
		events_take(application, 1);
}

uint32_t
application_read(struct application *application, uint32_t max)
{
	struct simulation *s = simulation_of(application);
	uint64_t used = application->memory_used;
	uint32_t count = events_take(application, max);

	if (count != 0)
		endpoint_resume(application->host->transport, s->now_ns,
			&application->endpoint,
			application->memory_used < used);
	return count;
}

void
application_resume(struct application *application, uint64_t memory_bytes)
{
	struct simulation *s = simulation_of(application);

	application->memory_bytes = memory_bytes;
	endpoint_resume(application->host->transport, s->now_ns,
		&application->endpoint, true);
}

void
application_listen(
	struct application *application, uint16_t port, uint32_t backlog)
{
	int32_t status;

	application->listener =
		listeners_add(application->host->options.listeners,
			&application->endpoint, port, false, backlog, &status);
	assert_non_null(application->listener);
}

struct connection *
application_connect(struct application *application, const struct host *to,
	uint16_t port, uint32_t timeout_ms)
{
	struct connection *connection = connection_new(application, false);
	struct host *host = application->host;

	/* A failure is delivered on the spot. */
	application_room_make(application);
	transport_connect(host->transport, host->simulation->now_ns,
		&application->endpoint, connection->token, to->address, port,
		timeout_ms, application->unordered ? TRANSPORT_UNORDERED : 0);
	return connection;
}

struct connection *
application_accepted(struct application *application)
{
	struct connection *connection = simulation_of(application)->connections;

	while (connection != NULL &&
		(connection->application != application || !connection->server))
		connection = connection->next;
	return connection;
}

void
pair_connect(struct pair *pair)
{
	pair->client = application_connect(
		pair->client_application, pair->server_host, PORT, 0);
	RUN_UNTIL(pair->s, pair->client->connected, NS_PER_S);
	RUN_UNTIL(pair->s,
		pair->client->link->ends[1] != NULL &&
			pair->client->link->ends[1]->connected,
		NS_PER_S);
	pair->server = pair->client->link->ends[1];
}

struct pair
pair_start(struct simulation *s)
{
	struct pair pair = {.s = s != NULL ? s : simulation_create(1)};

	pair.client_host = host_start(pair.s);
	pair.server_host = host_start(pair.s);
	pair.client_application = application_start(pair.client_host);
	pair.server_application = application_start(pair.server_host);
	application_listen(pair.server_application, PORT, 128);
	pair_connect(&pair);
	return pair;
}
