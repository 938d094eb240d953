/* SPDX-License-Identifier: MIT */
#include "rss/space.h"

static unsigned
highest(uint64_t unknowns)
{
	return 63u - (unsigned)__builtin_clzll(unknowns);
}

uint64_t
space_reduce(const struct space *space, uint64_t row)
{
	uint64_t left = row & SPACE_MASK;

	while (left != 0) {
		unsigned i = highest(left);

		left &= (UINT64_C(1) << i) - 1;
		if (space->rows[i] != 0) {
			row ^= space->rows[i];
			left ^= space->rows[i] & ((UINT64_C(1) << i) - 1);
		}
	}
	return row;
}

enum space_verdict
space_add(struct space *space, uint64_t row)
{
	unsigned pivot;

	row = space_reduce(space, row);
	if ((row & SPACE_MASK) == 0)
		return row == 0 ? SPACE_FOLLOWS : SPACE_CONTRADICTS;
	pivot = highest(row & SPACE_MASK);
	for (unsigned i = pivot + 1; i < SPACE_UNKNOWNS; i++)
		if (space->rows[i] >> pivot & 1)
			space->rows[i] ^= row;
	space->rows[pivot] = row;
	space->rank++;
	return SPACE_NEW;
}

uint64_t
space_known(const struct space *space)
{
	uint64_t known = 0;

	for (unsigned i = 0; i < SPACE_UNKNOWNS; i++)
		if ((space->rows[i] & SPACE_MASK) == UINT64_C(1) << i)
			known |= UINT64_C(1) << i;
	return known;
}
