/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/fake_sidecar.h"

#define MIB (1u << 20)

static struct submission
taken(struct attached *f)
{
	struct submission submission;

	assert_true(fake_take(&f->fake, &submission));
	return submission;
}

static void
assert_submission(struct attached *f, struct submission expected)
{
	struct submission submission = taken(f);

	assert_memory_equal(&submission, &expected, sizeof(submission));
	assert_false(fake_take(&f->fake, &submission));
}

static void
requests_carry_their_arguments(void **state)
{
	struct attached *f = *state;
	uint32_t c = f->channel;

	assert_int_equal(machnet_connect(c, 1, 2, 3, 4, 5), MACHNET_OK);
	assert_submission(f, (struct submission){.kind = SUBMISSION_CONNECT,
				     .token = 1,
				     .address = 2,
				     .port = 3,
				     .timeout_ms = 4,
				     .flags = 5});
	assert_int_equal(machnet_connect(c, 1, 2, 3, 0, 0), MACHNET_OK);
	assert_int_equal(taken(f).timeout_ms, 1000);
	assert_int_equal(
		machnet_listen(c, 1, 2, 65535, 4, MACHNET_LISTEN_REUSE),
		MACHNET_OK);
	assert_submission(f, (struct submission){.kind = SUBMISSION_LISTEN,
				     .token = 1,
				     .address = 2,
				     .port = 65535,
				     .length = 4,
				     .flags = MACHNET_LISTEN_REUSE});
	assert_int_equal(machnet_listen(c, 1, 0, 0, 0, 0), MACHNET_OK);
	assert_int_equal(taken(f).length, 128);
	assert_int_equal(machnet_unlisten(c, 9), MACHNET_OK);
	assert_submission(f, (struct submission){.kind = SUBMISSION_UNLISTEN,
				     .connection = 9});
	assert_int_equal(machnet_accept(c, 9), MACHNET_OK);
	assert_submission(f, (struct submission){.kind = SUBMISSION_ACCEPT,
				     .connection = 9});
	assert_int_equal(machnet_close(c, 9, 10), MACHNET_OK);
	assert_submission(f, (struct submission){.kind = SUBMISSION_CLOSE,
				     .connection = 9,
				     .timeout_ms = 10});
	assert_int_equal(machnet_close(c, 9, 0), MACHNET_OK);
	assert_int_equal(taken(f).timeout_ms, 5000);
	assert_int_equal(machnet_reset(c, 9, NULL, 0), MACHNET_OK);
	assert_submission(f,
		(struct submission){.kind = SUBMISSION_RESET, .connection = 9});
}

static void
requests_refuse_what_cannot_be(void **state)
{
	struct attached *f = *state;
	uint32_t c = f->channel;
	char reason[256] = {0};

	assert_int_equal(
		machnet_connect(c, 1, 2, 0, 0, 0), MACHNET_INVALID_ARGUMENT);
	assert_int_equal(machnet_connect(c, 1, 2, 65536, 0, 0),
		MACHNET_INVALID_ARGUMENT);
	assert_int_equal(
		machnet_listen(c, 1, 2, 65536, 0, 0), MACHNET_INVALID_ARGUMENT);
	assert_int_equal(machnet_reset(c, 1, reason, sizeof(reason)),
		MACHNET_INVALID_ARGUMENT);
	assert_int_equal(
		machnet_reset(c, 1, NULL, 5), MACHNET_INVALID_ARGUMENT);
	assert_int_equal(machnet_send(c, 1, NULL, 5), MACHNET_INVALID_ARGUMENT);
	assert_int_equal(machnet_send(c, 1, reason, 8 * MIB + 1),
		MACHNET_MESSAGE_TOO_LARGE);
	assert_int_equal(
		machnet_allocate(c, 1, 8 * MIB + 1), MACHNET_MESSAGE_TOO_LARGE);
}

static void
send_copies_the_bytes(void **state)
{
	struct attached *f = *state;
	struct submission submission;

	assert_int_equal(machnet_send(f->channel, 6, "hello", 5), MACHNET_OK);
	submission = taken(f);
	assert_int_equal(submission.kind, SUBMISSION_SEND);
	assert_int_equal(submission.connection, 6);
	assert_int_equal(submission.length, 5);
	assert_in_range(submission.offset, f->fake.layout.tx_arena,
		f->fake.layout.rx_arena - 1);
	assert_memory_equal(f->fake.base + submission.offset, "hello", 5);
	assert_int_equal(machnet_reset(f->channel, 6, "why", 3), MACHNET_OK);
	submission = taken(f);
	assert_int_equal(submission.kind, SUBMISSION_RESET);
	assert_memory_equal(f->fake.base + submission.offset, "why", 3);
}

static void
messages_of_a_request_carry_their_name(void **state)
{
	struct attached *f = *state;
	struct submission submission;
	uint32_t kind;

	for (kind = MACHNET_MESSAGE_REQUEST; kind <= MACHNET_MESSAGE_CANCEL;
		kind++) {
		uint32_t offset;

		assert_int_equal(machnet_send_tagged(f->channel, 6, "hello", 5,
					 kind, UINT32_MAX - kind),
			MACHNET_OK);
		submission = taken(f);
		assert_int_equal(submission.kind, SUBMISSION_SEND);
		assert_int_equal(submission.flags, kind);
		assert_int_equal(submission.token, UINT32_MAX - kind);
		assert_memory_equal(f->base + submission.offset, "hello", 5);
		offset = (uint32_t)machnet_allocate(f->channel, 6, 10);
		assert_int_equal(machnet_send_allocated_tagged(
					 f->channel, 6, offset, 7, kind, kind),
			MACHNET_OK);
		assert_submission(
			f, (struct submission){.kind = SUBMISSION_SEND,
				   .connection = 6,
				   .offset = offset,
				   .length = 7,
				   .flags = kind,
				   .token = kind});
		assert_int_equal(
			machnet_send_tagged(f->channel, 6, NULL, 0, kind, kind),
			MACHNET_OK);
		assert_submission(
			f, (struct submission){.kind = SUBMISSION_SEND,
				   .connection = 6,
				   .flags = kind,
				   .token = kind});
	}
	for (kind = 0; kind < 10; kind += MACHNET_MESSAGE_CANCEL + 1) {
		assert_int_equal(
			machnet_send_tagged(f->channel, 6, "x", 1, kind, 1),
			MACHNET_INVALID_ARGUMENT);
		assert_int_equal(machnet_send_allocated_tagged(
					 f->channel, 6, 0, 0, kind, 1),
			MACHNET_INVALID_ARGUMENT);
	}
	assert_false(fake_take(&f->fake, &submission));
}

static void
an_empty_message_takes_no_block(void **state)
{
	struct attached *f = *state;
	struct submission empty = {.kind = SUBMISSION_SEND, .connection = 6};
	int32_t offset;

	assert_int_equal(machnet_send(f->channel, 6, NULL, 0), MACHNET_OK);
	assert_submission(f, empty);
	offset = machnet_allocate(f->channel, 6, 100);
	assert_int_equal(
		machnet_send_allocated(f->channel, 6, (uint32_t)offset, 0),
		MACHNET_OK);
	assert_submission(f, empty);
	/* The block went home at once. */
	assert_int_equal(machnet_release(f->channel, (uint32_t)offset),
		MACHNET_INVALID_ARGUMENT);
	assert_int_equal(machnet_allocate(f->channel, 6, 0), offset);
}

static void
room_is_lent_written_and_sent_once(void **state)
{
	struct attached *f = *state;
	int32_t result = machnet_allocate(f->channel, 6, 1000);
	uint32_t c = f->channel, offset = (uint32_t)result;

	assert_true(result > 0);
	memset(f->base + offset, 'x', 1000);
	assert_int_equal(machnet_send_allocated(c, 6, offset, 1025),
		MACHNET_INVALID_ARGUMENT);
	assert_int_equal(machnet_send_allocated(c, 6, offset + 256, 10),
		MACHNET_INVALID_ARGUMENT);
	assert_int_equal(machnet_send_allocated(c, 6, offset, 8 * MIB + 1),
		MACHNET_MESSAGE_TOO_LARGE);
	assert_int_equal(
		machnet_send_allocated(c, 6, offset, 1000), MACHNET_OK);
	assert_submission(f, (struct submission){.kind = SUBMISSION_SEND,
				     .connection = 6,
				     .offset = offset,
				     .length = 1000});
	assert_int_equal(f->fake.base[offset + 999], 'x');
	/* It is the engine's now. */
	assert_int_equal(machnet_send_allocated(c, 6, offset, 1000),
		MACHNET_INVALID_ARGUMENT);
	assert_int_equal(machnet_send_allocated(c, 6, offset, 0),
		MACHNET_INVALID_ARGUMENT);
	assert_int_equal(machnet_release(c, offset), MACHNET_INVALID_ARGUMENT);
	fake_send_home(&f->fake, offset);
	assert_int_equal(machnet_poll(c, &(struct machnet_event){0}, 1, 0), 0);
	assert_int_equal(machnet_allocate(c, 6, 1000), result);
	assert_int_equal(machnet_release(c, offset), MACHNET_OK);
	assert_int_equal(machnet_release(c, offset), MACHNET_INVALID_ARGUMENT);
}

static void
release_refuses_what_is_nothing(void **state)
{
	struct attached *f = *state;
	const uint32_t offsets[] = {0, 1, f->fake.layout.tx_arena,
		f->fake.layout.tx_arena + 7, f->fake.layout.rx_arena,
		f->fake.layout.bytes, UINT32_MAX, UINT32_MAX - 255};
	size_t i;

	for (i = 0; i < ARRAY_LENGTH(offsets); i++) {
		assert_int_equal(machnet_release(f->channel, offsets[i]),
			MACHNET_INVALID_ARGUMENT);
		assert_int_equal(
			machnet_send_allocated(f->channel, 1, offsets[i], 1),
			MACHNET_INVALID_ARGUMENT);
	}
}

static void
several_are_released_at_once(void **state)
{
	struct attached *f = *state;
	struct machnet_event event;
	uint32_t offsets[4], i;

	for (i = 0; i < 3; i++) {
		fake_post_message(&f->fake, 6, "x", 1);
		machnet_poll(f->channel, &event, 1, 0);
		offsets[i] = event.offset;
	}
	offsets[3] = offsets[2];
	offsets[2] = (uint32_t)machnet_allocate(f->channel, 6, 100);
	assert_int_equal(machnet_release_many(f->channel, NULL, 1),
		MACHNET_INVALID_ARGUMENT);
	assert_int_equal(machnet_release_many(f->channel, NULL, 0), MACHNET_OK);
	assert_int_equal(
		machnet_release_many(f->channel, offsets, 3), MACHNET_OK);
	assert_int_equal(fake_take_released(&f->fake), 2);
	assert_int_equal(machnet_allocate(f->channel, 6, 100), offsets[2]);
	/* Those behind one that is not held stay. */
	assert_int_equal(machnet_release_many(f->channel, &offsets[1], 3),
		MACHNET_INVALID_ARGUMENT);
	assert_int_equal(machnet_release(f->channel, offsets[3]), MACHNET_OK);
	assert_int_equal(fake_take_released(&f->fake), 1);
}

static void
a_full_submission_ring_delays(void **state)
{
	struct attached *f = *state;
	int32_t offset = machnet_allocate(f->channel, 6, 10);
	uint32_t i;

	for (i = 0; i < CHANNEL_SUBMISSIONS; i++)
		assert_int_equal(machnet_accept(f->channel, i), MACHNET_OK);
	assert_int_equal(machnet_accept(f->channel, i), MACHNET_AGAIN);
	assert_int_equal(machnet_send(f->channel, 1, "x", 1), MACHNET_AGAIN);
	assert_int_equal(machnet_send(f->channel, 1, "", 0), MACHNET_AGAIN);
	assert_int_equal(
		machnet_send_allocated(f->channel, 1, (uint32_t)offset, 10),
		MACHNET_AGAIN);
	assert_int_equal(taken(f).connection, 0);
	/* What was refused is still the caller's. */
	assert_int_equal(
		machnet_send_allocated(f->channel, 1, (uint32_t)offset, 10),
		MACHNET_OK);
	assert_int_equal(machnet_accept(f->channel, i), MACHNET_AGAIN);
}

static void
a_full_arena_delays_until_blocks_come_home(void **state)
{
	struct attached *f = *state;
	uint8_t *bytes = calloc(1, 8 * MIB);
	uint32_t i;

	for (i = 0; i < MACHNET_ARENA_BYTES_MIN / (8 * MIB); i++)
		assert_int_equal(machnet_send(f->channel, i, bytes, 8 * MIB),
			MACHNET_OK);
	assert_int_equal(machnet_send(f->channel, 9, "x", 1), MACHNET_AGAIN);
	assert_int_equal(machnet_allocate(f->channel, 9, 1), MACHNET_AGAIN);
	fake_send_home(&f->fake, taken(f).offset);
	/* Found without a poll in between. */
	assert_int_equal(
		machnet_send(f->channel, 9, bytes, 8 * MIB), MACHNET_OK);
	assert_int_equal(machnet_send(f->channel, 9, "x", 1), MACHNET_AGAIN);
	free(bytes);
}

/** Send until there is no room. @return how many were sent */
static uint32_t
send_all(struct attached *f, uint32_t connection, const void *bytes,
	uint32_t length)
{
	struct submission submission;
	uint32_t count = 0;

	while (machnet_send(f->channel, connection, bytes, length) ==
		MACHNET_OK) {
		assert_true(fake_take(&f->fake, &submission));
		count++;
	}
	return count;
}

static void
a_connection_leaves_room_for_others(void **state)
{
	struct attached *f = *state;
	uint8_t *bytes = calloc(1, 8 * MIB);
	struct submission submission;
	uint32_t first;

	/* Of 32 MiB: while it holds at most what is free. */
	assert_int_equal(send_all(f, 1, bytes, MIB), 17);
	assert_int_equal(machnet_allocate(f->channel, 1, 1), MACHNET_AGAIN);
	assert_int_equal(send_all(f, 2, bytes, MIB), 7);
	/* The last 8 MiB are for a message that needs them. */
	assert_int_equal(
		machnet_send(f->channel, 3, bytes, 8 * MIB), MACHNET_OK);
	/* Its reset says why all the same, once there is any room. */
	assert_int_equal(
		machnet_reset(f->channel, 1, "full", 4), MACHNET_AGAIN);
	first = f->fake.layout.tx_arena;
	fake_send_home(&f->fake, first);
	assert_int_equal(machnet_send(f->channel, 1, "x", 1), MACHNET_AGAIN);
	assert_int_equal(machnet_reset(f->channel, 1, "full", 4), MACHNET_OK);
	assert_true(fake_take(&f->fake, &submission)); /* the 8 MiB */
	assert_int_equal(taken(f).kind, SUBMISSION_RESET);
	/* And a message that is the only one of its connection goes. */
	assert_int_equal(machnet_send(f->channel, 4, "x", 1), MACHNET_OK);
	assert_int_equal(
		machnet_send(f->channel, 4, bytes, MIB), MACHNET_AGAIN);
	free(bytes);
}

static void
a_connection_leaves_blocks_for_others(void **state)
{
	struct attached *f = *state;
	uint32_t half = CHANNEL_BLOCKS_LENT_MAX / 2;

	assert_int_equal(send_all(f, 1, "x", 1), half + 1);
	assert_int_equal(send_all(f, 2, "x", 1), half / 2);
	assert_int_equal(machnet_send(f->channel, 3, "x", 1), MACHNET_OK);
}

static void
assert_home_is_corrupt(struct attached *f, uint32_t offset)
{
	struct machnet_event event;

	fake_send_home(&f->fake, offset);
	assert_int_equal(machnet_poll(f->channel, &event, 1, 0),
		MACHNET_CHANNEL_CORRUPT);
	assert_int_equal(
		machnet_allocate(f->channel, 6, 1), MACHNET_CHANNEL_CORRUPT);
}

static void
a_block_that_was_never_lent_is_corrupt(void **state)
{
	struct attached *f = *state;

	assert_home_is_corrupt(f, f->fake.layout.tx_arena);
}

static void
a_block_that_comes_home_twice_is_corrupt(void **state)
{
	struct attached *f = *state;
	uint32_t offset;

	machnet_send(f->channel, 1, "x", 1);
	offset = taken(f).offset;
	fake_send_home(&f->fake, offset);
	assert_home_is_corrupt(f, offset);
}

static void
a_block_that_was_not_sent_is_corrupt(void **state)
{
	struct attached *f = *state;

	assert_home_is_corrupt(f, (uint32_t)machnet_allocate(f->channel, 6, 1));
}

static void
a_block_of_the_other_arena_is_corrupt(void **state)
{
	struct attached *f = *state;

	assert_home_is_corrupt(f, f->fake.layout.rx_arena);
}

static void
a_wild_consumer_index_is_corrupt(void **state)
{
	struct attached *f = *state;
	uint32_t i;

	for (i = 0; i < CHANNEL_SUBMISSIONS; i++)
		assert_int_equal(machnet_accept(f->channel, i), MACHNET_OK);
	f->fake.header->submissions.consumed = 1u << 31;
	assert_int_equal(
		machnet_accept(f->channel, i), MACHNET_CHANNEL_CORRUPT);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(                                       \
		name, attached_set_up, attached_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(requests_carry_their_arguments),
		TEST(requests_refuse_what_cannot_be),
		TEST(send_copies_the_bytes),
		TEST(messages_of_a_request_carry_their_name),
		TEST(an_empty_message_takes_no_block),
		TEST(room_is_lent_written_and_sent_once),
		TEST(release_refuses_what_is_nothing),
		TEST(several_are_released_at_once),
		TEST(a_full_submission_ring_delays),
		TEST(a_full_arena_delays_until_blocks_come_home),
		TEST(a_connection_leaves_room_for_others),
		TEST(a_connection_leaves_blocks_for_others),
		TEST(a_block_that_was_never_lent_is_corrupt),
		TEST(a_block_that_comes_home_twice_is_corrupt),
		TEST(a_block_that_was_not_sent_is_corrupt),
		TEST(a_block_of_the_other_arena_is_corrupt),
		TEST(a_wild_consumer_index_is_corrupt),
	};

	return cmocka_run_group_tests_name("messages", tests, NULL, NULL);
}
