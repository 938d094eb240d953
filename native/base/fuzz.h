// SPDX-License-Identifier: MIT
/* What the fuzz targets share: the entry that libFuzzer calls, numbers from its
 * input, checks that end the process. */
#ifndef BASE_FUZZ_H
#define BASE_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* Unlike assert it stands in every build. */
#define FUZZ_CHECK(condition)                                                  \
	do {                                                                   \
		if (!(condition)) {                                            \
			fprintf(stderr, "%s:%d: not true: %s\n", __FILE__,     \
				__LINE__, #condition);                         \
			abort();                                               \
		}                                                              \
	} while (0)

struct fuzz_input {
	const uint8_t *next;
	const uint8_t *end;
};

static inline uint32_t
fuzz_left(const struct fuzz_input *input)
{
	return (uint32_t)(input->end - input->next);
}

/* Little endian; zeros follow the end of the input. */
static inline uint64_t
fuzz_number(struct fuzz_input *input, uint32_t bytes)
{
	uint8_t value[8] = {0};

	if (bytes > fuzz_left(input))
		bytes = fuzz_left(input);
	memcpy(value, input->next, bytes);
	input->next += bytes;
	return load_le64(value);
}

static inline uint8_t
fuzz_u8(struct fuzz_input *input)
{
	return (uint8_t)fuzz_number(input, 1);
}

static inline uint16_t
fuzz_u16(struct fuzz_input *input)
{
	return (uint16_t)fuzz_number(input, 2);
}

static inline uint32_t
fuzz_u32(struct fuzz_input *input)
{
	return (uint32_t)fuzz_number(input, 4);
}

static inline uint64_t
fuzz_u64(struct fuzz_input *input)
{
	return fuzz_number(input, 8);
}

/* Memory of exactly that size, so that a sanitizer sees what goes beyond. */
static inline uint8_t *
fuzz_memory(size_t bytes)
{
	uint8_t *memory = malloc(bytes);

	FUZZ_CHECK(memory != NULL);
	return memory;
}

#endif
