/* SPDX-License-Identifier: MIT */
/*
 * How fast this machine is right now, in what benchmarks here depend on: a
 * round trip between two cores through shared memory, and handing one core to
 * and fro between two processes by sched_yield. Prints both, in nanoseconds, as
 * JSON; medians of short runs.
 */
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/clock.h"

#define RUNS 9
#define CORE_TRIPS 2000
#define YIELD_TRIPS 300

struct ball {
	_Alignas(CACHE_LINE_BYTES) atomic_uint there;
	_Alignas(CACHE_LINE_BYTES) atomic_uint back;
	_Alignas(CACHE_LINE_BYTES) atomic_bool over;
};

static void
pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static int
compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Throw the ball from this process to another one. @return ns per trip */
static uint64_t
trip_ns(struct ball *ball, int cpu, bool yields, uint32_t trips)
{
	uint64_t runs[RUNS], begun;
	uint32_t run, trip, number = 0;
	pid_t pid = fork();

	if (pid == 0) {
		pin(cpu);
		while (!atomic_load(&ball->over)) {
			atomic_store(&ball->back, atomic_load(&ball->there));
			if (yields)
				sched_yield();
		}
		_exit(0);
	}
	pin(0);
	for (run = 0; run < RUNS; run++) {
		begun = clock_now_ns();
		for (trip = 0; trip < trips; trip++) {
			atomic_store(&ball->there, ++number);
			while (atomic_load(&ball->back) != number)
				if (yields)
					sched_yield();
		}
		runs[run] = (clock_now_ns() - begun) / trips;
	}
	atomic_store(&ball->over, true);
	waitpid(pid, NULL, 0);
	atomic_store(&ball->over, false);
	qsort(runs, RUNS, sizeof(runs[0]), compare);
	return runs[RUNS / 2];
}

int
main(void)
{
	struct ball *ball = mmap(NULL, sizeof(*ball), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t cores;

	if (ball == MAP_FAILED)
		return EXIT_FAILURE;
	cores = trip_ns(ball, 1, false, CORE_TRIPS);
	printf("{\"coresNs\":%lu,\"yieldNs\":%lu}\n", cores,
		trip_ns(ball, 0, true, YIELD_TRIPS));
	return 0;
}
