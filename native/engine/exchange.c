// SPDX-License-Identifier: MIT
#include "engine/exchange.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "shm/ring.h"

struct lane {
	struct ring_shared shared;
	struct parcel parcels[EXCHANGE_CAPACITY];
};

/* An engine's end of all its rings. */
struct counter {
	/* Engines that posted since this one last looked. */
	alignas(CACHE_LINE_BYTES) _Atomic uint64_t senders;
	_Atomic uint32_t asleep;
	int fd; /* eventfd */
	/* The rest is the engine's own. */
	alignas(CACHE_LINE_BYTES) uint64_t taking; /* engines to take from */
	uint64_t posted; /* engines that have something they do not see yet */
	uint32_t from;	 /* whose parcels are taken, and how many more */
	uint32_t left;
	struct ring_producer *to;
	struct ring_consumer *of;
};

struct exchange {
	uint32_t engines;
	struct lane *lanes; /* of the ordered pair (from, to): from * n + to */
	struct counter *counters;
};

static bool
counter_open(struct exchange *exchange, uint32_t engine)
{
	struct counter *counter = &exchange->counters[engine];
	uint32_t n = exchange->engines;

	counter->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	counter->to = calloc(n, sizeof(*counter->to));
	counter->of = calloc(n, sizeof(*counter->of));
	if (counter->fd < 0 || counter->to == NULL || counter->of == NULL)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		struct lane *out = &exchange->lanes[engine * n + i];
		struct lane *in = &exchange->lanes[i * n + engine];

		ring_producer_init(&counter->to[i], &out->shared, out->parcels,
			sizeof(struct parcel), EXCHANGE_CAPACITY);
		ring_consumer_init(&counter->of[i], &in->shared, in->parcels,
			sizeof(struct parcel), EXCHANGE_CAPACITY);
	}
	return true;
}

static void *
lines_allocate(size_t bytes)
{
	void *lines = NULL;

	if (posix_memalign(&lines, CACHE_LINE_BYTES, bytes) != 0)
		return NULL;
	memset(lines, 0, bytes);
	return lines;
}

struct exchange *
exchange_create(uint32_t engines)
{
	struct exchange *exchange = calloc(1, sizeof(*exchange));
	bool complete;

	if (exchange == NULL)
		return NULL;
	exchange->engines = engines;
	exchange->lanes =
		lines_allocate(engines * engines * sizeof(*exchange->lanes));
	exchange->counters =
		lines_allocate(engines * sizeof(*exchange->counters));
	complete = exchange->lanes != NULL && exchange->counters != NULL;
	for (uint32_t i = 0; exchange->counters != NULL && i < engines; i++)
		exchange->counters[i].fd = -1;
	for (uint32_t i = 0; complete && i < engines; i++)
		complete = counter_open(exchange, i);
	if (complete)
		return exchange;
	exchange_destroy(exchange);
	return NULL;
}

void
exchange_destroy(struct exchange *exchange)
{
	if (exchange == NULL)
		return;
	for (uint32_t i = 0;
		exchange->counters != NULL && i < exchange->engines; i++) {
		struct counter *counter = &exchange->counters[i];

		if (counter->fd >= 0)
			close(counter->fd);
		free(counter->to);
		free(counter->of);
	}
	free(exchange->counters);
	free(exchange->lanes);
	free(exchange);
}

uint32_t
exchange_engines(const struct exchange *exchange)
{
	return exchange->engines;
}

bool
exchange_post(struct exchange *exchange, uint32_t engine, uint32_t to,
	const struct parcel *parcel)
{
	struct counter *counter = &exchange->counters[engine];

	if (ring_room(&counter->to[to], 1) < 1)
		return false;
	ring_push(&counter->to[to], parcel);
	counter->posted |= UINT64_C(1) << to;
	return true;
}

static void
show(struct exchange *exchange, uint32_t engine, uint32_t to)
{
	struct counter *other = &exchange->counters[to];

	ring_publish(&exchange->counters[engine].to[to]);
	/* Sequentially consistent, as the other's look at it is: it sees the
	 * bit before it sleeps, or we see that it sleeps. */
	atomic_fetch_or(&other->senders, UINT64_C(1) << engine);
	if (atomic_load(&other->asleep) != 0 &&
		atomic_exchange(&other->asleep, 0) != 0)
		eventfd_write(other->fd, 1);
}

void
exchange_flush(struct exchange *exchange, uint32_t engine)
{
	struct counter *counter = &exchange->counters[engine];

	for (; counter->posted != 0; counter->posted &= counter->posted - 1)
		show(exchange, engine,
			(uint32_t)__builtin_ctzll(counter->posted));
}

/* The next of those that have something, after the one before. */
static uint32_t
sender_next(const struct counter *counter)
{
	/* Not 1 << (from + 1), which may be a shift too far. */
	uint64_t after =
		counter->taking & ~((UINT64_C(2) << counter->from) - 1);

	return (uint32_t)__builtin_ctzll(after != 0 ? after : counter->taking);
}

bool
exchange_take(struct exchange *exchange, uint32_t engine, struct parcel *parcel)
{
	struct counter *counter = &exchange->counters[engine];

	if (atomic_load_explicit(&counter->senders, memory_order_relaxed) != 0)
		counter->taking |= atomic_exchange(&counter->senders, 0);
	while (counter->left == 0 && counter->taking != 0) {
		counter->from = sender_next(counter);
		counter->left =
			(uint32_t)ring_available(&counter->of[counter->from]);
		if (counter->left == 0)
			counter->taking &= ~(UINT64_C(1) << counter->from);
	}
	if (counter->left == 0)
		return false;
	counter->left--;
	ring_pop(&counter->of[counter->from], parcel);
	ring_consume(&counter->of[counter->from]);
	return true;
}

int
exchange_fd(const struct exchange *exchange, uint32_t engine)
{
	return exchange->counters[engine].fd;
}

bool
exchange_sleep(struct exchange *exchange, uint32_t engine)
{
	struct counter *counter = &exchange->counters[engine];

	atomic_store(&counter->asleep, 1);
	return counter->taking == 0 && atomic_load(&counter->senders) == 0;
}

void
exchange_wake(struct exchange *exchange, uint32_t engine)
{
	struct counter *counter = &exchange->counters[engine];

	atomic_store_explicit(&counter->asleep, 0, memory_order_relaxed);
}
