/* SPDX-License-Identifier: MIT */
/* Jobs of both kinds, attach and resolve. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/fake_sidecar.h"

static const struct machnet_attach_options small = {
	.arena_bytes = MACHNET_ARENA_BYTES_MIN,
	.engine = -1,
	.timeout_ms = FAKE_WAIT_MS,
};

static void
wait_for(int fd)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};

	assert_int_equal(poll(&pollfd, 1, FAKE_WAIT_MS), 1);
}

static void
an_attach_job_gives_a_channel(void **state)
{
	struct machnet_channel_info info;
	struct fake_sidecar fake;
	uint32_t channel = 0;
	int32_t job, fd;
	char bytes[2];

	(void)state;
	fake_start(&fake, FAKE_GOOD);
	job = machnet_attach_begin(fake.path, &small, &fd, NULL);
	assert_true(job > 0);
	wait_for(fd);
	assert_int_equal(machnet_attach_end(job, &channel, NULL), MACHNET_OK);
	assert_int_equal(machnet_channel_info(channel, &info), MACHNET_OK);
	assert_int_equal(
		machnet_attach_end(job, &channel, NULL), MACHNET_CLOSED);
	assert_int_equal(machnet_job_abandon(job), MACHNET_CLOSED);
	/* A byte, then the end. */
	assert_int_equal(read(fd, bytes, 2), 1);
	wait_for(fd);
	assert_int_equal(read(fd, bytes, 2), 0);
	close(fd);
	machnet_channel_close(channel);
	machnet_mapping_release(info.base, NULL);
	fake_stop(&fake);
}

static void
an_attach_job_fails_with_the_error(void **state)
{
	struct machnet_error error;
	uint32_t channel;
	int32_t job, fd;

	(void)state;
	job = machnet_attach_begin("/nowhere/socket", NULL, &fd, &error);
	assert_true(job > 0);
	wait_for(fd);
	assert_int_equal(machnet_attach_end(job, &channel, &error),
		MACHNET_SIDECAR_NOT_RUNNING);
	assert_int_equal(error.status, MACHNET_SIDECAR_NOT_RUNNING);
	assert_non_null(strstr(error.message, "/nowhere/socket"));
	close(fd);
}

static void
a_job_that_runs_says_again(void **state)
{
	struct machnet_attach_options options = small;
	struct machnet_error error;
	struct fake_sidecar fake;
	uint32_t channel, address;
	int32_t job, fd;

	(void)state;
	options.timeout_ms = 200;
	fake_start(&fake, FAKE_SILENT);
	job = machnet_attach_begin(fake.path, &options, &fd, NULL);
	assert_int_equal(
		machnet_attach_end(job, &channel, &error), MACHNET_AGAIN);
	assert_int_equal(machnet_resolve_end(job, &address, &error),
		MACHNET_INVALID_ARGUMENT);
	assert_int_equal(
		machnet_resolve_end(job + 1, &address, &error), MACHNET_CLOSED);
	wait_for(fd);
	assert_int_equal(
		machnet_attach_end(job, &channel, &error), MACHNET_TIMED_OUT);
	close(fd);
	fake_stop(&fake);
}

static void
assert_hung_up(struct fake_sidecar *fake)
{
	char byte;

	fake_join(fake);
	wait_for(fake->socket_fd);
	assert_int_equal(recv(fake->socket_fd, &byte, 1, 0), 0);
}

static void
an_abandoned_job_undoes_what_it_made(void **state)
{
	struct fake_sidecar fake;
	int32_t job, fd, late;

	(void)state;
	for (late = 0; late < 2; late++) {
		fake_start(&fake, FAKE_SPLIT);
		job = machnet_attach_begin(fake.path, &small, &fd, NULL);
		assert_true(job > 0);
		if (late)
			wait_for(fd);
		assert_int_equal(machnet_job_abandon(job), MACHNET_OK);
		assert_int_equal(machnet_job_abandon(job), MACHNET_CLOSED);
		assert_int_equal(
			machnet_attach_end(job, NULL, NULL), MACHNET_CLOSED);
		assert_hung_up(&fake);
		/* The thread is done when its end is. */
		wait_for(fd);
		close(fd);
		fake_stop(&fake);
	}
}

static void
names_resolve_to_ipv4(void **state)
{
	static const struct {
		const char *name;
		uint32_t address;
	} cases[] = {
		{"127.0.0.1", 0x7f000001},
		{"10.1.2.3", 0x0a010203},
		{"localhost", 0x7f000001},
	};
	uint32_t address;
	int32_t job, fd;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(cases); i++) {
		job = machnet_resolve_begin(cases[i].name, &fd, NULL);
		assert_true(job > 0);
		wait_for(fd);
		assert_int_equal(
			machnet_resolve_end(job, &address, NULL), MACHNET_OK);
		assert_int_equal(address, cases[i].address);
		close(fd);
	}
}

static void
a_name_that_does_not_resolve_is_named(void **state)
{
	struct machnet_error error;
	uint32_t address;
	int32_t job, fd;

	(void)state;
	/* Refused by the resolver itself, without a question to anyone. */
	job = machnet_resolve_begin("::1", &fd, &error);
	assert_true(job > 0);
	wait_for(fd);
	assert_int_equal(machnet_resolve_end(job, &address, &error),
		MACHNET_NAME_NOT_FOUND);
	assert_non_null(strstr(error.message, "\"::1\""));
	close(fd);
	assert_int_equal(machnet_resolve_begin("", &fd, &error),
		MACHNET_INVALID_ARGUMENT);
	assert_int_equal(machnet_resolve_begin(NULL, &fd, NULL),
		MACHNET_INVALID_ARGUMENT);
}

static void
many_jobs_run_at_once(void **state)
{
	int32_t jobs[32], fds[32];
	uint32_t address, i;

	(void)state;
	for (i = 0; i < 32; i++)
		jobs[i] = machnet_resolve_begin("127.0.0.1", &fds[i], NULL);
	for (i = 32; i-- > 0;) {
		wait_for(fds[i]);
		close(fds[i]);
		if (i % 2)
			assert_int_equal(
				machnet_job_abandon(jobs[i]), MACHNET_OK);
		else
			assert_int_equal(
				machnet_resolve_end(jobs[i], &address, NULL),
				MACHNET_OK);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_attach_job_gives_a_channel),
		cmocka_unit_test(an_attach_job_fails_with_the_error),
		cmocka_unit_test(a_job_that_runs_says_again),
		cmocka_unit_test(an_abandoned_job_undoes_what_it_made),
		cmocka_unit_test(names_resolve_to_ipv4),
		cmocka_unit_test(a_name_that_does_not_resolve_is_named),
		cmocka_unit_test(many_jobs_run_at_once),
	};

	return cmocka_run_group_tests_name("job", tests, NULL, NULL);
}
