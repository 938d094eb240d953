/* SPDX-License-Identifier: MIT */
/* Waiting and waking; the last tests with an engine on a thread of its own. */
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/fake_sidecar.h"

#define MIB (1u << 20)

/* For the engine thread, and from it. */
static uint32_t messages_due;
static bool wake_up_lost;

static bool
rings(const struct attached *f, int timeout_ms)
{
	struct pollfd pollfd = {.fd = f->info.doorbell_fd, .events = POLLIN};

	return poll(&pollfd, 1, timeout_ms) == 1;
}

static void
there_is_no_wait_while_there_are_events(void **state)
{
	struct machnet_event event = {.kind = MACHNET_EVENT_LISTENING};
	struct attached *f = *state;

	fake_post(&f->fake, &event);
	assert_int_equal(machnet_wait(f->channel, 0), 1);
	assert_int_equal(f->fake.header->application_waits, 0);
	assert_false(rings(f, 0));
}

static void
one_wait_is_one_ring(void **state)
{
	struct machnet_event event = {.kind = MACHNET_EVENT_LISTENING};
	struct attached *f = *state;

	assert_int_equal(machnet_wait(f->channel, 0), 0);
	assert_false(rings(f, 0));
	fake_post(&f->fake, &event);
	fake_post(&f->fake, &event);
	assert_true(rings(f, FAKE_WAIT_MS));
	assert_int_equal(machnet_poll(f->channel, &event, 1, 0), 1);
	assert_int_equal(machnet_poll(f->channel, &event, 1, 0), 1);
	/* The byte is taken out by the next wait. */
	assert_int_equal(machnet_wait(f->channel, 0), 0);
	assert_false(rings(f, 0));
}

static void
without_room_wanted_room_does_not_ring(void **state)
{
	struct submission submission;
	struct attached *f = *state;

	machnet_send(f->channel, 1, "x", 1);
	assert_int_equal(machnet_wait(f->channel, 0), 0);
	assert_true(fake_take(&f->fake, &submission));
	fake_send_home(&f->fake, submission.offset);
	assert_false(rings(f, 0));
}

static void
submissions_full(struct attached *f)
{
	while (machnet_accept(f->channel, 1) == MACHNET_OK)
		;
}

static void
room_for_a_submission_rings(void **state)
{
	struct submission submission;
	struct attached *f = *state;

	assert_int_equal(machnet_wait(f->channel, 1), 1);
	submissions_full(f);
	assert_int_equal(machnet_wait(f->channel, 1), 0);
	assert_true(fake_take(&f->fake, &submission));
	assert_true(rings(f, FAKE_WAIT_MS));
	assert_int_equal(machnet_wait(f->channel, 1), 1);
}

static void
arena_full(struct attached *f)
{
	uint32_t connection = 1;

	while (machnet_allocate(f->channel, connection, 8 * MIB) > 0)
		connection++;
}

static void
room_for_a_block_rings(void **state)
{
	struct submission submission;
	struct attached *f = *state;

	machnet_send(f->channel, 1, "x", 1);
	arena_full(f);
	assert_int_equal(machnet_wait(f->channel, 1), 0);
	assert_true(fake_take(&f->fake, &submission));
	assert_true(rings(f, FAKE_WAIT_MS));
	/* There was room in the ring all the time: that was not lacking. */
	assert_int_equal(machnet_wait(f->channel, 1), 0);
	fake_send_home(&f->fake, submission.offset);
	assert_true(rings(f, FAKE_WAIT_MS));
	assert_int_equal(machnet_wait(f->channel, 1), 1);
}

static void
room_that_a_poll_found_is_not_forgotten(void **state)
{
	struct submission submission;
	struct machnet_event event;
	struct attached *f = *state;

	machnet_send(f->channel, 1, "x", 1);
	arena_full(f);
	assert_true(fake_take(&f->fake, &submission));
	fake_send_home(&f->fake, submission.offset);
	/* It does not spin on when room has come. */
	assert_int_equal(machnet_poll(f->channel, &event, 1, 100000000), 0);
	assert_int_equal(machnet_wait(f->channel, 1), 1);
}

static void
one_of_two_lacks_that_ends_is_enough(void **state)
{
	struct submission submission;
	struct attached *f = *state;

	arena_full(f);
	submissions_full(f);
	assert_int_equal(machnet_wait(f->channel, 1), 0);
	assert_true(fake_take(&f->fake, &submission));
	assert_int_equal(machnet_wait(f->channel, 1), 1);
	assert_int_equal(machnet_wait(f->channel, 1), 0);
}

static void
an_own_release_is_room(void **state)
{
	struct attached *f = *state;
	int32_t offset = machnet_allocate(f->channel, 1, 1);

	arena_full(f);
	assert_int_equal(machnet_wait(f->channel, 1), 0);
	machnet_release(f->channel, (uint32_t)offset);
	assert_int_equal(machnet_wait(f->channel, 1), 1);
}

static void
an_ended_doorbell_stays_readable(void **state)
{
	struct attached *f = *state;

	shutdown(f->fake.socket_fd, SHUT_RDWR);
	assert_int_equal(machnet_wait(f->channel, 0), 0);
	assert_true(rings(f, 0));
}

/** Sleep as the engine does, until there are submissions. */
static bool
engine_sleep(struct attached *f)
{
	struct pollfd pollfd = {.fd = f->fake.wake_fd, .events = POLLIN};

	atomic_store(&f->fake.header->engine_waits, 1);
	atomic_thread_fence(memory_order_seq_cst);
	if (ring_available(&f->fake.submissions) > 0) {
		atomic_store(&f->fake.header->engine_waits, 0);
		return true;
	}
	if (poll(&pollfd, 1, FAKE_WAIT_MS) != 1)
		return false;
	fake_was_rung(&f->fake);
	return true;
}

/** An engine that sends every message back. */
static void *
engine_echo(void *context)
{
	struct attached *f = context;
	struct submission submission;
	uint32_t echoed = 0;

	while (echoed < messages_due) {
		if (!fake_take(&f->fake, &submission)) {
			if (!engine_sleep(f)) {
				wake_up_lost = true;
				return NULL;
			}
			continue;
		}
		fake_take_released(&f->fake);
		fake_post_message(&f->fake, submission.connection,
			f->fake.base + submission.offset, submission.length);
		fake_send_home(&f->fake, submission.offset);
		echoed++;
	}
	return NULL;
}

/** Take what came; sleep if nothing did. @return messages, or -1 if lost */
static int32_t
receive(struct attached *f, uint32_t expected, uint32_t room)
{
	struct machnet_event events[32];
	int32_t count = machnet_poll(f->channel, events, 32, 0);
	int32_t i;

	assert_true(count >= 0);
	for (i = 0; i < count; i++, expected++) {
		uint32_t number;

		assert_int_equal(events[i].length, sizeof(number));
		memcpy(&number, f->base + events[i].offset, sizeof(number));
		assert_int_equal(number, expected);
		assert_int_equal(machnet_release(f->channel, events[i].offset),
			MACHNET_OK);
	}
	if (count == 0 && machnet_wait(f->channel, room) == 0 &&
		!rings(f, FAKE_WAIT_MS))
		return -1;
	return count;
}

/** Messages there and back, at most window of them on their way. */
static void
echo(struct attached *f, uint32_t messages, uint32_t window)
{
	uint32_t sent = 0, received = 0;
	pthread_t engine;
	int32_t count;

	messages_due = messages;
	wake_up_lost = false;
	pthread_create(&engine, NULL, engine_echo, f);
	while (received < messages) {
		bool full = false;

		while (sent < messages && sent - received < window && !full) {
			full = machnet_send(f->channel, 1, &sent,
				       sizeof(sent)) == MACHNET_AGAIN;
			sent += !full;
		}
		count = receive(f, received, full);
		assert_int_not_equal(count, -1);
		received += (uint32_t)count;
	}
	pthread_join(engine, NULL);
	assert_false(wake_up_lost);
}

static void
no_wake_up_is_lost_one_message_at_a_time(void **state)
{
	echo(*state, 20000, 1);
}

static void
no_wake_up_is_lost_with_many_on_their_way(void **state)
{
	echo(*state, 100000, 900);
}

/** An engine that takes submissions now and then and answers nothing. */
static void *
engine_sink(void *context)
{
	struct attached *f = context;
	struct submission submission;
	uint32_t taken = 0;

	while (taken < messages_due) {
		if (!fake_take(&f->fake, &submission)) {
			if (!engine_sleep(f)) {
				wake_up_lost = true;
				return NULL;
			}
			continue;
		}
		fake_send_home(&f->fake, submission.offset);
		taken++;
	}
	return NULL;
}

/* Blocks so large that the arena is full all the time. */
static void
no_wake_up_for_room_is_lost(void **state)
{
	struct attached *f = *state;
	pthread_t engine;
	uint32_t sent = 0;
	int32_t offset;

	messages_due = 20000;
	wake_up_lost = false;
	pthread_create(&engine, NULL, engine_sink, f);
	while (sent < messages_due) {
		offset = machnet_allocate(f->channel, 1, 8 * MIB);
		if (offset > 0) {
			assert_int_equal(machnet_send_allocated(f->channel, 1,
						 (uint32_t)offset, 8 * MIB),
				MACHNET_OK);
			sent++;
			continue;
		}
		assert_int_equal(offset, MACHNET_AGAIN);
		if (machnet_wait(f->channel, 1) == 0)
			assert_true(rings(f, FAKE_WAIT_MS));
	}
	pthread_join(engine, NULL);
	assert_false(wake_up_lost);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(                                       \
		name, attached_set_up, attached_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(there_is_no_wait_while_there_are_events),
		TEST(one_wait_is_one_ring),
		TEST(without_room_wanted_room_does_not_ring),
		TEST(room_for_a_submission_rings),
		TEST(room_for_a_block_rings),
		TEST(room_that_a_poll_found_is_not_forgotten),
		TEST(one_of_two_lacks_that_ends_is_enough),
		TEST(an_own_release_is_room),
		TEST(an_ended_doorbell_stays_readable),
		TEST(no_wake_up_is_lost_one_message_at_a_time),
		TEST(no_wake_up_is_lost_with_many_on_their_way),
		TEST(no_wake_up_for_room_is_lost),
	};

	return cmocka_run_group_tests_name("wait", tests, NULL, NULL);
}
