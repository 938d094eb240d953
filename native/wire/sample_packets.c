/* SPDX-License-Identifier: MIT */
#include "wire/sample_packets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

const struct wire_syn sample_syn = {
	.client = 0x01020304,
	.port = 888,
	.mtu = 1500,
	.answer_from = 0x1122,
	.answer_to = 0x3344,
	.engine = WIRE_ENGINE_ANY,
	.flags = WIRE_SYN_UNORDERED,
	.key = 0x0102030405060708,
};

const struct wire_cookie sample_cookie = {
	.mac = {0x1111111111111111, 0x2222222222222222},
	.time_ms = 0x33333333,
	.engine = 3,
};

const struct wire_answer sample_answer = {
	.cookie = {{0x1111111111111111, 0x2222222222222222}, 0x33333333, 3},
	.owner = 2,
	.engines = 4,
	.mtu = 9000,
	.instance = 0xa1a2a3a4a5a6a7a8,
	.nic_key = {0x0001020304, 0x0000000004, true, true},
};

const struct wire_accept sample_accept = {
	.server = 0x0a0b0c0d,
	.fragment_bytes = 1400,
	.queue = 5,
	.key = 0x5152535455565758,
	.instance = 0xa1a2a3a4a5a6a7a8,
	.first_number = 0xf1f2f3f4f5f6f7f8,
};

const struct wire_reset sample_reset = {
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
	return wire_syn_write(bytes, 0x1020304050607080, &sample_syn);
}

static uint32_t
write_answer(uint8_t *bytes)
{
	return wire_answer_write(bytes, 7, 0x1020304050607080, &sample_answer);
}

static uint32_t
write_confirm(uint8_t *bytes)
{
	const struct wire_confirm confirm = {
		.syn = sample_syn,
		.cookie = sample_cookie,
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
	return wire_accept_write(bytes, 7, 0x1020304050607080, &sample_accept);
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
	return wire_reset_write(bytes, 7, &sample_reset);
}

const struct wire_ping sample_ping = {
	.instance = 0xa1a2a3a4a5a6a7a8,
	.answer_from = 0x7801,
	.answer_to = 0x7802,
};

static uint32_t
write_ping(uint8_t *bytes)
{
	return wire_ping_write(
		bytes, WIRE_PING, 0x00140000, 0x1020304050607080, &sample_ping);
}

static uint32_t
write_pong(uint8_t *bytes)
{
	return wire_ping_write(
		bytes, WIRE_PONG, 0x00140000, 0x1020304050607080, &sample_ping);
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

const struct sample_packet sample_packets[SAMPLE_PACKETS] = {
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

static const struct sample_packet *
sample_of(uint8_t type)
{
	const struct sample_packet *sample = &sample_packets[type - 1];

	assert_int_equal(sample->type, type);
	return sample;
}

uint32_t
sample_write(uint8_t type, uint8_t *bytes)
{
	return sample_of(type)->write(bytes);
}

bool
sample_is_valid(uint8_t type, const uint8_t *bytes, uint32_t length)
{
	return sample_of(type)->is_valid(bytes, length);
}
