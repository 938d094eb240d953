/* SPDX-License-Identifier: MIT */
/* EAL, without root, network or hugepages. */
#include "port/memif_pair.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static void
eal_starts_once_and_leaves_no_trace(void **state)
{
	struct port client;
	cpu_set_t before, after;
	sigset_t signals_before, signals_after;
	int i;
	int output = dup(STDOUT_FILENO);
	int errors = dup(STDERR_FILENO);
	int capture = open(memif_folder, O_TMPFILE | O_RDWR, 0600);

	(void)state;
	assert_true(capture >= 0);
	sched_getaffinity(0, sizeof(before), &before);
	sigemptyset(&signals_before);
	sigemptyset(&signals_after);
	sigprocmask(SIG_BLOCK, NULL, &signals_before);
	fflush(stdout);
	dup2(capture, STDOUT_FILENO);
	dup2(capture, STDERR_FILENO);
	assert_int_equal(port_eal_start(NULL, NULL), MACHNET_OK);
	assert_int_equal(port_eal_start(NULL, NULL), MACHNET_OK);
	/* Without a server: an error to the driver. */
	frames_open(&client, &(struct port_options){.device = memif_client});
	port_close(&client);
	fflush(stdout);
	dup2(output, STDOUT_FILENO);
	dup2(errors, STDERR_FILENO);
	close(output);
	close(errors);
	assert_int_equal(lseek(capture, 0, SEEK_END), 0);
	close(capture);

	sched_getaffinity(0, sizeof(after), &after);
	assert_true(CPU_EQUAL(&before, &after));
	sigprocmask(SIG_BLOCK, NULL, &signals_after);
	for (i = 1; i < NSIG; i++)
		assert_int_equal(sigismember(&signals_before, i),
			sigismember(&signals_after, i));
	assert_int_equal(access(rte_eal_get_runtime_dir(), F_OK), -1);
}

static void
eal_takes_no_nic_after_a_start_without(void **state)
{
	struct machnet_error error;

	(void)state;
	assert_int_equal(
		port_eal_start(
			&(struct port_eal_options){.pci = "0000:00:05.0"},
			&error),
		MACHNET_DEVICE_FAILED);
	assert_non_null(strstr(error.message, "0000:00:05.0"));
}

static void
port_thread_begin_gives_the_thread_a_cache(void **state)
{
	(void)state;
	assert_int_equal(port_thread_begin(NULL), MACHNET_OK);
	assert_int_not_equal(rte_lcore_id(), LCORE_ID_ANY);
	assert_int_equal(port_thread_begin(NULL), MACHNET_OK);
	port_thread_end();
	assert_int_equal(rte_lcore_id(), LCORE_ID_ANY);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(eal_starts_once_and_leaves_no_trace),
		cmocka_unit_test(eal_takes_no_nic_after_a_start_without),
		cmocka_unit_test(port_thread_begin_gives_the_thread_a_cache),
	};

	return cmocka_run_group_tests(tests, memif_set_up, memif_tear_down);
}
