// SPDX-License-Identifier: MIT
#include "transport/services.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct services {
	_Atomic uint64_t engines[65536]; /* by port */
	/* The rest is of those that hold the lock. */
	pthread_mutex_t lock;
	bool reuse[65536]; /* of ports that somebody has */
	uint16_t next_port;
};

struct services *
services_create(void)
{
	struct services *services = calloc(1, sizeof(*services));

	if (services == NULL)
		return NULL;
	pthread_mutex_init(&services->lock, NULL);
	services->next_port = SERVICES_PORT_FIRST;
	return services;
}

void
services_destroy(struct services *services)
{
	if (services == NULL)
		return;
	pthread_mutex_destroy(&services->lock);
	free(services);
}

uint64_t
services_engines(const struct services *services, uint16_t port)
{
	return atomic_load_explicit(
		&services->engines[port], memory_order_relaxed);
}

static uint16_t
free_port(struct services *services)
{
	for (uint32_t i = SERVICES_PORT_FIRST; i < 65536; i++) {
		uint16_t port = services->next_port;

		services->next_port =
			(uint16_t)(port == UINT16_MAX ? SERVICES_PORT_FIRST
						      : port + 1u);
		if (services_engines(services, port) == 0)
			return port;
	}
	return 0;
}

uint16_t
services_claim(
	struct services *services, uint32_t engine, uint16_t port, bool reuse)
{
	pthread_mutex_lock(&services->lock);
	if (port == 0)
		port = free_port(services);
	else if (services_engines(services, port) != 0 &&
		 !(reuse && services->reuse[port]))
		port = 0;
	if (port != 0) {
		services->reuse[port] = reuse;
		atomic_fetch_or_explicit(&services->engines[port],
			UINT64_C(1) << engine, memory_order_relaxed);
	}
	pthread_mutex_unlock(&services->lock);
	return port;
}

void
services_release(struct services *services, uint32_t engine, uint16_t port)
{
	pthread_mutex_lock(&services->lock);
	atomic_fetch_and_explicit(&services->engines[port],
		~(UINT64_C(1) << engine), memory_order_relaxed);
	pthread_mutex_unlock(&services->lock);
}
