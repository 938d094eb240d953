/* SPDX-License-Identifier: MIT */
#include "wire/sample_frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"

/* The two ends of a veth pair. */
#define KERNEL_MAC_A "020000000001"
#define KERNEL_MAC_B "020000000002"

const struct mac sample_mac_a = {{2, 0, 0, 0, 0, 1}};
const struct mac sample_mac_b = {{2, 0, 0, 0, 0, 2}};

const char sample_arp_request[] =
	"ffffffffffff" KERNEL_MAC_A "0806 0001 0800 06 04 0001" KERNEL_MAC_A
	"0a4d0001"
	"000000000000 0a4d0002";
const char sample_arp_reply[] =
	KERNEL_MAC_A KERNEL_MAC_B "0806 0001 0800 06 04 0002" KERNEL_MAC_B
				  "0a4d0002" KERNEL_MAC_A "0a4d0001";
const char sample_udp[] = KERNEL_MAC_B KERNEL_MAC_A
	"0800 45 00 0029 647b 4000 40 11 c1ac 0a4d0001 0a4d0002"
	"0fa0 0fa1 0015 27a5 68656c6c6f2c206b65726e656c";
const char sample_unreachable[] = KERNEL_MAC_A KERNEL_MAC_B
	"0800 45 c0 0045 40a9 0000 40 01 24b3 0a4d0002 0a4d0001"
	"03 03 11c0 00000000"
	"45 00 0029 647b 4000 40 11 c1ac 0a4d0001 0a4d0002"
	"0fa0 0fa1 0015 27a5 68656c6c6f2c206b65726e656c";
const char sample_echo_request[] = KERNEL_MAC_B KERNEL_MAC_A
	"0800 45 00 0023 efe5 4000 40 01 3658 0a4d0001 0a4d0002"
	"08 00 549d 1234 0001 61626364656667";
const char sample_echo_reply[] = KERNEL_MAC_A KERNEL_MAC_B
	"0800 45 00 0023 40ca 0000 40 01 2574 0a4d0002 0a4d0001"
	"00 00 5c9d 1234 0001 61626364656667";

const char *const sample_frames[SAMPLE_FRAMES] = {
	sample_arp_request,
	sample_arp_reply,
	sample_udp,
	sample_unreachable,
	sample_echo_request,
	sample_echo_reply,
};

enum frame_kind
sample_kind(const uint8_t *bytes, uint32_t length, unsigned verified)
{
	uint8_t *copy = malloc(length != 0 ? length : 1);
	struct frame frame;
	volatile uint8_t last;

	assert_non_null(copy);
	memcpy(copy, bytes, length);
	frame_parse(&frame, copy, length, verified);
	if (frame.payload_length != 0)
		last = frame.payload[frame.payload_length - 1];
	(void)last;
	free(copy);
	return frame.kind;
}

void
sample_repair_ipv4(uint8_t *frame)
{
	uint8_t *ip = frame + ETHERNET_BYTES;

	store_be16(ip + 10, 0);
	store_be16(ip + 10,
		checksum_finish(checksum_add(0, ip, 4u * (ip[0] & 0xf))));
}

void
sample_repair_icmp(uint8_t *frame, uint32_t length)
{
	uint8_t *icmp = frame + ETHERNET_BYTES + IPV4_BYTES;

	store_be16(icmp + 2, 0);
	store_be16(icmp + 2, checksum_finish(checksum_add(0, icmp,
				     length - ETHERNET_BYTES - IPV4_BYTES)));
}
