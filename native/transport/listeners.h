/* SPDX-License-Identifier: MIT */
/*
 * Which application listens on which service port. One table per sidecar,
 * indexed by port, so that finding a listener is one load.
 */
#ifndef TRANSPORT_LISTENERS_H
#define TRANSPORT_LISTENERS_H

#include <stdint.h>

#include "machnet/machnet.h"

struct endpoint;

struct listener {
	uint32_t id; /* index and generation */
	uint16_t port;
	struct endpoint *endpoint; /* NULL: free */
	uint32_t backlog;
	uint32_t waiting; /* accepted here, not yet taken by the application */
};

#ifndef LISTENERS_MAX /* the fuzzer's is small */
#define LISTENERS_MAX 4096u
#endif
/* Ports that are chosen for port 0 (RFC 6335, dynamic ports). */
#define LISTENERS_PORT_FIRST 49152u

struct listeners;

struct listeners *listeners_create(void);

void listeners_destroy(struct listeners *listeners);

/**
 * @param port 0: choose one
 * @param status why there is none: MACHNET_ADDRESS_IN_USE or
 *        MACHNET_TOO_MANY_LISTENERS
 * @return the listener, or NULL
 */
struct listener *listeners_add(struct listeners *listeners,
	struct endpoint *endpoint, uint16_t port, uint32_t backlog,
	int32_t *status);

/** @return NULL if nobody listens */
struct listener *listeners_find(struct listeners *listeners, uint16_t port);

/** @return NULL for a stale or foreign id */
struct listener *listeners_get(struct listeners *listeners, uint32_t id);

void listeners_remove(struct listeners *listeners, struct listener *listener);

/** All that an endpoint has. */
void listeners_remove_endpoint(
	struct listeners *listeners, const struct endpoint *endpoint);

#endif
