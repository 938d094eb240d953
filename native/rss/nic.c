/* SPDX-License-Identifier: MIT */
#include "rss/nic.h"

#include <stdbool.h>

#include "base/bits.h"

/* The lowest bit of the hash takes this bit of the key, counted from the first
 * one, for the last bit of the ports: those end with bit 95 of what is hashed,
 * and the hash with the 32nd bit from there. */
#define KEY_BIT_LAST (95u + 31u)

/* From which bit of the hash on are the queue's lower bits taken? */
static bool
table_shift(const struct rss_nic *nic, uint32_t bits, uint32_t *shift)
{
	uint32_t mask = (1u << bits) - 1;

	for (*shift = 0; nic->entries >> *shift > mask; ++*shift) {
		uint32_t i = 0;

		while (i < nic->entries &&
			((nic->table[i] ^ nic->table[0] ^ i >> *shift) &
				mask) == 0)
			i++;
		if (i == nic->entries)
			return true;
	}
	return false;
}

struct rss_key
rss_nic_key(const struct rss_nic *nic, uint32_t queues)
{
	const struct rss_key nothing = {0};
	uint32_t bits = (uint32_t)__builtin_ctz(queues);
	struct rss_key key = {
		.known = (UINT64_C(1) << (31 + bits)) - 1,
		.told = true,
	};
	uint32_t shift;

	if (bits == 0 || !is_power_of_two(nic->entries) ||
		8 * nic->key_bytes <= KEY_BIT_LAST)
		return nothing;
	for (uint32_t i = 0; i < nic->entries; i++)
		if (nic->table[i] >= queues)
			return nothing;
	if (!table_shift(nic, bits, &shift))
		return nothing;
	for (uint32_t i = 0; i < 31 + bits; i++) {
		uint32_t bit = KEY_BIT_LAST - shift - i;

		key.value |= (uint64_t)(nic->key[bit / 8] >> (7 - bit % 8) & 1)
			     << i;
	}
	return key.value == 0 ? nothing : key;
}
