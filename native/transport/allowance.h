/* SPDX-License-Identifier: MIT */
/* So many of something as go into the time that passed, however many are asked
 * for; what is left over adds up, to a limit. */
#ifndef TRANSPORT_ALLOWANCE_H
#define TRANSPORT_ALLOWANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bits.h"

/* All zero: as much as there may be. */
struct allowance {
	uint32_t left;
	uint64_t filled_ns; /* up to when time was turned into some */
};

/** @param each_ns for so much time there is one more, up to max */
static inline bool
allowance_take(struct allowance *allowance, uint64_t now, uint64_t each_ns,
	uint32_t max)
{
	uint64_t gained = (now - allowance->filled_ns) / each_ns;

	allowance->filled_ns += gained * each_ns;
	allowance->left = (uint32_t)u64_min(allowance->left + gained, max);
	if (allowance->left == 0)
		return false;
	allowance->left--;
	return true;
}

#endif
