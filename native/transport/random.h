/* SPDX-License-Identifier: MIT */
/*
 * Unpredictable numbers from a secret seed, so that a test with a known seed
 * repeats itself: ChaCha20 by libsodium, the key replaced at each refill
 * ("fast key erasure", Bernstein 2017).
 */
#ifndef TRANSPORT_RANDOM_H
#define TRANSPORT_RANDOM_H

#include <stdint.h>
#include <string.h>

#include <sodium.h>

struct random {
	uint8_t bytes[32 + 480]; /* the next seed, then what is handed out */
	uint32_t used;
};

static inline void
random_init(struct random *random, const uint8_t seed[32])
{
	memcpy(random->bytes, seed, 32);
	random->used = sizeof(random->bytes);
}

static inline uint64_t
random_u64(struct random *random)
{
	uint64_t value;

	if (random->used == sizeof(random->bytes)) {
		uint8_t seed[32];

		memcpy(seed, random->bytes, sizeof(seed));
		randombytes_buf_deterministic(
			random->bytes, sizeof(random->bytes), seed);
		random->used = sizeof(seed);
	}
	memcpy(&value, random->bytes + random->used, sizeof(value));
	memset(random->bytes + random->used, 0, sizeof(value));
	random->used += sizeof(value);
	return value;
}

#endif
