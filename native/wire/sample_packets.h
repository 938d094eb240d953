/* SPDX-License-Identifier: MIT */
/* For tests: a packet of each type. */
#ifndef WIRE_SAMPLE_PACKETS_H
#define WIRE_SAMPLE_PACKETS_H

#include "wire/frame.h"

/* Room for any. */
#define SAMPLE_BYTES_MAX 512
#define SAMPLE_PACKETS 9

struct sample_packet {
	uint8_t type;
	uint32_t (*write)(uint8_t *bytes);
	bool (*is_valid)(const uint8_t *bytes, uint32_t length);
	/* Hexadecimal; the SYN goes on with zeros. */
	const char *golden;
};

/* By type. */
extern const struct sample_packet sample_packets[SAMPLE_PACKETS];

/* What there is in them. */
extern const struct wire_syn sample_syn;
extern const struct wire_cookie sample_cookie;
extern const struct wire_answer sample_answer;
extern const struct wire_accept sample_accept;
extern const struct wire_reset sample_reset;
extern const struct wire_ping sample_ping;

/** Write the packet of a type. @return its length */
uint32_t sample_write(uint8_t type, uint8_t *bytes);

/** Read any packet as one of a type, all of it; fails the test if what was read
 * contradicts itself. @return false if it is malformed */
bool sample_is_valid(uint8_t type, const uint8_t *bytes, uint32_t length);

#endif
