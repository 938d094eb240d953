// SPDX-License-Identifier: MIT
#include "engine/channel_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct transport *transport;
struct listeners *listeners;
struct channel *channel;
int doorbell;
uint8_t *shared;
struct channel_layout layout;
struct channel_header *header;
uint32_t pins;
struct tx_message *pinned;

static struct services *services;

const struct submission request = {
	.kind = SUBMISSION_CONNECT,
	.token = 5,
};

static uint8_t *
packet_begin(void *context)
{
	(void)context;
	return NULL;
}

static void
packet_send(void *context, const struct transport_path *path, uint32_t length)
{
	(void)context;
	(void)path;
	(void)length;
}

static uint8_t *
message_allocate(void *context, struct endpoint *endpoint, uint32_t connection,
	uint32_t length, bool urgent, uint32_t *offset)
{
	(void)context;
	(void)endpoint;
	return channel_message_allocate(
		channel, connection, length, urgent, offset);
}

static bool
message_capped(void *context, struct endpoint *endpoint, uint32_t connection)
{
	(void)context;
	(void)endpoint;
	return channel_message_capped(channel, connection);
}

static uint32_t
message_room(void *context, struct endpoint *endpoint, uint32_t connection,
	uint32_t bytes)
{
	(void)context;
	(void)endpoint;
	return channel_message_room(channel, connection, bytes);
}

static void
message_free(void *context, struct endpoint *endpoint, uint32_t offset)
{
	(void)context;
	(void)endpoint;
	channel_message_free(channel, offset);
}

static void
message_sent(
	void *context, struct endpoint *endpoint, struct tx_message *message)
{
	(void)context;
	(void)endpoint;
	for (uint32_t i = 0; i < pins; i++)
		channel_message_pin(channel, pinned = message);
	channel_message_sent(channel, message);
}

static bool
deliver(void *context, struct endpoint *endpoint,
	const struct machnet_event *event)
{
	(void)context;
	(void)endpoint;
	return channel_deliver(channel, event);
}

void
fixture_open(void)
{
	struct machnet_error error;
	int sockets[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets),
		0);
	assert_int_equal(
		channel_create(&channel, ARENA_BYTES, sockets[0], &error),
		MACHNET_OK);
	doorbell = sockets[1];
	channel->transport = transport;
	channel->listeners = listeners;
	channel->subnet = (struct subnet){OUR_ADDRESS, 24};
	assert_true(channel_layout_init(&layout, ARENA_BYTES));
	shared = mmap(NULL, layout.bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		channel->memfd, 0);
	assert_ptr_not_equal(shared, MAP_FAILED);
	header = (struct channel_header *)shared;
}

void
fixture_drop(int32_t status)
{
	listeners_remove_endpoint(listeners, &channel->endpoint);
	endpoint_close(transport, 0, &channel->endpoint, "over");
	channel_end(channel, status);
	channel_destroy(channel);
}

void
application_end(void)
{
	munmap(shared, layout.bytes);
	close(doorbell);
}

int
fixture_set_up(void **state)
{
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
	struct transport_options options = {
		.address = OUR_ADDRESS,
		.mtu = 1500,
		.engines = 1,
		.descriptors = 256,
		.flows_max = 4096,
		.instance = 1,
	};

	(void)state;
	services = services_create();
	listeners = listeners_create(services, 0);
	options.listeners = listeners;
	transport = transport_create(&options, &ops, NULL);
	if (listeners == NULL || transport == NULL)
		return -1;
	fixture_open();
	return 0;
}

int
fixture_tear_down(void **state)
{
	(void)state;
	fixture_drop(MACHNET_CLOSED);
	application_end();
	transport_destroy(transport);
	listeners_destroy(listeners);
	services_destroy(services);
	return 0;
}

void
fixture_renew(void)
{
	fixture_drop(MACHNET_CHANNEL_CORRUPT);
	application_end();
	fixture_open();
}

void
application_submit(const struct submission *submission)
{
	uint32_t produced = atomic_load(&header->submissions.produced);

	memcpy(shared + layout.submissions +
			produced % CHANNEL_SUBMISSIONS * sizeof(*submission),
		submission, sizeof(*submission));
	atomic_store(&header->submissions.produced, produced + 1);
}

void
application_release(uint32_t offset)
{
	uint32_t produced = atomic_load(&header->released.produced);

	memcpy(shared + layout.released +
			produced % CHANNEL_BLOCKS_LENT_MAX * sizeof(offset),
		&offset, sizeof(offset));
	atomic_store(&header->released.produced, produced + 1);
}

uint32_t
application_events(void)
{
	return atomic_load(&header->completions.produced) -
	       atomic_load(&header->completions.consumed);
}

struct machnet_event
application_event(void)
{
	uint32_t consumed = atomic_load(&header->completions.consumed);
	struct machnet_event event;

	assert_int_not_equal(application_events(), 0);
	memcpy(&event,
		shared + layout.completions +
			consumed % CHANNEL_COMPLETIONS * sizeof(event),
		sizeof(event));
	atomic_store(&header->completions.consumed, consumed + 1);
	return event;
}

uint32_t
engine_serve(void)
{
	uint32_t done = channel_serve(channel, 1000);

	channel_flush(channel);
	return done;
}

void
assert_corrupt(void)
{
	while (!channel->corrupt && engine_serve() != 0)
		continue;
	assert_true(channel->corrupt);
	assert_int_equal(engine_serve(), 0);
	assert_true(channel_sleep(channel));
	channel_wake(channel);
}

void
assert_sound(void)
{
	while (engine_serve() != 0)
		continue;
	assert_false(channel->corrupt);
}

uint32_t
engine_bring_on(uint32_t connection, uint32_t length)
{
	struct machnet_event event = {
		.kind = MACHNET_EVENT_MESSAGE,
		.connection = connection,
		.length = length,
	};
	uint8_t *bytes = channel_message_allocate(
		channel, connection, length, true, &event.offset);

	assert_non_null(bytes);
	memset(bytes, 0x5a, length);
	assert_true(channel_deliver(channel, &event));
	channel_flush(channel);
	assert_int_equal(application_event().offset, event.offset);
	return event.offset;
}

uint32_t
engine_bring(uint32_t length)
{
	return engine_bring_on(1, length);
}
