/* SPDX-License-Identifier: MIT */
/*
 * What a host knows of queues: of its own NIC, and of those of the hosts that
 * it talks to. Each engine has a copy of its own, and they keep one another up
 * to date by observations. Bounded, and nothing is allocated after
 * rss_host_create: what was not used for long makes room.
 */
#ifndef RSS_HOST_H
#define RSS_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "rss/map.h"
#include "rss/ports.h"

struct rss_options {
	struct rss_ports ports;
	uint16_t base_port; /* of the range: the first pair to be tried */
	uint16_t queues;    /* of our own NIC, 1 .. RSS_QUEUES_MAX */
	uint32_t peers_max; /* a power of two, at least 8 */
	uint64_t seed;
	struct rss_key key; /* of our own NIC, if its driver told, else zero */
};

/* What is known of a packet's place in its flow. */
enum rss_place {
	RSS_FIRST,     /* it may be the first, which may stray, see rss/map.h */
	RSS_LATER,     /* it is not */
	RSS_WITH,      /* and came in where the first one did */
	RSS_ELSEWHERE, /* and did not */
};

/* A packet came in on a queue. */
struct rss_observation {
	uint32_t address; /* of the peer */
	uint32_t pair;
	uint8_t queue;
	uint8_t queues; /* that the NIC has */
	bool remote;	/* it was the peer's NIC, or so the peer says */
	bool mirrored;	/* nothing else was answered, see struct rss_peer */
	uint8_t place;	/* enum rss_place */
};

/* A pair that came in on a queue. */
struct rss_fact {
	uint32_t pair;
	uint8_t queue;
	bool valid;
	uint16_t epoch; /* of the map */
};

/* One direction between us and a peer. */
struct rss_direction {
	struct rss_fact reference; /* that others are told from */
	/* By queue: pairs that are remembered. */
	uint32_t pairs[RSS_QUEUES_MAX];
	uint64_t pairs_valid;
	uint16_t pairs_epoch;
	uint64_t tried; /* a set of pairs, by hash, while one queue got all */
};

struct rss_peer {
	uint32_t address;
	uint32_t used; /* when last */
	bool mirrored; /* it answers only if the answer takes the pair back */
	struct rss_direction in;  /* from the peer to us */
	struct rss_direction out; /* from us to the peer */
	/* Of the peer's NIC; queues is 0 until the peer told. */
	struct rss_map map;
};

struct rss_host {
	struct rss_options options;
	struct rss_map own;
	uint32_t time; /* counts uses */
	uint64_t random;
	/* The last packets of strangers: two of one teach us our own NIC. */
	struct {
		uint32_t address;
		struct rss_fact fact;
	} strangers[64];
	struct rss_peer *peers;
};

/** @return NULL: out of memory */
struct rss_host *rss_host_create(const struct rss_options *options);
void rss_host_destroy(struct rss_host *host);

/** The peer, or NULL. Valid until the next rss_host_meet. */
struct rss_peer *rss_host_find(struct rss_host *host, uint32_t address);

/** The peer, which may take the place of one that was not used for long. */
struct rss_peer *rss_host_meet(struct rss_host *host, uint32_t address);

/**
 * Learn from a packet. Those of hosts that were never met teach only our own
 * NIC, so that strangers drive nobody out. Every field may be a lie of the
 * peer's, except that our own NIC's are ours.
 * @return whether it was news, that other engines of this host should hear of
 */
bool rss_host_observe(
	struct rss_host *host, const struct rss_observation *observation);

/** The peer told how many queues its NIC has, what it knows of its key, and
 * whether first packets stray there. */
void rss_peer_told(struct rss_peer *peer, uint32_t queues, struct rss_key key,
	bool strays);

/** The map of the NIC that a direction ends at. */
static inline const struct rss_map *
rss_direction_map(
	const struct rss_host *host, const struct rss_peer *peer, bool remote)
{
	return remote ? &peer->map : &host->own;
}

/** First packets stray, at one end or the other. The NICs of a cloud are alike:
 * then they are not gone by at either. */
bool rss_strays(const struct rss_host *host, const struct rss_peer *peer);

/** So many pairs came in on one queue that the ports seem not to matter: by
 * this many bits of queues. */
bool rss_flat(const struct rss_host *host, const struct rss_peer *peer,
	bool remote, uint32_t bits);

/** First packets may stray, for all that is known. @param leisure nobody waits,
 * so that more has to be known */
bool rss_doubtful(
	const struct rss_host *host, const struct rss_peer *peer, bool leisure);

/** A pair that is remembered to come in on the queue. */
bool rss_remembered(const struct rss_host *host, const struct rss_peer *peer,
	bool remote, uint32_t queue, uint32_t *pair);

/** It did not. */
void rss_forget(struct rss_peer *peer, bool remote, uint32_t queue);

/** Not secret: which of several pairs that are as good as one another. */
uint64_t rss_random(struct rss_host *host);

#endif
