/* SPDX-License-Identifier: MIT */
/* Random numbers of a seed, the same ones on every machine. */
#ifndef FABRIC_DICE_H
#define FABRIC_DICE_H

#include <stdint.h>

/* xoshiro256** 1.0 (Blackman and Vigna) */
struct dice {
	uint64_t state[4];
};

/**
 * @param stream numbers of their own for each stream of a seed; small: costs as
 *        many steps
 */
void dice_init(struct dice *dice, uint64_t seed, uint32_t stream);

uint64_t dice_throw(struct dice *dice);

/** 0 .. below - 1; the upper 32 bits of a throw are left to the caller. */
uint32_t dice_amount(uint64_t thrown, uint32_t below);

#endif
