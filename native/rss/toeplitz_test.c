/* SPDX-License-Identifier: MIT */
#include "rss/toeplitz.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/bytes.h"

/* That of Microsoft's verification suite, which many drivers set. */
static const uint8_t key[TOEPLITZ_KEY_BYTES] = {0x6d, 0x5a, 0x56, 0xda, 0x25,
	0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0,
	0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80,
	0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

#define IPV4(a, b, c, d) ((a##u) << 24 | (b##u) << 16 | (c##u) << 8 | (d##u))

/* Microsoft, "Verifying the RSS Hash Calculation", IPv4. */
static const struct {
	uint32_t source_ip;
	uint16_t source_port;
	uint32_t destination_ip;
	uint16_t destination_port;
	uint32_t hash_ip;
	uint32_t hash_ports;
} vectors[] = {
	{IPV4(66, 9, 149, 187), 2794, IPV4(161, 142, 100, 80), 1766, 0x323e8fc2,
		0x51ccc178},
	{IPV4(199, 92, 111, 2), 14230, IPV4(65, 69, 140, 83), 4739, 0xd718262a,
		0xc626b0ea},
	{IPV4(24, 19, 198, 95), 12898, IPV4(12, 22, 207, 184), 38024,
		0xd2d0a5de, 0x5c2b394a},
	{IPV4(38, 27, 205, 30), 48228, IPV4(209, 142, 163, 6), 2217, 0x82989176,
		0xafc7327f},
	{IPV4(153, 39, 163, 191), 44251, IPV4(202, 188, 127, 2), 1303,
		0x5d1809c5, 0x10e828a2},
};

/* The same, IPv6. */
static const struct {
	uint8_t source_ip[16];
	uint16_t source_port;
	uint8_t destination_ip[16];
	uint16_t destination_port;
	uint32_t hash_ip;
	uint32_t hash_ports;
} vectors6[] = {
	{{0x3f, 0xfe, 0x25, 0x01, 0x02, 0x00, 0x1f, 0xff, [15] = 0x07}, 2794,
		{0x3f, 0xfe, 0x25, 0x01, 0x02, 0x00, 0x00, 0x03, [15] = 0x01},
		1766, 0x2cc18cd5, 0x40207d3d},
	{{0x3f, 0xfe, 0x05, 0x01, 0x00, 0x08, 0x00, 0x00, 0x02, 0x60, 0x97,
		 0xff, 0xfe, 0x40, 0xef, 0xab},
		14230, {0xff, 0x02, [15] = 0x01}, 4739, 0x0f0c461c, 0xdde51bbf},
	{{0x3f, 0xfe, 0x19, 0x00, 0x45, 0x45, 0x00, 0x03, 0x02, 0x00, 0xf8,
		 0xff, 0xfe, 0x21, 0x67, 0xcf},
		44251,
		{0xfe, 0x80, [8] = 0x02, 0x00, 0xf8, 0xff, 0xfe, 0x21, 0x67,
			0xcf},
		38024, 0x4b61e985, 0x02d1feef},
};

static void
input_write(uint8_t *input, size_t i)
{
	store_be32(input, vectors[i].source_ip);
	store_be32(input + 4, vectors[i].destination_ip);
	store_be16(input + 8, vectors[i].source_port);
	store_be16(input + 10, vectors[i].destination_port);
}

static void
the_verification_suite_holds(void **state)
{
	uint8_t input[12];

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(vectors); i++) {
		input_write(input, i);
		assert_int_equal(
			toeplitz_hash(key, input, 8), vectors[i].hash_ip);
		assert_int_equal(
			toeplitz_hash(key, input, 12), vectors[i].hash_ports);
	}
}

static void
the_verification_suite_holds_for_ipv6(void **state)
{
	uint8_t input[36];

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(vectors6); i++) {
		memcpy(input, vectors6[i].source_ip, 16);
		memcpy(input + 16, vectors6[i].destination_ip, 16);
		store_be16(input + 32, vectors6[i].source_port);
		store_be16(input + 34, vectors6[i].destination_port);
		assert_int_equal(
			toeplitz_hash(key, input, 32), vectors6[i].hash_ip);
		assert_int_equal(
			toeplitz_hash(key, input, 36), vectors6[i].hash_ports);
	}
}

/* What the learner relies on. */
static void
it_is_linear(void **state)
{
	uint8_t a[12], b[12], sum[12];

	(void)state;
	input_write(a, 0);
	input_write(b, 1);
	for (size_t i = 0; i < sizeof(sum); i++)
		sum[i] = a[i] ^ b[i];
	assert_int_equal(toeplitz_hash(key, sum, 12),
		toeplitz_hash(key, a, 12) ^ toeplitz_hash(key, b, 12));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_verification_suite_holds),
		cmocka_unit_test(the_verification_suite_holds_for_ipv6),
		cmocka_unit_test(it_is_linear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
