/* SPDX-License-Identifier: MIT */
/*
 * Which engines listen on which service port: one table for the engines of a
 * sidecar. Every engine reads it at each SYN, without a lock; engines write it
 * when a listener opens or closes, under one.
 */
#ifndef TRANSPORT_SERVICES_H
#define TRANSPORT_SERVICES_H

#include <stdbool.h>
#include <stdint.h>

#include "machnet/machnet.h"

/* Ports that are chosen for port 0 (RFC 6335, dynamic ports). */
#define SERVICES_PORT_FIRST 49152u

struct services;

/** @return NULL if out of memory */
struct services *services_create(void);

void services_destroy(struct services *services);

/**
 * An engine is to listen on a port. A port is had by one listener, or by any
 * number of them that all asked for reuse.
 * @param engine below CONNECTION_ENGINES
 * @param port 0: choose one that nobody has
 * @return the port, or 0: MACHNET_ADDRESS_IN_USE
 */
uint16_t services_claim(
	struct services *services, uint32_t engine, uint16_t port, bool reuse);

/** The last listener of an engine on a port is gone. */
void services_release(
	struct services *services, uint32_t engine, uint16_t port);

/** A bit for each engine that listens; 0: nobody does. May be old by the time
 * the caller looks at it: whoever is asked to accept looks again. */
uint64_t services_engines(const struct services *services, uint16_t port);

#endif
