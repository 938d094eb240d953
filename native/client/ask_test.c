// SPDX-License-Identifier: MIT
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "machnet/machnet.h"

#define WAIT_MS 60000u

/* A program that hears one line. */
struct listener {
	char directory[32];
	char path[64];
	int fd;
	pthread_t thread;
	const char *pieces[2]; /* of its answer; NULL: it says nothing more */
	bool hangs_up;
	char line[64];
};

static void *
serve(void *context)
{
	struct listener *listener = context;
	int fd = accept(listener->fd, NULL, NULL);
	FILE *stream = fdopen(fd, "r");

	assert_non_null(stream);
	if (fgets(listener->line, sizeof(listener->line), stream) == NULL)
		listener->line[0] = '\0';
	for (int i = 0; i < 2 && listener->pieces[i] != NULL; i++)
		send(fd, listener->pieces[i], strlen(listener->pieces[i]),
			MSG_NOSIGNAL);
	if (!listener->hangs_up)
		fgets(listener->line, sizeof(listener->line), stream);
	fclose(stream);
	return NULL;
}

static void
start(struct listener *listener)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	strcpy(listener->directory, "/tmp/machnet-ask-XXXXXX");
	assert_non_null(mkdtemp(listener->directory));
	snprintf(listener->path, sizeof(listener->path), "%s/socket",
		listener->directory);
	strcpy(address.sun_path, listener->path);
	listener->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(listener->fd, (struct sockaddr *)&address,
				 sizeof(address)),
		0);
	assert_int_equal(listen(listener->fd, 1), 0);
	assert_int_equal(
		pthread_create(&listener->thread, NULL, serve, listener), 0);
}

static void
stop(struct listener *listener)
{
	pthread_join(listener->thread, NULL);
	close(listener->fd);
	unlink(listener->path);
	rmdir(listener->directory);
}

/* 12 bytes, to their end. */
static const struct listener answering = {
	.pieces = {"one 1\n", "two 2\n"},
	.hangs_up = true,
};

static void
an_answer_is_read_to_its_end(void **state)
{
	struct listener listener = answering;
	struct machnet_error error;
	char text[64];

	(void)state;
	start(&listener);
	assert_int_equal(machnet_ask(listener.path, "stats all", text,
				 sizeof(text), WAIT_MS, &error),
		12);
	assert_string_equal(text, "one 1\ntwo 2\n");
	stop(&listener);
	assert_string_equal(listener.line, "stats all\n");
}

static void
an_answer_that_is_too_long_is_refused(void **state)
{
	struct listener listener = answering;
	struct machnet_error error;
	char text[64];

	(void)state;
	start(&listener);
	assert_int_equal(
		machnet_ask(listener.path, "stats", text, 12, WAIT_MS, &error),
		MACHNET_INVALID_ARGUMENT);
	assert_non_null(strstr(error.message, "more than 11 bytes"));
	stop(&listener);
}

static void
silence_times_out(void **state)
{
	struct listener listener = {.pieces = {"one 1\n"}};
	struct machnet_error error;
	char text[64];

	(void)state;
	start(&listener);
	assert_int_equal(machnet_ask(listener.path, "stats", text, sizeof(text),
				 50, &error),
		MACHNET_TIMED_OUT);
	stop(&listener);
}

static void
nobody_to_ask_is_an_error(void **state)
{
	struct machnet_error error;
	char text[64];

	(void)state;
	assert_int_equal(machnet_ask("/nowhere", "stats", text, 64, 50, &error),
		MACHNET_SIDECAR_NOT_RUNNING);
	assert_int_equal(machnet_ask(NULL, "stats", text, 64, 50, &error),
		MACHNET_INVALID_ARGUMENT);
	assert_int_equal(machnet_ask("/nowhere", NULL, text, 64, 50, &error),
		MACHNET_INVALID_ARGUMENT);
	assert_int_equal(machnet_ask("/nowhere", "stats", text, 0, 50, NULL),
		MACHNET_INVALID_ARGUMENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_is_read_to_its_end),
		cmocka_unit_test(an_answer_that_is_too_long_is_refused),
		cmocka_unit_test(silence_times_out),
		cmocka_unit_test(nobody_to_ask_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
