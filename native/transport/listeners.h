/* SPDX-License-Identifier: MIT */
/*
 * Which applications of an engine listen on which service port. One table per
 * engine, for its thread alone, indexed by port, so that finding a listener is
 * one load. What the other engines must know of it is in services.h.
 */
#ifndef TRANSPORT_LISTENERS_H
#define TRANSPORT_LISTENERS_H

#include <stdbool.h>
#include <stdint.h>

#include "machnet/machnet.h"
#include "transport/services.h"

struct endpoint;

struct listener {
	uint32_t id; /* index and generation */
	uint16_t port;
	uint16_t next;		   /* index, in the circle of those that share
				    * the port */
	struct endpoint *endpoint; /* NULL: free */
	uint32_t backlog;
	uint32_t waiting; /* accepted here, not yet taken by the application */
};

#ifndef LISTENERS_MAX /* the fuzzer's is small */
#define LISTENERS_MAX 4096u
#endif

struct listeners;

/** @param services of the sidecar; borrowed */
struct listeners *listeners_create(struct services *services, uint32_t engine);

void listeners_destroy(struct listeners *listeners);

/**
 * @param port 0: choose one
 * @param reuse share the port with others that say so, here and on other
 *        engines
 * @param status why there is none: MACHNET_ADDRESS_IN_USE or
 *        MACHNET_TOO_MANY_LISTENERS
 * @return the listener, or NULL
 */
struct listener *listeners_add(struct listeners *listeners,
	struct endpoint *endpoint, uint16_t port, bool reuse, uint32_t backlog,
	int32_t *status);

/** Who is to accept the next connection to a port: those that share it take
 * turns, but for those whose backlog is full while another's is not.
 * @return NULL if nobody of this engine listens */
struct listener *listeners_next(struct listeners *listeners, uint16_t port);

/** A bit for each engine of the sidecar that has a listener of that port. */
uint64_t listeners_engines(const struct listeners *listeners, uint16_t port);

/** @return NULL for a stale or foreign id */
struct listener *listeners_get(struct listeners *listeners, uint32_t id);

void listeners_remove(struct listeners *listeners, struct listener *listener);

/** All that an endpoint has. */
void listeners_remove_endpoint(
	struct listeners *listeners, const struct endpoint *endpoint);

#endif
