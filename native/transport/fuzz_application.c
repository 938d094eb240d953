// SPDX-License-Identifier: MIT
/*
 * The applications of the fuzzer's world. What they send is made from what the
 * receiver calls the connection and a number, so that what comes can be checked
 * without a copy of it.
 */
#include "transport/fuzz_world.h"

#include <string.h>

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

struct connection *
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

const struct transport_ops application_ops = {
	.packet_begin = packet_room,
	.packet_attach = packet_attach,
	.packet_send = packet_transmit,
	.message_allocate = message_allocate_op,
	.message_capped = message_capped_op,
	.message_room = message_room_op,
	.message_free = message_free_op,
	.message_sent = message_sent_op,
	.deliver = deliver_op,
};

/* What they do. */

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
