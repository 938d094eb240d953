// SPDX-License-Identifier: MIT
#include "transport/listeners.h"

#include <stdlib.h>

#include "base/bits.h"

#define INDEX_MASK (LISTENERS_MAX - 1)
_Static_assert((LISTENERS_MAX & INDEX_MASK) == 0, "index and generation");

struct listeners {
	struct listener all[LISTENERS_MAX];
	uint16_t of_port[65536]; /* index + 1, 0: nobody */
	uint32_t next;		 /* where to look for a free one first */
	uint16_t next_port;
};

struct listeners *
listeners_create(void)
{
	struct listeners *listeners = calloc(1, sizeof(*listeners));

	if (listeners != NULL)
		listeners->next_port = LISTENERS_PORT_FIRST;
	return listeners;
}

void
listeners_destroy(struct listeners *listeners)
{
	free(listeners);
}

static uint16_t
free_port(struct listeners *listeners)
{
	for (uint32_t i = LISTENERS_PORT_FIRST; i < 65536; i++) {
		uint16_t port = listeners->next_port;

		listeners->next_port =
			(uint16_t)(port == UINT16_MAX ? LISTENERS_PORT_FIRST
						      : port + 1u);
		if (listeners->of_port[port] == 0)
			return port;
	}
	return 0;
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

struct listener *
listeners_add(struct listeners *listeners, struct endpoint *endpoint,
	uint16_t port, uint32_t backlog, int32_t *status)
{
	struct listener *listener = free_listener(listeners);
	uint32_t index;

	*status = MACHNET_TOO_MANY_LISTENERS;
	if (listener == NULL)
		return NULL;
	*status = MACHNET_ADDRESS_IN_USE;
	if (port == 0)
		port = free_port(listeners);
	if (port == 0 || listeners->of_port[port] != 0)
		return NULL;
	index = (uint32_t)(listener - listeners->all);
	/* A new generation; never 0, which means none. */
	listener->id = (listener->id & ~INDEX_MASK) + LISTENERS_MAX;
	if (listener->id == 0)
		listener->id = LISTENERS_MAX;
	listener->id |= index;
	listener->port = port;
	listener->endpoint = endpoint;
	listener->backlog = backlog;
	listener->waiting = 0;
	listeners->of_port[port] = (uint16_t)(index + 1);
	*status = MACHNET_OK;
	return listener;
}

struct listener *
listeners_find(struct listeners *listeners, uint16_t port)
{
	uint16_t index = listeners->of_port[port];

	return index == 0 ? NULL : &listeners->all[index - 1];
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
	listeners->of_port[listener->port] = 0;
	listener->endpoint = NULL;
}

void
listeners_remove_endpoint(
	struct listeners *listeners, const struct endpoint *endpoint)
{
	for (uint32_t i = 0; i < LISTENERS_MAX; i++)
		if (listeners->all[i].endpoint == endpoint)
			listeners_remove(listeners, &listeners->all[i]);
}
