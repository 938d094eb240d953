/* SPDX-License-Identifier: MIT */
/*
 * Which RX queue of its host a vNIC puts a frame in, and whether it lets it in
 * at all. The keys are drawn from the seed, and those behind the vNIC cannot
 * ask for them: who wants to know where packets go must learn it from where
 * they went, unless somebody plays the driver that tells, see classifier_nic.
 *
 * A hash of what the frame says of its flow, in packet order (so that the two
 * directions of a flow have nothing to do with one another), picks one of 128
 * table entries, which names the queue. Frames that are no IPv4, ARP above all,
 * have no hash: they go where the first entry says. One key, table and flow
 * table for each host.
 *
 * Knows no DPDK, no clock, no thread: time is an argument that never goes back,
 * and the same seed with the same calls does the same again.
 */
#ifndef FABRIC_CLASSIFIER_H
#define FABRIC_CLASSIFIER_H

#include <stdbool.h>
#include <stdint.h>

#include "rss/nic.h"

#define CLASSIFIER_QUEUES_MAX 64u
#define CLASSIFIER_TABLE_ENTRIES 128u
/* No queue: the firewall keeps the frame out. */
#define CLASSIFIER_REFUSED UINT32_MAX

enum classifier_hash {
	/* Toeplitz over addresses and, of TCP and UDP, ports. */
	CLASSIFIER_TOEPLITZ,
	/* Toeplitz that ignores UDP ports: all UDP of two addresses has one
	 * queue. */
	CLASSIFIER_TOEPLITZ_NO_UDP_PORTS,
	/* SipHash of addresses and ports: keyed, and not linear. */
	CLASSIFIER_SIPHASH,
};

enum classifier_table {
	CLASSIFIER_ROUND_ROBIN, /* entry i names queue i mod queues */
	CLASSIFIER_SHUFFLED,	/* the same entries at random places */
};

struct classifier_options {
	uint64_t seed;
	uint32_t host;	 /* of the seed: small, each has its own keys */
	uint32_t queues; /* 1 .. CLASSIFIER_QUEUES_MAX, all open at first */
	enum classifier_hash hash;
	enum classifier_table table;
	/* Only answers to flows that the host began come in. */
	bool firewall;
	/* The first frame of a flow that comes in takes the synthetic path:
	 * see classifier_synthetic_until. */
	bool synthetic_first;
};

/* Counters of what is not plain hashing. */
#define CLASSIFIER_COUNTERS(X)                                                 \
	X(drop_firewall) /* refused */                                         \
	X(synthetic)	 /* took the synthetic path */                         \
	X(rekeyed)	 /* times */

struct classifier_counters {
#define CLASSIFIER_COUNTER(name) uint64_t name;
	CLASSIFIER_COUNTERS(CLASSIFIER_COUNTER)
#undef CLASSIFIER_COUNTER
};

struct classifier;

/** @return NULL without memory; some 3 MB, most of it untouched unless there is
 * a firewall or a synthetic path for first frames */
struct classifier *classifier_create(const struct classifier_options *options);
void classifier_destroy(struct classifier *classifier);

/** New keys, the next ones of the seed, as after a live migration. The table
 * and the flows that the firewall knows stay. */
void classifier_rekey(struct classifier *classifier);

/** The driver opened so many queues, 1 .. options.queues; the table is filled
 * anew. */
void classifier_set_queues(struct classifier *classifier, uint32_t queues);

void classifier_set_hash(
	struct classifier *classifier, enum classifier_hash hash);

void classifier_set_firewall(struct classifier *classifier, bool firewall);

/**
 * Until then all frames take the synthetic path, as on Azure while the fast one
 * is away: hashed with a key of its own and without UDP ports, so that all UDP
 * of a peer lands on one queue, most often not its own.
 */
void classifier_synthetic_until(struct classifier *classifier, uint64_t ns);

/** The host sends a frame: if there is a firewall, answers may come in. */
void classifier_sent(struct classifier *classifier, const uint8_t *frame,
	uint32_t length, uint64_t now_ns);

/**
 * A frame comes in. Any bytes of any length; some 20 ns, with a flow table some
 * 100.
 * @return its queue, or CLASSIFIER_REFUSED
 */
uint32_t classifier_queue(struct classifier *classifier, const uint8_t *frame,
	uint32_t length, uint64_t now_ns);

/** What a driver would read from the vNIC of its Toeplitz hash, be that in use
 * or not. */
struct rss_nic classifier_nic(const struct classifier *classifier);

const struct classifier_counters *classifier_counters(
	const struct classifier *classifier);

#endif
