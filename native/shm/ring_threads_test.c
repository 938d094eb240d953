/* SPDX-License-Identifier: MIT */
/* The two ends of a ring as two threads. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "shm/ring.h"

#define CAPACITY 64u
#define ENTRIES 300000u

struct entry {
	uint64_t number;
	uint64_t square;
};

struct fixture {
	struct ring_shared shared;
	struct entry entries[CAPACITY];
};

static void *
produce(void *context)
{
	struct fixture *f = context;
	struct ring_producer ring;
	uint64_t number = 0;
	uint32_t burst;

	ring_producer_init(
		&ring, &f->shared, f->entries, sizeof(struct entry), CAPACITY);
	while (number < ENTRIES) {
		int32_t room = ring_room(&ring, 1);

		if (room <= 0) {
			sched_yield();
			continue;
		}
		for (burst = 1 + number % 7; burst > 0 && room > 0; burst--) {
			struct entry entry = {number, number * number};

			ring_push(&ring, &entry);
			number++;
			room--;
		}
		ring_publish(&ring);
	}
	return NULL;
}

static void
every_entry_arrives_once_and_whole(void **state)
{
	static struct fixture f;
	struct ring_consumer ring;
	uint64_t number = 0, stop;
	pthread_t producer;

	(void)state;
	ring_consumer_init(
		&ring, &f.shared, f.entries, sizeof(struct entry), CAPACITY);
	assert_int_equal(pthread_create(&producer, NULL, produce, &f), 0);
	/* The last burst may go beyond ENTRIES: take what there is. */
	for (stop = ENTRIES; number < stop;) {
		int32_t available = ring_available(&ring);
		struct entry entry;

		assert_int_not_equal(available, RING_CORRUPT);
		if (available == 0)
			sched_yield();
		for (; available > 0; available--) {
			ring_pop(&ring, &entry);
			assert_int_equal(entry.number, number);
			assert_int_equal(entry.square, number * number);
			number++;
		}
		ring_consume(&ring);
	}
	pthread_join(producer, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_entry_arrives_once_and_whole),
	};

	return cmocka_run_group_tests_name("ring threads", tests, NULL, NULL);
}
