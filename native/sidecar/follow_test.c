// SPDX-License-Identifier: MIT
/* An engine goes where its application is, unless it is told where to run. */
#include <dirent.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/processor.h"
#include "shm/layout.h"
#include "sidecar/application.h"
#include "sidecar/hosts.h"

#define PORT 888
#define SPIN_US 1000
#define ASKS 1000

static struct host host;
static cpu_set_t all, here, there;

static int
set_up(void **state)
{
	int cpu = 0;

	if (hosts_set_up(state) != 0 ||
		sched_getaffinity(0, sizeof(all), &all) != 0)
		return -1;
	CPU_ZERO(&here);
	CPU_ZERO(&there);
	while (cpu < CPU_SETSIZE && !CPU_ISSET(cpu, &all))
		cpu++;
	CPU_SET(cpu, &here);
	while (++cpu < CPU_SETSIZE && !CPU_ISSET(cpu, &all))
		continue;
	if (cpu < CPU_SETSIZE)
		CPU_SET(cpu, &there);
	return 0;
}

static int
tear_down(void **state)
{
	sched_setaffinity(0, sizeof(all), &all);
	return hosts_tear_down(state);
}

/* Of the first engine. */
static pid_t
engine_thread(void)
{
	char path[64], name[16];
	struct dirent *entry;
	pid_t thread = 0;
	DIR *folder;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task", host.pid);
	folder = opendir(path);
	assert_non_null(folder);
	while (thread == 0 && (entry = readdir(folder)) != NULL) {
		snprintf(path, sizeof(path), "/proc/%d/task/%.8s/comm",
			host.pid, entry->d_name);
		file = fopen(path, "r");
		if (file == NULL)
			continue;
		if (fgets(name, sizeof(name), file) != NULL &&
			strcmp(name, "machnet/0\n") == 0)
			thread = atoi(entry->d_name);
		fclose(file);
	}
	closedir(folder);
	assert_int_not_equal(thread, 0);
	return thread;
}

/* Work for the engine, and a yield here until it is done. */
static void
ask(struct application *application)
{
	struct machnet_event event = {0};

	assert_int_equal(machnet_listen(application->channel, 1, 0, PORT, 0, 0),
		MACHNET_OK);
	while (event.kind != MACHNET_EVENT_LISTENING)
		assert_in_range(
			machnet_poll(application->channel, &event, 1, SPIN_US),
			0, 1);
}

/* Somebody else wants the other processor. */
static void
crowd(void)
{
	if (hosts_fork() != 0)
		return;
	sched_setaffinity(0, sizeof(there), &there);
	for (;;)
		sched_yield();
}

/* With its application here. */
static void
start(struct application *application, const char *const *more)
{
	if (CPU_COUNT(&there) == 0) {
		print_message("# it takes two processors\n");
		skip();
	}
	host_start(&host, &(struct host_options){.name = "a",
				  .device = hosts_memif("wire", true),
				  .ip = "10.0.0.1/24",
				  .more = more});
	application_attach(application, &host);
	sched_setaffinity(0, sizeof(here), &here);
}

static void
an_engine_goes_where_its_application_is(void **state)
{
	uint64_t end_ms = hosts_now_ms() + HOSTS_WAIT_MS;
	struct application application;
	cpu_set_t allowed;
	pid_t thread;

	(void)state;
	start(&application, NULL);
	crowd();
	thread = engine_thread();
	do {
		assert_true(hosts_now_ms() < end_ms);
		/* The kernel may have moved it. */
		sched_setaffinity(thread, sizeof(there), &there);
		sched_setaffinity(thread, sizeof(all), &all);
		for (int i = 0; i < ASKS; i++)
			ask(&application);
	} while (host_counter(&host, "moves") == 0);
	/* And it may go on to do so. */
	assert_int_equal(
		sched_getaffinity(thread, sizeof(allowed), &allowed), 0);
	assert_true(CPU_EQUAL(&allowed, &all));
	application_end(&application);
	host_stop(&host);
}

/* The only processor of a set. */
static uint32_t
number(const cpu_set_t *set)
{
	uint32_t cpu = 0;

	while (!CPU_ISSET(cpu, set))
		cpu++;
	return cpu;
}

/* Where the engine welcomes its application. */
static uint32_t
welcome(const struct application *application)
{
	const struct channel_header *header = application->info.base;

	return processor_told(&header->engine_cpu);
}

static void
an_engine_says_where_it_is_alone(void **state)
{
	uint64_t end_ms = hosts_now_ms() + HOSTS_WAIT_MS;
	struct application application;
	pid_t thread;

	(void)state;
	start(&application, NULL);
	thread = engine_thread();
	do {
		assert_true(hosts_now_ms() < end_ms);
		sched_setaffinity(thread, sizeof(there), &there);
		ask(&application);
	} while (welcome(&application) != number(&there));
	crowd();
	while (welcome(&application) != PROCESSOR_NONE) {
		assert_true(hosts_now_ms() < end_ms);
		ask(&application);
	}
	application_end(&application);
	host_stop(&host);
}

static void
an_engine_with_a_core_stays_there_and_keeps_it(void **state)
{
	struct application application;
	char core[16];

	(void)state;
	if (CPU_COUNT(&there) != 0)
		snprintf(core, sizeof(core), "%u", number(&there));
	start(&application, (const char *[]){"--cores", core, NULL});
	for (int i = 0; i < ASKS; i++) {
		ask(&application);
		assert_int_equal(welcome(&application), PROCESSOR_NONE);
	}
	crowd();
	for (int i = 0; i < ASKS; i++)
		ask(&application);
	assert_int_equal(host_counter(&host, "moves"), 0);
	application_end(&application);
	host_stop(&host);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_engine_goes_where_its_application_is),
		TEST(an_engine_says_where_it_is_alone),
		TEST(an_engine_with_a_core_stays_there_and_keeps_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
