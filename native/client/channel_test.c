/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/fake_sidecar.h"

#define CHANNELS_MAX 256u

static struct machnet_channel_info
info_of(uint32_t channel)
{
	struct machnet_channel_info info;

	assert_int_equal(machnet_channel_info(channel, &info), MACHNET_OK);
	return info;
}

static bool
is_mapped(const void *base)
{
	unsigned char resident;

	return mincore((void *)(uintptr_t)base, 4096, &resident) == 0;
}

static void
close_leaves_zeros_until_the_release(void **state)
{
	struct machnet_channel_info info;
	struct fake_sidecar fake;
	uint32_t channel = fake_attach(&fake);
	uint32_t offset = fake_post_message(&fake, 1, "hello", 5);
	uint8_t *bytes;

	(void)state;
	info = info_of(channel);
	bytes = (uint8_t *)info.base + offset;
	assert_memory_equal(bytes, "hello", 5);
	assert_int_equal(machnet_channel_close(channel), MACHNET_OK);
	assert_true(fake_at_end(fake.socket_fd));
	assert_int_equal(bytes[0], 0);
	bytes[0] = 1;
	assert_int_equal(fake.base[offset], 'h');
	assert_true(is_mapped(info.base));
	machnet_mapping_release(info.base, NULL);
	assert_false(is_mapped(info.base));
	machnet_mapping_release(info.base, NULL);
	fake_stop(&fake);
}

static void
a_release_before_the_close_waits_for_it(void **state)
{
	struct machnet_channel_info info;
	struct fake_sidecar fake;
	uint32_t channel = fake_attach(&fake);

	(void)state;
	info = info_of(channel);
	machnet_mapping_release(info.base, NULL);
	assert_true(is_mapped(info.base));
	assert_int_equal(machnet_send(channel, 1, "x", 1), MACHNET_OK);
	assert_int_equal(machnet_channel_close(channel), MACHNET_OK);
	assert_false(is_mapped(info.base));
	fake_stop(&fake);
}

static void
release_ignores_what_it_does_not_know(void **state)
{
	int local;

	(void)state;
	machnet_mapping_release(NULL, NULL);
	machnet_mapping_release(&local, NULL);
}

static void
assert_stale(uint32_t channel)
{
	struct machnet_channel_info info;
	struct machnet_event event;

	assert_int_equal(machnet_channel_close(channel), MACHNET_CLOSED);
	assert_int_equal(machnet_channel_lost(channel), MACHNET_CLOSED);
	assert_int_equal(machnet_channel_doorbell(channel), MACHNET_CLOSED);
	assert_int_equal(machnet_channel_info(channel, &info), MACHNET_CLOSED);
	assert_int_equal(machnet_poll(channel, &event, 1, 0), MACHNET_CLOSED);
	assert_int_equal(machnet_wait(channel, 0), MACHNET_CLOSED);
	assert_int_equal(machnet_send(channel, 1, "x", 1), MACHNET_CLOSED);
	assert_int_equal(machnet_allocate(channel, 1, 1), MACHNET_CLOSED);
	assert_int_equal(
		machnet_send_allocated(channel, 1, 0, 1), MACHNET_CLOSED);
	assert_int_equal(machnet_release(channel, 0), MACHNET_CLOSED);
	assert_int_equal(
		machnet_connect(channel, 1, 1, 1, 0, 0), MACHNET_CLOSED);
	assert_int_equal(
		machnet_listen(channel, 1, 1, 1, 0, 0), MACHNET_CLOSED);
	assert_int_equal(machnet_unlisten(channel, 1), MACHNET_CLOSED);
	assert_int_equal(machnet_accept(channel, 1), MACHNET_CLOSED);
	assert_int_equal(machnet_close(channel, 1, 0), MACHNET_CLOSED);
	assert_int_equal(machnet_reset(channel, 1, NULL, 0), MACHNET_CLOSED);
}

static void
a_stale_handle_is_closed(void **state)
{
	struct fake_sidecar first, second;
	uint32_t stale = fake_attach(&first);
	void *base = info_of(stale).base;
	uint32_t channel;

	(void)state;
	assert_stale(0);
	assert_stale(UINT32_MAX);
	assert_stale(stale + 1);
	assert_int_equal(machnet_channel_close(stale), MACHNET_OK);
	assert_stale(stale);
	/* Its place is taken again, under another number. */
	channel = fake_attach(&second);
	assert_int_not_equal(channel, stale);
	assert_int_equal(channel % CHANNELS_MAX, stale % CHANNELS_MAX);
	assert_stale(stale);
	machnet_mapping_release(base, NULL);
	machnet_mapping_release(info_of(channel).base, NULL);
	assert_int_equal(machnet_channel_close(channel), MACHNET_OK);
	fake_stop(&first);
	fake_stop(&second);
}

static void
a_doorbell_that_was_taken_ends_with_the_channel(void **state)
{
	struct fake_sidecar fake;
	uint32_t channel = fake_attach(&fake);
	int32_t fd = machnet_channel_doorbell(channel);

	(void)state;
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(
		machnet_channel_doorbell(channel), MACHNET_INVALID_ARGUMENT);
	assert_int_equal(info_of(channel).doorbell_fd, -1);
	machnet_mapping_release(info_of(channel).base, NULL);
	assert_int_equal(machnet_channel_close(channel), MACHNET_OK);
	assert_true(fake_at_end(fake.socket_fd));
	/* But the descriptor is still the caller's to close. */
	assert_true(fake_at_end(fd));
	assert_int_equal(close(fd), 0);
	fake_stop(&fake);
}

static void
a_lost_channel_says_why(void **state)
{
	static const int32_t cases[][2] = {
		{0, MACHNET_SIDECAR_GONE},
		{MACHNET_SIDECAR_STOPPED, MACHNET_SIDECAR_STOPPED},
		{MACHNET_CHANNEL_CORRUPT, MACHNET_CHANNEL_CORRUPT},
		{12345, MACHNET_SIDECAR_GONE},
	};
	struct fake_sidecar fake;
	uint32_t channel;
	uint8_t *base;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(cases); i++) {
		channel = fake_attach(&fake);
		base = info_of(channel).base;
		base[fake.layout.tx_arena] = 1;
		fake.header->ended = cases[i][0];
		assert_int_equal(machnet_channel_lost(channel), cases[i][1]);
		assert_int_equal(base[fake.layout.tx_arena], 0);
		assert_stale(channel);
		machnet_mapping_release(base, NULL);
		assert_false(is_mapped(base));
		fake_stop(&fake);
	}
}

/* As a garbage collector does: in any order, before and after the close. */
static void
channels_and_mappings_end_in_any_order(void **state)
{
	struct fake_sidecar fakes[6];
	uint32_t channels[6], i;
	void *bases[6];

	(void)state;
	for (i = 0; i < 6; i++) {
		channels[i] = fake_attach(&fakes[i]);
		bases[i] = info_of(channels[i]).base;
	}
	machnet_mapping_release(bases[3], NULL);
	machnet_channel_close(channels[1]);
	machnet_mapping_release(bases[1], NULL);
	machnet_channel_lost(channels[5]);
	machnet_channel_close(channels[3]);
	machnet_channel_close(channels[0]);
	machnet_mapping_release(bases[2], NULL);
	machnet_mapping_release(bases[5], NULL);
	machnet_mapping_release(bases[0], NULL);
	assert_int_equal(machnet_send(channels[4], 1, "x", 1), MACHNET_OK);
	machnet_channel_close(channels[4]);
	machnet_channel_close(channels[2]);
	assert_true(is_mapped(bases[4]));
	machnet_mapping_release(bases[4], NULL);
	for (i = 0; i < 6; i++) {
		assert_false(is_mapped(bases[i]));
		fake_stop(&fakes[i]);
	}
}

static void
a_process_has_so_many_channels(void **state)
{
	struct machnet_attach_options options = {
		.arena_bytes = MACHNET_ARENA_BYTES_MIN,
	};
	struct fake_sidecar *fakes = calloc(CHANNELS_MAX + 1, sizeof(*fakes));
	uint32_t channels[CHANNELS_MAX], extra, i;
	struct machnet_error error;

	(void)state;
	for (i = 0; i < CHANNELS_MAX; i++)
		channels[i] = fake_attach(&fakes[i]);
	fake_start(&fakes[i], FAKE_GOOD);
	assert_int_equal(
		machnet_attach(fakes[i].path, &options, &extra, &error),
		MACHNET_TOO_MANY_CHANNELS);
	assert_non_null(strstr(error.message, "at most 256 channels"));
	fake_stop(&fakes[i]);
	for (i = 0; i < CHANNELS_MAX; i++) {
		machnet_mapping_release(info_of(channels[i]).base, NULL);
		assert_int_equal(
			machnet_channel_close(channels[i]), MACHNET_OK);
		fake_stop(&fakes[i]);
	}
	free(fakes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(close_leaves_zeros_until_the_release),
		cmocka_unit_test(a_release_before_the_close_waits_for_it),
		cmocka_unit_test(release_ignores_what_it_does_not_know),
		cmocka_unit_test(a_stale_handle_is_closed),
		cmocka_unit_test(
			a_doorbell_that_was_taken_ends_with_the_channel),
		cmocka_unit_test(a_lost_channel_says_why),
		cmocka_unit_test(channels_and_mappings_end_in_any_order),
		cmocka_unit_test(a_process_has_so_many_channels),
	};

	return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
