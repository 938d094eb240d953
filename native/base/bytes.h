/* SPDX-License-Identifier: MIT */
/* Integers at any address, of either byte order; one load or store each. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define BYTES_DEFINE(name, type, from, to)                                     \
	static inline type load_##name(const void *bytes)                      \
	{                                                                      \
		type value;                                                    \
                                                                               \
		memcpy(&value, bytes, sizeof(value));                          \
		return from(value);                                            \
	}                                                                      \
                                                                               \
	static inline void store_##name(void *bytes, type value)               \
	{                                                                      \
		value = to(value);                                             \
		memcpy(bytes, &value, sizeof(value));                          \
	}

BYTES_DEFINE(le16, uint16_t, le16toh, htole16)
BYTES_DEFINE(le32, uint32_t, le32toh, htole32)
BYTES_DEFINE(le64, uint64_t, le64toh, htole64)
BYTES_DEFINE(be16, uint16_t, be16toh, htobe16)
BYTES_DEFINE(be32, uint32_t, be32toh, htobe32)

#undef BYTES_DEFINE

#endif
