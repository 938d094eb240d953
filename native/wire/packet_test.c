/* SPDX-License-Identifier: MIT */
#include "wire/packet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/splitmix64.h"
#include "wire/sample_packets.h"
#include "wire/wire_test.h"

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
	uint8_t bytes[SAMPLE_BYTES_MAX];
	uint8_t golden[SAMPLE_BYTES_MAX];
	uint32_t length;

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(sample_packets); i++) {
		memset(golden, 0, sizeof(golden));
		length = from_hex(golden, sample_packets[i].golden);
		if (sample_packets[i].type == WIRE_SYN)
			length = WIRE_HANDSHAKE_BYTES;
		memset(bytes, 0xee, sizeof(bytes));
		assert_int_equal(sample_packets[i].write(bytes), length);
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
	uint8_t bytes[SAMPLE_BYTES_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
		sample_write(WIRE_DATA, bytes);
		bytes[wrong[i].at] = wrong[i].value;
		assert_false(
			wire_header_read(&header, bytes, WIRE_HEADER_BYTES));
		sample_write(WIRE_PING, bytes);
		bytes[wrong[i].at] = wrong[i].value;
		assert_false(
			wire_header_read(&header, bytes, WIRE_HEADER_BYTES));
	}
	/* No other carries an ACK, and an ACK does. */
	sample_write(WIRE_SYN, bytes);
	bytes[2] = WIRE_FLAG_ACK;
	assert_false(wire_header_read(&header, bytes, WIRE_HEADER_BYTES));
	sample_write(WIRE_ACK, bytes);
	bytes[2] = 0;
	assert_false(wire_header_read(&header, bytes, WIRE_HEADER_BYTES));
	sample_write(WIRE_DATA, bytes);
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
	uint8_t bytes[SAMPLE_BYTES_MAX];

	(void)state;
	assert_true(
		wire_syn_read(&syn_read, bytes, sample_write(WIRE_SYN, bytes)));
	assert_memory_equal(&syn_read, &sample_syn, sizeof(sample_syn));

	syn_again = sample_syn;
	syn_again.flags |= WIRE_SYN_AGAIN;
	syn_again.cookie = sample_cookie;
	assert_true(wire_syn_read(
		&syn_read, bytes, wire_syn_write(bytes, 1, &syn_again)));
	assert_memory_equal(&syn_read, &syn_again, sizeof(sample_syn));

	assert_true(wire_answer_read(
		&answer_read, bytes, sample_write(WIRE_ANSWER, bytes)));
	assert_memory_equal(answer_read.cookie.mac, sample_cookie.mac, 16);
	assert_int_equal(answer_read.cookie.time_ms, sample_cookie.time_ms);
	assert_int_equal(answer_read.cookie.engine, sample_cookie.engine);
	assert_int_equal(answer_read.owner, sample_answer.owner);
	assert_int_equal(answer_read.engines, sample_answer.engines);
	assert_int_equal(answer_read.mtu, sample_answer.mtu);
	assert_int_equal(answer_read.instance, sample_answer.instance);
	assert_int_equal(
		answer_read.nic_key.known, sample_answer.nic_key.known);
	assert_int_equal(
		answer_read.nic_key.value, sample_answer.nic_key.value);
	assert_true(answer_read.nic_key.told);
	assert_true(answer_read.nic_key.strays);

	assert_true(wire_confirm_read(
		&confirm_read, bytes, sample_write(WIRE_CONFIRM, bytes)));
	assert_memory_equal(&confirm_read.syn, &sample_syn, sizeof(sample_syn));
	assert_memory_equal(confirm_read.cookie.mac, sample_cookie.mac, 16);
	assert_int_equal(confirm_read.cookie.time_ms, sample_cookie.time_ms);
	assert_int_equal(confirm_read.cookie.engine, sample_cookie.engine);
	assert_int_equal(confirm_read.instance, 0xb1b2b3b4b5b6b7b8);
	assert_int_equal(confirm_read.first_number, 0xc1c2c3c4c5c6c7c8);
	assert_int_equal(confirm_read.engines, 8);
	assert_int_equal(confirm_read.syn_from, 0x7801);
	assert_int_equal(confirm_read.syn_to, 0x7802);
	assert_int_equal(confirm_read.send_from, 0x7803);
	assert_int_equal(confirm_read.send_to, 0x7804);
	assert_int_equal(
		confirm_read.nic_key.known, sample_answer.nic_key.known);
	assert_int_equal(
		confirm_read.nic_key.value, sample_answer.nic_key.value);
	assert_true(confirm_read.nic_key.told);
	assert_true(confirm_read.nic_key.strays);
	assert_int_equal(confirm_read.method, 4);
	assert_int_equal(confirm_read.probes, 0x0a0b);
	assert_int_equal(confirm_read.rounds, 3);
	assert_int_equal(confirm_read.setup_us, 0x0c0d0e0f);

	assert_true(wire_accept_read(
		&accept_read, bytes, sample_write(WIRE_ACCEPT, bytes)));
	assert_int_equal(accept_read.server, sample_accept.server);
	assert_int_equal(
		accept_read.fragment_bytes, sample_accept.fragment_bytes);
	assert_int_equal(accept_read.queue, sample_accept.queue);
	assert_int_equal(accept_read.key, sample_accept.key);
	assert_int_equal(accept_read.instance, sample_accept.instance);
	assert_int_equal(accept_read.first_number, sample_accept.first_number);
}

static void
reset_and_ping_survive_the_round_trip(void **state)
{
	struct wire_reset longest = sample_reset;
	struct wire_reset read;
	uint8_t reason[MACHNET_REASON_BYTES_MAX];
	uint8_t bytes[SAMPLE_BYTES_MAX];
	struct wire_ping ping_read;

	(void)state;
	assert_true(
		wire_reset_read(&read, bytes, sample_write(WIRE_RESET, bytes)));
	assert_int_equal(read.key, sample_reset.key);
	assert_int_equal(read.echo, sample_reset.echo);
	assert_int_equal(read.echo_connection, sample_reset.echo_connection);
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

	assert_true(wire_ping_read(
		&ping_read, bytes, sample_write(WIRE_PING, bytes)));
	assert_int_equal(ping_read.instance, sample_ping.instance);
	assert_int_equal(ping_read.answer_from, sample_ping.answer_from);
	assert_int_equal(ping_read.answer_to, sample_ping.answer_to);
	assert_true(wire_ping_read(
		&ping_read, bytes, sample_write(WIRE_PONG, bytes)));
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
	uint8_t bytes[SAMPLE_BYTES_MAX] = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(sample_packets); i++) {
		uint32_t full = sample_packets[i].write(bytes);

		for (uint32_t length = 0; length < full; length++) {
			bool between =
				sample_packets[i].type == WIRE_DATA &&
				(length == ack_end || length == message_end ||
					length == full - WIRE_FRAME_BYTES);

			assert_int_equal(
				is_valid_exactly(sample_packets[i].is_valid,
					bytes, length),
				between);
		}
		assert_true(is_valid_exactly(
			sample_packets[i].is_valid, bytes, full));
		bytes[full] = 0;
		/* An answer may go on. */
		assert_int_equal(is_valid_exactly(sample_packets[i].is_valid,
					 bytes, full + 1),
			sample_packets[i].type == WIRE_ANSWER);
	}
	sample_write(WIRE_ANSWER, bytes);
	assert_true(sample_is_valid(WIRE_ANSWER, bytes, WIRE_HANDSHAKE_BYTES));
	assert_false(
		sample_is_valid(WIRE_ANSWER, bytes, WIRE_HANDSHAKE_BYTES + 1));
}

static bool
is_ping(uint8_t type)
{
	return type == WIRE_PING || type == WIRE_PONG;
}

static void
readers_take_only_their_own_type(void **state)
{
	uint8_t bytes[SAMPLE_BYTES_MAX] = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(sample_packets); i++) {
		uint32_t length = sample_packets[i].write(bytes);

		for (uint8_t type = 0; type <= WIRE_ACK + 1; type++) {
			bool pair = is_ping(sample_packets[i].type) &&
				    is_ping(type);

			bytes[1] = type;
			assert_int_equal(
				sample_packets[i].is_valid(bytes, length),
				pair || type == sample_packets[i].type);
		}
	}
}

static void
handshake_refuses_what_the_format_does_not_allow(void **state)
{
	uint8_t bytes[SAMPLE_BYTES_MAX];

	(void)state;
	sample_write(WIRE_SYN, bytes);
	bytes[4] = 1; /* a connection, before there is one */
	assert_false(sample_is_valid(WIRE_SYN, bytes, WIRE_HANDSHAKE_BYTES));
	sample_write(WIRE_SYN, bytes);
	bytes[30] = 4; /* an unknown flag */
	assert_false(sample_is_valid(WIRE_SYN, bytes, WIRE_HANDSHAKE_BYTES));
	assert_false(sample_is_valid(
		WIRE_CONFIRM, bytes, sample_write(WIRE_CONFIRM, bytes) + 1));
	sample_write(WIRE_CONFIRM, bytes);
	bytes[31] = 1;
	assert_false(sample_is_valid(WIRE_CONFIRM, bytes, 108));
	sample_write(WIRE_CONFIRM, bytes);
	bytes[30] = WIRE_SYN_AGAIN;
	assert_false(sample_is_valid(WIRE_CONFIRM, bytes, 108));
	sample_write(WIRE_RESET, bytes);
	bytes[39] = 1; /* a reason of 259 bytes, and they are there */
	assert_false(
		sample_is_valid(WIRE_RESET, bytes, WIRE_RESET_BYTES + 259));
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
	uint8_t bytes[SAMPLE_BYTES_MAX];
	uint64_t random = 1;
	uint32_t valid = 0;

	(void)state;
	for (uint32_t i = 0; i < 1000000; i++) {
		uint32_t length;

		memset(bytes, 0, sizeof(bytes));
		length = sample_packets[i % ARRAY_LENGTH(sample_packets)].write(
			bytes);
		length = mutate(bytes, length, &random);
		for (size_t j = 0; j < ARRAY_LENGTH(sample_packets); j++)
			valid += is_valid_exactly(
				sample_packets[j].is_valid, bytes, length);
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
		cmocka_unit_test(mutated_packets_harm_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
