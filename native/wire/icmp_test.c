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
echo_is_answered_as_the_kernel_does(void **state)
{
	uint8_t request[SAMPLE_FRAME_BYTES_MAX] = {0};
	uint8_t bytes[SAMPLE_FRAME_BYTES_MAX];
	uint8_t kernel[SAMPLE_FRAME_BYTES_MAX] = {0};
	struct frame frame;

	(void)state;
	from_hex(request, sample_echo_request);
	frame_parse(&frame, request, 60, 0); /* padded */
	assert_int_equal(frame.kind, FRAME_ICMP_ECHO);
	assert_ptr_equal(frame.payload, request + ETHERNET_BYTES + IPV4_BYTES);
	assert_int_equal(frame.payload_length, ICMP_BYTES + 7);

	/* Except for the identification and its "don't fragment". */
	from_hex(kernel, sample_echo_reply);
	store_be16(kernel + ETHERNET_BYTES + 4, 0);
	store_be16(kernel + ETHERNET_BYTES + 6, 0x4000);
	sample_repair_ipv4(kernel);
	memset(bytes, 0xee, sizeof(bytes));
	assert_int_equal(icmp_echo_reply_write(bytes, &frame), 60);
	assert_memory_equal(bytes, kernel, 60);
	/* In place. */
	assert_int_equal(icmp_echo_reply_write(request, &frame), 60);
	assert_memory_equal(request, kernel, 60);
	/* The reply itself is not for us. */
	assert_int_equal(sample_kind(request, 60, 0), FRAME_FOREIGN);
}

static void
echo_to_everybody_is_foreign(void **state)
{
	uint8_t bytes[SAMPLE_FRAME_BYTES_MAX];
	uint32_t length = from_hex(bytes, sample_echo_request);

	(void)state;
	memcpy(bytes, &mac_broadcast, 6);
	assert_int_equal(sample_kind(bytes, length, 0), FRAME_FOREIGN);
}

static void
unreachable_tells_the_packet_it_answers(void **state)
{
	uint8_t bytes[SAMPLE_FRAME_BYTES_MAX];
	struct frame frame;
	uint32_t length = from_hex(bytes, sample_unreachable);

	(void)state;
	frame_parse(&frame, bytes, length, 0);
	assert_int_equal(frame.kind, FRAME_ICMP_UNREACHABLE);
	assert_int_equal(frame.icmp_code, 3);
	assert_int_equal(frame.source_ip, SAMPLE_IP_A);
	assert_int_equal(frame.destination_ip, SAMPLE_IP_B);
	assert_int_equal(frame.source_port, 4000);
	assert_int_equal(frame.destination_port, 4001);
	assert_int_equal(frame.payload_length, 13);
	assert_memory_equal(frame.payload, "hello, kernel", 13);
}

/* RFC 792 promises no more than 8 bytes of it; then from a router. */
static void
unreachable_may_quote_only_the_udp_header(void **state)
{
	uint8_t bytes[SAMPLE_FRAME_BYTES_MAX];
	struct frame frame;
	uint32_t length = from_hex(bytes, sample_unreachable) - 13;

	(void)state;
	bytes[ETHERNET_BYTES + 15] = 99; /* 10.77.0.99 */
	bytes[ETHERNET_BYTES + IPV4_BYTES + 1] = 1;
	store_be16(bytes + ETHERNET_BYTES + 2, (uint16_t)(length - 14));
	sample_repair_ipv4(bytes);
	sample_repair_icmp(bytes, length);
	frame_parse(&frame, bytes, length, 0);
	assert_int_equal(frame.kind, FRAME_ICMP_UNREACHABLE);
	assert_int_equal(frame.icmp_code, 1);
	assert_int_equal(frame.destination_ip, SAMPLE_IP_B);
	assert_int_equal(frame.destination_port, 4001);
	assert_int_equal(frame.payload_length, 0);
	/* One byte less is too little. */
	store_be16(bytes + ETHERNET_BYTES + 2, (uint16_t)(length - 15));
	sample_repair_ipv4(bytes);
	sample_repair_icmp(bytes, length - 1);
	assert_int_equal(sample_kind(bytes, length - 1, 0), FRAME_MALFORMED);
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
	uint8_t bytes[SAMPLE_FRAME_BYTES_MAX];
	uint8_t *quoted = bytes + ETHERNET_BYTES + IPV4_BYTES + ICMP_BYTES;
	uint32_t length;

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(other); i++) {
		length = from_hex(bytes, sample_unreachable);
		quoted[other[i].at] = other[i].value;
		sample_repair_icmp(bytes, length);
		assert_int_equal(sample_kind(bytes, length, 0), FRAME_FOREIGN);
	}
	/* A router took one off the TTL and marked it: still ours. */
	length = from_hex(bytes, sample_unreachable);
	quoted[1] = 3;
	quoted[8]--;
	sample_repair_icmp(bytes, length);
	assert_int_equal(sample_kind(bytes, length, 0), FRAME_ICMP_UNREACHABLE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echo_is_answered_as_the_kernel_does),
		cmocka_unit_test(echo_to_everybody_is_foreign),
		cmocka_unit_test(unreachable_tells_the_packet_it_answers),
		cmocka_unit_test(unreachable_may_quote_only_the_udp_header),
		cmocka_unit_test(unreachable_of_what_we_do_not_send_is_foreign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
