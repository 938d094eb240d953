/* SPDX-License-Identifier: MIT */
#include "rss/nic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/bytes.h"
#include "base/splitmix64.h"
#include "rss/simulation.h"

/* Entry by entry. */
typedef uint32_t fill(uint32_t entry, uint32_t entries, uint32_t queues);

static uint32_t
round_robin(uint32_t entry, uint32_t entries, uint32_t queues)
{
	(void)entries;
	return entry % queues;
}

static uint32_t
blocks(uint32_t entry, uint32_t entries, uint32_t queues)
{
	return entry / (entries / queues);
}

static uint32_t
backwards(uint32_t entry, uint32_t entries, uint32_t queues)
{
	return (entries - 1 - entry) % queues;
}

/* Gray code: bits of the queue are sums of bits of the hash. */
static uint32_t
gray(uint32_t entry, uint32_t entries, uint32_t queues)
{
	(void)entries;
	return (entry ^ entry >> 1) % queues;
}

static struct rss_nic
nic_of(uint64_t *random, uint32_t entries, uint32_t queues, fill *filled)
{
	struct rss_nic nic = {.key_bytes = 40, .entries = entries};

	for (unsigned i = 0; i < nic.key_bytes; i++)
		nic.key[i] = (uint8_t)splitmix64(random);
	for (uint32_t i = 0; i < entries; i++)
		nic.table[i] = (uint16_t)filled(i, entries, queues);
	return nic;
}

static uint32_t
queue_of(const struct rss_nic *nic, uint32_t pair)
{
	uint8_t input[12] = {10, 0, 0, 1, 10, 0, 0, 2};

	store_be32(input + 8, pair);
	return nic->table[toeplitz_hash(nic->key, input, sizeof(input)) %
			  nic->entries];
}

/* The key foretells every pair, from where any other one came in. */
static void
all_pairs_are_computed(void **state)
{
	static fill *const fills[] = {round_robin, blocks, backwards};
	uint64_t random = 1;

	(void)state;
	for (unsigned f = 0; f < ARRAY_LENGTH(fills); f++)
		for (uint32_t queues = 2; queues <= 64; queues *= 2)
			for (uint32_t entries = 64; entries <= 512;
				entries *= 2) {
				struct rss_nic nic = nic_of(
					&random, entries, queues, fills[f]);
				struct rss_map map;

				rss_map_init(&map, queues);
				rss_map_hint(&map, rss_nic_key(&nic, queues));
				assert_true(rss_map_told(&map));
				for (unsigned i = 0; i < 50; i++) {
					uint32_t a =
						(uint32_t)splitmix64(&random);
					uint32_t b =
						(uint32_t)splitmix64(&random);
					uint32_t change = queue_of(&nic, a) ^
							  queue_of(&nic, b);

					assert_int_equal(rss_map_learn(&map,
								 a ^ b, change),
						RSS_FORETOLD);
				}
			}
}

/* Six queues are two times three. */
static void
the_bits_of_other_numbers_are_computed(void **state)
{
	uint64_t random = 2;
	struct rss_nic nic = nic_of(&random, 128, 12, round_robin);
	struct rss_map map;

	(void)state;
	rss_map_init(&map, 12);
	rss_map_hint(&map, rss_nic_key(&nic, 12));
	for (unsigned i = 0; i < 200; i++) {
		uint32_t flips = (uint32_t)splitmix64(&random);

		assert_int_equal(rss_map_effect(&map, flips).change,
			(queue_of(&nic, 0) ^ queue_of(&nic, flips)) & 3);
	}
	nic = nic_of(&random, 128, 3, round_robin);
	assert_int_equal(rss_nic_key(&nic, 3).known, 0);
}

static void
what_a_map_cannot_say_is_nothing(void **state)
{
	uint64_t random = 3;
	const struct rss_nic good = nic_of(&random, 128, 4, round_robin);
	struct rss_nic nic = good;

	(void)state;
	assert_int_not_equal(rss_nic_key(&nic, 4).known, 0);
	assert_int_equal(rss_nic_key(&nic, 2).known, 0); /* queues we lack */
	nic.table[77] ^= 1;
	assert_int_equal(rss_nic_key(&nic, 4).known, 0);
	nic = nic_of(&random, 128, 4, gray);
	assert_int_equal(rss_nic_key(&nic, 4).known, 0);
	nic = good;
	nic.entries = 0;
	assert_int_equal(rss_nic_key(&nic, 4).known, 0);
	nic.entries = 96;
	assert_int_equal(rss_nic_key(&nic, 4).known, 0);
	nic.entries = 2;
	assert_int_equal(rss_nic_key(&nic, 4).known, 0);
	nic = good;
	nic.key_bytes = 15;
	assert_int_equal(rss_nic_key(&nic, 4).known, 0);
	/* By a key of zeros no port matters. */
	nic = (struct rss_nic){.key_bytes = 40, .entries = 128};
	for (uint32_t i = 0; i < 128; i++)
		nic.table[i] = good.table[i];
	assert_int_equal(rss_nic_key(&nic, 4).known, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_pairs_are_computed),
		cmocka_unit_test(the_bits_of_other_numbers_are_computed),
		cmocka_unit_test(what_a_map_cannot_say_is_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
