/* SPDX-License-Identifier: MIT */
#include "wire/ethernet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/bytes.h"
#include "wire/sample_frames.h"
#include "wire/wire_test.h"

static void
udp_of_the_kernel_is_understood(void **state)
{
	uint8_t bytes[SAMPLE_FRAME_BYTES_MAX] = {0};
	struct frame frame;
	uint32_t length = from_hex(bytes, sample_udp);

	(void)state;
	/* With and without padding. */
	for (uint32_t end = length; end <= 64; end++) {
		frame_parse(&frame, bytes, end, 0);
		assert_int_equal(frame.kind, FRAME_UDP);
		assert_memory_equal(&frame.destination, &sample_mac_b, 6);
		assert_memory_equal(&frame.source, &sample_mac_a, 6);
		assert_int_equal(frame.source_ip, SAMPLE_IP_A);
		assert_int_equal(frame.destination_ip, SAMPLE_IP_B);
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
	.source_ip = SAMPLE_IP_A,
	.destination_ip = SAMPLE_IP_B,
	.source_port = 4000,
	.destination_port = 4001,
};

static void
udp_is_written_as_the_kernel_does(void **state)
{
	uint8_t bytes[SAMPLE_FRAME_BYTES_MAX];
	uint8_t kernel[SAMPLE_FRAME_BYTES_MAX] = {0};
	uint8_t *ip = kernel + ETHERNET_BYTES;

	(void)state;
	memset(bytes, 0xee, sizeof(bytes));
	memcpy(bytes + UDP_PAYLOAD_OFFSET, "hello, kernel", 13);
	assert_int_equal(udp_frame_write(bytes, &address, 13, 0), 60);
	/* Except that we are ECN-capable and identify no fragments. */
	from_hex(kernel, sample_udp);
	ip[1] = 2;
	store_be16(ip + 4, 0);
	sample_repair_ipv4(kernel);
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
	uint8_t bytes[SAMPLE_FRAME_BYTES_MAX];
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
	uint8_t whole[SAMPLE_FRAME_BYTES_MAX],
		parts[SAMPLE_FRAME_BYTES_MAX] = {0};
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
	uint8_t bytes[SAMPLE_FRAME_BYTES_MAX] = {0};
	const uint8_t *ip = bytes + ETHERNET_BYTES;
	uint32_t length;

	(void)state;
	length = udp_frame_write(
		bytes, &address, 100, FRAME_VERIFIED_IPV4 | FRAME_VERIFIED_UDP);
	assert_int_equal(load_be16(ip + 10), 0);
	/* 0a4d + 0001 + 0a4d + 0002 + 11 + 108 */
	assert_int_equal(load_be16(ip + IPV4_BYTES + 6), 0x151a);
	assert_int_equal(sample_kind(bytes, length, 0), FRAME_MALFORMED);
	assert_int_equal(sample_kind(bytes, length, FRAME_VERIFIED_IPV4),
		FRAME_MALFORMED);
	assert_int_equal(sample_kind(bytes, length, FRAME_VERIFIED_UDP),
		FRAME_MALFORMED);
	assert_int_equal(sample_kind(bytes, length,
				 FRAME_VERIFIED_IPV4 | FRAME_VERIFIED_UDP),
		FRAME_UDP);
}

static void
udp_checksum_zero_means_none(void **state)
{
	uint8_t bytes[SAMPLE_FRAME_BYTES_MAX];
	uint8_t *udp = bytes + ETHERNET_BYTES + IPV4_BYTES;
	uint32_t length = from_hex(bytes, sample_udp);
	uint16_t sum;

	(void)state;
	store_be16(udp + 6, 0);
	assert_int_equal(sample_kind(bytes, length, 0), FRAME_UDP);
	store_be16(udp + 6, 1);
	assert_int_equal(sample_kind(bytes, length, 0), FRAME_MALFORMED);

	/* A sum that is 0 is sent as ffff: add the checksum of a packet with
	 * a payload of 0 to the payload. */
	memset(bytes, 0, sizeof(bytes));
	udp_frame_write(bytes, &address, 2, 0);
	sum = load_be16(udp + 6);
	store_be16(bytes + UDP_PAYLOAD_OFFSET, sum);
	length = udp_frame_write(bytes, &address, 2, 0);
	assert_int_equal(load_be16(udp + 6), 0xffff);
	assert_int_equal(sample_kind(bytes, length, 0), FRAME_UDP);
}

static void
udp_length_may_leave_a_rest(void **state)
{
	uint8_t bytes[SAMPLE_FRAME_BYTES_MAX];
	uint8_t *udp = bytes + ETHERNET_BYTES + IPV4_BYTES;
	struct frame frame;
	uint32_t length = from_hex(bytes, sample_udp);

	(void)state;
	store_be16(udp + 6, 0);
	store_be16(udp + 4, 20);
	frame_parse(&frame, bytes, length, 0);
	assert_int_equal(frame.kind, FRAME_UDP);
	assert_int_equal(frame.payload_length, 12);
	store_be16(udp + 4, 22);
	assert_int_equal(sample_kind(bytes, length, 0), FRAME_MALFORMED);
	store_be16(udp + 4, 7);
	assert_int_equal(sample_kind(bytes, length, 0), FRAME_MALFORMED);
	/* Not even a UDP header. */
	store_be16(bytes + ETHERNET_BYTES + 2, IPV4_BYTES + 7);
	sample_repair_ipv4(bytes);
	assert_int_equal(sample_kind(bytes, length, 0), FRAME_MALFORMED);
}

static void
ecn_marks_are_seen(void **state)
{
	uint8_t bytes[SAMPLE_FRAME_BYTES_MAX];
	struct frame frame;
	uint32_t length = from_hex(bytes, sample_udp);

	(void)state;
	for (uint8_t ecn = 0; ecn < 4; ecn++) {
		bytes[ETHERNET_BYTES + 1] = 0xb8 | ecn;
		sample_repair_ipv4(bytes);
		frame_parse(&frame, bytes, length, 0);
		assert_int_equal(frame.kind, FRAME_UDP);
		assert_int_equal(frame.ecn_marked, ecn == 3);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
