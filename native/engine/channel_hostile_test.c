// SPDX-License-Identifier: MIT
/*
 * The engine's end of a channel against an application that writes what it
 * likes, where it likes: the channel turns corrupt, and nothing else happens.
 */
#include "engine/channel.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bits.h"
#include "engine/channel_fixture.h"

static void
the_memory_cannot_change_its_size(void **state)
{
	(void)state;
	assert_int_equal(fcntl(channel->memfd, F_GET_SEALS),
		F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	assert_int_not_equal(ftruncate(channel->memfd, 4096), 0);
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
			assert_corrupt();
			fixture_renew();
		}
	}
	/* Backwards. */
	application_submit(&request);
	application_submit(&request);
	assert_sound();
	atomic_store(&header->submissions.produced, 1);
	assert_corrupt();
}

/* Looked at only when the ring seems full. */
static void
an_index_of_ours_that_comes_back_wrong_is_corrupt(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < CHANNEL_COMPLETIONS + 1; i++) {
		application_submit(&request);
		engine_serve();
	}
	assert_false(channel->corrupt);
	atomic_store(&header->completions.consumed, 12345678);
	assert_corrupt();
	fixture_renew();

	for (uint32_t i = 0; i < CHANNEL_BLOCKS_LENT_MAX; i++) {
		application_submit(&(struct submission){.kind = SUBMISSION_SEND,
			.offset = layout.tx_arena,
			.length = 1});
		engine_serve();
	}
	assert_false(channel->corrupt);
	atomic_store(&header->sent.consumed, UINT32_MAX);
	application_submit(&(struct submission){.kind = SUBMISSION_SEND,
		.offset = layout.tx_arena,
		.length = 1});
	assert_corrupt();
}

static void
an_unknown_kind_is_corrupt(void **state)
{
	const uint16_t kinds[] = {0, 8, 255, 256, UINT16_MAX};
	const uint32_t message_kinds[] = {
		MACHNET_MESSAGE_CANCEL + 1, 256, UINT32_MAX};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
		application_submit(&(struct submission){.kind = kinds[i]});
		assert_corrupt();
		fixture_renew();
	}
	for (size_t i = 0; i < ARRAY_LENGTH(message_kinds); i++) {
		application_submit(&(struct submission){
			.kind = SUBMISSION_SEND, .flags = message_kinds[i]});
		assert_corrupt();
		fixture_renew();
	}
	application_submit(&(struct submission){
		.kind = SUBMISSION_SEND, .flags = MACHNET_MESSAGE_CANCEL});
	assert_sound();
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
		application_submit(&(struct submission){.kind = kinds[i % 2],
			.offset = cases[i / 2].offset,
			.length = cases[i / 2].length});
		if (cases[i / 2].valid) {
			assert_sound();
			continue;
		}
		assert_corrupt();
		fixture_renew();
	}
	application_submit(&(struct submission){.kind = SUBMISSION_SEND,
		.offset = tx,
		.length = MACHNET_MESSAGE_BYTES_MAX});
	assert_sound();
	application_submit(&(struct submission){.kind = SUBMISSION_RESET,
		.offset = tx,
		.length = MACHNET_REASON_BYTES_MAX + 1});
	assert_corrupt();
}

static void
a_block_goes_home_once(void **state)
{
	uint32_t offset;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		application_release(engine_bring(1000));
		assert_int_equal(engine_serve(), 1);
	}
	assert_sound();
	offset = engine_bring(1000);
	application_release(offset);
	application_release(offset);
	assert_corrupt();
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
		application_release(offsets[i]);
		assert_corrupt();
		fixture_renew();
	}
	/* Inside of one. */
	application_release(engine_bring(4096) + 256);
	assert_corrupt();
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
		application_submit(&send);
		engine_serve();
		atomic_store(&header->sent.consumed,
			atomic_load(&header->sent.produced));
	}
	assert_sound();
	for (uint32_t i = 0; i < CHANNEL_BLOCKS_LENT_MAX; i++) {
		application_submit(&send);
		engine_serve();
	}
	assert_sound();
	application_submit(&send);
	assert_corrupt();
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
		application_submit(&random);
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
			fixture_renew();
			ends++;
		}
	}
	assert_in_range(ends, 10, 100000);
}

#define TEST(f)                                                                \
	cmocka_unit_test_setup_teardown(f, fixture_set_up, fixture_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_memory_cannot_change_its_size),
		TEST(an_index_that_cannot_be_is_corrupt),
		TEST(an_index_of_ours_that_comes_back_wrong_is_corrupt),
		TEST(an_unknown_kind_is_corrupt),
		TEST(bytes_out_of_the_own_arena_are_corrupt),
		TEST(a_block_goes_home_once),
		TEST(a_block_that_was_not_lent_is_corrupt),
		TEST(the_same_block_may_not_be_sent_for_ever),
		TEST(scribbling_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
