// SPDX-License-Identifier: MIT
/*
 * Any bytes as a packet, to each of the readers. What one of them takes is
 * written again and must be the same bytes, but for reserved ones.
 */
#include <string.h>

#include "base/fuzz.h"
#include "wire/frame.h"

#define PACKET_BYTES_MAX 4096u

static uint8_t *written;

/* Are bytes from .. to - 1 what they were? */
static bool
same(const uint8_t *bytes, uint32_t from, uint32_t to)
{
	return memcmp(bytes + from, written + from, to - from) == 0;
}

static void
syn_again(const uint8_t *bytes, uint32_t length)
{
	struct wire_syn syn;

	if (!wire_syn_read(&syn, bytes, length))
		return;
	FUZZ_CHECK(
		wire_syn_write(written, load_le64(bytes + 8), &syn) == length);
	FUZZ_CHECK(same(bytes, 0, syn.flags & WIRE_SYN_AGAIN ? 62 : 40));
}

static void
answer_again(const uint8_t *bytes, uint32_t length)
{
	struct wire_answer answer;

	if (!wire_answer_read(&answer, bytes, length))
		return;
	FUZZ_CHECK(wire_answer_write(written, load_le32(bytes + 4),
			   load_le64(bytes + 8), &answer) <= length);
	FUZZ_CHECK(same(bytes, 0, 62));
}

static void
confirm_again(const uint8_t *bytes, uint32_t length)
{
	struct wire_confirm confirm;

	if (!wire_confirm_read(&confirm, bytes, length))
		return;
	FUZZ_CHECK(wire_confirm_write(
			   written, load_le64(bytes + 8), &confirm) == length);
	FUZZ_CHECK(same(bytes, 0, 98));
}

static void
accept_again(const uint8_t *bytes, uint32_t length)
{
	struct wire_accept accept;

	if (!wire_accept_read(&accept, bytes, length))
		return;
	FUZZ_CHECK(wire_accept_write(written, load_le32(bytes + 4),
			   load_le64(bytes + 8), &accept) == length);
	FUZZ_CHECK(same(bytes, 0, length));
}

static void
reset_again(const uint8_t *bytes, uint32_t length)
{
	struct wire_reset reset;

	if (!wire_reset_read(&reset, bytes, length))
		return;
	FUZZ_CHECK(reset.reason + reset.reason_length == bytes + length);
	FUZZ_CHECK(wire_reset_write(written, load_le32(bytes + 4), &reset) ==
		   length);
	FUZZ_CHECK(same(bytes, 0, 8));
	FUZZ_CHECK(same(bytes, WIRE_HEADER_BYTES, length));
}

static void
ping_again(const uint8_t *bytes, uint32_t length)
{
	struct wire_ping ping;

	if (!wire_ping_read(&ping, bytes, length))
		return;
	FUZZ_CHECK(wire_ping_write(written, bytes[1], load_le32(bytes + 4),
			   load_le64(bytes + 8), &ping) == length);
	FUZZ_CHECK(same(bytes, 0, length));
}

static void
frame_check(const struct wire_frame *frame)
{
	FUZZ_CHECK(frame->total <= MACHNET_MESSAGE_BYTES_MAX);
	FUZZ_CHECK(frame->offset <= frame->total);
	FUZZ_CHECK(frame->length <= frame->total - frame->offset);
	FUZZ_CHECK(frame->length != 0 || frame->total == 0);
	FUZZ_CHECK(frame->kind != WIRE_FRAME_FIN || frame->total == 0);
}

static void
data_again(const uint8_t *bytes, uint32_t length)
{
	struct wire_header header;
	struct wire_reader reader;
	struct wire_frame frame;
	struct wire_ack ack;
	uint32_t at;
	int more;

	if (!wire_header_read(&header, bytes, length) ||
		(header.type != WIRE_DATA && header.type != WIRE_ACK) ||
		!wire_reader_init(&reader, &header, &ack, bytes, length))
		return;
	at = wire_header_write(written, &header);
	if ((header.flags & WIRE_FLAG_ACK) != 0)
		at += wire_ack_write(written + at, &ack);
	while ((more = wire_reader_next(&reader, &frame)) == 1) {
		frame_check(&frame);
		at += wire_frame_write(written + at, &frame);
		FUZZ_CHECK(frame.payload == bytes + at);
		memcpy(written + at, frame.payload, frame.length);
		at += frame.length;
	}
	FUZZ_CHECK(same(bytes, 0, at));
	FUZZ_CHECK(more == (at == length ? 0 : -1));
	FUZZ_CHECK(wire_reader_next(&reader, &frame) == more);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	if (length > PACKET_BYTES_MAX)
		return -1;
	written = fuzz_memory(length);
	syn_again(bytes, (uint32_t)length);
	answer_again(bytes, (uint32_t)length);
	confirm_again(bytes, (uint32_t)length);
	accept_again(bytes, (uint32_t)length);
	reset_again(bytes, (uint32_t)length);
	ping_again(bytes, (uint32_t)length);
	data_again(bytes, (uint32_t)length);
	free(written);
	return 0;
}
