/* SPDX-License-Identifier: MIT */
#ifndef BASE_BITS_H
#define BASE_BITS_H

#include <stdbool.h>
#include <stdint.h>

#define CACHE_LINE_BYTES 64
#define ARRAY_LENGTH(a) (sizeof(a) / sizeof((a)[0]))

#define container_of(pointer, type, member)                                    \
	((type *)((char *)(pointer)-offsetof(type, member)))

static inline uint32_t
u32_min(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static inline uint32_t
u32_max(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static inline uint64_t
u64_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t
u64_max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static inline bool
is_power_of_two(uint64_t n)
{
	return n != 0 && (n & (n - 1)) == 0;
}

/** Smallest k with 1 << k >= n; n in 1 .. 2^31. */
static inline uint32_t
log2_ceil(uint32_t n)
{
	return n <= 1 ? 0 : 32 - (uint32_t)__builtin_clz(n - 1);
}

/* Serial numbers (RFC 1982): a comes before b on the circle. */
static inline bool
serial_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

#endif
