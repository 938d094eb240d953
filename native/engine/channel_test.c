// SPDX-License-Identifier: MIT
/* What the engine does for an application that obeys the rules of a channel. */
#include "engine/channel.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/clock.h"
#include "engine/channel_fixture.h"
#include "shm/futex.h"

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
	application_submit(&request);
	assert_false(channel_sleep(channel));
	channel_wake(channel);
	assert_int_equal(engine_serve(), 1);
	event = application_event();
	assert_int_equal(event.kind, MACHNET_EVENT_CONNECTED);
	assert_int_equal(event.status, MACHNET_INVALID_ARGUMENT);
	assert_int_equal(event.token, 5);
	assert_int_equal(engine_serve(), 0);
	assert_true(channel_sleep(channel));
	channel_wake(channel);
}

/* It costs the engine neither memory nor sleep. */
static void
an_application_that_takes_no_events_waits(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < CHANNEL_COMPLETIONS + 10; i++) {
		application_submit(&request);
		engine_serve();
	}
	assert_sound();
	assert_int_equal(application_events(), CHANNEL_COMPLETIONS);
	assert_true(channel_sleep(channel));
	channel_wake(channel);
	assert_false(channel_deliver(channel, &(struct machnet_event){0}));
	application_event();
	assert_false(channel_sleep(channel));
	channel_wake(channel);
	assert_int_equal(engine_serve(), 1);
	assert_true(channel_sleep(channel));
	channel_wake(channel);
	while (application_events() != 0) {
		application_event();
		engine_serve();
	}
	assert_sound();
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
	application_submit(&request);
	engine_serve();
	assert_int_equal(rings(), 0);
	atomic_store(&header->application_waits, CHANNEL_WAIT_EVENTS);
	application_submit(&send);
	engine_serve();
	assert_int_equal(rings(), 0);
	application_submit(&request);
	application_submit(&request);
	engine_serve();
	assert_int_equal(rings(), 1);
	assert_int_equal(atomic_load(&header->application_waits), 0);
	atomic_store(&header->application_waits, CHANNEL_WAIT_EVENTS_OR_ROOM);
	application_submit(&send);
	engine_serve();
	assert_int_equal(rings(), 1);
	/* Taking a request makes room, too. */
	atomic_store(&header->application_waits, CHANNEL_WAIT_EVENTS_OR_ROOM);
	application_submit(&(struct submission){.kind = SUBMISSION_ACCEPT});
	engine_serve();
	assert_int_equal(rings(), 1);
}

static void *
wait_here(void *context)
{
	uint32_t value = CHANNEL_WAIT_HERE | CHANNEL_WAIT_EVENTS;

	(void)context;
	while (atomic_load(&header->application_waits) == value)
		futex_wait(&header->application_waits, value, NS_PER_S - 1);
	return NULL;
}

static void
who_waits_for_the_word_is_woken_without_the_doorbell(void **state)
{
	const struct submission accept = {.kind = SUBMISSION_ACCEPT};
	uint32_t value = CHANNEL_WAIT_HERE | CHANNEL_WAIT_EVENTS;
	pthread_t thread;

	(void)state;
	atomic_store(&header->application_waits, value);
	pthread_create(&thread, NULL, wait_here, NULL);
	application_submit(&accept);
	engine_serve();
	assert_int_equal(atomic_load(&header->application_waits), value);
	application_submit(&request);
	engine_serve();
	pthread_join(thread, NULL);
	assert_int_equal(rings(), 0);
	atomic_store(&header->application_waits,
		CHANNEL_WAIT_HERE | CHANNEL_WAIT_EVENTS_OR_ROOM);
	application_submit(&accept);
	engine_serve();
	assert_int_equal(atomic_load(&header->application_waits), 0);
	assert_int_equal(rings(), 0);
}

/* @param cpu where it says that it yielded */
static void
expect_application(enum channel_application application, uint32_t cpu)
{
	uint32_t told;

	assert_int_equal(channel_application(channel, &told), application);
	assert_int_equal(told, cpu);
}

static void
an_application_waits_without_events_where_it_says(void **state)
{
	const uint32_t cpu = 3;

	(void)state;
	expect_application(APPLICATION_BUSY, PROCESSOR_NONE);
	atomic_store(&header->application_cpu, cpu + 1);
	expect_application(APPLICATION_WAITS, cpu);
	application_submit(&request);
	engine_serve();
	expect_application(APPLICATION_BUSY, cpu);
	atomic_store(&header->application_waits, CHANNEL_WAIT_EVENTS);
	expect_application(APPLICATION_ASLEEP, cpu);
	atomic_store(&header->application_waits, CHANNEL_WAIT_NONE);
	/* More than it can have taken. */
	atomic_store(&header->completions.consumed, 2);
	expect_application(APPLICATION_BUSY, cpu);
	atomic_store(&header->completions.consumed, 0);
	application_event();
	expect_application(APPLICATION_WAITS, cpu);
}

static void
an_application_is_told_where_its_engine_is_alone(void **state)
{
	(void)state;
	assert_int_equal(atomic_load(&header->engine_cpu), 0);
	channel_tell_cpu(channel, 3);
	assert_int_equal(atomic_load(&header->engine_cpu), 4);
	channel_tell_cpu(channel, PROCESSOR_NONE);
	assert_int_equal(atomic_load(&header->engine_cpu), 0);
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
	application_submit(&listen);
	application_submit(&listen);
	listen.flags = 0;
	application_submit(&listen);
	engine_serve();
	assert_int_equal(application_event().status, MACHNET_OK);
	assert_int_equal(application_event().status, MACHNET_OK);
	assert_int_equal(application_event().status, MACHNET_ADDRESS_IN_USE);
	assert_sound();
}

static void
listening_is_for_our_own_address(void **state)
{
	struct submission listen = {.kind = SUBMISSION_LISTEN, .port = 80};
	struct machnet_event event;

	(void)state;
	application_submit(&listen);
	listen.address = OUR_ADDRESS + 1;
	application_submit(&listen);
	listen.address = OUR_ADDRESS;
	application_submit(&listen);
	listen.port = 0;
	listen.length = UINT32_MAX;
	application_submit(&listen);
	engine_serve();
	event = application_event();
	assert_int_equal(event.status, MACHNET_OK);
	assert_int_equal(event.port, 80);
	assert_int_equal(
		application_event().status, MACHNET_ADDRESS_NOT_AVAILABLE);
	assert_int_equal(application_event().status, MACHNET_ADDRESS_IN_USE);
	assert_int_equal(application_event().status, MACHNET_OK);
	/* Of nobody's listener nothing is said but that it is gone. */
	application_submit(&(struct submission){
		.kind = SUBMISSION_UNLISTEN, .connection = UINT32_MAX});
	application_submit(&(struct submission){
		.kind = SUBMISSION_UNLISTEN, .connection = event.listener});
	engine_serve();
	assert_int_equal(application_event().kind, MACHNET_EVENT_UNLISTENED);
	assert_int_equal(application_event().kind, MACHNET_EVENT_UNLISTENED);
	assert_null(listeners_next(listeners, 80));
	assert_sound();
}

/* @return whether what the application was lent is still there */
static bool
ended(int32_t status)
{
	uint32_t offset = engine_bring(100);
	bool there;

	application_submit(&request);
	engine_serve();
	fixture_drop(status);
	assert_int_equal(atomic_load(&header->ended), status);
	assert_int_equal(application_event().kind, MACHNET_EVENT_CONNECTED);
	there = shared[offset] == 0x5a;
	application_end();
	fixture_open();
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
	return application_events();
}

static void
who_holds_too_much_of_a_connection_hears_of_it(void **state)
{
	uint32_t offset;
	struct machnet_event event;

	(void)state;
	for (uint32_t i = 0; i < 4; i++)
		offset = engine_bring_on(1, 4 << 20);
	assert_int_equal(events_after_wait(1, 3), 0);
	engine_bring_on(1, 4 << 20);
	assert_int_equal(events_after_wait(1, 0), 0);
	/* Once a second. */
	assert_int_equal(events_after_wait(1, 3), 3);
	event = application_event();
	assert_int_equal(event.kind, MACHNET_EVENT_STARVED);
	assert_int_equal(event.connection, 1);
	assert_int_equal(event.token, 5);
	assert_int_equal(event.length, 0);
	while (application_events() != 0)
		application_event();
	application_release(offset);
	engine_serve();
	assert_int_equal(events_after_wait(1, 3), 0);
}

static void
who_holds_too_much_in_all_hears_of_it(void **state)
{
	struct machnet_event event;

	(void)state;
	for (uint32_t i = 1; i <= 4; i++)
		engine_bring_on(i, 4 << 20);
	assert_int_equal(events_after_wait(9, 2), 0);
	engine_bring_on(5, 1000);
	assert_int_equal(events_after_wait(9, 1), 1);
	event = application_event();
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
	application_submit(&send);
	engine_serve();
	pins = 0;
	assert_int_equal(atomic_load(&header->sent.produced), 0);
	assert_int_equal(channel->records_pinned, 1);
	send.offset += 4096;
	application_submit(&send);
	engine_serve();
	assert_int_equal(atomic_load(&header->sent.produced), 1);
	assert_int_equal(sent_home(0), send.offset);
	channel_message_unpin(pinned);
	engine_serve();
	assert_int_equal(atomic_load(&header->sent.produced), 1);
	channel_message_unpin(pinned);
	assert_int_equal(channel->records_pinned, 0);
	engine_serve();
	assert_int_equal(atomic_load(&header->sent.produced), 2);
	assert_int_equal(sent_home(1), layout.tx_arena);
}

#define TEST(f)                                                                \
	cmocka_unit_test_setup_teardown(f, fixture_set_up, fixture_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(arenas_of_an_odd_size_are_refused),
		TEST(a_request_is_answered),
		TEST(a_block_goes_home_when_no_packet_refers_to_it),
		TEST(an_application_that_takes_no_events_waits),
		TEST(the_doorbell_rings_for_what_is_waited_for),
		TEST(who_waits_for_the_word_is_woken_without_the_doorbell),
		TEST(an_application_waits_without_events_where_it_says),
		TEST(an_application_is_told_where_its_engine_is_alone),
		TEST(listening_is_for_our_own_address),
		TEST(a_port_is_listened_on_twice_if_both_say_so),
		TEST(an_end_leaves_the_reason_and_the_events),
		TEST(who_holds_too_much_of_a_connection_hears_of_it),
		TEST(who_holds_too_much_in_all_hears_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
