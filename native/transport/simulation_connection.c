// SPDX-License-Identifier: MIT
/*
 * The connections of a simulation. What is sent on one is made from a key and a
 * number, so that what comes out at its other end can be checked without a copy
 * of it.
 */
#include "transport/flow.h"
#include "transport/simulation.h"

struct record {
	struct tx_message message; /* first */
	struct application *application;
	struct stream *stream;
	uint8_t *bytes;
};

/* Bytes of messages are windows into this. */
#define NOISE_BYTES (2 * MACHNET_MESSAGE_BYTES_MAX)
static uint64_t noise_words[NOISE_BYTES / 8];

static const uint8_t *
noise(uint64_t key, uint32_t number)
{
	uint64_t start = (key + number) * UINT64_C(0x9e3779b97f4a7c15);

	for (uint32_t i = 0; noise_words[NOISE_BYTES / 8 - 1] == 0; i++)
		noise_words[i] = (i + 1) * UINT64_C(0xd1342543de82ef95);
	return (const uint8_t *)noise_words + (start >> 41);
}

struct connection *
connection_new(struct application *application, bool server)
{
	struct simulation *s = simulation_of(application);
	struct connection *connection = calloc(1, sizeof(*connection));

	assert_non_null(connection);
	connection->application = application;
	connection->server = server;
	connection->token = s->tokens++;
	connection->next = s->connections;
	s->connections = connection;
	return connection;
}

/* The youngest of that name in which this end is not taken, or a new one. */
static struct link *
link_get(struct simulation *s, uint32_t client_address, uint32_t client_id,
	bool server)
{
	struct link *link = s->links;

	while (link != NULL && (link->client_address != client_address ||
				       link->client_id != client_id ||
				       link->ends[server] != NULL))
		link = link->next;
	if (link != NULL)
		return link;
	link = calloc(1, sizeof(*link));
	assert_non_null(link);
	link->client_address = client_address;
	link->client_id = client_id;
	link->streams[0].key = simulation_random(s, UINT64_MAX);
	link->streams[1].key = simulation_random(s, UINT64_MAX);
	link->next = s->links;
	s->links = link;
	return link;
}

void
connection_join(struct connection *connection, uint32_t id)
{
	struct application *application = connection->application;
	struct simulation *s = simulation_of(application);
	const struct flow *f = flow_get(application->host->transport, id);

	CHECK(s, f != NULL);
	connection->id = id;
	if (connection->server)
		connection->link =
			link_get(s, f->peer->path.address, f->peer_id, true);
	else
		connection->link =
			link_get(s, application->host->address, id, false);
	connection->link->ends[connection->server] = connection;
	connection->link->unordered = f->unordered;
}

struct connection *
connection_of_token(struct simulation *s, uint32_t token)
{
	struct connection *connection = s->connections;

	while (connection != NULL && connection->token != token)
		connection = connection->next;
	CHECK(s, connection != NULL);
	return connection;
}

struct connection *
connection_of(const struct application *application, uint32_t id)
{
	struct simulation *s = simulation_of(application);
	struct connection *connection = s->connections;

	while (connection != NULL &&
		(connection->application != application ||
			connection->id != id || connection->closed))
		connection = connection->next;
	CHECK(s, connection != NULL);
	return connection;
}

static uint8_t
kind_of(const struct machnet_event *event)
{
	if (event->kind == MACHNET_EVENT_MESSAGE)
		return MACHNET_MESSAGE_PLAIN;
	return (uint8_t)(event->kind - MACHNET_EVENT_REQUEST +
			 MACHNET_MESSAGE_REQUEST);
}

static bool
message_is(const struct stream *in, uint32_t number,
	const struct machnet_event *event, const uint8_t *bytes)
{
	const struct sent_message *sent = &in->messages[number];

	return sent->length == event->length && sent->kind == kind_of(event) &&
	       sent->request == event->token &&
	       (event->length == 0 || memcmp(bytes, noise(in->key, number),
					      event->length) == 0);
}

/* Any that was not received yet, the oldest of those that are alike. */
static bool
message_is_one(struct stream *in, const struct machnet_event *event,
	const uint8_t *bytes)
{
	for (uint32_t i = in->oldest; i < in->accepted; i++) {
		if (in->messages[i].seen || !message_is(in, i, event, bytes))
			continue;
		in->messages[i].seen = true;
		return true;
	}
	return false;
}

/* The next of those that keep the order. */
static bool
message_is_next(struct stream *in, const struct machnet_event *event,
	const uint8_t *bytes)
{
	while (in->in_order < in->accepted &&
		in->messages[in->in_order].kind != MACHNET_MESSAGE_PLAIN)
		in->in_order++;
	if (in->in_order == in->accepted ||
		!message_is(in, in->in_order, event, bytes))
		return false;
	in->messages[in->in_order++].seen = true;
	return true;
}

void
connection_receive(struct connection *connection,
	const struct machnet_event *event, const uint8_t *bytes)
{
	struct simulation *s = simulation_of(connection->application);
	struct stream *in = connection_in(connection);

	in->received++;
	CHECK(s, connection->connected);
	if (!s->unchecked && (connection->link->unordered ||
				     event->kind != MACHNET_EVENT_MESSAGE))
		CHECK(s, message_is_one(in, event, bytes));
	else if (!s->unchecked)
		CHECK(s, message_is_next(in, event, bytes));
	while (in->oldest < in->accepted && in->messages[in->oldest].seen)
		in->oldest++;
}

bool
connection_send(struct connection *connection, uint32_t length)
{
	return connection_send_tagged(
		connection, length, MACHNET_MESSAGE_PLAIN, 0);
}

bool
connection_send_tagged(struct connection *connection, uint32_t length,
	enum machnet_message_kind kind, uint32_t request)
{
	struct application *application = connection->application;
	struct stream *out = connection_out(connection);
	struct record *record = calloc(1, sizeof(*record));
	uint32_t sent = out->sent;

	assert_non_null(record);
	if (out->accepted == out->capacity) {
		out->capacity = out->capacity * 2 + 16;
		out->messages = realloc(
			out->messages, out->capacity * sizeof(*out->messages));
		assert_non_null(out->messages);
	}
	record->application = application;
	record->stream = out;
	record->bytes = malloc(length);
	memcpy(record->bytes, noise(out->key, out->accepted), length);
	record->message.bytes = record->bytes;
	record->message.length = length;
	record->message.kind = (uint8_t)kind;
	/* For a plain one it means nothing, and goes nowhere. */
	record->message.request = request;
	application->records_used++;
	out->messages[out->accepted++] = (struct sent_message){
		.length = length,
		.request = kind == MACHNET_MESSAGE_PLAIN ? 0 : request,
		.kind = (uint8_t)kind,
	};
	transport_send(application->host->transport,
		simulation_of(application)->now_ns, &application->endpoint,
		connection->id, &record->message);
	if (out->sent == sent)
		return true;
	out->sent--;
	out->accepted--;
	return false;
}

void
connection_sent(struct application *application, struct tx_message *message)
{
	struct record *record = (struct record *)message;

	CHECK(simulation_of(application), record->application == application);
	application->records_used--;
	record->stream->sent++;
	free(record->bytes);
	free(record);
}

void
connection_close(struct connection *connection, uint32_t timeout_ms)
{
	struct application *application = connection->application;

	connection->closing = true;
	transport_close(application->host->transport,
		simulation_of(application)->now_ns, &application->endpoint,
		connection->id, timeout_ms);
}

void
connection_reset(struct connection *connection, const char *reason)
{
	struct application *application = connection->application;

	/* CLOSED is delivered on the spot. */
	application_room_make(application);
	if (connection->closed)
		return;
	transport_reset(application->host->transport,
		simulation_of(application)->now_ns, &application->endpoint,
		connection->id, (const uint8_t *)reason,
		(uint32_t)strlen(reason));
}

struct stream *
connection_out(const struct connection *connection)
{
	return &connection->link->streams[connection->server ? 1 : 0];
}

struct stream *
connection_in(const struct connection *connection)
{
	return &connection->link->streams[connection->server ? 0 : 1];
}

bool
connection_delivered(const struct connection *connection)
{
	const struct stream *out = connection_out(connection);

	return out->received == out->accepted;
}
