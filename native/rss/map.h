/* SPDX-License-Identifier: MIT */
/*
 * What is known of how one NIC chooses the RX queue of a packet from its UDP
 * ports, learned from nothing but which queues packets came in on.
 *
 * Two theories are tried side by side. Both hold the queue's lower bits, as
 * many as the number of queues has factors of two, to be an affine function
 * over GF(2) of the ports; the constant depends on the addresses, and goes
 * away in the difference of two packets between the same hosts.
 *
 *   affine     each bit of the ports, when flipped, flips some bits of the
 *              queue: 32 unknowns of L bits;
 *   Toeplitz   the queue is the lower bits of a Toeplitz hash (drivers fill the
 *              table behind it round robin), so that bit b of the queue is the
 *              sum of k[i + b] over the ports' bits i that are set, counted
 *              from the lowest: only 31 + L unknowns of one bit, because
 *              neighbours share all but one. This is why few packets do.
 *
 * A theory that proves wrong before it ever foretold something is refuted: it
 * goes on learning but is not asked until it has foretold enough. One that had
 * proved right and is wrong twice in a row was right about another key: it is
 * forgotten, and begins anew.
 *
 * In front of some NICs the first packet of each flow takes another path, and
 * comes in on a queue that its ports have no say in (Azure's synthetic path):
 * it strays. Nothing is learned from it then. That this is so shows when a
 * later packet of the same flow comes in elsewhere.
 */
#ifndef RSS_MAP_H
#define RSS_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "rss/space.h"

#define RSS_QUEUES_MAX 64u
#define RSS_QUEUE_BITS_MAX 6u
/* Bits of queues that were seen not to change before the ports count as not
 * hashed. */
#define RSS_FLAT_BITS 14u
/* The same before it is looked into whether first packets stray: by chance, one
 * NIC in 64 is. */
#define RSS_DOUBT_BITS 6u
/* Bits of the key that a map tells of. */
#define RSS_KEY_BITS (31u + RSS_QUEUE_BITS_MAX)

enum rss_theory_name {
	RSS_TOEPLITZ,
	RSS_AFFINE,
	RSS_THEORIES,
};

struct rss_theory {
	struct space space;
	uint16_t foretold; /* bits of queues, since it was last wrong */
	uint64_t counted;  /* a set of flips, by hash, that it did for */
	uint8_t strikes;
	bool refuted;
};

/* Bits of a Toeplitz key: k[i] where bit i of known is set. */
struct rss_key {
	uint64_t known;
	uint64_t value;
	bool told; /* by the driver of the NIC, not learned from packets */
};

/* All zero but for queues and bits, see rss_map_init. */
struct rss_map {
	uint8_t queues;
	uint8_t bits;	/* of the queue that the theories are about */
	uint16_t epoch; /* counts the times that it was forgotten */
	/* First packets of flows stray; counts down while they do not. 0: not
	 * known to. */
	uint8_t strays;
	uint8_t steady; /* flows where they did not, since it was forgotten */
	struct rss_theory theories[RSS_THEORIES];
	struct rss_key hint;	/* what was taken from somebody else */
	struct rss_key refused; /* what was, and proved wrong */
};

enum rss_verdict {
	RSS_NEWS,
	RSS_FORETOLD,
	RSS_WRONG,
};

/** @param queues 1 .. RSS_QUEUES_MAX */
void rss_map_init(struct rss_map *map, uint32_t queues);

/** Two packets between the same hosts differed in these bits of the ports, and
 * in these of the queue. @return what that is to the theory that was gone by;
 * with none, nothing is news */
enum rss_verdict rss_map_learn(
	struct rss_map *map, uint32_t flips, uint32_t change);

/**
 * The first packet of a flow and a later one came in.
 * @param same on the same queue
 * @return whether that is news: what was learned from first packets is
 * forgotten
 */
bool rss_map_compare(struct rss_map *map, bool same);

/** First packets are said to stray. @return as rss_map_compare */
bool rss_map_strays(struct rss_map *map);

/** First packets of one host came in on several queues: they do not stray. */
void rss_map_vary(struct rss_map *map);

/** First packets did not stray, by so many bits of queues. */
bool rss_map_steady(const struct rss_map *map, uint32_t bits);

/** It foretold enough to be right about this key. */
bool rss_theory_proved(const struct rss_theory *theory);

/** The theory to go by, or NULL. */
const struct rss_theory *rss_map_theory(const struct rss_map *map);

/** Queues that a pair may come in on, for all that can be foretold: 1 when the
 * theory to go by tells the queue. */
uint32_t rss_map_choices(const struct rss_map *map);

/** Do the ports seem not to matter at all, by so many bits of queues? */
bool rss_map_flat(const struct rss_map *map, uint32_t bits);

/** What is known for certain of the key, to be handed to other hosts. */
struct rss_key rss_map_key(const struct rss_map *map);

/** Take over what another host or a driver claims to know, unless it
 * contradicts what was seen, or proved wrong before. The first packet that
 * contradicts it ends it, if it had not proved right by then. */
void rss_map_hint(struct rss_map *map, struct rss_key key);

/** Is what it foretells computed from a key that a driver told? */
bool rss_map_told(const struct rss_map *map);

/*
 * What flips do to the queue, as words that are linear in the flips: what is
 * left of unknowns, and above it (from bit SPACE_UNKNOWNS) the change of the
 * queue if nothing is left.
 */
struct rss_effect {
	uint64_t unknown[RSS_QUEUE_BITS_MAX];
	uint32_t change;
};

/** Without a theory there is nothing that can be told of. */
struct rss_effect rss_map_effect(const struct rss_map *map, uint32_t flips);

/**
 * What a packet with these flips would teach: foremost how many bits of the
 * ports, of those in mask, would be known then.
 * @param learn count on it for the questions that follow
 * @return 0: nothing; else only good to be compared
 */
uint32_t rss_map_gain(
	struct rss_map *map, uint32_t flips, uint32_t mask, bool learn);

#endif
