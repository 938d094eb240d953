/* SPDX-License-Identifier: MIT */
#include "wire/ethernet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/bytes.h"
#include "base/splitmix64.h"
#include "wire/sample_frames.h"
#include "wire/wire_test.h"

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
	uint8_t bytes[SAMPLE_FRAME_BYTES_MAX];
	struct frame frame;

	(void)state;
	frame_parse(&frame, bytes, from_hex(bytes, sample_arp_request), 0);
	assert_int_equal(frame.kind, FRAME_ARP_REQUEST);
	assert_memory_equal(&frame.destination, &mac_broadcast, 6);
	assert_memory_equal(&frame.source, &sample_mac_a, 6);
	assert_memory_equal(&frame.sender_mac, &sample_mac_a, 6);
	assert_int_equal(frame.sender_ip, SAMPLE_IP_A);
	assert_int_equal(frame.target_ip, SAMPLE_IP_B);

	frame_parse(&frame, bytes, from_hex(bytes, sample_arp_reply), 0);
	assert_int_equal(frame.kind, FRAME_ARP_REPLY);
	assert_memory_equal(&frame.destination, &sample_mac_a, 6);
	assert_memory_equal(&frame.sender_mac, &sample_mac_b, 6);
	assert_int_equal(frame.sender_ip, SAMPLE_IP_B);
	assert_int_equal(frame.target_ip, SAMPLE_IP_A);
}

static void
arp_is_written_as_the_kernel_does(void **state)
{
	uint8_t bytes[ETHERNET_FRAME_BYTES_MIN];
	uint8_t kernel[ETHERNET_FRAME_BYTES_MIN];

	(void)state;
	memset(bytes, 0xee, sizeof(bytes));
	memset(kernel, 0, sizeof(kernel));
	from_hex(kernel, sample_arp_request);
	assert_int_equal(arp_request_write(bytes, &sample_mac_a, SAMPLE_IP_A,
				 SAMPLE_IP_B),
		60);
	assert_memory_equal(bytes, kernel, sizeof(bytes));

	memset(bytes, 0xee, sizeof(bytes));
	from_hex(kernel, sample_arp_reply);
	assert_int_equal(arp_reply_write(bytes, &sample_mac_b, SAMPLE_IP_B,
				 &sample_mac_a, SAMPLE_IP_A),
		60);
	assert_memory_equal(bytes, kernel, sizeof(bytes));
}

static void
arp_of_other_kinds_is_foreign(void **state)
{
	static const struct {
		uint8_t at;
		uint8_t value;
	} other[] = {{15, 6}, {16, 0x86}, {18, 8}, {19, 16}, {21, 3}, {20, 1}};
	uint8_t bytes[SAMPLE_FRAME_BYTES_MAX];
	uint32_t length;

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(other); i++) {
		length = from_hex(bytes, sample_arp_request);
		bytes[other[i].at] = other[i].value;
		assert_int_equal(sample_kind(bytes, length, 0), FRAME_FOREIGN);
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
	uint8_t bytes[SAMPLE_FRAME_BYTES_MAX];
	uint32_t length;

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
		length = from_hex(bytes, sample_udp);
		bytes[ETHERNET_BYTES + wrong[i].at] = wrong[i].value;
		sample_repair_ipv4(bytes);
		assert_int_equal(
			sample_kind(bytes, length, 0), FRAME_MALFORMED);
	}
}

static void
every_flipped_bit_is_found(void **state)
{
	uint8_t bytes[SAMPLE_FRAME_BYTES_MAX];
	uint32_t length = from_hex(bytes, sample_udp);

	(void)state;
	for (uint32_t bit = 8 * ETHERNET_BYTES; bit < 8 * length; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(
			sample_kind(bytes, length, 0), FRAME_MALFORMED);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	length = from_hex(bytes, sample_echo_request);
	for (uint32_t bit = 8 * ETHERNET_BYTES; bit < 8 * length; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(
			sample_kind(bytes, length, 0), FRAME_MALFORMED);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static void
options_and_fragments_are_foreign(void **state)
{
	uint8_t bytes[SAMPLE_FRAME_BYTES_MAX];
	uint8_t *ip = bytes + ETHERNET_BYTES;
	uint32_t length;

	(void)state;
	/* The first 4 bytes of UDP are an option now. */
	length = from_hex(bytes, sample_udp);
	ip[0] = 0x46;
	sample_repair_ipv4(bytes);
	assert_int_equal(sample_kind(bytes, length, 0), FRAME_FOREIGN);
	ip[20] ^= 1;
	assert_int_equal(sample_kind(bytes, length, 0), FRAME_MALFORMED);
	/* More fragments, an offset, both. */
	for (uint16_t flags = 0x2000; flags <= 0x4000; flags += 0x2000) {
		length = from_hex(bytes, sample_udp);
		store_be16(ip + 6, flags == 0x4000 ? 0x2010 : flags);
		sample_repair_ipv4(bytes);
		assert_int_equal(sample_kind(bytes, length, 0), FRAME_FOREIGN);
	}
	store_be16(ip + 6, 1);
	sample_repair_ipv4(bytes);
	assert_int_equal(sample_kind(bytes, length, 0), FRAME_FOREIGN);
}

static void
other_protocols_are_foreign(void **state)
{
	uint8_t bytes[SAMPLE_FRAME_BYTES_MAX];
	uint32_t length;

	(void)state;
	length = from_hex(bytes, sample_udp);
	bytes[ETHERNET_BYTES + 9] = 6; /* TCP */
	sample_repair_ipv4(bytes);
	assert_int_equal(sample_kind(bytes, length, 0), FRAME_FOREIGN);
	store_be16(bytes + 12, 0x86dd); /* IPv6 */
	assert_int_equal(sample_kind(bytes, length, 0), FRAME_FOREIGN);
	store_be16(bytes + 12, 0x8100); /* VLAN */
	assert_int_equal(sample_kind(bytes, length, 0), FRAME_FOREIGN);
	store_be16(bytes + 12, 38); /* IEEE 802.3 length */
	assert_int_equal(sample_kind(bytes, length, 0), FRAME_FOREIGN);
}

static void
truncated_frames_are_malformed(void **state)
{
	uint8_t bytes[SAMPLE_FRAME_BYTES_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(sample_frames); i++) {
		uint32_t full = from_hex(bytes, sample_frames[i]);

		for (uint32_t length = 0; length < full; length++)
			assert_int_equal(sample_kind(bytes, length,
						 FRAME_VERIFIED_IPV4 |
							 FRAME_VERIFIED_UDP),
				FRAME_MALFORMED);
		assert_int_not_equal(
			sample_kind(bytes, full, 0), FRAME_MALFORMED);
	}
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
	assert_int_equal(ip, SAMPLE_IP_B);
	assert_true(ipv4_parse(&ip, "255.255.255.255"));
	assert_int_equal(ip, UINT32_MAX);
	assert_true(ipv4_parse(&ip, "0.0.0.0"));
	assert_int_equal(ip, 0);
	for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++)
		assert_false(ipv4_parse(&ip, wrong[i]));
	assert_string_equal(ipv4_format(text, SAMPLE_IP_B), "10.77.0.2");
	assert_string_equal(ipv4_format(text, UINT32_MAX), "255.255.255.255");
	assert_string_equal(ipv4_format(text, 0), "0.0.0.0");
}

static void
mutated_frames_harm_nobody(void **state)
{
	uint8_t originals[ARRAY_LENGTH(sample_frames)][128] = {0};
	uint32_t lengths[ARRAY_LENGTH(sample_frames)];
	uint32_t seen[FRAME_MALFORMED + 1] = {0};
	uint8_t bytes[128];
	uint64_t random = 1;

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(sample_frames); i++)
		lengths[i] = from_hex(originals[i], sample_frames[i]);
	for (uint32_t i = 0; i < 1000000; i++) {
		uint64_t dice = splitmix64(&random);
		uint32_t length = lengths[i % ARRAY_LENGTH(sample_frames)];

		memcpy(bytes, originals[i % ARRAY_LENGTH(sample_frames)], 128);
		for (uint32_t flips = dice & 3; flips > 0; flips--) {
			uint64_t at = splitmix64(&random);

			bytes[at % length] = (uint8_t)(at >> 32);
		}
		if ((dice & 4) != 0)
			length = (uint32_t)(splitmix64(&random) % (length + 8));
		/* Checksums would hide what is behind them. */
		if ((dice & 8) != 0) {
			sample_repair_ipv4(bytes);
			sample_repair_icmp(bytes, u32_max(length, 34));
		}
		seen[sample_kind(bytes, length, (dice >> 4) & 3)]++;
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
		cmocka_unit_test(ipv4_that_contradicts_itself_is_malformed),
		cmocka_unit_test(every_flipped_bit_is_found),
		cmocka_unit_test(options_and_fragments_are_foreign),
		cmocka_unit_test(other_protocols_are_foreign),
		cmocka_unit_test(truncated_frames_are_malformed),
		cmocka_unit_test(ipv4_text_goes_both_ways),
		cmocka_unit_test(mutated_frames_harm_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
