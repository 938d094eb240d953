/* SPDX-License-Identifier: MIT */
/*
 * What must hold for any key, any table and any number of queues, against what
 * can be found by trying everything.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/splitmix64.h"
#include "rss/simulation.h"
#include "rss/solve.h"

#define SEEDS 400u
#define CLIENT 0x0a000001u
#define SERVER 0x0a000002u
#define BASE (31580u << 16 | 31580u)
#define PORTS_MASK 0x03ff03ffu
/* So few that all their flips can be tried. */
#define SMALL_MASK 0x00110055u
#define SMALL_FLIPS 64u

struct fixture {
	uint64_t random;
	struct sim_host host;
	struct rss_map map;
};

static uint32_t
any(struct fixture *f, uint32_t below)
{
	return (uint32_t)(splitmix64(&f->random) % below);
}

static void
setup(struct fixture *f, uint64_t seed, uint32_t queues, enum sim_hash hash)
{
	f->random = seed;
	sim_host_init(&f->host, &f->random, SERVER, queues, hash);
	rss_map_init(&f->map, queues);
}

static uint32_t
change_of(const struct fixture *f, uint32_t flips)
{
	return sim_queue(&f->host, CLIENT, BASE) ^
	       sim_queue(&f->host, CLIENT, BASE ^ flips);
}

/* What the map says the flips do. @return whether it says anything */
static bool
foretells(const struct rss_map *map, uint32_t flips, uint32_t *change)
{
	struct rss_effect effect = rss_map_effect(map, flips);

	for (unsigned i = 0; i < RSS_QUEUE_BITS_MAX; i++)
		if (effect.unknown[i] != 0)
			return false;
	*change = effect.change;
	return rss_map_theory(map) != NULL;
}

/* Packets with flips of the mask, and whatever the map claims of each before.
 * @return claims that were wrong */
static unsigned
learn(struct fixture *f, unsigned packets, uint32_t mask)
{
	uint32_t bits = (1u << f->map.bits) - 1;
	unsigned wrong = 0;

	for (unsigned i = 0; i < packets; i++) {
		uint32_t flips = (uint32_t)splitmix64(&f->random) & mask;
		uint32_t change = change_of(f, flips);
		uint32_t claim = 0;

		if (foretells(&f->map, flips, &claim))
			wrong += claim != (change & bits);
		rss_map_learn(&f->map, flips, change);
	}
	return wrong;
}

/* 2, 4, ... 64 queues and those that have an odd factor: of the latter the
 * lower bits. */
static void
no_claim_about_a_toeplitz_hash_is_ever_wrong(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct fixture f;

		setup(&f, seed, 1 + (uint32_t)seed % RSS_QUEUES_MAX,
			SIM_TOEPLITZ);
		assert_int_equal(learn(&f, 100, PORTS_MASK), 0);
		assert_int_equal(f.map.epoch, 0);
		sim_host_free(&f.host);
	}
}

/* Each theory is given up at its first mistake, unless chance had proved it:
 * then, after a few more, all is forgotten. */
static void
claims_about_other_hashes_are_seldom_wrong(void **state)
{
	static const enum sim_hash hashes[] = {
		SIM_NONLINEAR, SIM_TABLE, SIM_CRC};
	const unsigned maps = 4 * SEEDS;
	unsigned forgotten = 0;

	(void)state;
	for (uint64_t seed = 0; seed < maps; seed++) {
		enum sim_hash hash = hashes[seed / 6 % ARRAY_LENGTH(hashes)];
		/* That every flip changes the queue by a constant is true. */
		unsigned theories = hash == SIM_CRC ? 1 : RSS_THEORIES;
		struct fixture f;
		unsigned wrong;

		setup(&f, seed, 2u << seed % 6, hash);
		wrong = learn(&f, 200, PORTS_MASK);
		assert_true(wrong <= theories || f.map.epoch != 0);
		forgotten += f.map.epoch;
		sim_host_free(&f.host);
	}
	assert_true(256 * forgotten <= maps * RSS_THEORIES);
}

/* k[i + b] is what the flip of bit i does to bit b, see rss/map.h. */
static void
a_flip_is_a_window_of_the_key(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct fixture f;

		setup(&f, seed, 64, SIM_TOEPLITZ);
		for (unsigned i = 0; i < 32; i++) {
			uint32_t change = change_of(&f, 1u << i);

			for (unsigned b = 0; b < 6; b++) {
				unsigned bit = 126 - i - b;

				assert_int_equal(change >> b & 1,
					f.host.nic.key[bit / 8] >>
							(7 - bit % 8) &
						1);
			}
		}
		sim_host_free(&f.host);
	}
}

/* Packets tell of all sums of what they tell of. */
static void
what_follows_is_foretold(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct fixture f;
		uint32_t flips[16];

		setup(&f, seed, 2u << seed % 6,
			seed % 2 ? SIM_CRC : SIM_TOEPLITZ);
		for (unsigned i = 0; i < ARRAY_LENGTH(flips); i++) {
			flips[i] = (uint32_t)splitmix64(&f.random) & PORTS_MASK;
			rss_map_learn(
				&f.map, flips[i], change_of(&f, flips[i]));
		}
		for (unsigned i = 0; i < 50; i++) {
			uint32_t set = any(&f, 1u << ARRAY_LENGTH(flips));
			uint32_t sum = 0, change = 0;

			for (; set != 0; set &= set - 1)
				sum ^= flips[__builtin_ctz(set)];
			assert_true(foretells(&f.map, sum, &change));
			assert_int_equal(change, change_of(&f, sum));
		}
		sim_host_free(&f.host);
	}
}

/* The i-th of all flips of SMALL_MASK. */
static uint32_t
small_flips(uint32_t i)
{
	uint32_t flips = 0;

	for (uint32_t bits = SMALL_MASK; bits != 0; bits &= bits - 1, i >>= 1)
		if (i & 1)
			flips |= bits & -bits;
	return flips;
}

/* Do the maps foretell that the flips reach all goals? */
static bool
reaches(const struct rss_goal *goals, unsigned length, uint32_t flips)
{
	for (unsigned g = 0; g < length; g++) {
		uint32_t change = 0;

		if (!foretells(goals[g].map,
			    goals[g].swapped ? rss_pair_swap(flips) : flips,
			    &change) ||
			change != goals[g].change)
			return false;
	}
	return true;
}

/* Each of them can be drawn. @return a set, by the index of small_flips */
static uint64_t
solutions(const struct rss_goal *goals, unsigned length, int doublings)
{
	uint64_t set = 0;

	for (uint64_t random = 0; random < UINT64_C(1) << doublings; random++) {
		uint32_t flips, i = 0;

		assert_int_equal(
			rss_solve(goals, length, SMALL_MASK, random, &flips),
			doublings);
		while (small_flips(i) != flips)
			assert_true(++i < SMALL_FLIPS);
		set |= UINT64_C(1) << i;
	}
	return set;
}

/* @return whether there are any */
static bool
solutions_check(const struct rss_goal *goals, unsigned length)
{
	uint64_t expected = 0;
	uint32_t flips;
	int doublings;

	for (uint32_t i = 0; i < SMALL_FLIPS; i++)
		if (reaches(goals, length, small_flips(i)))
			expected |= UINT64_C(1) << i;
	doublings = rss_solve(goals, length, SMALL_MASK, 0, &flips);
	if (doublings >= 0)
		assert_true(solutions(goals, length, doublings) == expected);
	else
		assert_true(expected == 0);
	return doublings >= 0;
}

static void
solutions_are_all_that_there_are(void **state)
{
	unsigned solvable = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 10 * SEEDS; seed++) {
		struct fixture f[RSS_GOALS_MAX];
		struct rss_goal goals[RSS_GOALS_MAX];

		for (unsigned g = 0; g < RSS_GOALS_MAX; g++) {
			setup(&f[g], 2 * seed + g, 2u << seed / 6 % 4,
				seed % 3 ? SIM_TOEPLITZ : SIM_CRC);
			learn(&f[g], any(&f[g], 12),
				SMALL_MASK | rss_pair_swap(SMALL_MASK));
			goals[g] = (struct rss_goal){
				.map = &f[g].map,
				.change = any(&f[g], f[g].map.queues),
				.swapped = g == 1,
			};
		}
		solvable += solutions_check(goals, 1 + seed % RSS_GOALS_MAX);
		for (unsigned g = 0; g < RSS_GOALS_MAX; g++)
			sim_host_free(&f[g].host);
	}
	assert_in_range(solvable, SEEDS, 9 * SEEDS);
}

/* What is said to teach nothing is foretold, and nothing else is. */
static void
there_is_a_gain_where_there_is_news(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct fixture f;

		setup(&f, seed, 2u << seed % 6,
			seed % 2 ? SIM_CRC : SIM_TOEPLITZ);
		learn(&f, any(&f, 20), PORTS_MASK);
		for (unsigned i = 0; i < 32; i++) {
			uint32_t change;
			bool news = !foretells(&f.map, 1u << i, &change) &&
				    rss_map_theory(&f.map) != NULL;

			assert_int_equal(rss_map_gain(&f.map, 1u << i,
						 PORTS_MASK, false) != 0,
				news);
		}
		sim_host_free(&f.host);
	}
}

/* Hosts of any kind, which need not be of the same. */
static void
every_connection_opens(void **state)
{
	uint64_t random = 1;
	unsigned off = 0;

	(void)state;
	for (unsigned i = 0; i < 4 * SEEDS; i++) {
		struct sim_host a, b;
		struct sim_result result;

		sim_host_init(&a, &random, CLIENT,
			1 + (uint32_t)(splitmix64(&random) % RSS_QUEUES_MAX),
			(enum sim_hash)(splitmix64(&random) % 5));
		sim_host_init(&b, &random, SERVER,
			1 + (uint32_t)(splitmix64(&random) % RSS_QUEUES_MAX),
			(enum sim_hash)(splitmix64(&random) % 5));
		for (unsigned j = 0; j < 4; j++) {
			uint32_t in = (uint32_t)splitmix64(&random) % a.queues;
			uint32_t out = (uint32_t)splitmix64(&random) % b.queues;

			result = sim_connect(&a, &b, in, out);
			assert_true(
				result.hit || result.method == RSS_HANDOVER);
			/* 1.5 times the limit of the largest, see rss/view.c */
			assert_true(result.packets <= 876);
			off += !result.hit && a.nic.hash == SIM_TOEPLITZ &&
			       b.nic.hash == SIM_TOEPLITZ &&
			       is_power_of_two(a.queues) &&
			       is_power_of_two(b.queues);
		}
		sim_host_free(&a);
		sim_host_free(&b);
	}
	assert_int_equal(off, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_claim_about_a_toeplitz_hash_is_ever_wrong),
		cmocka_unit_test(claims_about_other_hashes_are_seldom_wrong),
		cmocka_unit_test(a_flip_is_a_window_of_the_key),
		cmocka_unit_test(what_follows_is_foretold),
		cmocka_unit_test(solutions_are_all_that_there_are),
		cmocka_unit_test(there_is_a_gain_where_there_is_news),
		cmocka_unit_test(every_connection_opens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
