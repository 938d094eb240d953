/* SPDX-License-Identifier: MIT */
#include "wire/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/splitmix64.h"
#include "wire/wire_test.h"

#define PACKET_BYTES_MAX 512

static const struct wire_syn syn = {
	.client = 0x01020304,
	.port = 888,
	.mtu = 1500,
	.answer_from = 0x1122,
	.answer_to = 0x3344,
	.engine = WIRE_ENGINE_ANY,
	.flags = WIRE_SYN_UNORDERED,
	.key = 0x0102030405060708,
};

static const struct wire_cookie cookie = {
	.mac = {0x1111111111111111, 0x2222222222222222},
	.time_ms = 0x33333333,
	.engine = 3,
};

static const struct wire_answer answer = {
	.cookie = {{0x1111111111111111, 0x2222222222222222}, 0x33333333, 3},
	.owner = 2,
	.engines = 4,
	.mtu = 9000,
	.instance = 0xa1a2a3a4a5a6a7a8,
	.nic_key = {0x0001020304, 0x0000000004, true, true},
};

static const struct wire_accept accept_fields = {
	.server = 0x0a0b0c0d,
	.fragment_bytes = 1400,
	.queue = 5,
	.key = 0x5152535455565758,
	.instance = 0xa1a2a3a4a5a6a7a8,
	.first_number = 0xf1f2f3f4f5f6f7f8,
};

static const struct wire_reset reset = {
	.key = 0x5152535455565758,
	.echo = 0x0807060504030201,
	.echo_connection = 0x0d0c0b0a,
	.status = MACHNET_CONNECTION_REFUSED,
	.reason_length = 3,
	.reason = (const uint8_t *)"why",
};

static uint32_t
write_syn(uint8_t *bytes)
{
	return wire_syn_write(bytes, 0x1020304050607080, &syn);
}

static uint32_t
write_answer(uint8_t *bytes)
{
	return wire_answer_write(bytes, 7, 0x1020304050607080, &answer);
}

static uint32_t
write_confirm(uint8_t *bytes)
{
	const struct wire_confirm confirm = {
		.syn = syn,
		.cookie = cookie,
		.instance = 0xb1b2b3b4b5b6b7b8,
		.first_number = 0xc1c2c3c4c5c6c7c8,
		.engines = 8,
		.syn_from = 0x7801,
		.syn_to = 0x7802,
		.send_from = 0x7803,
		.send_to = 0x7804,
		.nic_key = {0x0001020304, 0x0000000004, true, true},
		.method = 4,
		.probes = 0x0a0b,
		.rounds = 3,
		.setup_us = 0x0c0d0e0f,
	};

	return wire_confirm_write(bytes, 0x1020304050607080, &confirm);
}

static uint32_t
write_accept(uint8_t *bytes)
{
	return wire_accept_write(bytes, 7, 0x1020304050607080, &accept_fields);
}

/* An ACK with one word, "abc" of a message, FIN. */
static uint32_t
write_data(uint8_t *bytes)
{
	const struct wire_header header = {
		.type = WIRE_DATA,
		.flags = WIRE_FLAG_ACK,
		.connection = 7,
		.number = 0x1020304050607080,
	};
	const struct wire_ack ack = {
		.largest = 0x0123456789abcdef,
		.hold_ns = 1000,
		.message_limit = 64,
		.credit = 32,
		.words_length = 1,
		.words = {0xfffffffffffffffe},
	};
	const struct wire_frame message = {
		.kind = WIRE_FRAME_MESSAGE,
		.length = 3,
		.message = 5,
		.total = 0x10003,
		.offset = 0x10000,
	};
	const struct wire_frame reply = {
		.kind = WIRE_FRAME_REPLY,
		.length = 2,
		.message = 6,
		.total = 2,
		.request = 0x87654321,
	};
	const struct wire_frame fin = {.kind = WIRE_FRAME_FIN, .message = 7};
	uint32_t length = wire_header_write(bytes, &header);

	length += wire_ack_write(bytes + length, &ack);
	length += wire_frame_write(bytes + length, &message);
	memcpy(bytes + length, "abc", 3);
	length += 3;
	length += wire_frame_write(bytes + length, &reply);
	memcpy(bytes + length, "de", 2);
	length += 2;
	return length + wire_frame_write(bytes + length, &fin);
}

static uint32_t
write_reset(uint8_t *bytes)
{
	return wire_reset_write(bytes, 7, &reset);
}

static const struct wire_ping ping = {
	.instance = 0xa1a2a3a4a5a6a7a8,
	.answer_from = 0x7801,
	.answer_to = 0x7802,
};

static uint32_t
write_ping(uint8_t *bytes)
{
	return wire_ping_write(
		bytes, WIRE_PING, 0x00140000, 0x1020304050607080, &ping);
}

static uint32_t
write_pong(uint8_t *bytes)
{
	return wire_ping_write(
		bytes, WIRE_PONG, 0x00140000, 0x1020304050607080, &ping);
}

/* An ACK with two words. */
static uint32_t
write_ack(uint8_t *bytes)
{
	const struct wire_header header = {
		.type = WIRE_ACK,
		.flags = WIRE_FLAG_ACK,
		.connection = 7,
		.number = 0x1020304050607080,
	};
	const struct wire_ack ack = {
		.largest = 1,
		.words_length = 2,
		.occupancy = 0xb5,
		.marked = 0xd7c6,
		.words = {2, 3},
	};

	return wire_header_write(bytes, &header) +
	       wire_ack_write(bytes + WIRE_HEADER_BYTES, &ack);
}

/* All frames of DATA or ACK; false if any of it is malformed. */
static bool
walk_is_valid(uint8_t type, const uint8_t *bytes, uint32_t length)
{
	struct wire_header header;
	struct wire_reader reader;
	struct wire_frame frame;
	struct wire_ack ack;
	volatile uint8_t last;
	int result;

	if (!wire_header_read(&header, bytes, length))
		return false;
	if (header.type != type ||
		!wire_reader_init(&reader, &header, &ack, bytes, length))
		return false;
	while ((result = wire_reader_next(&reader, &frame)) == 1) {
		assert_true(frame.total <= MACHNET_MESSAGE_BYTES_MAX);
		assert_true(frame.offset <= frame.total);
		assert_true(frame.length <= frame.total - frame.offset);
		/* For ASan: the payload is in the packet. */
		if (frame.length != 0)
			last = frame.payload[frame.length - 1];
	}
	(void)last;
	return result == 0;
}

static bool
data_is_valid(const uint8_t *bytes, uint32_t length)
{
	return walk_is_valid(WIRE_DATA, bytes, length);
}

static bool
ack_is_valid(const uint8_t *bytes, uint32_t length)
{
	return walk_is_valid(WIRE_ACK, bytes, length);
}

static bool
syn_is_valid(const uint8_t *bytes, uint32_t length)
{
	struct wire_syn read;

	return wire_syn_read(&read, bytes, length);
}

static bool
answer_is_valid(const uint8_t *bytes, uint32_t length)
{
	struct wire_answer read;

	return wire_answer_read(&read, bytes, length);
}

static bool
confirm_is_valid(const uint8_t *bytes, uint32_t length)
{
	struct wire_confirm read;

	return wire_confirm_read(&read, bytes, length);
}

static bool
accept_is_valid(const uint8_t *bytes, uint32_t length)
{
	struct wire_accept read;

	return wire_accept_read(&read, bytes, length);
}

static bool
reset_is_valid(const uint8_t *bytes, uint32_t length)
{
	struct wire_reset read;
	volatile uint8_t last;

	if (!wire_reset_read(&read, bytes, length))
		return false;
	if (read.reason_length != 0)
		last = read.reason[read.reason_length - 1];
	(void)last;
	return true;
}

static bool
ping_is_valid(const uint8_t *bytes, uint32_t length)
{
	struct wire_ping read;

	return wire_ping_read(&read, bytes, length);
}

#define GOLDEN_NUMBER "8070605040302010"
#define GOLDEN_SYN "04030201 7803 dc05 2211 4433 ffff 0100 0807060504030201"
#define GOLDEN_COOKIE "1111111111111111 2222222222222222 33333333 0300"

static const struct {
	uint8_t type;
	uint32_t (*write)(uint8_t *bytes);
	bool (*is_valid)(const uint8_t *bytes, uint32_t length);
	/* Hexadecimal; the SYN goes on with zeros. */
	const char *golden;
} packets[] = {
	{WIRE_SYN, write_syn, syn_is_valid,
		"01010000 00000000" GOLDEN_NUMBER GOLDEN_SYN},
	{WIRE_ANSWER, write_answer, answer_is_valid,
		"01020000 07000000" GOLDEN_NUMBER GOLDEN_COOKIE
		"0200 0400 2823 a8a7a6a5a4a3a2a1 0403020180 0400000080 0000"},
	{WIRE_CONFIRM, write_confirm, confirm_is_valid,
		"01030000 00000000" GOLDEN_NUMBER GOLDEN_SYN GOLDEN_COOKIE
		"0800 b8b7b6b5b4b3b2b1 c8c7c6c5c4c3c2c1"
		"0178 0278 0378 0478 0403020180 0400000080"
		"0400 0b0a 0300 0f0e0d0c"},
	{WIRE_ACCEPT, write_accept, accept_is_valid,
		"01040000 07000000" GOLDEN_NUMBER
		"0d0c0b0a 7805 0500 5857565554535251"
		"a8a7a6a5a4a3a2a1 f8f7f6f5f4f3f2f1"},
	{WIRE_DATA, write_data, data_is_valid,
		"01050100 07000000" GOLDEN_NUMBER
		"efcdab8967452301 e8030000 40000000 2000 01 00 00000000"
		"feffffffffffffff"
		"01 00 0300 05000000 03000100 00000100 616263"
		"04 00 0200 06000000 02000000 00000000 21436587 6465"
		"02 00 0000 07000000 00000000 00000000"},
	{WIRE_RESET, write_reset, reset_is_valid,
		"01060000 07000000 0000000000000000 5857565554535251"
		"0102030405060708 0a0b0c0d eaff 0300 776879"},
	{WIRE_PING, write_ping, ping_is_valid,
		"01070000 00001400" GOLDEN_NUMBER "a8a7a6a5a4a3a2a1 0178 0278"},
	{WIRE_PONG, write_pong, ping_is_valid,
		"01080000 00001400" GOLDEN_NUMBER "a8a7a6a5a4a3a2a1 0178 0278"},
	{WIRE_ACK, write_ack, ack_is_valid,
		"01090100 07000000" GOLDEN_NUMBER
		"0100000000000000 00000000 00000000 0000 02 b5 c6d7 0000"
		"0200000000000000 0300000000000000"},
};

/* In memory of just this length, so that ASan sees what reads too far. */
static bool
is_valid_exactly(bool (*is_valid)(const uint8_t *, uint32_t),
	const uint8_t *bytes, uint32_t length)
{
	uint8_t *copy = malloc(length != 0 ? length : 1);
	bool valid;

	assert_non_null(copy);
	memcpy(copy, bytes, length);
	valid = is_valid(copy, length);
	free(copy);
	return valid;
}

static void
packets_have_their_golden_bytes(void **state)
{
	uint8_t bytes[PACKET_BYTES_MAX];
	uint8_t golden[PACKET_BYTES_MAX];
	uint32_t length;

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(packets); i++) {
		memset(golden, 0, sizeof(golden));
		length = from_hex(golden, packets[i].golden);
		if (packets[i].type == WIRE_SYN)
			length = WIRE_HANDSHAKE_BYTES;
		memset(bytes, 0xee, sizeof(bytes));
		assert_int_equal(packets[i].write(bytes), length);
		assert_memory_equal(bytes, golden, length);
		assert_int_equal(bytes[length], 0xee);
	}
}

static void
header_survives_the_round_trip(void **state)
{
	const struct wire_header header = {
		.type = WIRE_DATA,
		.flags = WIRE_FLAG_ACK,
		.connection = 0xfedcba98,
		.number = UINT64_MAX - 1,
	};
	struct wire_header read;
	uint8_t bytes[WIRE_HEADER_BYTES];

	(void)state;
	assert_int_equal(wire_header_write(bytes, &header), sizeof(bytes));
	assert_true(wire_header_read(&read, bytes, sizeof(bytes)));
	assert_int_equal(read.type, header.type);
	assert_int_equal(read.flags, header.flags);
	assert_int_equal(read.connection, header.connection);
	assert_int_equal(read.number, header.number);
}

static void
header_refuses_what_the_version_does_not_know(void **state)
{
	static const struct {
		uint8_t at;
		uint8_t value;
	} wrong[] = {
		{0, 0},
		{0, 2},
		{1, 0},
		{1, 10},
		{2, WIRE_FLAG_KEY_PHASE},
		{2, WIRE_FLAG_TAG},
		{2, 16},
		{3, 1},
	};
	struct wire_header header;
	uint8_t bytes[PACKET_BYTES_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
		write_data(bytes);
		bytes[wrong[i].at] = wrong[i].value;
		assert_false(
			wire_header_read(&header, bytes, WIRE_HEADER_BYTES));
		write_ping(bytes);
		bytes[wrong[i].at] = wrong[i].value;
		assert_false(
			wire_header_read(&header, bytes, WIRE_HEADER_BYTES));
	}
	/* No other carries an ACK, and an ACK does. */
	write_syn(bytes);
	bytes[2] = WIRE_FLAG_ACK;
	assert_false(wire_header_read(&header, bytes, WIRE_HEADER_BYTES));
	write_ack(bytes);
	bytes[2] = 0;
	assert_false(wire_header_read(&header, bytes, WIRE_HEADER_BYTES));
	write_data(bytes);
	for (uint32_t length = 0; length < WIRE_HEADER_BYTES; length++)
		assert_false(wire_header_read(&header, bytes, length));
}

static void
handshake_survives_the_round_trip(void **state)
{
	struct wire_syn syn_read = {0}, syn_again;
	struct wire_answer answer_read = {0};
	struct wire_confirm confirm_read = {0};
	struct wire_accept accept_read = {0};
	uint8_t bytes[PACKET_BYTES_MAX];

	(void)state;
	assert_true(wire_syn_read(&syn_read, bytes, write_syn(bytes)));
	assert_memory_equal(&syn_read, &syn, sizeof(syn));

	syn_again = syn;
	syn_again.flags |= WIRE_SYN_AGAIN;
	syn_again.cookie = cookie;
	assert_true(wire_syn_read(
		&syn_read, bytes, wire_syn_write(bytes, 1, &syn_again)));
	assert_memory_equal(&syn_read, &syn_again, sizeof(syn));

	assert_true(wire_answer_read(&answer_read, bytes, write_answer(bytes)));
	assert_memory_equal(answer_read.cookie.mac, cookie.mac, 16);
	assert_int_equal(answer_read.cookie.time_ms, cookie.time_ms);
	assert_int_equal(answer_read.cookie.engine, cookie.engine);
	assert_int_equal(answer_read.owner, answer.owner);
	assert_int_equal(answer_read.engines, answer.engines);
	assert_int_equal(answer_read.mtu, answer.mtu);
	assert_int_equal(answer_read.instance, answer.instance);
	assert_int_equal(answer_read.nic_key.known, answer.nic_key.known);
	assert_int_equal(answer_read.nic_key.value, answer.nic_key.value);
	assert_true(answer_read.nic_key.told);
	assert_true(answer_read.nic_key.strays);

	assert_true(
		wire_confirm_read(&confirm_read, bytes, write_confirm(bytes)));
	assert_memory_equal(&confirm_read.syn, &syn, sizeof(syn));
	assert_memory_equal(confirm_read.cookie.mac, cookie.mac, 16);
	assert_int_equal(confirm_read.cookie.time_ms, cookie.time_ms);
	assert_int_equal(confirm_read.cookie.engine, cookie.engine);
	assert_int_equal(confirm_read.instance, 0xb1b2b3b4b5b6b7b8);
	assert_int_equal(confirm_read.first_number, 0xc1c2c3c4c5c6c7c8);
	assert_int_equal(confirm_read.engines, 8);
	assert_int_equal(confirm_read.syn_from, 0x7801);
	assert_int_equal(confirm_read.syn_to, 0x7802);
	assert_int_equal(confirm_read.send_from, 0x7803);
	assert_int_equal(confirm_read.send_to, 0x7804);
	assert_int_equal(confirm_read.nic_key.known, answer.nic_key.known);
	assert_int_equal(confirm_read.nic_key.value, answer.nic_key.value);
	assert_true(confirm_read.nic_key.told);
	assert_true(confirm_read.nic_key.strays);
	assert_int_equal(confirm_read.method, 4);
	assert_int_equal(confirm_read.probes, 0x0a0b);
	assert_int_equal(confirm_read.rounds, 3);
	assert_int_equal(confirm_read.setup_us, 0x0c0d0e0f);

	assert_true(wire_accept_read(&accept_read, bytes, write_accept(bytes)));
	assert_int_equal(accept_read.server, accept_fields.server);
	assert_int_equal(
		accept_read.fragment_bytes, accept_fields.fragment_bytes);
	assert_int_equal(accept_read.queue, accept_fields.queue);
	assert_int_equal(accept_read.key, accept_fields.key);
	assert_int_equal(accept_read.instance, accept_fields.instance);
	assert_int_equal(accept_read.first_number, accept_fields.first_number);
}

static void
reset_and_ping_survive_the_round_trip(void **state)
{
	struct wire_reset longest = reset;
	struct wire_reset read;
	uint8_t reason[MACHNET_REASON_BYTES_MAX];
	uint8_t bytes[PACKET_BYTES_MAX];
	struct wire_ping ping_read;

	(void)state;
	assert_true(wire_reset_read(&read, bytes, write_reset(bytes)));
	assert_int_equal(read.key, reset.key);
	assert_int_equal(read.echo, reset.echo);
	assert_int_equal(read.echo_connection, reset.echo_connection);
	assert_int_equal(read.status, MACHNET_CONNECTION_REFUSED);
	assert_int_equal(read.reason_length, 3);
	assert_memory_equal(read.reason, "why", 3);

	memset(reason, 'x', sizeof(reason));
	longest.reason = reason;
	longest.reason_length = sizeof(reason);
	assert_true(wire_reset_read(
		&read, bytes, wire_reset_write(bytes, 7, &longest)));
	assert_int_equal(read.reason_length, sizeof(reason));
	assert_memory_equal(read.reason, reason, sizeof(reason));

	longest.reason = NULL;
	longest.reason_length = 0;
	assert_int_equal(
		wire_reset_write(bytes, 7, &longest), WIRE_RESET_BYTES);
	assert_true(wire_reset_read(&read, bytes, WIRE_RESET_BYTES));
	assert_int_equal(read.reason_length, 0);

	assert_true(wire_ping_read(&ping_read, bytes, write_ping(bytes)));
	assert_int_equal(ping_read.instance, ping.instance);
	assert_int_equal(ping_read.answer_from, ping.answer_from);
	assert_int_equal(ping_read.answer_to, ping.answer_to);
	assert_true(wire_ping_read(&ping_read, bytes, write_pong(bytes)));
}

/*
 * A DATA packet cut between frames is a shorter packet; every other cut of
 * every packet is malformed. The same for a byte too many.
 */
static void
truncated_packets_are_refused(void **state)
{
	const uint32_t ack_end =
		WIRE_HEADER_BYTES + WIRE_ACK_BYTES + sizeof(uint64_t);
	const uint32_t message_end = ack_end + WIRE_FRAME_BYTES + 3;
	uint8_t bytes[PACKET_BYTES_MAX] = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(packets); i++) {
		uint32_t full = packets[i].write(bytes);

		for (uint32_t length = 0; length < full; length++) {
			bool between =
				packets[i].type == WIRE_DATA &&
				(length == ack_end || length == message_end ||
					length == full - WIRE_FRAME_BYTES);

			assert_int_equal(is_valid_exactly(packets[i].is_valid,
						 bytes, length),
				between);
		}
		assert_true(is_valid_exactly(packets[i].is_valid, bytes, full));
		bytes[full] = 0;
		/* An answer may go on. */
		assert_int_equal(
			is_valid_exactly(packets[i].is_valid, bytes, full + 1),
			packets[i].type == WIRE_ANSWER);
	}
	write_answer(bytes);
	assert_true(answer_is_valid(bytes, WIRE_HANDSHAKE_BYTES));
	assert_false(answer_is_valid(bytes, WIRE_HANDSHAKE_BYTES + 1));
}

static void
readers_take_only_their_own_type(void **state)
{
	uint8_t bytes[PACKET_BYTES_MAX] = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(packets); i++) {
		uint32_t length = packets[i].write(bytes);

		for (uint8_t type = 0; type <= WIRE_ACK + 1; type++) {
			bool pair = packets[i].is_valid == ping_is_valid &&
				    (type == WIRE_PING || type == WIRE_PONG);

			bytes[1] = type;
			assert_int_equal(packets[i].is_valid(bytes, length),
				pair || type == packets[i].type);
		}
	}
}

static void
handshake_refuses_what_the_format_does_not_allow(void **state)
{
	uint8_t bytes[PACKET_BYTES_MAX];

	(void)state;
	write_syn(bytes);
	bytes[4] = 1; /* a connection, before there is one */
	assert_false(syn_is_valid(bytes, WIRE_HANDSHAKE_BYTES));
	write_syn(bytes);
	bytes[30] = 4; /* an unknown flag */
	assert_false(syn_is_valid(bytes, WIRE_HANDSHAKE_BYTES));
	assert_false(confirm_is_valid(bytes, write_confirm(bytes) + 1));
	write_confirm(bytes);
	bytes[31] = 1;
	assert_false(confirm_is_valid(bytes, 108));
	write_confirm(bytes);
	bytes[30] = WIRE_SYN_AGAIN;
	assert_false(confirm_is_valid(bytes, 108));
	write_reset(bytes);
	bytes[39] = 1; /* a reason of 259 bytes, and they are there */
	assert_false(reset_is_valid(bytes, WIRE_RESET_BYTES + 259));
}

static uint32_t
write_ack_packet(uint8_t *bytes, const struct wire_ack *ack)
{
	const struct wire_header header = {
		.type = WIRE_DATA,
		.flags = WIRE_FLAG_ACK,
	};

	return wire_header_write(bytes, &header) +
	       wire_ack_write(bytes + WIRE_HEADER_BYTES, ack);
}

static bool
read_ack_packet(struct wire_ack *ack, const uint8_t *bytes, uint32_t length)
{
	struct wire_header header;
	struct wire_reader reader;
	struct wire_frame frame;

	assert_true(wire_header_read(&header, bytes, length));
	if (!wire_reader_init(&reader, &header, ack, bytes, length))
		return false;
	assert_int_equal(wire_reader_next(&reader, &frame), 0);
	return true;
}

static void
ack_words_that_are_not_sent_mean_received(void **state)
{
	struct wire_ack ack = {
		.largest = 1000,
		.hold_ns = UINT32_MAX,
		.message_limit = 0x80000000,
		.credit = UINT16_MAX,
		.flags = WIRE_ACK_MISDIRECTED,
		.words = {1, 2, 3, 1ull << 63},
	};
	struct wire_ack read;
	uint8_t bytes[PACKET_BYTES_MAX];
	uint32_t length;

	(void)state;
	for (uint8_t words = 0; words <= WIRE_ACK_WORDS_MAX; words++) {
		ack.words_length = words;
		memset(&read, 0, sizeof(read));
		length = write_ack_packet(bytes, &ack);
		assert_int_equal(length,
			WIRE_HEADER_BYTES + WIRE_ACK_BYTES + 8u * words);
		assert_true(read_ack_packet(&read, bytes, length));
		assert_int_equal(read.largest, 1000);
		assert_int_equal(read.hold_ns, UINT32_MAX);
		assert_int_equal(read.message_limit, 0x80000000);
		assert_int_equal(read.credit, UINT16_MAX);
		assert_int_equal(read.flags, WIRE_ACK_MISDIRECTED);
		assert_int_equal(read.words_length, words);
		for (uint32_t i = 0; i < WIRE_ACK_WORDS_MAX; i++)
			assert_int_equal(read.words[i],
				i < words ? ack.words[i] : UINT64_MAX);
	}
}

static void
ack_refuses_what_the_format_does_not_allow(void **state)
{
	const struct wire_ack ack = {.words_length = WIRE_ACK_WORDS_MAX};
	const struct wire_frame fin = {.kind = WIRE_FRAME_FIN};
	struct wire_ack read;
	uint8_t bytes[PACKET_BYTES_MAX] = {0};
	uint32_t length;

	(void)state;
	length = write_ack_packet(bytes, &ack);
	bytes[WIRE_HEADER_BYTES + 18] = 5;
	assert_false(read_ack_packet(&read, bytes, length + 8));
	/* A frame would make it DATA. */
	length = write_ack(bytes);
	length += wire_frame_write(bytes + length, &fin);
	assert_false(ack_is_valid(bytes, length));
}

/* Reads one frame, with its payload if it is not too long. */
static int
read_frame(struct wire_frame *read, const struct wire_frame *frame,
	uint32_t payload_bytes)
{
	const struct wire_header header = {.type = WIRE_DATA};
	struct wire_reader reader;
	struct wire_ack ack;
	uint8_t bytes[PACKET_BYTES_MAX] = {0};
	uint32_t length = wire_header_write(bytes, &header);
	int result;

	length += wire_frame_write(bytes + length, frame) + payload_bytes;
	assert_true(wire_reader_init(&reader, &header, &ack, bytes, length));
	result = wire_reader_next(&reader, read);
	/* What is malformed stays so; what is not ends here. */
	assert_int_equal(
		wire_reader_next(&reader, read), result == 1 ? 0 : result);
	return result;
}

static void
frames_are_checked(void **state)
{
	enum { MAX = MACHNET_MESSAGE_BYTES_MAX };
	static const struct {
		struct wire_frame frame;
		uint32_t payload_bytes;
		int result;
	} cases[] = {
		{{WIRE_FRAME_MESSAGE, 0, 1, 0, 0}, 0, 1},
		{{WIRE_FRAME_MESSAGE, 9, 1, 9, 0}, 9, 1},
		{{WIRE_FRAME_MESSAGE, 9, UINT32_MAX, MAX, MAX - 9}, 9, 1},
		{{WIRE_FRAME_FIN, 0, 1, 0, 0}, 0, 1},
		{{WIRE_FRAME_REQUEST, 0, 1, 0, 0, UINT32_MAX}, 0, 1},
		{{WIRE_FRAME_REPLY, 9, 1, 9, 0, 1}, 9, 1},
		{{WIRE_FRAME_FAILURE, 9, 1, MAX, MAX - 9, 2}, 9, 1},
		{{WIRE_FRAME_CANCEL, 0, 1, 0, 0, 0}, 0, 1},
		/* unknown kinds */
		{{0, 9, 1, 9, 0}, 9, -1},
		{{7, 9, 1, 9, 0}, 9, -1},
		{{UINT8_MAX, 9, 1, 9, 0}, 9, -1},
		/* the payload is not all there */
		{{WIRE_FRAME_MESSAGE, 9, 1, 9, 0}, 8, -1},
		{{WIRE_FRAME_MESSAGE, UINT16_MAX, 1, MAX, 0}, 9, -1},
		{{WIRE_FRAME_REPLY, 9, 1, 9, 0, 1}, 8, -1},
		/* beyond the message */
		{{WIRE_FRAME_MESSAGE, 9, 1, 9, 1}, 9, -1},
		{{WIRE_FRAME_MESSAGE, 9, 1, 8, 0}, 9, -1},
		{{WIRE_FRAME_MESSAGE, 9, 1, MAX, UINT32_MAX - 4}, 9, -1},
		{{WIRE_FRAME_MESSAGE, 9, 1, MAX, MAX - 8}, 9, -1},
		{{WIRE_FRAME_MESSAGE, 0, 1, 0, 1}, 0, -1},
		/* too large a message */
		{{WIRE_FRAME_MESSAGE, 9, 1, MAX + 1, 0}, 9, -1},
		{{WIRE_FRAME_REQUEST, 9, 1, MAX + 1, 0, 1}, 9, -1},
		/* nothing of a message that is something */
		{{WIRE_FRAME_MESSAGE, 0, 1, 9, 0}, 0, -1},
		{{WIRE_FRAME_CANCEL, 0, 1, 9, 0, 1}, 0, -1},
		/* FIN with anything */
		{{WIRE_FRAME_FIN, 1, 1, 1, 0}, 1, -1},
		{{WIRE_FRAME_FIN, 1, 1, 0, 0}, 1, -1},
		{{WIRE_FRAME_FIN, 0, 1, 1, 0}, 0, -1},
		{{WIRE_FRAME_FIN, 0, 1, 0, 1}, 0, -1},
	};
	struct wire_frame read;

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		const struct wire_frame *frame = &cases[i].frame;

		assert_int_equal(
			read_frame(&read, frame, cases[i].payload_bytes),
			cases[i].result);
		if (cases[i].result != 1)
			continue;
		assert_int_equal(read.kind, frame->kind);
		assert_int_equal(read.length, frame->length);
		assert_int_equal(read.message, frame->message);
		assert_int_equal(read.total, frame->total);
		assert_int_equal(read.offset, frame->offset);
		assert_int_equal(read.request, frame->request);
	}
}

static void
frame_flags_and_packets_without_ack(void **state)
{
	const struct wire_header header = {.type = WIRE_DATA};
	const struct wire_frame fin = {.kind = WIRE_FRAME_FIN};
	struct wire_ack ack = {.credit = 77};
	struct wire_reader reader;
	struct wire_frame frame;
	uint8_t bytes[WIRE_HEADER_BYTES + WIRE_FRAME_BYTES];

	(void)state;
	wire_header_write(bytes, &header);
	wire_frame_write(bytes + WIRE_HEADER_BYTES, &fin);
	assert_true(wire_reader_init(
		&reader, &header, &ack, bytes, WIRE_HEADER_BYTES));
	assert_int_equal(wire_reader_next(&reader, &frame), 0);
	assert_int_equal(ack.credit, 77);
	bytes[WIRE_HEADER_BYTES + 1] = 1;
	assert_false(data_is_valid(bytes, sizeof(bytes)));
}

static uint32_t
mutate(uint8_t *bytes, uint32_t length, uint64_t *random)
{
	uint64_t dice = splitmix64(random);

	for (uint32_t flips = dice & 3; flips > 0; flips--) {
		uint64_t at = splitmix64(random);

		bytes[at % length] = (uint8_t)(at >> 32);
	}
	if ((dice & 4) != 0)
		length = (uint32_t)(splitmix64(random) % (length + 8));
	return length;
}

static void
mutated_packets_harm_nobody(void **state)
{
	uint8_t bytes[PACKET_BYTES_MAX];
	uint64_t random = 1;
	uint32_t valid = 0;

	(void)state;
	for (uint32_t i = 0; i < 1000000; i++) {
		uint32_t length;

		memset(bytes, 0, sizeof(bytes));
		length = packets[i % ARRAY_LENGTH(packets)].write(bytes);
		length = mutate(bytes, length, &random);
		for (size_t j = 0; j < ARRAY_LENGTH(packets); j++)
			valid += is_valid_exactly(
				packets[j].is_valid, bytes, length);
	}
	/* Both answers were given often. */
	assert_in_range(valid, 100000, 1900000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_have_their_golden_bytes),
		cmocka_unit_test(header_survives_the_round_trip),
		cmocka_unit_test(header_refuses_what_the_version_does_not_know),
		cmocka_unit_test(handshake_survives_the_round_trip),
		cmocka_unit_test(reset_and_ping_survive_the_round_trip),
		cmocka_unit_test(truncated_packets_are_refused),
		cmocka_unit_test(readers_take_only_their_own_type),
		cmocka_unit_test(
			handshake_refuses_what_the_format_does_not_allow),
		cmocka_unit_test(ack_words_that_are_not_sent_mean_received),
		cmocka_unit_test(ack_refuses_what_the_format_does_not_allow),
		cmocka_unit_test(frames_are_checked),
		cmocka_unit_test(frame_flags_and_packets_without_ack),
		cmocka_unit_test(mutated_packets_harm_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
