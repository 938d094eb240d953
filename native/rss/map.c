/* SPDX-License-Identifier: MIT */
#include "rss/map.h"

#include <string.h>

#include "base/bits.h"

/* Bits that a theory must foretell to count as proved: by chance, one in 4096
 * that are wrong does. */
#define PROOF_BITS 12u
/* The same for one that was refuted before, and has had many chances. */
#define REPROOF_BITS 24u
#define STRIKES_MAX 2u
/* Flows in a row whose first packets do not stray, after which no more are
 * taken to: with two queues one in two does not by chance. */
#define STRAYS_MEMORY 64u

void
rss_map_init(struct rss_map *map, uint32_t queues)
{
	memset(map, 0, sizeof(*map));
	map->queues = (uint8_t)queues;
	map->bits = (uint8_t)__builtin_ctz(queues);
}

bool
rss_theory_proved(const struct rss_theory *theory)
{
	return theory->foretold >=
	       (theory->refuted ? REPROOF_BITS : PROOF_BITS);
}

const struct rss_theory *
rss_map_theory(const struct rss_map *map)
{
	if (map->bits == 0)
		return NULL;
	for (unsigned i = 0; i < RSS_THEORIES; i++)
		if (!map->theories[i].refuted)
			return &map->theories[i];
	return NULL;
}

uint32_t
rss_map_choices(const struct rss_map *map)
{
	if (rss_map_theory(map) == NULL)
		return map->queues;
	return (uint32_t)map->queues >> map->bits;
}

static unsigned
name_of(const struct rss_map *map, const struct rss_theory *theory)
{
	return (unsigned)(theory - map->theories);
}

/* The equations that one packet gives: L of one bit each, or one of L bits. */
static unsigned
equations(const struct rss_map *map, unsigned name, uint32_t flips,
	uint32_t change, uint64_t rows[RSS_QUEUE_BITS_MAX])
{
	if (name == RSS_AFFINE) {
		rows[0] = flips | (uint64_t)change << SPACE_UNKNOWNS;
		return 1;
	}
	for (unsigned b = 0; b < map->bits; b++)
		rows[b] = (uint64_t)flips << b | (uint64_t)(change >> b & 1)
							 << SPACE_UNKNOWNS;
	return map->bits;
}

/* Add all or none. @return those that were foretold, or -1 */
static int
add_all(struct space *space, const uint64_t *rows, unsigned length)
{
	struct space next;
	int foretold = 0;

	/* The common case, and the cheap one. */
	while ((unsigned)foretold < length &&
		space_reduce(space, rows[foretold]) == 0)
		foretold++;
	if ((unsigned)foretold == length)
		return foretold;
	next = *space;
	foretold = 0;

	for (unsigned i = 0; i < length; i++) {
		enum space_verdict verdict = space_add(&next, rows[i]);

		if (verdict == SPACE_CONTRADICTS)
			return -1;
		foretold += verdict == SPACE_FOLLOWS;
	}
	*space = next;
	return foretold;
}

static void
forget(struct rss_map *map)
{
	memset(map->theories, 0, sizeof(map->theories));
	map->hint = (struct rss_key){0};
	map->steady = 0;
	map->epoch++;
}

bool
rss_map_strays(struct rss_map *map)
{
	bool news = map->strays == 0;
	struct rss_key key = map->refused.told ? map->refused : map->hint;

	map->strays = STRAYS_MEMORY;
	if (!news)
		return false;
	forget(map);
	/* What a driver told was not learned from packets. */
	map->refused = (struct rss_key){0};
	if (key.told)
		rss_map_hint(map, key);
	return true;
}

bool
rss_map_compare(struct rss_map *map, bool same)
{
	if (!same)
		return rss_map_strays(map);
	if (map->strays != 0)
		map->strays--;
	else if (map->steady < UINT8_MAX)
		map->steady++;
	return false;
}

void
rss_map_vary(struct rss_map *map)
{
	map->steady = UINT8_MAX;
}

bool
rss_map_steady(const struct rss_map *map, uint32_t bits)
{
	return map->steady * (log2_ceil(map->queues + 1u) - 1) >= bits;
}

static bool
theory_flat(const struct rss_map *map, const struct rss_theory *theory,
	uint32_t bits)
{
	uint32_t seen = theory->space.rank;

	for (unsigned i = 0; i < SPACE_UNKNOWNS; i++)
		if (theory->space.rows[i] > SPACE_MASK)
			return false;
	if (name_of(map, theory) == RSS_AFFINE)
		seen *= map->bits;
	/* One that is wrong of late may be about to be forgotten. */
	return seen >= bits && theory->strikes == 0;
}

/* @param same the ports were: says nothing of how they are hashed */
static void
theory_wrong(struct rss_map *map, struct rss_theory *theory, bool same)
{
	if (rss_theory_proved(theory)) {
		if (++theory->strikes >= STRIKES_MAX)
			forget(map);
		return;
	}
	if (name_of(map, theory) == RSS_TOEPLITZ && map->hint.known != 0)
		map->refused = map->hint;
	/* That the ports did not matter was true of another path. */
	else if (!same && !theory_flat(map, theory, RSS_DOUBT_BITS))
		theory->refuted = true;
	memset(&theory->space, 0, sizeof(theory->space));
	theory->foretold = 0;
	theory->counted = 0;
	map->hint = (struct rss_key){0};
}

/* What was seen before proves nothing when it comes again. */
static bool
again(struct rss_theory *theory, uint32_t flips)
{
	uint64_t bit = UINT64_C(1) << (flips * 2654435769u >> 26);
	bool counted = (theory->counted & bit) != 0;

	theory->counted |= bit;
	return counted;
}

/* @return what it says of the packet */
static enum rss_verdict
theory_learn(
	struct rss_map *map, unsigned name, uint32_t flips, uint32_t change)
{
	struct rss_theory *theory = &map->theories[name];
	uint64_t rows[RSS_QUEUE_BITS_MAX];
	unsigned length = equations(map, name, flips, change, rows);
	int foretold = add_all(&theory->space, rows, length);
	uint32_t bits;

	if (foretold < 0) {
		theory_wrong(map, theory, flips == 0);
		return RSS_WRONG;
	}
	if (flips == 0)
		return RSS_FORETOLD;
	bits = (uint32_t)foretold * map->bits / length;
	if (bits != 0) {
		if (theory->foretold < REPROOF_BITS && !again(theory, flips))
			theory->foretold += (uint16_t)bits;
		theory->strikes = 0;
		if (rss_theory_proved(theory))
			theory->refuted = false;
	}
	return (unsigned)foretold == length ? RSS_FORETOLD : RSS_NEWS;
}

enum rss_verdict
rss_map_learn(struct rss_map *map, uint32_t flips, uint32_t change)
{
	const struct rss_theory *asked = rss_map_theory(map);
	enum rss_verdict verdict = RSS_FORETOLD;
	uint16_t epoch = map->epoch;

	if (map->bits == 0)
		return RSS_FORETOLD;
	change &= (1u << map->bits) - 1;
	for (unsigned i = 0; i < RSS_THEORIES && map->epoch == epoch; i++) {
		enum rss_verdict one = theory_learn(map, i, flips, change);

		if (asked == &map->theories[i] || map->epoch != epoch)
			verdict = one;
	}
	return verdict;
}

struct rss_effect
rss_map_effect(const struct rss_map *map, uint32_t flips)
{
	const struct rss_theory *theory = rss_map_theory(map);
	struct rss_effect effect = {0};
	uint64_t rows[RSS_QUEUE_BITS_MAX];
	unsigned length;

	if (theory == NULL)
		return effect;
	length = equations(map, name_of(map, theory), flips, 0, rows);
	for (unsigned i = 0; i < length; i++) {
		uint64_t row = space_reduce(&theory->space, rows[i]);

		effect.unknown[i] = row & SPACE_MASK;
		effect.change |= (uint32_t)(row >> SPACE_UNKNOWNS) << i;
	}
	return effect;
}

/* Bits of the ports whose effect is known. */
static unsigned
flips_known(const struct rss_map *map, unsigned name, const struct space *space,
	uint32_t mask)
{
	uint64_t known, windows;

	if (name == RSS_AFFINE)
		return (unsigned)__builtin_popcountll(
			space_known(space) & mask);
	known = windows = space_known(space);
	for (unsigned b = 1; b < map->bits; b++)
		windows &= known >> b;
	return (unsigned)__builtin_popcountll(windows & mask);
}

uint32_t
rss_map_gain(struct rss_map *map, uint32_t flips, uint32_t mask, bool learn)
{
	const struct rss_theory *theory = rss_map_theory(map);
	uint64_t rows[RSS_QUEUE_BITS_MAX];
	struct space next;
	unsigned length, name;
	uint32_t gain;

	if (theory == NULL)
		return 0;
	name = name_of(map, theory);
	next = theory->space;
	length = equations(map, name, flips, 0, rows);
	for (unsigned i = 0; i < length; i++)
		/* Only the unknowns matter, so that nothing contradicts. */
		if ((space_reduce(&next, rows[i]) & SPACE_MASK) != 0)
			space_add(&next, rows[i]);
	gain = next.rank - theory->space.rank;
	if (gain != 0)
		gain += SPACE_UNKNOWNS * flips_known(map, name, &next, mask);
	if (learn)
		map->theories[name].space = next;
	return gain;
}

bool
rss_map_flat(const struct rss_map *map, uint32_t bits)
{
	const struct rss_theory *theory = rss_map_theory(map);

	return theory != NULL && theory_flat(map, theory, bits);
}

struct rss_key
rss_map_key(const struct rss_map *map)
{
	const struct rss_theory *theory = &map->theories[RSS_TOEPLITZ];
	struct rss_key key = {0};

	if (map->bits == 0 || theory->refuted)
		return key;
	key.known = space_known(&theory->space);
	key.told = rss_map_told(map);
	for (unsigned i = 0; i < RSS_KEY_BITS; i++)
		if (key.known >> i & 1)
			key.value |= theory->space.rows[i] >> SPACE_UNKNOWNS
								      << i;
	return key;
}

void
rss_map_hint(struct rss_map *map, struct rss_key key)
{
	struct rss_theory *theory = &map->theories[RSS_TOEPLITZ];
	uint64_t rows[RSS_KEY_BITS];
	unsigned length = 0;
	uint32_t rank = theory->space.rank;

	if (map->bits == 0)
		return;
	key.known &= (UINT64_C(1) << (31u + map->bits)) - 1;
	key.value &= key.known;
	if (theory->refuted || (key.known == map->refused.known &&
				       key.value == map->refused.value))
		return;
	for (unsigned i = 0; i < RSS_KEY_BITS; i++)
		if (key.known >> i & 1)
			rows[length++] = UINT64_C(1) << i |
					 (key.value >> i & 1) << SPACE_UNKNOWNS;
	if (add_all(&theory->space, rows, length) >= 0 &&
		theory->space.rank != rank)
		map->hint = key;
}

bool
rss_map_told(const struct rss_map *map)
{
	return map->hint.told;
}
