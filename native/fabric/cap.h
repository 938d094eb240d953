/* SPDX-License-Identifier: MIT */
/* What a cloud lets a host send or receive in a second: bits and packets, each
 * with a buffer before it. */
#ifndef FABRIC_CAP_H
#define FABRIC_CAP_H

#include <stdbool.h>
#include <stdint.h>

/* Before the cap, of each kind. */
#define CAP_BUFFER_BYTES (128u << 10)
#define CAP_BUFFER_PACKETS 128u

struct cap_rates {
	uint64_t bits_per_s;	/* 0: no cap */
	uint64_t packets_per_s; /* 0: no cap */
};

/* One direction of one host; begins as zeros. */
struct cap {
	uint64_t bits_ns;    /* when what was sent is through */
	uint64_t packets_ns; /* when the packets have been as few as allowed */
};

enum cap_full {
	CAP_ROOM,
	CAP_BITS_FULL,
	CAP_PACKETS_FULL,
};

/** Which buffer is full. */
enum cap_full cap_full(
	const struct cap *cap, const struct cap_rates *rates, uint64_t now_ns);

/** When there will be room in the buffers again: now_ns or later. */
uint64_t cap_room_ns(
	const struct cap *cap, const struct cap_rates *rates, uint64_t now_ns);

/** How many frames of a length, at most, wait before it. */
uint64_t cap_waiting(const struct cap *cap, const struct cap_rates *rates,
	uint32_t length, uint64_t now_ns);

/** Put a frame behind the others. @return when it is through, ns */
uint64_t cap_pass(struct cap *cap, const struct cap_rates *rates,
	uint32_t length, uint64_t now_ns);

#endif
