/* SPDX-License-Identifier: MIT */
/* What the tests of this folder share. */
#ifndef WIRE_WIRE_TEST_H
#define WIRE_WIRE_TEST_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/** Pairs of hexadecimal digits, with spaces between. @return bytes written */
static inline uint32_t
from_hex(uint8_t *bytes, const char *hex)
{
	uint32_t length = 0;
	char digits[3] = {0};

	for (; *hex != '\0'; hex += *hex == ' ' ? 1 : 2) {
		if (*hex == ' ')
			continue;
		memcpy(digits, hex, 2);
		bytes[length++] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return length;
}

#endif
