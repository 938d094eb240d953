/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "client/fake_sidecar.h"

static const struct machnet_attach_options small = {
	.arena_bytes = MACHNET_ARENA_BYTES_MIN,
	.engine = -1,
	.timeout_ms = FAKE_WAIT_MS,
};

static uint32_t
descriptors_open(void)
{
	DIR *directory = opendir("/proc/self/fd");
	uint32_t count = 0;

	while (readdir(directory) != NULL)
		count++;
	closedir(directory);
	return count;
}

static void
says(const struct machnet_error *error, int32_t status, const char *part)
{
	assert_int_equal(error->status, status);
	if (strstr(error->message, part) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", error->message, part);
}

static void
a_good_sidecar_gives_a_channel(void **state)
{
	static const enum fake_fault goods[] = {FAKE_GOOD, FAKE_SPLIT};
	struct machnet_channel_info info;
	struct fake_sidecar fake;
	uint32_t channel;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(goods); i++) {
		fake_start(&fake, goods[i]);
		assert_int_equal(
			machnet_attach(fake.path, &small, &channel, NULL),
			MACHNET_OK);
		fake_join(&fake);
		assert_int_equal(fake.request.magic, CONTROL_MAGIC);
		assert_int_equal(fake.request.engine, -1);
		assert_int_equal(
			machnet_channel_info(channel, &info), MACHNET_OK);
		assert_int_equal(info.bytes, fake.layout.bytes);
		assert_int_equal(info.arena_bytes, small.arena_bytes);
		assert_int_equal(info.engine, 3);
		assert_int_equal(info.address, 0x0a000001);
		fake.base[fake.layout.rx_arena] = 42;
		assert_int_equal(
			((uint8_t *)info.base)[fake.layout.rx_arena], 42);
		assert_int_equal(machnet_channel_close(channel), MACHNET_OK);
		machnet_mapping_release(info.base, NULL);
		fake_stop(&fake);
	}
}

static void
the_defaults_are_asked_for(void **state)
{
	struct machnet_error error;
	struct fake_sidecar fake;
	uint32_t channel;

	(void)state;
	fake_start(&fake, FAKE_REFUSES);
	setenv("MACHNET_SOCKET", fake.path, 1);
	assert_int_equal(machnet_attach(NULL, NULL, &channel, &error),
		MACHNET_TOO_MANY_CHANNELS);
	unsetenv("MACHNET_SOCKET");
	assert_int_equal(fake.request.abi_version, MACHNET_ABI_VERSION);
	assert_int_equal(fake.request.arena_bytes, MACHNET_ARENA_BYTES_DEFAULT);
	assert_int_equal(fake.request.engine, -1);
	fake_stop(&fake);
}

static void
a_bad_sidecar_gives_a_named_error(void **state)
{
	char version[32];
	const struct {
		enum fake_fault fault;
		int32_t status;
		const char *says;
	} cases[] = {
		{FAKE_BAD_MAGIC, MACHNET_ABI_MISMATCH, "not a machnet sidecar"},
		{FAKE_OTHER_ABI, MACHNET_ABI_MISMATCH, "version 77"},
		{FAKE_OTHER_ABI, MACHNET_ABI_MISMATCH, version},
		{FAKE_OTHER_ABI_SHORT, MACHNET_ABI_MISMATCH, "version 77"},
		{FAKE_REFUSES, MACHNET_TOO_MANY_CHANNELS, "64 channels are"},
		{FAKE_NO_DESCRIPTORS, MACHNET_CHANNEL_CORRUPT, "passed 0"},
		{FAKE_THREE_DESCRIPTORS, MACHNET_CHANNEL_CORRUPT, "more than"},
		{FAKE_FOUR_DESCRIPTORS, MACHNET_CHANNEL_CORRUPT, "more than"},
		{FAKE_UNSEALED, MACHNET_CHANNEL_CORRUPT, "not sealed"},
		{FAKE_NOT_MEMORY, MACHNET_CHANNEL_CORRUPT, "not sealed"},
		{FAKE_WRONG_SIZE, MACHNET_CHANNEL_CORRUPT, "bytes, not "},
		{FAKE_BAD_ARENA_BYTES, MACHNET_CHANNEL_CORRUPT, "12345"},
		{FAKE_HANGS_UP, MACHNET_SIDECAR_GONE, "hung up"},
		{FAKE_HANGS_UP_HALFWAY, MACHNET_SIDECAR_GONE, "hung up"},
	};
	uint32_t channel, before, i;
	struct machnet_error error;
	struct fake_sidecar fake;

	(void)state;
	snprintf(version, sizeof(version), "library version %u;",
		MACHNET_ABI_VERSION);
	for (i = 0; i < ARRAY_LENGTH(cases); i++) {
		before = descriptors_open();
		fake_start(&fake, cases[i].fault);
		assert_int_equal(
			machnet_attach(fake.path, &small, &channel, &error),
			cases[i].status);
		says(&error, cases[i].status, cases[i].says);
		says(&error, cases[i].status, fake.path);
		fake_stop(&fake);
		assert_int_equal(descriptors_open(), before);
	}
}

static void
a_silent_sidecar_times_out(void **state)
{
	struct machnet_attach_options options = small;
	uint64_t start_ns = clock_now_ns();
	struct machnet_error error;
	struct fake_sidecar fake;
	uint32_t channel;

	(void)state;
	options.timeout_ms = 100;
	fake_start(&fake, FAKE_SILENT);
	assert_int_equal(machnet_attach(fake.path, &options, &channel, &error),
		MACHNET_TIMED_OUT);
	assert_true(clock_now_ns() - start_ns >= 100 * NS_PER_MS);
	says(&error, MACHNET_TIMED_OUT, "within 100 ms");
	fake_stop(&fake);
}

/* The kernel lets connect() wait while the backlog is full. */
static void
a_sidecar_that_does_not_accept_times_out(void **state)
{
	struct machnet_attach_options options = small;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct machnet_error error;
	uint32_t channel, i;
	int listen_fd, fds[3];

	(void)state;
	options.timeout_ms = 100;
	snprintf(address.sun_path, sizeof(address.sun_path),
		"/tmp/machnet-full-%d", getpid());
	listen_fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(
		bind(listen_fd, (struct sockaddr *)&address, sizeof(address)),
		0);
	listen(listen_fd, 0);
	for (i = 0; i < ARRAY_LENGTH(fds); i++) {
		fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(fds[i], (struct sockaddr *)&address, sizeof(address));
	}
	assert_int_equal(
		machnet_attach(address.sun_path, &options, &channel, &error),
		MACHNET_TIMED_OUT);
	for (i = 0; i < ARRAY_LENGTH(fds); i++)
		close(fds[i]);
	close(listen_fd);
	unlink(address.sun_path);
}

static void
no_sidecar_names_the_path_and_the_way_out(void **state)
{
	char path[] = "/tmp/machnet-test-XXXXXX";
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct machnet_error error;
	uint32_t channel;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(path));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", path);
	assert_int_equal(
		machnet_attach(address.sun_path, &small, &channel, &error),
		MACHNET_SIDECAR_NOT_RUNNING);
	says(&error, MACHNET_SIDECAR_NOT_RUNNING, address.sun_path);
	says(&error, MACHNET_SIDECAR_NOT_RUNNING,
		"start one with: machnetd --device ... --ip ...");
	/* A socket that its sidecar left behind. */
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(
		bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_int_equal(
		machnet_attach(address.sun_path, &small, &channel, &error),
		MACHNET_SIDECAR_NOT_RUNNING);
	unlink(address.sun_path);
	rmdir(path);
}

static void
a_socket_that_may_not_be_used_says_so(void **state)
{
	struct machnet_error error;
	struct fake_sidecar fake;
	uid_t user = geteuid();
	uint32_t channel;

	(void)state;
	fake_start(&fake, FAKE_GOOD);
	chmod(fake.path, 0);
	if (user == 0)
		assert_int_equal(seteuid(65534), 0);
	assert_int_equal(machnet_attach(fake.path, &small, &channel, &error),
		MACHNET_SYSTEM_ERROR);
	if (user == 0)
		assert_int_equal(seteuid(user), 0);
	says(&error, MACHNET_SYSTEM_ERROR, "permission denied");
	fake_stop(&fake);
}

static void
bad_arguments_are_named(void **state)
{
	struct machnet_attach_options options = small;
	struct machnet_error error;
	char path[200];
	uint32_t channel;

	(void)state;
	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(machnet_attach(path, &small, &channel, &error),
		MACHNET_INVALID_ARGUMENT);
	says(&error, MACHNET_INVALID_ARGUMENT, "199 bytes");
	assert_int_equal(machnet_attach("", &small, &channel, &error),
		MACHNET_INVALID_ARGUMENT);
	options.arena_bytes = 1000;
	assert_int_equal(machnet_attach("x", &options, &channel, &error),
		MACHNET_INVALID_ARGUMENT);
	says(&error, MACHNET_INVALID_ARGUMENT, "arena_bytes is 1000");
	options.arena_bytes = 0;
	options.engine = -2;
	assert_int_equal(machnet_attach("x", &options, &channel, &error),
		MACHNET_INVALID_ARGUMENT);
	says(&error, MACHNET_INVALID_ARGUMENT, "engine is -2");
}

static void
stats_come_as_text(void **state)
{
	struct machnet_error error;
	struct fake_sidecar fake;
	char text[64];

	(void)state;
	fake_start(&fake, FAKE_STATS);
	assert_int_equal(machnet_stats(fake.path, text, sizeof(text),
				 FAKE_WAIT_MS, &error),
		12);
	assert_string_equal(text, "frames 1234\n");
	assert_int_equal(fake.request.kind, CONTROL_STATS);
	fake_stop(&fake);
	fake_start(&fake, FAKE_STATS);
	assert_int_equal(
		machnet_stats(fake.path, text, 12, FAKE_WAIT_MS, &error),
		MACHNET_INVALID_ARGUMENT);
	says(&error, MACHNET_INVALID_ARGUMENT, "take 12 bytes");
	fake_stop(&fake);
	assert_int_equal(machnet_stats("/nowhere", text, 12, 100, NULL),
		MACHNET_SIDECAR_NOT_RUNNING);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_sidecar_gives_a_channel),
		cmocka_unit_test(the_defaults_are_asked_for),
		cmocka_unit_test(a_bad_sidecar_gives_a_named_error),
		cmocka_unit_test(a_silent_sidecar_times_out),
		cmocka_unit_test(a_sidecar_that_does_not_accept_times_out),
		cmocka_unit_test(no_sidecar_names_the_path_and_the_way_out),
		cmocka_unit_test(a_socket_that_may_not_be_used_says_so),
		cmocka_unit_test(bad_arguments_are_named),
		cmocka_unit_test(stats_come_as_text),
	};

	return cmocka_run_group_tests_name("attach", tests, NULL, NULL);
}
