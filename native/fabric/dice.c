/* SPDX-License-Identifier: MIT */
#include "fabric/dice.h"

#include "base/splitmix64.h"

void
dice_init(struct dice *dice, uint64_t seed, uint32_t stream)
{
	uint64_t state = seed;

	/* A place of its own in the sequence for each stream. */
	for (uint32_t i = 0; i < 4 * (stream + 1); i++)
		dice->state[i % 4] = splitmix64(&state);
}

static uint64_t
rotate(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

uint64_t
dice_throw(struct dice *dice)
{
	uint64_t *s = dice->state;
	uint64_t result = rotate(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate(s[3], 45);
	return result;
}

uint32_t
dice_amount(uint64_t thrown, uint32_t below)
{
	return (uint32_t)((thrown & UINT32_MAX) * below >> 32);
}
