/* SPDX-License-Identifier: MIT */
/*
 * The rings between the engines of a sidecar: one for each ordered pair, single
 * producer, single consumer, bounded. What goes over them is what came in at
 * one engine and is meant for another. A full ring takes no more: what does not
 * fit is the sender's to drop and to count.
 *
 * An engine that has posted flushes once per turn: only then do the others see
 * it, and are woken if they sleep.
 */
#ifndef ENGINE_EXCHANGE_H
#define ENGINE_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "transport/transport.h"
#include "wire/ethernet.h"

#define EXCHANGE_ENGINES_MAX CONNECTION_ENGINES
/* Parcels in one ring. */
#define EXCHANGE_CAPACITY 256u

struct rte_mbuf;

enum parcel_kind {
	PARCEL_PACKET,	    /* a UDP payload that this engine is to have */
	PARCEL_NEIGHBOR,    /* what ARP told */
	PARCEL_UNREACHABLE, /* what ICMP told */
	PARCEL_OBSERVATION, /* what a queue is for */
	PARCEL_ATTENTION,   /* something may come in soon, anywhere */
};

struct parcel_packet {
	struct rte_mbuf *mbuf; /* the receiver's, with the parcel */
	struct transport_path path;
	uint16_t offset; /* of the payload in the mbuf's data */
	uint16_t length;
	uint16_t queue; /* that it came in on */
	bool marked;	/* see transport_receive */
};

struct parcel_neighbor {
	uint32_t address;
	struct mac mac;
	bool to_us; /* it will talk to us, so keep it */
};

struct parcel_unreachable {
	struct transport_path path;
	uint8_t code; /* of RFC 792 */
};

struct parcel {
	union {
		struct parcel_packet packet;
		struct parcel_neighbor neighbor;
		struct parcel_unreachable unreachable;
		struct rss_observation observation;
	};
	uint32_t kind; /* enum parcel_kind */
};
_Static_assert(sizeof(struct parcel) <= 32, "two to a cache line");

struct exchange;

/** @return NULL if out of memory or descriptors */
struct exchange *exchange_create(uint32_t engines);

/** What nobody took is lost: take it before. */
void exchange_destroy(struct exchange *exchange);

uint32_t exchange_engines(const struct exchange *exchange);

/* The rest is for the thread of the engine that the first number names. */

/** @return false: the ring is full */
bool exchange_post(struct exchange *exchange, uint32_t engine, uint32_t to,
	const struct parcel *parcel);

/** Show what was posted, and wake whoever sleeps. */
void exchange_flush(struct exchange *exchange, uint32_t engine);

/**
 * Take the next parcel; the engines that posted take turns. Cost if there is
 * none: one load of a cache line that nobody writes meanwhile.
 * @return false if there is none
 */
bool exchange_take(
	struct exchange *exchange, uint32_t engine, struct parcel *parcel);

/** Readable when a sleeping engine is to wake. Belongs to the exchange. */
int exchange_fd(const struct exchange *exchange, uint32_t engine);

/** Say that this engine is about to sleep. @return false: there are parcels */
bool exchange_sleep(struct exchange *exchange, uint32_t engine);

/** This engine is awake again. */
void exchange_wake(struct exchange *exchange, uint32_t engine);

#endif
