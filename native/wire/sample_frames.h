/* SPDX-License-Identifier: MIT */
/* For tests: frames as Linux 6.18 sent them over a veth pair. */
#ifndef WIRE_SAMPLE_FRAMES_H
#define WIRE_SAMPLE_FRAMES_H

#include "wire/ethernet.h"

/* Room for any, and for those of a test's own. */
#define SAMPLE_FRAME_BYTES_MAX 2048
#define SAMPLE_FRAMES 6

enum { SAMPLE_IP_A = 0x0a4d0001, SAMPLE_IP_B = 0x0a4d0002 };

extern const struct mac sample_mac_a, sample_mac_b;

/* Hexadecimal, for from_hex. */
extern const char sample_arp_request[];
extern const char sample_arp_reply[];
extern const char sample_udp[]; /* "hello, kernel", from port 4000 to 4001 */
extern const char sample_unreachable[]; /* what that got */
extern const char sample_echo_request[];
extern const char sample_echo_reply[];

/* All of them. */
extern const char *const sample_frames[SAMPLE_FRAMES];

/** The kind of a frame, parsed in memory of just its length, so that ASan sees
 * what reads too far. @param verified as frame_parse */
enum frame_kind sample_kind(
	const uint8_t *bytes, uint32_t length, unsigned verified);

/** The checksum again, after a field was changed. */
void sample_repair_ipv4(uint8_t *frame);
void sample_repair_icmp(uint8_t *frame, uint32_t length);

#endif
