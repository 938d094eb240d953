// SPDX-License-Identifier: MIT
#include "transport/listeners.h"

#include <stdlib.h>

#include "base/bits.h"

#define INDEX_MASK (LISTENERS_MAX - 1)
_Static_assert((LISTENERS_MAX & INDEX_MASK) == 0, "index and generation");

struct listeners {
	struct services *services;
	uint32_t engine;
	struct listener all[LISTENERS_MAX];
	uint16_t of_port[65536]; /* index + 1 of who was last, 0: nobody */
	uint32_t next;		 /* where to look for a free one first */
};

struct listeners *
listeners_create(struct services *services, uint32_t engine)
{
	struct listeners *listeners = calloc(1, sizeof(*listeners));

	if (listeners != NULL) {
		listeners->services = services;
		listeners->engine = engine;
	}
	return listeners;
}

void
listeners_destroy(struct listeners *listeners)
{
	free(listeners);
}

static struct listener *
free_listener(struct listeners *listeners)
{
	for (uint32_t i = 0; i < LISTENERS_MAX; i++) {
		uint32_t index = (listeners->next + i) & INDEX_MASK;

		if (listeners->all[index].endpoint == NULL) {
			listeners->next = index + 1;
			return &listeners->all[index];
		}
	}
	return NULL;
}

/* Into the circle of its port: its turn is the next. */
static void
join(struct listeners *listeners, struct listener *listener)
{
	uint16_t index = (uint16_t)(listener - listeners->all);
	uint16_t last = listeners->of_port[listener->port];

	listener->next = index;
	if (last != 0) {
		listener->next = listeners->all[last - 1].next;
		listeners->all[last - 1].next = index;
	} else {
		listeners->of_port[listener->port] = (uint16_t)(index + 1);
	}
}

struct listener *
listeners_add(struct listeners *listeners, struct endpoint *endpoint,
	uint16_t port, bool reuse, uint32_t backlog, int32_t *status)
{
	struct listener *listener = free_listener(listeners);

	*status = MACHNET_TOO_MANY_LISTENERS;
	if (listener == NULL)
		return NULL;
	*status = MACHNET_ADDRESS_IN_USE;
	port = services_claim(
		listeners->services, listeners->engine, port, reuse);
	if (port == 0)
		return NULL;
	/* A new generation; never 0, which means none. */
	listener->id = (listener->id & ~INDEX_MASK) + LISTENERS_MAX;
	if (listener->id == 0)
		listener->id = LISTENERS_MAX;
	listener->id |= (uint32_t)(listener - listeners->all);
	listener->port = port;
	listener->endpoint = endpoint;
	listener->backlog = backlog;
	listener->waiting = 0;
	join(listeners, listener);
	*status = MACHNET_OK;
	return listener;
}

struct listener *
listeners_next(struct listeners *listeners, uint16_t port)
{
	uint16_t last = listeners->of_port[port];
	struct listener *first, *listener;

	if (last == 0)
		return NULL;
	first = &listeners->all[listeners->all[last - 1].next];
	listener = first;
	while (listener->waiting >= listener->backlog) {
		listener = &listeners->all[listener->next];
		if (listener == first)
			break;
	}
	listeners->of_port[port] = (uint16_t)(listener - listeners->all + 1);
	return listener;
}

uint64_t
listeners_engines(const struct listeners *listeners, uint16_t port)
{
	return services_engines(listeners->services, port);
}

struct listener *
listeners_get(struct listeners *listeners, uint32_t id)
{
	struct listener *listener = &listeners->all[id & INDEX_MASK];

	return listener->endpoint != NULL && listener->id == id ? listener
								: NULL;
}

void
listeners_remove(struct listeners *listeners, struct listener *listener)
{
	uint16_t index = (uint16_t)(listener - listeners->all);
	uint16_t before = index;

	listener->endpoint = NULL;
	if (listener->next == index) {
		listeners->of_port[listener->port] = 0;
		services_release(
			listeners->services, listeners->engine, listener->port);
		return;
	}
	while (listeners->all[before].next != index)
		before = listeners->all[before].next;
	listeners->all[before].next = listener->next;
	listeners->of_port[listener->port] = (uint16_t)(before + 1);
}

void
listeners_remove_endpoint(
	struct listeners *listeners, const struct endpoint *endpoint)
{
	for (uint32_t i = 0; i < LISTENERS_MAX; i++)
		if (listeners->all[i].endpoint == endpoint)
			listeners_remove(listeners, &listeners->all[i]);
}
