/* SPDX-License-Identifier: MIT */
/* The control socket of a fabric, and clients of every kind. */
#include "fabric/lab.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Ends when the other end is closed or shut. */
static void
assert_answer(int fd, const char *begins)
{
	char text[512] = "";
	size_t used = 0;
	ssize_t got;

	while ((got = read(fd, text + used, sizeof(text) - used - 1)) > 0)
		used += (size_t)got;
	assert_int_equal(strncmp(text, begins, strlen(begins)), 0);
	close(fd);
}

static void
control_bears_with_its_clients(void **state)
{
	char line[4096];
	int silent[32];
	int slow, fd;

	(void)state;
	lab_start(NULL, NULL);
	lab_introduce();
	/* Says nothing more, takes no answer, says too much. */
	for (size_t i = 0; i < ARRAY_LENGTH(silent); i++) {
		silent[i] = lab_control_connect();
		assert_int_equal(write(silent[i], "rekey", 5), 5);
	}
	fd = lab_control_connect();
	assert_int_equal(write(fd, "stats\n", 6), 6);
	close(fd);
	fd = lab_control_connect();
	memset(line, 'x', sizeof(line));
	assert_true(write(fd, line, sizeof(line)) > 0);
	assert_answer(fd, "");
	slow = lab_control_connect();
	assert_int_equal(write(slow, "re", 2), 2);
	lab_ask("stats"); /* by then that much is read */
	assert_int_equal(write(slow, "key 2\n", 6), 6);
	assert_answer(slow, "ok\n");
	fd = lab_control_connect();
	shutdown(fd, SHUT_WR);
	assert_answer(fd, "");
	fd = lab_control_connect();
	assert_int_equal(write(fd, "nonsense\n", 9), 9);
	assert_answer(fd, "error: A command is one of stats, ");
	for (size_t i = 0; i < ARRAY_LENGTH(silent); i++)
		close(silent[i]);
	assert_int_equal(lab_counter("port2_rekeyed"), 1);
	lab_pass_frame(0, 1, 1);
}

#define TEST(function) cmocka_unit_test_teardown(function, lab_stop)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(control_bears_with_its_clients),
	};

	if (argc != 2)
		return EXIT_FAILURE;
	lab_program = argv[1];
	return cmocka_run_group_tests(tests, lab_set_up, lab_tear_down);
}
