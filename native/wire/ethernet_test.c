/* SPDX-License-Identifier: MIT */
#include "wire/ethernet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/bytes.h"
#include "base/splitmix64.h"
#include "wire/wire_test.h"

#define FRAME_BYTES_MAX 2048

/* The two ends of a veth pair, as Linux 6.18 spoke over it. */
#define KERNEL_MAC_A "020000000001"
#define KERNEL_MAC_B "020000000002"

static const char arp_request[] =
	"ffffffffffff" KERNEL_MAC_A "0806 0001 0800 06 04 0001" KERNEL_MAC_A
	"0a4d0001"
	"000000000000 0a4d0002";
static const char arp_reply[] =
	KERNEL_MAC_A KERNEL_MAC_B "0806 0001 0800 06 04 0002" KERNEL_MAC_B
				  "0a4d0002" KERNEL_MAC_A "0a4d0001";
static const char udp_packet[] = KERNEL_MAC_B KERNEL_MAC_A
	"0800 45 00 0029 647b 4000 40 11 c1ac 0a4d0001 0a4d0002"
	"0fa0 0fa1 0015 27a5 68656c6c6f2c206b65726e656c";
static const char unreachable[] = KERNEL_MAC_A KERNEL_MAC_B
	"0800 45 c0 0045 40a9 0000 40 01 24b3 0a4d0002 0a4d0001"
	"03 03 11c0 00000000"
	"45 00 0029 647b 4000 40 11 c1ac 0a4d0001 0a4d0002"
	"0fa0 0fa1 0015 27a5 68656c6c6f2c206b65726e656c";
static const char echo_request[] = KERNEL_MAC_B KERNEL_MAC_A
	"0800 45 00 0023 efe5 4000 40 01 3658 0a4d0001 0a4d0002"
	"08 00 549d 1234 0001 61626364656667";
static const char echo_reply[] = KERNEL_MAC_A KERNEL_MAC_B
	"0800 45 00 0023 40ca 0000 40 01 2574 0a4d0002 0a4d0001"
	"00 00 5c9d 1234 0001 61626364656667";

static const struct mac mac_a = {{2, 0, 0, 0, 0, 1}};
static const struct mac mac_b = {{2, 0, 0, 0, 0, 2}};

enum { IP_A = 0x0a4d0001, IP_B = 0x0a4d0002 };

/* In memory of just this length, so that ASan sees what reads too far. */
static enum frame_kind
kind_exactly(const uint8_t *bytes, uint32_t length, unsigned verified)
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

/* The IPv4 checksum again, after a field was changed. */
static void
repair_ipv4(uint8_t *frame)
{
	uint8_t *ip = frame + ETHERNET_BYTES;

	store_be16(ip + 10, 0);
	store_be16(ip + 10,
		checksum_finish(checksum_add(0, ip, 4u * (ip[0] & 0xf))));
}

static void
repair_icmp(uint8_t *frame, uint32_t length)
{
	uint8_t *icmp = frame + ETHERNET_BYTES + IPV4_BYTES;

	store_be16(icmp + 2, 0);
	store_be16(icmp + 2, checksum_finish(checksum_add(0, icmp,
				     length - ETHERNET_BYTES - IPV4_BYTES)));
}

static void
checksum_follows_rfc_1071(void **state)
{
	/* The example of its section 3. */
	const uint8_t example[] = {0, 1, 0xf2, 3, 0xf4, 0xf5, 0xf6, 0xf7};
	const uint8_t ones[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	uint8_t bytes[1501];
	uint32_t whole;

	(void)state;
	assert_int_equal(checksum_finish(checksum_add(0, example, 8)),
		(uint16_t)~0xddf2);
	assert_int_equal(checksum_finish(0), 0xffff);
	assert_int_equal(checksum_finish(checksum_add(0, ones, 6)), 0);
	/* An odd byte counts as the high one. */
	assert_int_equal(checksum_finish(checksum_add(0, example + 2, 1)),
		(uint16_t)~0xf200);
	assert_int_equal(checksum_finish(checksum_add(0, example, 7)),
		(uint16_t) ~(0x0001 + 0xf203 + 0xf4f5 + 0xf600 - 2 * 0xffff));
	for (uint32_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 251);
	/* In pieces, at any even place, and at any address. */
	whole = checksum_finish(checksum_add(0, bytes, sizeof(bytes)));
	for (uint32_t cut = 0; cut < sizeof(bytes); cut += 2)
		assert_int_equal(checksum_finish(checksum_add(
					 checksum_add(0, bytes, cut),
					 bytes + cut, sizeof(bytes) - cut)),
			whole);
}

static void
checksum_equals_the_plain_sum(void **state)
{
	uint8_t bytes[65536];
	uint32_t sum = 0;

	(void)state;
	memset(bytes, 0xff, sizeof(bytes));
	bytes[65534] = 0x12;
	for (uint32_t i = 0; i < sizeof(bytes); i += 2) {
		sum += load_be16(bytes + i);
		sum = (sum & 0xffff) + (sum >> 16);
	}
	assert_int_equal(
		checksum_finish(checksum_add(0, bytes, 65536)), (uint16_t)~sum);
	assert_int_equal(checksum_finish(UINT32_MAX), 0);
	assert_int_equal(
		checksum_finish(checksum_add(UINT32_MAX, bytes, 65536)),
		(uint16_t)~sum);
}

static void
arp_of_the_kernel_is_understood(void **state)
{
	uint8_t bytes[FRAME_BYTES_MAX];
	struct frame frame;

	(void)state;
	frame_parse(&frame, bytes, from_hex(bytes, arp_request), 0);
	assert_int_equal(frame.kind, FRAME_ARP_REQUEST);
	assert_memory_equal(&frame.destination, &mac_broadcast, 6);
	assert_memory_equal(&frame.source, &mac_a, 6);
	assert_memory_equal(&frame.sender_mac, &mac_a, 6);
	assert_int_equal(frame.sender_ip, IP_A);
	assert_int_equal(frame.target_ip, IP_B);

	frame_parse(&frame, bytes, from_hex(bytes, arp_reply), 0);
	assert_int_equal(frame.kind, FRAME_ARP_REPLY);
	assert_memory_equal(&frame.destination, &mac_a, 6);
	assert_memory_equal(&frame.sender_mac, &mac_b, 6);
	assert_int_equal(frame.sender_ip, IP_B);
	assert_int_equal(frame.target_ip, IP_A);
}

static void
arp_is_written_as_the_kernel_does(void **state)
{
	uint8_t bytes[ETHERNET_FRAME_BYTES_MIN];
	uint8_t kernel[ETHERNET_FRAME_BYTES_MIN];

	(void)state;
	memset(bytes, 0xee, sizeof(bytes));
	memset(kernel, 0, sizeof(kernel));
	from_hex(kernel, arp_request);
	assert_int_equal(arp_request_write(bytes, &mac_a, IP_A, IP_B), 60);
	assert_memory_equal(bytes, kernel, sizeof(bytes));

	memset(bytes, 0xee, sizeof(bytes));
	from_hex(kernel, arp_reply);
	assert_int_equal(
		arp_reply_write(bytes, &mac_b, IP_B, &mac_a, IP_A), 60);
	assert_memory_equal(bytes, kernel, sizeof(bytes));
}

static void
arp_of_other_kinds_is_foreign(void **state)
{
	static const struct {
		uint8_t at;
		uint8_t value;
	} other[] = {{15, 6}, {16, 0x86}, {18, 8}, {19, 16}, {21, 3}, {20, 1}};
	uint8_t bytes[FRAME_BYTES_MAX];
	uint32_t length;

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(other); i++) {
		length = from_hex(bytes, arp_request);
		bytes[other[i].at] = other[i].value;
		assert_int_equal(kind_exactly(bytes, length, 0), FRAME_FOREIGN);
	}
}

static void
udp_of_the_kernel_is_understood(void **state)
{
	uint8_t bytes[FRAME_BYTES_MAX] = {0};
	struct frame frame;
	uint32_t length = from_hex(bytes, udp_packet);

	(void)state;
	/* With and without padding. */
	for (uint32_t end = length; end <= 64; end++) {
		frame_parse(&frame, bytes, end, 0);
		assert_int_equal(frame.kind, FRAME_UDP);
		assert_memory_equal(&frame.destination, &mac_b, 6);
		assert_memory_equal(&frame.source, &mac_a, 6);
		assert_int_equal(frame.source_ip, IP_A);
		assert_int_equal(frame.destination_ip, IP_B);
		assert_int_equal(frame.source_port, 4000);
		assert_int_equal(frame.destination_port, 4001);
		assert_false(frame.ecn_marked);
		assert_ptr_equal(frame.payload, bytes + UDP_PAYLOAD_OFFSET);
		assert_int_equal(frame.payload_length, 13);
		assert_memory_equal(frame.payload, "hello, kernel", 13);
	}
}

static const struct udp_address address = {
	.source_mac = {{2, 0, 0, 0, 0, 1}},
	.destination_mac = {{2, 0, 0, 0, 0, 2}},
	.source_ip = IP_A,
	.destination_ip = IP_B,
	.source_port = 4000,
	.destination_port = 4001,
};

static void
udp_is_written_as_the_kernel_does(void **state)
{
	uint8_t bytes[FRAME_BYTES_MAX];
	uint8_t kernel[FRAME_BYTES_MAX] = {0};
	uint8_t *ip = kernel + ETHERNET_BYTES;

	(void)state;
	memset(bytes, 0xee, sizeof(bytes));
	memcpy(bytes + UDP_PAYLOAD_OFFSET, "hello, kernel", 13);
	assert_int_equal(udp_frame_write(bytes, &address, 13, 0), 60);
	/* Except that we are ECN-capable and identify no fragments. */
	from_hex(kernel, udp_packet);
	ip[1] = 2;
	store_be16(ip + 4, 0);
	repair_ipv4(kernel);
	assert_memory_equal(bytes, kernel, 60);
	assert_int_equal(bytes[60], 0xee);
}

/* Any identification, so that the checksum is any, too. */
static void
marked_frames_keep_a_right_checksum(void **state)
{
	uint8_t bytes[ETHERNET_FRAME_BYTES_MIN] = {0};
	uint32_t length = udp_frame_write(bytes, &address, 10, 0);
	uint8_t *ip = bytes + ETHERNET_BYTES;

	(void)state;
	for (uint32_t i = 0; i <= UINT16_MAX; i++) {
		ip[1] = i & 1 ? 1 : 2; /* ECT(1), ECT(0) */
		store_be16(ip + 4, (uint16_t)i);
		store_be16(ip + 10, 0);
		store_be16(ip + 10,
			checksum_finish(checksum_add(0, ip, IPV4_BYTES)));
		assert_true(frame_ecn_capable(bytes, length));
		frame_ecn_mark(bytes);
		assert_int_equal(ip[1], 3);
		assert_int_equal(
			checksum_finish(checksum_add(0, ip, IPV4_BYTES)), 0);
		assert_false(frame_ecn_capable(bytes, length));
	}
}

static void
what_is_not_ect_cannot_be_marked(void **state)
{
	uint8_t bytes[ETHERNET_FRAME_BYTES_MIN] = {0};

	(void)state;
	udp_frame_write(bytes, &address, 0, 0);
	assert_true(frame_ecn_capable(bytes, ETHERNET_BYTES + IPV4_BYTES));
	assert_false(frame_ecn_capable(bytes, ETHERNET_BYTES + IPV4_BYTES - 1));
	bytes[ETHERNET_BYTES + 1] = 0;
	assert_false(frame_ecn_capable(bytes, sizeof(bytes)));
	bytes[ETHERNET_BYTES + 1] = 2;
	bytes[ETHERNET_BYTES] = 0x60;
	assert_false(frame_ecn_capable(bytes, sizeof(bytes)));
	arp_request_write(bytes, &address.source_mac, 1, 2);
	bytes[ETHERNET_BYTES] = 0x45;
	bytes[ETHERNET_BYTES + 1] = 2;
	assert_false(frame_ecn_capable(bytes, sizeof(bytes)));
}

static void
udp_survives_the_round_trip_at_every_length(void **state)
{
	uint8_t bytes[FRAME_BYTES_MAX];
	struct frame frame;
	uint32_t length;

	(void)state;
	for (uint32_t payload = 0; payload <= 1472; payload++) {
		memset(bytes, (int)payload, sizeof(bytes));
		length = udp_frame_write(bytes, &address, payload, 0);
		assert_int_equal(length, u32_max(UDP_PAYLOAD_OFFSET + payload,
						 ETHERNET_FRAME_BYTES_MIN));
		frame_parse(&frame, bytes, length, 0);
		assert_int_equal(frame.kind, FRAME_UDP);
		assert_int_equal(frame.payload_length, payload);
		for (uint32_t i = UDP_PAYLOAD_OFFSET + payload; i < length; i++)
			assert_int_equal(bytes[i], 0);
	}
}

static void
udp_is_the_same_in_one_piece_and_in_two(void **state)
{
	uint8_t whole[FRAME_BYTES_MAX], parts[FRAME_BYTES_MAX] = {0};
	const uint32_t payload = 333;
	uint32_t length;

	(void)state;
	for (uint32_t i = 0; i < payload; i++)
		whole[UDP_PAYLOAD_OFFSET + i] = (uint8_t)(i * i + 3);
	length = udp_frame_write(whole, &address, payload, 0);
	for (uint32_t head = 0; head <= payload; head += 2) {
		const struct udp_tail tail = {
			.bytes = whole + UDP_PAYLOAD_OFFSET + head,
			.length = payload - head,
		};

		memcpy(parts + UDP_PAYLOAD_OFFSET, whole + UDP_PAYLOAD_OFFSET,
			head);
		assert_int_equal(
			udp_frame_write_head(parts, &address, head, &tail, 0),
			length - tail.length);
		assert_memory_equal(parts, whole, length - tail.length);
	}
}

static void
udp_checksums_are_left_to_the_device(void **state)
{
	uint8_t bytes[FRAME_BYTES_MAX] = {0};
	const uint8_t *ip = bytes + ETHERNET_BYTES;
	uint32_t length;

	(void)state;
	length = udp_frame_write(
		bytes, &address, 100, FRAME_VERIFIED_IPV4 | FRAME_VERIFIED_UDP);
	assert_int_equal(load_be16(ip + 10), 0);
	/* 0a4d + 0001 + 0a4d + 0002 + 11 + 108 */
	assert_int_equal(load_be16(ip + IPV4_BYTES + 6), 0x151a);
	assert_int_equal(kind_exactly(bytes, length, 0), FRAME_MALFORMED);
	assert_int_equal(kind_exactly(bytes, length, FRAME_VERIFIED_IPV4),
		FRAME_MALFORMED);
	assert_int_equal(kind_exactly(bytes, length, FRAME_VERIFIED_UDP),
		FRAME_MALFORMED);
	assert_int_equal(kind_exactly(bytes, length,
				 FRAME_VERIFIED_IPV4 | FRAME_VERIFIED_UDP),
		FRAME_UDP);
}

static void
udp_checksum_zero_means_none(void **state)
{
	uint8_t bytes[FRAME_BYTES_MAX];
	uint8_t *udp = bytes + ETHERNET_BYTES + IPV4_BYTES;
	uint32_t length = from_hex(bytes, udp_packet);
	uint16_t sum;

	(void)state;
	store_be16(udp + 6, 0);
	assert_int_equal(kind_exactly(bytes, length, 0), FRAME_UDP);
	store_be16(udp + 6, 1);
	assert_int_equal(kind_exactly(bytes, length, 0), FRAME_MALFORMED);

	/* A sum that is 0 is sent as ffff: add the checksum of a packet with
	 * a payload of 0 to the payload. */
	memset(bytes, 0, sizeof(bytes));
	udp_frame_write(bytes, &address, 2, 0);
	sum = load_be16(udp + 6);
	store_be16(bytes + UDP_PAYLOAD_OFFSET, sum);
	length = udp_frame_write(bytes, &address, 2, 0);
	assert_int_equal(load_be16(udp + 6), 0xffff);
	assert_int_equal(kind_exactly(bytes, length, 0), FRAME_UDP);
}

static void
udp_length_may_leave_a_rest(void **state)
{
	uint8_t bytes[FRAME_BYTES_MAX];
	uint8_t *udp = bytes + ETHERNET_BYTES + IPV4_BYTES;
	struct frame frame;
	uint32_t length = from_hex(bytes, udp_packet);

	(void)state;
	store_be16(udp + 6, 0);
	store_be16(udp + 4, 20);
	frame_parse(&frame, bytes, length, 0);
	assert_int_equal(frame.kind, FRAME_UDP);
	assert_int_equal(frame.payload_length, 12);
	store_be16(udp + 4, 22);
	assert_int_equal(kind_exactly(bytes, length, 0), FRAME_MALFORMED);
	store_be16(udp + 4, 7);
	assert_int_equal(kind_exactly(bytes, length, 0), FRAME_MALFORMED);
	/* Not even a UDP header. */
	store_be16(bytes + ETHERNET_BYTES + 2, IPV4_BYTES + 7);
	repair_ipv4(bytes);
	assert_int_equal(kind_exactly(bytes, length, 0), FRAME_MALFORMED);
}

static void
ecn_marks_are_seen(void **state)
{
	uint8_t bytes[FRAME_BYTES_MAX];
	struct frame frame;
	uint32_t length = from_hex(bytes, udp_packet);

	(void)state;
	for (uint8_t ecn = 0; ecn < 4; ecn++) {
		bytes[ETHERNET_BYTES + 1] = 0xb8 | ecn;
		repair_ipv4(bytes);
		frame_parse(&frame, bytes, length, 0);
		assert_int_equal(frame.kind, FRAME_UDP);
		assert_int_equal(frame.ecn_marked, ecn == 3);
	}
}

static void
ipv4_that_contradicts_itself_is_malformed(void **state)
{
	static const struct {
		uint8_t at;
		uint8_t value;
	} wrong[] = {
		{0, 0x55}, /* version 5 */
		{0, 0x44}, /* a header of 16 bytes */
		{0, 0x4f}, /* longer than the packet */
		{3, 19},   /* shorter than its header */
		{3, 0x2a}, /* longer than the frame */
		{2, 1},
	};
	uint8_t bytes[FRAME_BYTES_MAX];
	uint32_t length;

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
		length = from_hex(bytes, udp_packet);
		bytes[ETHERNET_BYTES + wrong[i].at] = wrong[i].value;
		repair_ipv4(bytes);
		assert_int_equal(
			kind_exactly(bytes, length, 0), FRAME_MALFORMED);
	}
}

static void
every_flipped_bit_is_found(void **state)
{
	uint8_t bytes[FRAME_BYTES_MAX];
	uint32_t length = from_hex(bytes, udp_packet);

	(void)state;
	for (uint32_t bit = 8 * ETHERNET_BYTES; bit < 8 * length; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(
			kind_exactly(bytes, length, 0), FRAME_MALFORMED);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	length = from_hex(bytes, echo_request);
	for (uint32_t bit = 8 * ETHERNET_BYTES; bit < 8 * length; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(
			kind_exactly(bytes, length, 0), FRAME_MALFORMED);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static void
options_and_fragments_are_foreign(void **state)
{
	uint8_t bytes[FRAME_BYTES_MAX];
	uint8_t *ip = bytes + ETHERNET_BYTES;
	uint32_t length;

	(void)state;
	/* The first 4 bytes of UDP are an option now. */
	length = from_hex(bytes, udp_packet);
	ip[0] = 0x46;
	repair_ipv4(bytes);
	assert_int_equal(kind_exactly(bytes, length, 0), FRAME_FOREIGN);
	ip[20] ^= 1;
	assert_int_equal(kind_exactly(bytes, length, 0), FRAME_MALFORMED);
	/* More fragments, an offset, both. */
	for (uint16_t flags = 0x2000; flags <= 0x4000; flags += 0x2000) {
		length = from_hex(bytes, udp_packet);
		store_be16(ip + 6, flags == 0x4000 ? 0x2010 : flags);
		repair_ipv4(bytes);
		assert_int_equal(kind_exactly(bytes, length, 0), FRAME_FOREIGN);
	}
	store_be16(ip + 6, 1);
	repair_ipv4(bytes);
	assert_int_equal(kind_exactly(bytes, length, 0), FRAME_FOREIGN);
}

static void
other_protocols_are_foreign(void **state)
{
	uint8_t bytes[FRAME_BYTES_MAX];
	uint32_t length;

	(void)state;
	length = from_hex(bytes, udp_packet);
	bytes[ETHERNET_BYTES + 9] = 6; /* TCP */
	repair_ipv4(bytes);
	assert_int_equal(kind_exactly(bytes, length, 0), FRAME_FOREIGN);
	store_be16(bytes + 12, 0x86dd); /* IPv6 */
	assert_int_equal(kind_exactly(bytes, length, 0), FRAME_FOREIGN);
	store_be16(bytes + 12, 0x8100); /* VLAN */
	assert_int_equal(kind_exactly(bytes, length, 0), FRAME_FOREIGN);
	store_be16(bytes + 12, 38); /* IEEE 802.3 length */
	assert_int_equal(kind_exactly(bytes, length, 0), FRAME_FOREIGN);
}

static void
truncated_frames_are_malformed(void **state)
{
	static const char *const frames[] = {arp_request, arp_reply, udp_packet,
		unreachable, echo_request, echo_reply};
	uint8_t bytes[FRAME_BYTES_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(frames); i++) {
		uint32_t full = from_hex(bytes, frames[i]);

		for (uint32_t length = 0; length < full; length++)
			assert_int_equal(kind_exactly(bytes, length,
						 FRAME_VERIFIED_IPV4 |
							 FRAME_VERIFIED_UDP),
				FRAME_MALFORMED);
		assert_int_not_equal(
			kind_exactly(bytes, full, 0), FRAME_MALFORMED);
	}
}

static void
echo_is_answered_as_the_kernel_does(void **state)
{
	uint8_t request[FRAME_BYTES_MAX] = {0};
	uint8_t bytes[FRAME_BYTES_MAX];
	uint8_t kernel[FRAME_BYTES_MAX] = {0};
	struct frame frame;

	(void)state;
	from_hex(request, echo_request);
	frame_parse(&frame, request, 60, 0); /* padded */
	assert_int_equal(frame.kind, FRAME_ICMP_ECHO);
	assert_ptr_equal(frame.payload, request + ETHERNET_BYTES + IPV4_BYTES);
	assert_int_equal(frame.payload_length, ICMP_BYTES + 7);

	/* Except for the identification and its "don't fragment". */
	from_hex(kernel, echo_reply);
	store_be16(kernel + ETHERNET_BYTES + 4, 0);
	store_be16(kernel + ETHERNET_BYTES + 6, 0x4000);
	repair_ipv4(kernel);
	memset(bytes, 0xee, sizeof(bytes));
	assert_int_equal(icmp_echo_reply_write(bytes, &frame), 60);
	assert_memory_equal(bytes, kernel, 60);
	/* In place. */
	assert_int_equal(icmp_echo_reply_write(request, &frame), 60);
	assert_memory_equal(request, kernel, 60);
	/* The reply itself is not for us. */
	assert_int_equal(kind_exactly(request, 60, 0), FRAME_FOREIGN);
}

static void
echo_to_everybody_is_foreign(void **state)
{
	uint8_t bytes[FRAME_BYTES_MAX];
	uint32_t length = from_hex(bytes, echo_request);

	(void)state;
	memcpy(bytes, &mac_broadcast, 6);
	assert_int_equal(kind_exactly(bytes, length, 0), FRAME_FOREIGN);
}

static void
unreachable_tells_the_packet_it_answers(void **state)
{
	uint8_t bytes[FRAME_BYTES_MAX];
	struct frame frame;
	uint32_t length = from_hex(bytes, unreachable);

	(void)state;
	frame_parse(&frame, bytes, length, 0);
	assert_int_equal(frame.kind, FRAME_ICMP_UNREACHABLE);
	assert_int_equal(frame.icmp_code, 3);
	assert_int_equal(frame.source_ip, IP_A);
	assert_int_equal(frame.destination_ip, IP_B);
	assert_int_equal(frame.source_port, 4000);
	assert_int_equal(frame.destination_port, 4001);
	assert_int_equal(frame.payload_length, 13);
	assert_memory_equal(frame.payload, "hello, kernel", 13);
}

/* RFC 792 promises no more than 8 bytes of it; then from a router. */
static void
unreachable_may_quote_only_the_udp_header(void **state)
{
	uint8_t bytes[FRAME_BYTES_MAX];
	struct frame frame;
	uint32_t length = from_hex(bytes, unreachable) - 13;

	(void)state;
	bytes[ETHERNET_BYTES + 15] = 99; /* 10.77.0.99 */
	bytes[ETHERNET_BYTES + IPV4_BYTES + 1] = 1;
	store_be16(bytes + ETHERNET_BYTES + 2, (uint16_t)(length - 14));
	repair_ipv4(bytes);
	repair_icmp(bytes, length);
	frame_parse(&frame, bytes, length, 0);
	assert_int_equal(frame.kind, FRAME_ICMP_UNREACHABLE);
	assert_int_equal(frame.icmp_code, 1);
	assert_int_equal(frame.destination_ip, IP_B);
	assert_int_equal(frame.destination_port, 4001);
	assert_int_equal(frame.payload_length, 0);
	/* One byte less is too little. */
	store_be16(bytes + ETHERNET_BYTES + 2, (uint16_t)(length - 15));
	repair_ipv4(bytes);
	repair_icmp(bytes, length - 1);
	assert_int_equal(kind_exactly(bytes, length - 1, 0), FRAME_MALFORMED);
}

static void
unreachable_of_what_we_do_not_send_is_foreign(void **state)
{
	static const struct {
		uint8_t at;
		uint8_t value;
	} other[] = {
		{0, 0x46},	      /* options */
		{0, 0x65}, {6, 0x20}, /* a fragment */
		{7, 1}, {9, 6},	      /* TCP */
		{15, 0x63},	      /* from another address */
	};
	uint8_t bytes[FRAME_BYTES_MAX];
	uint8_t *quoted = bytes + ETHERNET_BYTES + IPV4_BYTES + ICMP_BYTES;
	uint32_t length;

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(other); i++) {
		length = from_hex(bytes, unreachable);
		quoted[other[i].at] = other[i].value;
		repair_icmp(bytes, length);
		assert_int_equal(kind_exactly(bytes, length, 0), FRAME_FOREIGN);
	}
	/* A router took one off the TTL and marked it: still ours. */
	length = from_hex(bytes, unreachable);
	quoted[1] = 3;
	quoted[8]--;
	repair_icmp(bytes, length);
	assert_int_equal(
		kind_exactly(bytes, length, 0), FRAME_ICMP_UNREACHABLE);
}

static void
ipv4_text_goes_both_ways(void **state)
{
	static const char *const wrong[] = {"", "1.2.3", "1.2.3.4.5",
		"1.2.3.256", " 1.2.3.4", "1.2.3.4 ", "1.2.3.4/8", "01.2.3.4",
		"1..2.3", "0x1.2.3.4", "-1.2.3.4", "a.b.c.d"};
	uint32_t ip = 0;
	char text[16];

	(void)state;
	assert_true(ipv4_parse(&ip, "10.77.0.2"));
	assert_int_equal(ip, IP_B);
	assert_true(ipv4_parse(&ip, "255.255.255.255"));
	assert_int_equal(ip, UINT32_MAX);
	assert_true(ipv4_parse(&ip, "0.0.0.0"));
	assert_int_equal(ip, 0);
	for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++)
		assert_false(ipv4_parse(&ip, wrong[i]));
	assert_string_equal(ipv4_format(text, IP_B), "10.77.0.2");
	assert_string_equal(ipv4_format(text, UINT32_MAX), "255.255.255.255");
	assert_string_equal(ipv4_format(text, 0), "0.0.0.0");
}

static void
mutated_frames_harm_nobody(void **state)
{
	static const char *const frames[] = {arp_request, arp_reply, udp_packet,
		unreachable, echo_request, echo_reply};
	uint8_t originals[ARRAY_LENGTH(frames)][128] = {0};
	uint32_t lengths[ARRAY_LENGTH(frames)];
	uint32_t seen[FRAME_MALFORMED + 1] = {0};
	uint8_t bytes[128];
	uint64_t random = 1;

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(frames); i++)
		lengths[i] = from_hex(originals[i], frames[i]);
	for (uint32_t i = 0; i < 1000000; i++) {
		uint64_t dice = splitmix64(&random);
		uint32_t length = lengths[i % ARRAY_LENGTH(frames)];

		memcpy(bytes, originals[i % ARRAY_LENGTH(frames)], 128);
		for (uint32_t flips = dice & 3; flips > 0; flips--) {
			uint64_t at = splitmix64(&random);

			bytes[at % length] = (uint8_t)(at >> 32);
		}
		if ((dice & 4) != 0)
			length = (uint32_t)(splitmix64(&random) % (length + 8));
		/* Checksums would hide what is behind them. */
		if ((dice & 8) != 0) {
			repair_ipv4(bytes);
			repair_icmp(bytes, u32_max(length, 34));
		}
		seen[kind_exactly(bytes, length, (dice >> 4) & 3)]++;
	}
	for (size_t i = 0; i < ARRAY_LENGTH(seen); i++)
		assert_true(seen[i] > 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checksum_follows_rfc_1071),
		cmocka_unit_test(checksum_equals_the_plain_sum),
		cmocka_unit_test(arp_of_the_kernel_is_understood),
		cmocka_unit_test(arp_is_written_as_the_kernel_does),
		cmocka_unit_test(arp_of_other_kinds_is_foreign),
		cmocka_unit_test(udp_of_the_kernel_is_understood),
		cmocka_unit_test(udp_is_written_as_the_kernel_does),
		cmocka_unit_test(marked_frames_keep_a_right_checksum),
		cmocka_unit_test(what_is_not_ect_cannot_be_marked),
		cmocka_unit_test(udp_survives_the_round_trip_at_every_length),
		cmocka_unit_test(udp_is_the_same_in_one_piece_and_in_two),
		cmocka_unit_test(udp_checksums_are_left_to_the_device),
		cmocka_unit_test(udp_checksum_zero_means_none),
		cmocka_unit_test(udp_length_may_leave_a_rest),
		cmocka_unit_test(ecn_marks_are_seen),
		cmocka_unit_test(ipv4_that_contradicts_itself_is_malformed),
		cmocka_unit_test(every_flipped_bit_is_found),
		cmocka_unit_test(options_and_fragments_are_foreign),
		cmocka_unit_test(other_protocols_are_foreign),
		cmocka_unit_test(truncated_frames_are_malformed),
		cmocka_unit_test(echo_is_answered_as_the_kernel_does),
		cmocka_unit_test(echo_to_everybody_is_foreign),
		cmocka_unit_test(unreachable_tells_the_packet_it_answers),
		cmocka_unit_test(unreachable_may_quote_only_the_udp_header),
		cmocka_unit_test(unreachable_of_what_we_do_not_send_is_foreign),
		cmocka_unit_test(ipv4_text_goes_both_ways),
		cmocka_unit_test(mutated_frames_harm_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
