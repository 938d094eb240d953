/* SPDX-License-Identifier: MIT */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "client/fake_sidecar.h"

static void
events_arrive_as_they_were_posted(void **state)
{
	struct machnet_event posted[] = {
		{.kind = MACHNET_EVENT_LISTENING,
			.token = 7,
			.listener = 2,
			.port = 888},
		{.kind = MACHNET_EVENT_CONNECTED,
			.token = 8,
			.status = MACHNET_CONNECTION_REFUSED},
		{.kind = MACHNET_EVENT_ACCEPTED,
			.listener = 2,
			.connection = 77,
			.address = 0x0a000002,
			.port = 5},
		{.kind = MACHNET_EVENT_CLOSED, .connection = 77},
		{.kind = MACHNET_EVENT_UNLISTENED, .listener = 2},
		{.kind = MACHNET_EVENT_STARVED, .token = 100},
	};
	struct machnet_event events[8];
	struct attached *f = *state;
	size_t i;

	assert_int_equal(machnet_poll(f->channel, events, 8, 0), 0);
	for (i = 0; i < ARRAY_LENGTH(posted); i++)
		fake_post(&f->fake, &posted[i]);
	assert_int_equal(machnet_poll(f->channel, events, 2, 0), 2);
	assert_int_equal(machnet_poll(f->channel, events + 2, 6, 0), 4);
	assert_memory_equal(events, posted, sizeof(posted));
	assert_int_equal(machnet_poll(f->channel, events, 0, 0),
		MACHNET_INVALID_ARGUMENT);
	assert_int_equal(
		machnet_poll(f->channel, NULL, 1, 0), MACHNET_INVALID_ARGUMENT);
}

static void
messages_of_all_kinds_are_lent(void **state)
{
	struct attached *f = *state;
	uint16_t kind;

	for (kind = MACHNET_EVENT_REQUEST; kind <= MACHNET_EVENT_CANCEL;
		kind++) {
		struct machnet_event event;
		uint32_t offset = fake_post_kind(
			&f->fake, 5, "hello", 5, kind, 1000u + kind);

		assert_int_equal(machnet_poll(f->channel, &event, 1, 0), 1);
		assert_int_equal(event.kind, kind);
		assert_int_equal(event.token, 1000 + kind);
		assert_memory_equal(f->base + event.offset, "hello", 5);
		assert_int_equal(
			machnet_release(f->channel, offset), MACHNET_OK);
		assert_int_equal(machnet_release(f->channel, offset),
			MACHNET_INVALID_ARGUMENT);
	}
}

static void
a_message_is_lent_and_goes_home_once(void **state)
{
	struct attached *f = *state;
	struct machnet_event event;
	uint32_t offset = fake_post_message(&f->fake, 5, "hello", 5);

	assert_int_equal(
		machnet_release(f->channel, offset), MACHNET_INVALID_ARGUMENT);
	assert_int_equal(machnet_poll(f->channel, &event, 1, 0), 1);
	assert_int_equal(event.connection, 5);
	assert_int_equal(event.length, 5);
	assert_memory_equal(f->base + event.offset, "hello", 5);
	assert_int_equal(machnet_release(f->channel, event.offset + 1),
		MACHNET_INVALID_ARGUMENT);
	assert_int_equal(machnet_release(f->channel, event.offset), MACHNET_OK);
	assert_int_equal(machnet_release(f->channel, event.offset),
		MACHNET_INVALID_ARGUMENT);
	assert_int_equal(fake_take_released(&f->fake), 1);
	assert_int_equal(arena_lent_blocks(f->fake.rx), 0);
}

static void
an_empty_message_lends_nothing(void **state)
{
	struct attached *f = *state;
	struct machnet_event event = {
		.kind = MACHNET_EVENT_MESSAGE,
		.offset = f->fake.layout.rx_arena,
	};

	fake_post(&f->fake, &event);
	assert_int_equal(machnet_poll(f->channel, &event, 1, 0), 1);
	assert_int_equal(event.offset, 0);
	assert_int_equal(machnet_release(f->channel, f->fake.layout.rx_arena),
		MACHNET_INVALID_ARGUMENT);
}

static void
many_messages_wrap_the_rings(void **state)
{
	struct attached *f = *state;
	struct machnet_event events[64];
	uint32_t number = 0, expected = 0;
	int32_t count, i;

	while (expected < 100000) {
		for (i = 0; i < 61; i++, number++)
			fake_post_message(&f->fake, 1, &number, sizeof(number));
		count = machnet_poll(f->channel, events, 64, 0);
		assert_int_equal(count, 61);
		for (i = 0; i < count; i++, expected++) {
			assert_memory_equal(f->base + events[i].offset,
				&expected, sizeof(expected));
			assert_int_equal(
				machnet_release(f->channel, events[i].offset),
				MACHNET_OK);
		}
		assert_int_equal(fake_take_released(&f->fake), 61);
	}
	assert_int_equal(arena_lent_blocks(f->fake.rx), 0);
}

static void
an_engine_that_sleeps_is_rung_and_a_busy_one_is_not(void **state)
{
	struct attached *f = *state;
	struct machnet_event event;
	uint32_t offset = fake_post_message(&f->fake, 5, "hello", 5);

	machnet_poll(f->channel, &event, 1, 0);
	assert_int_equal(machnet_accept(f->channel, 1), MACHNET_OK);
	assert_false(fake_was_rung(&f->fake));
	f->fake.header->engine_waits = 1;
	assert_int_equal(machnet_accept(f->channel, 1), MACHNET_OK);
	assert_int_equal(f->fake.header->engine_waits, 0);
	assert_true(fake_was_rung(&f->fake));
	f->fake.header->engine_waits = 1;
	assert_int_equal(machnet_release(f->channel, offset), MACHNET_OK);
	assert_true(fake_was_rung(&f->fake));
}

static void
room_in_a_full_completion_ring_rings_the_engine(void **state)
{
	struct machnet_event event = {.kind = MACHNET_EVENT_LISTENING};
	struct attached *f = *state;
	uint32_t i;

	for (i = 0; i < CHANNEL_COMPLETIONS; i++)
		fake_post(&f->fake, &event);
	f->fake.header->engine_waits = 1;
	assert_int_equal(machnet_poll(f->channel, &event, 1, 0), 1);
	assert_true(fake_was_rung(&f->fake));
}

static void *
post(void *context)
{
	struct machnet_event event = {.kind = MACHNET_EVENT_LISTENING};

	fake_post(context, &event);
	return NULL;
}

static void
a_spinning_poll_finds_what_comes(void **state)
{
	struct attached *f = *state;
	struct machnet_event event;
	uint64_t start_ns = clock_now_ns();
	pthread_t thread;

	assert_int_equal(machnet_poll(f->channel, &event, 1, 5000), 0);
	assert_true(clock_now_ns() - start_ns >= 5 * NS_PER_MS);
	/* Before it spins or while it does, which without looking would be for
	 * an hour. */
	for (int i = 0; i < 100; i++) {
		pthread_create(&thread, NULL, post, &f->fake);
		assert_int_equal(
			machnet_poll(f->channel, &event, 1, UINT32_MAX), 1);
		pthread_join(thread, NULL);
	}
}

static void *
compute(void *context)
{
	atomic_bool *over = context;

	while (!atomic_load(over))
		continue;
	return NULL;
}

/* Once somebody blocks. */
static void *
post_and_wake(void *context)
{
	struct fake_sidecar *fake = context;

	while ((atomic_load(&fake->header->application_waits) &
		       CHANNEL_WAIT_HERE) == 0)
		sched_yield();
	return post(fake);
}

/* On one processor with somebody who computes, where a yield takes long. */
static void
a_poll_among_those_who_compute_blocks(void **state)
{
	struct attached *f = *state;
	struct machnet_event event;
	pthread_t computing, posting;
	atomic_bool over = false;
	cpu_set_t before, one;
	int first = 0;

	sched_getaffinity(0, sizeof(before), &before);
	while (!CPU_ISSET(first, &before))
		first++;
	CPU_ZERO(&one);
	CPU_SET(first, &one);
	pthread_create(&posting, NULL, post_and_wake, &f->fake);
	sched_setaffinity(0, sizeof(one), &one);
	pthread_create(&computing, NULL, compute, &over);
	assert_int_equal(machnet_poll(f->channel, &event, 1, UINT32_MAX), 1);
	atomic_store(&over, true);
	sched_setaffinity(0, sizeof(before), &before);
	pthread_join(posting, NULL);
	pthread_join(computing, NULL);
	assert_int_equal(f->fake.header->application_waits, CHANNEL_WAIT_NONE);
}

static uint64_t
drive_nothing(uint32_t leaves)
{
	(void)leaves;
	return clock_now_ns();
}

static void
who_yields_says_on_which_processor(void **state)
{
	struct attached *f = *state;
	_Atomic uint32_t *told = &f->fake.header->application_cpu;
	struct machnet_event event;
	cpu_set_t before, one;
	uint32_t cpu;

	sched_getaffinity(0, sizeof(before), &before);
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &before))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
		/* Who drives the engine does not wait for another thread. */
		machnet_channel_drive(f->channel, (void *)drive_nothing);
		*told = 0;
		assert_int_equal(machnet_poll(f->channel, &event, 1, 1), 0);
		assert_int_equal(*told, 0);
		machnet_channel_drive(f->channel, NULL);
		assert_int_equal(machnet_poll(f->channel, &event, 1, 0), 0);
		assert_int_equal(*told, 0);
		/* Among those who compute it blocks instead, for a while. */
		while (*told == 0)
			assert_int_equal(
				machnet_poll(f->channel, &event, 1, 1), 0);
		assert_int_equal(*told, cpu + 1);
	}
	sched_setaffinity(0, sizeof(before), &before);
}

/* Of this thread to just these processors: the kernel moves it, too. */
static cpu_set_t watched;
static uint32_t moves_there;

/* In place of that of libc, for the library as well. */
__attribute__((visibility("default"))) int
sched_setaffinity(pid_t thread, size_t bytes, const cpu_set_t *set)
{
	moves_there += CPU_EQUAL(set, &watched);
	return (int)syscall(SYS_sched_setaffinity, thread, bytes, set);
}

static void *
yield(void *context)
{
	atomic_bool *over = context;

	while (!atomic_load(over))
		sched_yield();
	return NULL;
}

static void
who_shares_a_processor_goes_where_its_engine_is_alone(void **state)
{
	struct attached *f = *state;
	_Atomic uint32_t *told = &f->fake.header->engine_cpu;
	struct machnet_event event;
	atomic_bool over = false;
	cpu_set_t before, one;
	pthread_t yielding;
	uint32_t here = 0, there = CPU_SETSIZE - 1;

	sched_getaffinity(0, sizeof(before), &before);
	while (!CPU_ISSET(here, &before))
		here++;
	while (!CPU_ISSET(there, &before))
		there--;
	if (here == there) {
		print_message("# it takes two processors\n");
		skip();
	}
	CPU_ZERO(&watched);
	CPU_SET(there, &watched);
	CPU_ZERO(&one);
	CPU_SET(here, &one);
	sched_setaffinity(0, sizeof(one), &one);
	pthread_create(&yielding, NULL, yield, &over);
	moves_there = 0;
	/* There is no engine that is alone, then it is here. */
	for (int i = 0; i < 100; i++) {
		*told = i < 50 ? 0 : here + 1;
		assert_int_equal(machnet_poll(f->channel, &event, 1, 100), 0);
	}
	assert_int_equal(moves_there, 0);
	*told = there + 1;
	while (moves_there == 0) {
		/* The kernel may have moved it. */
		sched_setaffinity(0, sizeof(one), &one);
		sched_setaffinity(0, sizeof(before), &before);
		assert_int_equal(machnet_poll(f->channel, &event, 1, 1000), 0);
	}
	atomic_store(&over, true);
	pthread_join(yielding, NULL);
}

static void
the_last_events_come_before_the_end(void **state)
{
	struct machnet_event event = {.kind = MACHNET_EVENT_LISTENING};
	struct attached *f = *state;

	fake_post(&f->fake, &event);
	fake_post(&f->fake, &event);
	f->fake.header->ended = MACHNET_SIDECAR_STOPPED;
	assert_int_equal(machnet_wait(f->channel, 0), 1);
	assert_int_equal(machnet_poll(f->channel, &event, 1, 0), 1);
	assert_int_equal(machnet_poll(f->channel, &event, 1, 0), 1);
	assert_int_equal(machnet_wait(f->channel, 0), 1);
	assert_int_equal(machnet_poll(f->channel, &event, 1, 1000),
		MACHNET_SIDECAR_STOPPED);
	assert_int_equal(
		machnet_channel_lost(f->channel), MACHNET_SIDECAR_STOPPED);
}

/* Each case breaks one rule; the channel is lost, nothing else happens. */
static void
assert_corrupt(struct attached *f)
{
	struct machnet_event event;

	assert_int_equal(machnet_poll(f->channel, &event, 1, 0),
		MACHNET_CHANNEL_CORRUPT);
	assert_int_equal(machnet_poll(f->channel, &event, 1, 0),
		MACHNET_CHANNEL_CORRUPT);
	assert_int_equal(
		machnet_send(f->channel, 1, "x", 1), MACHNET_CHANNEL_CORRUPT);
	assert_int_equal(machnet_wait(f->channel, 1), MACHNET_CHANNEL_CORRUPT);
	assert_int_equal(
		machnet_channel_lost(f->channel), MACHNET_CHANNEL_CORRUPT);
}

static void
a_block_outside_the_arena_is_corrupt(void **state)
{
	struct attached *f = *state;
	const struct channel_layout *layout = &f->fake.layout;
	const struct {
		uint32_t offset, length;
	} cases[] = {
		{0, 1},
		{layout->tx_arena, 1},
		{layout->rx_arena - 256, 1},
		{layout->rx_arena + 1, 1},
		{layout->rx_arena + 128, 1},
		{layout->bytes, 1},
		{layout->bytes - 256, 257},
		{layout->rx_arena, MACHNET_MESSAGE_BYTES_MAX + 1},
		{layout->rx_arena, UINT32_MAX},
		{UINT32_MAX - 255, 256},
	};
	struct machnet_event event = {.kind = MACHNET_EVENT_MESSAGE};
	size_t i;

	for (i = 0; i < ARRAY_LENGTH(cases); i++) {
		event.kind =
			i % 2 ? MACHNET_EVENT_MESSAGE : MACHNET_EVENT_CLOSED;
		event.offset = cases[i].offset;
		event.length = cases[i].length;
		fake_post(&f->fake, &event);
		assert_corrupt(f);
		attached_tear_down(state);
		attached_set_up(state);
		f = *state;
	}
}

static void
a_block_lent_twice_is_corrupt(void **state)
{
	struct attached *f = *state;
	struct machnet_event event = {
		.kind = MACHNET_EVENT_MESSAGE,
		.offset = f->fake.layout.rx_arena,
		.length = 1,
	};

	fake_post(&f->fake, &event);
	assert_int_equal(machnet_poll(f->channel, &event, 1, 0), 1);
	fake_post(&f->fake, &event);
	assert_corrupt(f);
}

static void
an_unknown_event_is_corrupt(void **state)
{
	struct machnet_event event = {.kind = 99};

	fake_post(&((struct attached *)*state)->fake, &event);
	assert_corrupt(*state);
}

static void
a_wild_completion_index_is_corrupt(void **state)
{
	struct attached *f = *state;

	f->fake.header->completions.produced = CHANNEL_COMPLETIONS + 1;
	assert_corrupt(f);
}

static void
a_wild_sent_index_is_corrupt(void **state)
{
	struct attached *f = *state;

	f->fake.header->sent.produced = UINT32_MAX;
	assert_corrupt(f);
}

/* A channel in which random words of the shared pages change all the time
 * fails, and does nothing worse. */
static void
random_damage_does_no_harm(void **state)
{
	struct attached *f = *state;
	uint32_t *words = (uint32_t *)f->fake.base;
	struct machnet_event events[16];
	unsigned int seed;
	int32_t count, i;
	int step;

	for (seed = 1; seed < 30; seed++) {
		for (step = 0; step < 500; step++) {
			words[(uint32_t)rand_r(&seed) %
				f->fake.layout.tx_arena / 4] =
				(uint32_t)rand_r(&seed) %
				(step % 2 ? 64 : UINT32_MAX);
			machnet_send(f->channel, 1, &step, sizeof(step));
			count = machnet_poll(f->channel, events, 16, 0);
			for (i = 0; i < count; i++)
				if (events[i].length > 0)
					machnet_release(
						f->channel, events[i].offset);
		}
		attached_tear_down(state);
		attached_set_up(state);
		f = *state;
		words = (uint32_t *)f->fake.base;
	}
}

static uint32_t turns, departures;

static uint64_t
driver(uint32_t leaves)
{
	turns += leaves == 0;
	departures += leaves != 0;
	return clock_now_ns();
}

static void
a_driver_turns_when_polled_and_at_the_first_send_after(void **state)
{
	struct machnet_event events[8];
	struct attached *f = *state;

	turns = departures = 0;
	assert_int_equal(
		machnet_channel_drive(f->channel, (void *)driver), MACHNET_OK);
	for (uint32_t round = 1; round <= 3; round++) {
		assert_int_equal(machnet_poll(f->channel, events, 8, 0), 0);
		assert_int_equal(turns, 2 * round - 1);
		for (int i = 0; i < 10; i++) {
			assert_int_equal(machnet_send(f->channel, 5, "hi", 2),
				MACHNET_OK);
			assert_int_equal(turns, 2 * round);
		}
	}
	assert_int_equal(departures, 0);
	assert_int_equal(machnet_wait(f->channel, 0), 0);
	assert_int_equal(departures, 1);
	assert_int_equal(machnet_channel_drive(f->channel, NULL), MACHNET_OK);
	machnet_poll(f->channel, events, 8, 0);
	machnet_send(f->channel, 5, "hi", 2);
	assert_int_equal(turns, 6);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(                                       \
		name, attached_set_up, attached_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(events_arrive_as_they_were_posted),
		TEST(messages_of_all_kinds_are_lent),
		TEST(a_message_is_lent_and_goes_home_once),
		TEST(an_empty_message_lends_nothing),
		TEST(many_messages_wrap_the_rings),
		TEST(an_engine_that_sleeps_is_rung_and_a_busy_one_is_not),
		TEST(room_in_a_full_completion_ring_rings_the_engine),
		TEST(a_spinning_poll_finds_what_comes),
		TEST(a_poll_among_those_who_compute_blocks),
		TEST(who_yields_says_on_which_processor),
		TEST(who_shares_a_processor_goes_where_its_engine_is_alone),
		TEST(the_last_events_come_before_the_end),
		TEST(a_block_outside_the_arena_is_corrupt),
		TEST(a_block_lent_twice_is_corrupt),
		TEST(an_unknown_event_is_corrupt),
		TEST(a_wild_completion_index_is_corrupt),
		TEST(a_wild_sent_index_is_corrupt),
		TEST(random_damage_does_no_harm),
		TEST(a_driver_turns_when_polled_and_at_the_first_send_after),
	};

	return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}
