/* SPDX-License-Identifier: MIT */
#include "rss/toeplitz.h"

#include "base/bytes.h"

uint32_t
toeplitz_hash(const uint8_t *key, const uint8_t *input, uint32_t input_bytes)
{
	uint32_t window = load_be32(key);
	uint32_t hash = 0;

	for (uint32_t i = 0; i < input_bytes; i++)
		for (int bit = 7; bit >= 0; bit--) {
			/* All ones where the bit is set. */
			hash ^= window & (0u - (input[i] >> bit & 1u));
			window = window << 1 | (key[i + 4] >> bit & 1u);
		}
	return hash;
}
