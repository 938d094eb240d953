/* SPDX-License-Identifier: MIT */
#include "rss/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/splitmix64.h"
#include "rss/simulation.h"
#include "rss/solve.h"

#define CLIENT 0x0a000001u
#define MASK 0x03ff03ffu
#define BASE (31580u << 16 | 31580u)

struct fixture {
	uint64_t random;
	struct sim_host host;
	struct rss_map map;
};

static void
setup(struct fixture *f, uint64_t seed, uint32_t queues, enum sim_hash hash)
{
	f->random = seed;
	sim_host_init(&f->host, &f->random, 0x0a000002, queues, hash);
	rss_map_init(&f->map, queues);
}

static uint32_t
change_of(const struct fixture *f, uint32_t flips)
{
	return sim_queue(&f->host, CLIENT, BASE) ^
	       sim_queue(&f->host, CLIENT, BASE ^ flips);
}

static enum rss_verdict
learn(struct fixture *f, uint32_t flips)
{
	return rss_map_learn(&f->map, flips, change_of(f, flips));
}

static uint32_t
any_flips(struct fixture *f)
{
	return (uint32_t)splitmix64(&f->random) & MASK;
}

static void
two_flips_foretell_the_bits_between(void **state)
{
	struct fixture f;

	(void)state;
	for (uint64_t seed = 0; seed < 100; seed++) {
		setup(&f, seed, 16, SIM_TOEPLITZ);
		assert_int_equal(learn(&f, 1 << 0), RSS_NEWS);
		assert_int_equal(learn(&f, 1 << 4), RSS_NEWS);
		for (unsigned bit = 0; bit <= 4; bit++) {
			struct rss_effect effect =
				rss_map_effect(&f.map, 1u << bit);

			for (unsigned i = 0; i < RSS_QUEUE_BITS_MAX; i++)
				assert_int_equal(effect.unknown[i], 0);
			assert_int_equal(
				effect.change, change_of(&f, 1u << bit));
		}
		assert_int_equal(learn(&f, 1u << 2), RSS_FORETOLD);
		assert_int_not_equal(
			rss_map_effect(&f.map, 1u << 5).unknown[3], 0);
		sim_host_free(&f.host);
	}
}

/* Over all keys and all changes: what a peer that knows nothing costs at least,
 * see docs/rss.md. */
static void
two_flips_do_not_reach_one_change_in_seven(void **state)
{
	(void)state;
	for (uint32_t bits = 1; bits <= 5; bits++) {
		uint32_t changes = 1u << bits, missed = 0;

		for (uint64_t key = 0; key < 1u << 2 * bits; key++) {
			struct rss_map map, scratch;
			struct rss_goal goal = {.map = &map};
			const struct rss_lesson lesson = {.map = &scratch};

			rss_map_init(&map, changes);
			scratch = map;
			for (unsigned i = 0; i < 2; i++) {
				uint32_t flip = rss_explore(&lesson, 1, MASK);

				/* The first one and the one L bits above. */
				assert_int_equal(flip, 1u << i * bits);
				rss_map_learn(&map, flip,
					(uint32_t)(key >> i * bits));
			}
			for (; goal.change < changes; goal.change++) {
				uint32_t flips;

				missed += rss_solve(&goal, 1, MASK, key,
						  &flips) < 0;
			}
		}
		assert_int_equal(7 * missed + 1, 1u << 3 * bits);
	}
}

static void
all_is_foretold_in_the_end(void **state)
{
	struct fixture f;

	(void)state;
	for (uint64_t seed = 0; seed < 60; seed++) {
		uint32_t queues = 2u << seed % 6;

		setup(&f, seed, queues, seed % 2 ? SIM_CRC : SIM_TOEPLITZ);
		for (unsigned i = 0; i < 200; i++)
			learn(&f, any_flips(&f));
		for (unsigned i = 0; i < 50; i++)
			assert_int_equal(
				learn(&f, any_flips(&f)), RSS_FORETOLD);
		assert_int_equal(f.map.epoch, 0);
		assert_int_equal(rss_map_choices(&f.map), 1);
		for (unsigned i = 0; i < 50; i++) {
			uint32_t flips = any_flips(&f);

			assert_int_equal(rss_map_effect(&f.map, flips).change,
				change_of(&f, flips));
		}
		assert_ptr_equal(rss_map_theory(&f.map),
			&f.map.theories[seed % 2 ? RSS_AFFINE : RSS_TOEPLITZ]);
		sim_host_free(&f.host);
	}
}

static void
what_comes_again_proves_nothing(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, 1, 16, SIM_TOEPLITZ);
	learn(&f, 1 << 0);
	learn(&f, 1 << 4);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(learn(&f, 1 << 2), RSS_FORETOLD);
	assert_false(rss_theory_proved(&f.map.theories[RSS_TOEPLITZ]));
	learn(&f, 1 << 1);
	learn(&f, 1 << 3);
	assert_true(rss_theory_proved(&f.map.theories[RSS_TOEPLITZ]));
	sim_host_free(&f.host);
}

static void
what_is_not_linear_is_refuted(void **state)
{
	unsigned trusted = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 100; seed++) {
		struct fixture f;

		setup(&f, seed, 8, seed % 2 ? SIM_NONLINEAR : SIM_TABLE);
		for (unsigned i = 0; i < 100; i++)
			learn(&f, any_flips(&f));
		trusted += rss_map_theory(&f.map) != NULL;
		assert_int_equal(f.map.epoch, 0);
		sim_host_free(&f.host);
	}
	/* By chance, and only until the next packet. */
	assert_true(trusted <= 1);
}

static void
a_new_key_is_noticed_and_learned(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 100; seed++) {
		struct fixture f;
		unsigned packets = 0;

		setup(&f, seed, 16, SIM_TOEPLITZ);
		for (unsigned i = 0; i < 40; i++)
			learn(&f, any_flips(&f));
		sim_host_rekey(&f.host, &f.random);
		while (f.map.epoch == 0) {
			learn(&f, any_flips(&f));
			assert_true(++packets <= 8);
		}
		for (unsigned i = 0; i < 40; i++)
			learn(&f, any_flips(&f));
		assert_int_equal(f.map.epoch, 1);
		assert_int_equal(learn(&f, any_flips(&f)), RSS_FORETOLD);
		sim_host_free(&f.host);
	}
}

static void
one_packet_on_another_queue_changes_nothing(void **state)
{
	struct fixture f;
	uint32_t flips;

	(void)state;
	setup(&f, 1, 16, SIM_TOEPLITZ);
	for (unsigned i = 0; i < 40; i++)
		learn(&f, any_flips(&f));
	flips = any_flips(&f);
	assert_int_equal(rss_map_learn(&f.map, flips, change_of(&f, flips) ^ 5),
		RSS_WRONG);
	assert_int_equal(learn(&f, any_flips(&f)), RSS_FORETOLD);
	assert_int_equal(rss_map_learn(&f.map, flips, change_of(&f, flips) ^ 5),
		RSS_WRONG);
	assert_int_equal(f.map.epoch, 0);
	assert_int_equal(learn(&f, any_flips(&f)), RSS_FORETOLD);
	sim_host_free(&f.host);
}

static void
a_key_that_is_handed_over_foretells(void **state)
{
	struct fixture f;
	struct rss_map other;
	struct rss_key key;

	(void)state;
	setup(&f, 1, 32, SIM_TOEPLITZ);
	for (unsigned i = 0; i < 40; i++)
		learn(&f, any_flips(&f));
	key = rss_map_key(&f.map);
	for (unsigned i = 0; i < 36; i++) {
		/* k[i] is the bit 126 - i of the NIC's key. */
		unsigned bit = 126 - i;
		bool set = f.host.nic.key[bit / 8] >> (7 - bit % 8) & 1;

		if (key.known >> i & 1)
			assert_int_equal(key.value >> i & 1, set);
	}
	rss_map_init(&other, 32);
	rss_map_hint(&other, key);
	for (unsigned i = 0; i < 50; i++) {
		uint32_t flips = any_flips(&f);

		assert_int_equal(
			rss_map_learn(&other, flips, change_of(&f, flips)),
			RSS_FORETOLD);
	}
	sim_host_free(&f.host);
}

static void
a_wrong_key_is_refused_the_second_time(void **state)
{
	struct fixture f;
	struct rss_key key = {.known = UINT64_MAX, .value = 0x123456789a};

	(void)state;
	setup(&f, 1, 32, SIM_TOEPLITZ);
	rss_map_hint(&f.map, key);
	assert_int_not_equal(f.map.theories[RSS_TOEPLITZ].space.rank, 0);
	assert_int_equal(learn(&f, 1), RSS_WRONG);
	assert_int_equal(f.map.theories[RSS_TOEPLITZ].space.rank, 0);
	rss_map_hint(&f.map, key);
	assert_int_equal(f.map.theories[RSS_TOEPLITZ].space.rank, 0);
	assert_ptr_equal(rss_map_theory(&f.map), &f.map.theories[RSS_TOEPLITZ]);
	sim_host_free(&f.host);
}

static void
solutions_land_where_they_should(void **state)
{
	unsigned solved = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 200; seed++) {
		struct fixture f;
		struct rss_goal goal;
		uint32_t flips;

		setup(&f, seed, 2u << seed % 6, SIM_TOEPLITZ);
		for (unsigned i = 0; i < seed % 8; i++)
			learn(&f, any_flips(&f));
		goal = (struct rss_goal){.map = &f.map,
			.change = (uint32_t)seed & (f.map.queues - 1u)};
		if (rss_solve(&goal, 1, MASK, splitmix64(&f.random), &flips) >=
			0) {
			assert_int_equal(change_of(&f, flips), goal.change);
			assert_int_equal(flips & ~MASK, 0);
			solved++;
		}
		sim_host_free(&f.host);
	}
	assert_in_range(solved, 50, 190);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_flips_foretell_the_bits_between),
		cmocka_unit_test(two_flips_do_not_reach_one_change_in_seven),
		cmocka_unit_test(all_is_foretold_in_the_end),
		cmocka_unit_test(what_comes_again_proves_nothing),
		cmocka_unit_test(what_is_not_linear_is_refuted),
		cmocka_unit_test(a_new_key_is_noticed_and_learned),
		cmocka_unit_test(one_packet_on_another_queue_changes_nothing),
		cmocka_unit_test(a_key_that_is_handed_over_foretells),
		cmocka_unit_test(a_wrong_key_is_refused_the_second_time),
		cmocka_unit_test(solutions_land_where_they_should),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
