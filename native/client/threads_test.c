/* SPDX-License-Identifier: MIT */
/* Channels that outlive a thread, and channels that do not. */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/fake_sidecar.h"

struct fixture {
	struct fake_sidecar fakes[2];
	uint32_t channels[2];
	uint8_t *bases[2];
	int32_t doorbell;
	uint32_t offset;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct machnet_channel_info info;

	for (uint32_t i = 0; i < 2; i++) {
		f->channels[i] = fake_attach(&f->fakes[i]);
		machnet_channel_info(f->channels[i], &info);
		f->bases[i] = info.base;
	}
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	for (uint32_t i = 0; i < 2; i++) {
		machnet_channel_close(f->channels[i]);
		machnet_mapping_release(f->bases[i], NULL);
		fake_stop(&f->fakes[i]);
	}
	free(f);
	return 0;
}

static void
run(void *(*body)(void *), struct fixture *f)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, body, f), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static bool
quiet(int fd)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};

	return poll(&pollfd, 1, 0) == 0;
}

/* As a script's worker: it takes the doorbell, and ends in the middle. */
static void *
take_the_first_doorbell(void *context)
{
	struct fixture *f = context;
	struct machnet_event event;

	f->doorbell = machnet_channel_doorbell(f->channels[0]);
	f->offset = fake_post_message(&f->fakes[0], 1, "held", 4);
	if (machnet_poll(f->channels[0], &event, 1, 0) != 1)
		abort();
	return NULL;
}

static void
a_channel_ends_with_the_thread_that_took_its_doorbell(void **state)
{
	struct fixture *f = *state;
	struct machnet_event event;

	run(take_the_first_doorbell, f);
	assert_int_equal(
		machnet_poll(f->channels[0], &event, 1, 0), MACHNET_CLOSED);
	assert_true(fake_at_end(f->fakes[0].socket_fd));
	assert_true(fake_at_end(f->doorbell));
	close(f->doorbell);
	/* Whoever still has a view finds zeros, and may write. */
	assert_int_equal(f->bases[0][f->offset], 0);
	f->bases[0][f->offset] = 1;
	assert_int_equal(f->fakes[0].base[f->offset], 'h');
	/* What the thread did not bind is as it was. */
	assert_true(quiet(f->fakes[1].socket_fd));
	assert_int_equal(machnet_send(f->channels[1], 1, "x", 1), MACHNET_OK);
}

static void *
use_both(void *context)
{
	struct fixture *f = context;
	struct machnet_event event;

	for (uint32_t i = 0; i < 2; i++)
		if (machnet_send(f->channels[i], 1, "x", 1) != MACHNET_OK ||
			machnet_poll(f->channels[i], &event, 1, 0) != 0 ||
			machnet_wait(f->channels[i], 1) < 0)
			abort();
	return NULL;
}

static void
a_channel_may_go_from_thread_to_thread(void **state)
{
	struct fixture *f = *state;

	run(use_both, f);
	run(use_both, f);
	for (uint32_t i = 0; i < 2; i++) {
		assert_true(quiet(f->fakes[i].socket_fd));
		assert_int_equal(
			machnet_send(f->channels[i], 1, "x", 1), MACHNET_OK);
	}
}

static void *
take_and_close(void *context)
{
	struct fixture *f = context;

	close(machnet_channel_doorbell(f->channels[0]));
	machnet_channel_close(f->channels[0]);
	/* Its place is taken again, by a channel of nobody's. */
	fake_stop(&f->fakes[0]);
	machnet_mapping_release(f->bases[0], NULL);
	f->channels[0] = fake_attach(&f->fakes[0]);
	return NULL;
}

static void
a_thread_ends_nothing_that_came_after_its_channel(void **state)
{
	struct fixture *f = *state;
	struct machnet_channel_info info;

	run(take_and_close, f);
	assert_true(quiet(f->fakes[0].socket_fd));
	assert_int_equal(
		machnet_channel_info(f->channels[0], &info), MACHNET_OK);
	f->bases[0] = info.base;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_channel_ends_with_the_thread_that_took_its_doorbell),
		TEST(a_channel_may_go_from_thread_to_thread),
		TEST(a_thread_ends_nothing_that_came_after_its_channel),
	};

	return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
