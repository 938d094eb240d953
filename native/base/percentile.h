/* SPDX-License-Identifier: MIT */
/* For tests and simulations: percentiles of what they counted. */
#ifndef BASE_PERCENTILE_H
#define BASE_PERCENTILE_H

#include <stdint.h>
#include <stdlib.h>

static inline int
u32_ascending(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/** Sorts. @return the value that this many percent are below; 100: the largest
 */
static inline uint32_t
u32_percentile(uint32_t *values, uint32_t length, uint32_t percent)
{
	uint64_t index = (uint64_t)length * percent / 100;

	qsort(values, length, sizeof(*values), u32_ascending);
	return values[index < length ? index : length - 1];
}

#endif
