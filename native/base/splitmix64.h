/* SPDX-License-Identifier: MIT */
/*
 * splitmix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number
 * Generators", OOPSLA 2014): random numbers of a seed, the same ones on every
 * machine, that who sees one of them foretells.
 */
#ifndef BASE_SPLITMIX64_H
#define BASE_SPLITMIX64_H

#include <stdint.h>

/** A hash: each bit of the result depends on all bits of z. */
static inline uint64_t
splitmix64_mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/** The next number of *state, which begins as the seed. */
static inline uint64_t
splitmix64(uint64_t *state)
{
	return splitmix64_mix(*state += UINT64_C(0x9e3779b97f4a7c15));
}

#endif
