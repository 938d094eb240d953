// SPDX-License-Identifier: MIT
/* With threads: claims exclude each other, readers see only those who have the
 * port. */
#include "transport/services.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define WRITERS 3u
#define CLAIMS 5000u
#define PORT 888

static struct services *services;
static atomic_uint holders;
static atomic_bool over;

struct writer {
	pthread_t thread;
	uint32_t engine;
	uint32_t claims;
	bool failed;
};

static void *
claim_alone(void *argument)
{
	struct writer *writer = argument;

	while (writer->claims < CLAIMS) {
		if (services_claim(services, writer->engine, PORT, false) ==
			0) {
			sched_yield();
			continue;
		}
		writer->claims++;
		writer->failed |= atomic_fetch_add(&holders, 1) != 0;
		writer->failed |= services_engines(services, PORT) !=
				  UINT64_C(1) << writer->engine;
		atomic_fetch_sub(&holders, 1);
		services_release(services, writer->engine, PORT);
	}
	return NULL;
}

static void *
claim_together(void *argument)
{
	struct writer *writer = argument;

	for (; writer->claims < CLAIMS; writer->claims++) {
		if (services_claim(services, writer->engine, PORT, true) == 0)
			writer->failed = true;
		writer->failed |=
			(services_engines(services, PORT) >> writer->engine &
				1) == 0;
		services_release(services, writer->engine, PORT);
	}
	return NULL;
}

/* @return bits that nobody can have set */
static void *
read_all_the_time(void *argument)
{
	uint64_t *seen = argument;

	while (!atomic_load(&over))
		*seen |= services_engines(services, PORT);
	return NULL;
}

static void
run(void *(*work)(void *))
{
	struct writer writers[WRITERS] = {0};
	uint64_t seen = 0;
	pthread_t reader;

	services = services_create();
	assert_non_null(services);
	atomic_store(&over, false);
	pthread_create(&reader, NULL, read_all_the_time, &seen);
	for (uint32_t i = 0; i < WRITERS; i++) {
		writers[i].engine = i;
		pthread_create(&writers[i].thread, NULL, work, &writers[i]);
	}
	for (uint32_t i = 0; i < WRITERS; i++) {
		pthread_join(writers[i].thread, NULL);
		assert_false(writers[i].failed);
	}
	atomic_store(&over, true);
	pthread_join(reader, NULL);
	assert_int_equal(seen >> WRITERS, 0);
	assert_int_equal(services_engines(services, PORT), 0);
	services_destroy(services);
}

static void
a_port_that_is_not_shared_has_one_engine_at_a_time(void **state)
{
	(void)state;
	run(claim_alone);
}

static void
a_shared_port_has_all_that_claim_it(void **state)
{
	(void)state;
	run(claim_together);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_port_that_is_not_shared_has_one_engine_at_a_time),
		cmocka_unit_test(a_shared_port_has_all_that_claim_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
