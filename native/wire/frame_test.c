/* SPDX-License-Identifier: MIT */
#include "wire/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "wire/sample_packets.h"

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
	uint8_t bytes[SAMPLE_BYTES_MAX];
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
	uint8_t bytes[SAMPLE_BYTES_MAX] = {0};
	uint32_t length;

	(void)state;
	length = write_ack_packet(bytes, &ack);
	bytes[WIRE_HEADER_BYTES + 18] = 5;
	assert_false(read_ack_packet(&read, bytes, length + 8));
	/* A frame would make it DATA. */
	length = sample_write(WIRE_ACK, bytes);
	length += wire_frame_write(bytes + length, &fin);
	assert_false(sample_is_valid(WIRE_ACK, bytes, length));
}

/* Reads one frame, with its payload if it is not too long. */
static int
read_frame(struct wire_frame *read, const struct wire_frame *frame,
	uint32_t payload_bytes)
{
	const struct wire_header header = {.type = WIRE_DATA};
	struct wire_reader reader;
	struct wire_ack ack;
	uint8_t bytes[SAMPLE_BYTES_MAX] = {0};
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
	assert_false(sample_is_valid(WIRE_DATA, bytes, sizeof(bytes)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ack_words_that_are_not_sent_mean_received),
		cmocka_unit_test(ack_refuses_what_the_format_does_not_allow),
		cmocka_unit_test(frames_are_checked),
		cmocka_unit_test(frame_flags_and_packets_without_ack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
