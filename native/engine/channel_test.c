// SPDX-License-Identifier: MIT
/*
 * The engine's end of a channel against an application that writes what it
 * likes, where it likes: the channel turns corrupt, and nothing else happens.
 * There is no network: no packet leaves.
 */
#include "base/clock.h"
#include "engine/channel.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bits.h"

#define OUR_ADDRESS 0x0a000001u
#define ARENA_BYTES MACHNET_ARENA_BYTES_MIN

static struct transport *transport;
static struct services *services;
static struct listeners *listeners;
static struct channel *channel;
static int doorbell;
/* The application's. */
static uint8_t *shared;
static struct channel_layout layout;
static struct channel_header *header;
/* Packets refer to the next messages that are sent; to this, if so. */
static uint32_t pins;
static struct tx_message *pinned;

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

static void
channel_open(void)
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
	channel->address = OUR_ADDRESS;
	assert_true(channel_layout_init(&layout, ARENA_BYTES));
	shared = mmap(NULL, layout.bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		channel->memfd, 0);
	assert_ptr_not_equal(shared, MAP_FAILED);
	header = (struct channel_header *)shared;
}

static void
channel_drop(int32_t status)
{
	listeners_remove_endpoint(listeners, &channel->endpoint);
	endpoint_close(transport, 0, &channel->endpoint, "over");
	channel_end(channel, status);
	channel_destroy(channel);
}

static void
application_end(void)
{
	munmap(shared, layout.bytes);
	close(doorbell);
}

static int
set_up(void **state)
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
	channel_open();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	channel_drop(MACHNET_CLOSED);
	application_end();
	transport_destroy(transport);
	listeners_destroy(listeners);
	services_destroy(services);
	return 0;
}

static void
again(void)
{
	channel_drop(MACHNET_CHANNEL_CORRUPT);
	application_end();
	channel_open();
}

/* What the application does. */

static void
submit(const struct submission *submission)
{
	uint32_t produced = atomic_load(&header->submissions.produced);

	memcpy(shared + layout.submissions +
			produced % CHANNEL_SUBMISSIONS * sizeof(*submission),
		submission, sizeof(*submission));
	atomic_store(&header->submissions.produced, produced + 1);
}

static void
release(uint32_t offset)
{
	uint32_t produced = atomic_load(&header->released.produced);

	memcpy(shared + layout.released +
			produced % CHANNEL_BLOCKS_LENT_MAX * sizeof(offset),
		&offset, sizeof(offset));
	atomic_store(&header->released.produced, produced + 1);
}

static uint32_t
events_waiting(void)
{
	return atomic_load(&header->completions.produced) -
	       atomic_load(&header->completions.consumed);
}

static struct machnet_event
event_take(void)
{
	uint32_t consumed = atomic_load(&header->completions.consumed);
	struct machnet_event event;

	assert_int_not_equal(events_waiting(), 0);
	memcpy(&event,
		shared + layout.completions +
			consumed % CHANNEL_COMPLETIONS * sizeof(event),
		sizeof(event));
	atomic_store(&header->completions.consumed, consumed + 1);
	return event;
}

static uint32_t
serve(void)
{
	uint32_t done = channel_serve(channel, 1000);

	channel_flush(channel);
	return done;
}

/* It is over: nothing is done any more, and nobody kept awake. */
static void
corrupt_now(void)
{
	while (!channel->corrupt && serve() != 0)
		continue;
	assert_true(channel->corrupt);
	assert_int_equal(serve(), 0);
	assert_true(channel_sleep(channel));
	channel_wake(channel);
}

static void
sound_now(void)
{
	while (serve() != 0)
		continue;
	assert_false(channel->corrupt);
}

/* Answered at once, without a packet. */
static const struct submission request = {
	.kind = SUBMISSION_CONNECT,
	.token = 5,
};

static void
the_memory_cannot_change_its_size(void **state)
{
	(void)state;
	assert_int_equal(fcntl(channel->memfd, F_GET_SEALS),
		F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	assert_int_not_equal(ftruncate(channel->memfd, 4096), 0);
}

static void
arenas_of_an_odd_size_are_refused(void **state)
{
	const uint32_t sizes[] = {0, 1, ARENA_BYTES / 2, ARENA_BYTES + 1,
		3 * ARENA_BYTES, 2 * MACHNET_ARENA_BYTES_MAX, UINT32_MAX};
	struct channel *none;
	struct machnet_error error;

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++)
		assert_int_equal(channel_create(&none, sizes[i], 99, &error),
			MACHNET_INVALID_ARGUMENT);
}

static void
a_request_is_answered(void **state)
{
	struct machnet_event event;

	(void)state;
	submit(&request);
	assert_false(channel_sleep(channel));
	channel_wake(channel);
	assert_int_equal(serve(), 1);
	event = event_take();
	assert_int_equal(event.kind, MACHNET_EVENT_CONNECTED);
	assert_int_equal(event.status, MACHNET_HOST_UNREACHABLE);
	assert_int_equal(event.token, 5);
	assert_int_equal(serve(), 0);
	assert_true(channel_sleep(channel));
	channel_wake(channel);
}

static void
an_index_that_cannot_be_is_corrupt(void **state)
{
	const size_t words[] = {
		offsetof(struct channel_header, submissions.produced),
		offsetof(struct channel_header, released.produced),
	};
	const uint32_t past[] = {CHANNEL_SUBMISSIONS, CHANNEL_BLOCKS_LENT_MAX};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
		const uint32_t values[] = {past[i] + 1, 0x80000000u, UINT32_MAX,
			UINT32_MAX - past[i]};

		for (size_t j = 0; j < ARRAY_LENGTH(values); j++) {
			_Atomic uint32_t *word = (void *)(shared + words[i]);

			atomic_store(word, values[j]);
			corrupt_now();
			again();
		}
	}
	/* Backwards. */
	submit(&request);
	submit(&request);
	sound_now();
	atomic_store(&header->submissions.produced, 1);
	corrupt_now();
}

/* Looked at only when the ring seems full. */
static void
an_index_of_ours_that_comes_back_wrong_is_corrupt(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < CHANNEL_COMPLETIONS + 1; i++) {
		submit(&request);
		serve();
	}
	assert_false(channel->corrupt);
	atomic_store(&header->completions.consumed, 12345678);
	corrupt_now();
	again();

	for (uint32_t i = 0; i < CHANNEL_BLOCKS_LENT_MAX; i++) {
		submit(&(struct submission){.kind = SUBMISSION_SEND,
			.offset = layout.tx_arena,
			.length = 1});
		serve();
	}
	assert_false(channel->corrupt);
	atomic_store(&header->sent.consumed, UINT32_MAX);
	submit(&(struct submission){.kind = SUBMISSION_SEND,
		.offset = layout.tx_arena,
		.length = 1});
	corrupt_now();
}

static void
an_unknown_kind_is_corrupt(void **state)
{
	const uint16_t kinds[] = {0, 8, 255, 256, UINT16_MAX};
	const uint32_t message_kinds[] = {
		MACHNET_MESSAGE_CANCEL + 1, 256, UINT32_MAX};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
		submit(&(struct submission){.kind = kinds[i]});
		corrupt_now();
		again();
	}
	for (size_t i = 0; i < ARRAY_LENGTH(message_kinds); i++) {
		submit(&(struct submission){
			.kind = SUBMISSION_SEND, .flags = message_kinds[i]});
		corrupt_now();
		again();
	}
	submit(&(struct submission){
		.kind = SUBMISSION_SEND, .flags = MACHNET_MESSAGE_CANCEL});
	sound_now();
}

static void
bytes_out_of_the_own_arena_are_corrupt(void **state)
{
	const uint32_t tx = layout.tx_arena, rx = layout.rx_arena;
	const struct {
		uint32_t offset, length;
		bool valid;
	} cases[] = {
		{tx, 1, true},
		{tx, 255, true},
		{rx - 1, 1, true},
		{rx - 255, 255, true},
		{UINT32_MAX, 0, true},
		{0, 0, true},
		{tx - 1, 1, false},
		{tx - 1, 2, false},
		{rx - 1, 2, false},
		{rx, 1, false},
		{layout.bytes, 1, false},
		{0, 1, false},
		{UINT32_MAX, 1, false},
		{UINT32_MAX - 3, 200, false},
		{tx, UINT32_MAX, false},
		{tx, MACHNET_MESSAGE_BYTES_MAX + 1, false},
	};
	const uint16_t kinds[] = {SUBMISSION_SEND, SUBMISSION_RESET};

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LENGTH(cases); i++) {
		submit(&(struct submission){.kind = kinds[i % 2],
			.offset = cases[i / 2].offset,
			.length = cases[i / 2].length});
		if (cases[i / 2].valid) {
			sound_now();
			continue;
		}
		corrupt_now();
		again();
	}
	submit(&(struct submission){.kind = SUBMISSION_SEND,
		.offset = tx,
		.length = MACHNET_MESSAGE_BYTES_MAX});
	sound_now();
	submit(&(struct submission){.kind = SUBMISSION_RESET,
		.offset = tx,
		.length = MACHNET_REASON_BYTES_MAX + 1});
	corrupt_now();
}

/* A message as the transport would bring it. @return its offset */
static uint32_t
message_bring_on(uint32_t connection, uint32_t length)
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
	assert_int_equal(event_take().offset, event.offset);
	return event.offset;
}

static uint32_t
message_bring(uint32_t length)
{
	return message_bring_on(1, length);
}

static void
a_block_goes_home_once(void **state)
{
	uint32_t offset;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		release(message_bring(1000));
		assert_int_equal(serve(), 1);
	}
	sound_now();
	offset = message_bring(1000);
	release(offset);
	release(offset);
	corrupt_now();
}

static void
a_block_that_was_not_lent_is_corrupt(void **state)
{
	const uint32_t rx = layout.rx_arena;
	const uint32_t offsets[] = {0, layout.tx_arena, rx, rx + 1, rx + 256,
		rx + ARENA_BYTES - 256, rx + ARENA_BYTES, layout.bytes,
		UINT32_MAX, rx - 256, UINT32_MAX - rx};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(offsets); i++) {
		release(offsets[i]);
		corrupt_now();
		again();
	}
	/* Inside of one. */
	release(message_bring(4096) + 256);
	corrupt_now();
}

/* Without taking any of it home, the room for that runs out. */
static void
the_same_block_may_not_be_sent_for_ever(void **state)
{
	const struct submission send = {
		.kind = SUBMISSION_SEND,
		.offset = layout.tx_arena,
		.length = 100,
	};

	(void)state;
	for (uint32_t i = 0; i < 3 * CHANNEL_BLOCKS_LENT_MAX; i++) {
		submit(&send);
		serve();
		atomic_store(&header->sent.consumed,
			atomic_load(&header->sent.produced));
	}
	sound_now();
	for (uint32_t i = 0; i < CHANNEL_BLOCKS_LENT_MAX; i++) {
		submit(&send);
		serve();
	}
	sound_now();
	submit(&send);
	corrupt_now();
}

/* It costs the engine neither memory nor sleep. */
static void
an_application_that_takes_no_events_waits(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < CHANNEL_COMPLETIONS + 10; i++) {
		submit(&request);
		serve();
	}
	sound_now();
	assert_int_equal(events_waiting(), CHANNEL_COMPLETIONS);
	assert_true(channel_sleep(channel));
	channel_wake(channel);
	assert_false(channel_deliver(channel, &(struct machnet_event){0}));
	event_take();
	assert_false(channel_sleep(channel));
	channel_wake(channel);
	assert_int_equal(serve(), 1);
	assert_true(channel_sleep(channel));
	channel_wake(channel);
	while (events_waiting() != 0) {
		event_take();
		serve();
	}
	sound_now();
}

static uint32_t
rings(void)
{
	char bytes[64];
	ssize_t length = recv(doorbell, bytes, sizeof(bytes), 0);

	return length < 0 ? 0 : (uint32_t)length;
}

static void
the_doorbell_rings_for_what_is_waited_for(void **state)
{
	const struct submission send = {
		.kind = SUBMISSION_SEND,
		.offset = layout.tx_arena,
		.length = 100,
	};

	(void)state;
	submit(&request);
	serve();
	assert_int_equal(rings(), 0);
	atomic_store(&header->application_waits, CHANNEL_WAIT_EVENTS);
	submit(&send);
	serve();
	assert_int_equal(rings(), 0);
	submit(&request);
	submit(&request);
	serve();
	assert_int_equal(rings(), 1);
	assert_int_equal(atomic_load(&header->application_waits), 0);
	atomic_store(&header->application_waits, CHANNEL_WAIT_EVENTS_OR_ROOM);
	submit(&send);
	serve();
	assert_int_equal(rings(), 1);
	/* Taking a request makes room, too. */
	atomic_store(&header->application_waits, CHANNEL_WAIT_EVENTS_OR_ROOM);
	submit(&(struct submission){.kind = SUBMISSION_ACCEPT});
	serve();
	assert_int_equal(rings(), 1);
}

static void
a_port_is_listened_on_twice_if_both_say_so(void **state)
{
	struct submission listen = {
		.kind = SUBMISSION_LISTEN,
		.port = 80,
		.flags = MACHNET_LISTEN_REUSE,
	};

	(void)state;
	submit(&listen);
	submit(&listen);
	listen.flags = 0;
	submit(&listen);
	serve();
	assert_int_equal(event_take().status, MACHNET_OK);
	assert_int_equal(event_take().status, MACHNET_OK);
	assert_int_equal(event_take().status, MACHNET_ADDRESS_IN_USE);
	sound_now();
}

static void
listening_is_for_our_own_address(void **state)
{
	struct submission listen = {.kind = SUBMISSION_LISTEN, .port = 80};
	struct machnet_event event;

	(void)state;
	submit(&listen);
	listen.address = OUR_ADDRESS + 1;
	submit(&listen);
	listen.address = OUR_ADDRESS;
	submit(&listen);
	listen.port = 0;
	listen.length = UINT32_MAX;
	submit(&listen);
	serve();
	event = event_take();
	assert_int_equal(event.status, MACHNET_OK);
	assert_int_equal(event.port, 80);
	assert_int_equal(event_take().status, MACHNET_ADDRESS_NOT_AVAILABLE);
	assert_int_equal(event_take().status, MACHNET_ADDRESS_IN_USE);
	assert_int_equal(event_take().status, MACHNET_OK);
	/* Of nobody's listener nothing is said but that it is gone. */
	submit(&(struct submission){
		.kind = SUBMISSION_UNLISTEN, .connection = UINT32_MAX});
	submit(&(struct submission){
		.kind = SUBMISSION_UNLISTEN, .connection = event.listener});
	serve();
	assert_int_equal(event_take().kind, MACHNET_EVENT_UNLISTENED);
	assert_int_equal(event_take().kind, MACHNET_EVENT_UNLISTENED);
	assert_null(listeners_next(listeners, 80));
	sound_now();
}

/* @return whether what the application was lent is still there */
static bool
ended(int32_t status)
{
	uint32_t offset = message_bring(100);
	bool there;

	submit(&request);
	serve();
	channel_drop(status);
	assert_int_equal(atomic_load(&header->ended), status);
	assert_int_equal(event_take().kind, MACHNET_EVENT_CONNECTED);
	there = shared[offset] == 0x5a;
	application_end();
	channel_open();
	return there;
}

static void
an_end_leaves_the_reason_and_the_events(void **state)
{
	(void)state;
	assert_false(ended(MACHNET_CLOSED));
	assert_false(ended(MACHNET_CHANNEL_CORRUPT));
	assert_true(ended(MACHNET_SIDECAR_STOPPED));
}

/* Anything, anywhere, at any time. */
static void
scribbling_does_no_harm(void **state)
{
	unsigned seed = 42;
	uint32_t ends = 0;

	(void)state;
	for (uint32_t round = 0; round < 200000; round++) {
		struct submission random = {
			.kind = (uint16_t)(1 + rand_r(&seed) % 7),
			.port = (uint16_t)(rand_r(&seed) % 100),
			.connection = (uint32_t)rand_r(&seed) % 4096,
			.offset = layout.tx_arena +
				  (uint32_t)rand_r(&seed) % ARENA_BYTES,
			.length = (uint32_t)rand_r(&seed) % 300,
			.token = (uint32_t)rand_r(&seed),
			.address = (uint32_t)rand_r(&seed) * 2,
			.timeout_ms = (uint32_t)rand_r(&seed) % 100,
			.flags = round % (MACHNET_MESSAGE_CANCEL + 1),
		};

		if (random.kind == SUBMISSION_RESET)
			random.length %= 256;
		submit(&random);
		if (round % 4 == 0)
			atomic_store(&header->completions.consumed,
				atomic_load(&header->completions.produced));
		if (round % 8 == 0)
			atomic_store(&header->sent.consumed,
				atomic_load(&header->sent.produced));
		if (round % 97 == 0)
			shared[(uint32_t)rand_r(&seed) %
				(round % 2 == 0 ? sizeof(*header)
						: layout.tx_arena)] =
				(uint8_t)rand_r(&seed);
		if (round % 16 == 0)
			transport_poll(transport, round * 10000);
		channel_serve(channel, round * 10000);
		channel_flush(channel);
		channel_sleep(channel);
		channel_wake(channel);
		if (channel->corrupt) {
			again();
			ends++;
		}
	}
	assert_in_range(ends, 10, 100000);
}

/* Of a connection whose peer waits, asking for news, so many seconds. */
static uint32_t
events_after_wait(uint32_t connection, uint32_t seconds)
{
	static uint64_t now_ns;

	now_ns += 10 * NS_PER_S;
	for (uint32_t i = 0; i <= 10 * seconds; i++) {
		now_ns += 100 * NS_PER_MS;
		channel_message_waits(channel, connection, now_ns);
	}
	channel_flush(channel);
	return events_waiting();
}

static void
who_holds_too_much_of_a_connection_hears_of_it(void **state)
{
	uint32_t offset;
	struct machnet_event event;

	(void)state;
	for (uint32_t i = 0; i < 4; i++)
		offset = message_bring_on(1, 4 << 20);
	assert_int_equal(events_after_wait(1, 3), 0);
	message_bring_on(1, 4 << 20);
	assert_int_equal(events_after_wait(1, 0), 0);
	/* Once a second. */
	assert_int_equal(events_after_wait(1, 3), 3);
	event = event_take();
	assert_int_equal(event.kind, MACHNET_EVENT_STARVED);
	assert_int_equal(event.connection, 1);
	assert_int_equal(event.token, 5);
	assert_int_equal(event.length, 0);
	while (events_waiting() != 0)
		event_take();
	release(offset);
	serve();
	assert_int_equal(events_after_wait(1, 3), 0);
}

static void
who_holds_too_much_in_all_hears_of_it(void **state)
{
	struct machnet_event event;

	(void)state;
	for (uint32_t i = 1; i <= 4; i++)
		message_bring_on(i, 4 << 20);
	assert_int_equal(events_after_wait(9, 2), 0);
	message_bring_on(5, 1000);
	assert_int_equal(events_after_wait(9, 1), 1);
	event = event_take();
	assert_int_equal(event.kind, MACHNET_EVENT_STARVED);
	assert_int_equal(event.connection, 0);
	assert_int_equal(event.token, 5);
}

/* What came home, the n-th since the channel began. */
static uint32_t
sent_home(uint32_t n)
{
	uint32_t offset;

	assert_true(n < atomic_load(&header->sent.produced));
	memcpy(&offset, shared + layout.sent + n * sizeof(offset),
		sizeof(offset));
	return offset;
}

static void
a_block_goes_home_when_no_packet_refers_to_it(void **state)
{
	struct submission send = {
		.kind = SUBMISSION_SEND,
		.connection = 1, /* unknown, so that it is sent at once */
		.offset = layout.tx_arena,
		.length = 100,
	};

	(void)state;
	pins = 2;
	submit(&send);
	serve();
	pins = 0;
	assert_int_equal(atomic_load(&header->sent.produced), 0);
	assert_int_equal(channel->records_pinned, 1);
	send.offset += 4096;
	submit(&send);
	serve();
	assert_int_equal(atomic_load(&header->sent.produced), 1);
	assert_int_equal(sent_home(0), send.offset);
	channel_message_unpin(pinned);
	serve();
	assert_int_equal(atomic_load(&header->sent.produced), 1);
	channel_message_unpin(pinned);
	assert_int_equal(channel->records_pinned, 0);
	serve();
	assert_int_equal(atomic_load(&header->sent.produced), 2);
	assert_int_equal(sent_home(1), layout.tx_arena);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_memory_cannot_change_its_size),
		TEST(arenas_of_an_odd_size_are_refused),
		TEST(a_request_is_answered),
		TEST(an_index_that_cannot_be_is_corrupt),
		TEST(an_index_of_ours_that_comes_back_wrong_is_corrupt),
		TEST(an_unknown_kind_is_corrupt),
		TEST(bytes_out_of_the_own_arena_are_corrupt),
		TEST(a_block_goes_home_once),
		TEST(a_block_goes_home_when_no_packet_refers_to_it),
		TEST(a_block_that_was_not_lent_is_corrupt),
		TEST(the_same_block_may_not_be_sent_for_ever),
		TEST(an_application_that_takes_no_events_waits),
		TEST(the_doorbell_rings_for_what_is_waited_for),
		TEST(listening_is_for_our_own_address),
		TEST(a_port_is_listened_on_twice_if_both_say_so),
		TEST(an_end_leaves_the_reason_and_the_events),
		TEST(who_holds_too_much_of_a_connection_hears_of_it),
		TEST(who_holds_too_much_in_all_hears_of_it),
		TEST(scribbling_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
