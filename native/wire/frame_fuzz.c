// SPDX-License-Identifier: MIT
/*
 * Any bytes as a frame. The first byte of an input says what the device has
 * verified, and whether the checksums are put right first: mutations hardly
 * ever hit upon them.
 */
#include <string.h>

#include "base/fuzz.h"
#include "wire/ethernet.h"

enum {
	VERIFIED = FRAME_VERIFIED_IPV4 | FRAME_VERIFIED_UDP,
	RIGHT_IPV4 = 4,
	RIGHT_ICMP = 8,
};

/* Let the 16 bit at `at` complete the sum over so many bytes. */
static void
checksum_put_right(uint8_t *bytes, uint32_t length, uint32_t at)
{
	store_be16(bytes + at, 0);
	store_be16(bytes + at, checksum_finish(checksum_add(0, bytes, length)));
}

static void
put_right(uint8_t *bytes, uint32_t length, uint8_t options)
{
	uint8_t *ip = bytes + ETHERNET_BYTES;
	uint32_t header, total;

	if (length < ETHERNET_BYTES + IPV4_BYTES)
		return;
	length -= ETHERNET_BYTES;
	header = 4u * (ip[0] & 15);
	total = load_be16(ip + 2);
	if (header < IPV4_BYTES || total < header || total > length)
		return;
	if ((options & RIGHT_IPV4) != 0)
		checksum_put_right(ip, header, 10);
	if ((options & RIGHT_ICMP) != 0 && total - header >= ICMP_BYTES)
		checksum_put_right(ip + header, total - header, 2);
}

static bool
mac_equal(const struct mac *a, const struct mac *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static uint32_t
padded(uint32_t length)
{
	return length < ETHERNET_FRAME_BYTES_MIN ? ETHERNET_FRAME_BYTES_MIN
						 : length;
}

static void
arp_again(const struct frame *frame)
{
	uint8_t *bytes = fuzz_memory(ETHERNET_FRAME_BYTES_MIN);
	uint32_t length;
	struct frame again;

	length = frame->kind == FRAME_ARP_REQUEST
			 ? arp_request_write(bytes, &frame->sender_mac,
				   frame->sender_ip, frame->target_ip)
			 : arp_reply_write(bytes, &frame->sender_mac,
				   frame->sender_ip, &frame->destination,
				   frame->target_ip);
	FUZZ_CHECK(length == ETHERNET_FRAME_BYTES_MIN);
	frame_parse(&again, bytes, length, 0);
	FUZZ_CHECK(again.kind == frame->kind);
	FUZZ_CHECK(mac_equal(&again.source, &frame->sender_mac));
	FUZZ_CHECK(mac_equal(&again.sender_mac, &frame->sender_mac));
	FUZZ_CHECK(again.sender_ip == frame->sender_ip);
	FUZZ_CHECK(again.target_ip == frame->target_ip);
	free(bytes);
}

static void
udp_again(const struct frame *frame)
{
	const struct udp_address address = {
		.source_mac = frame->source,
		.destination_mac = frame->destination,
		.source_ip = frame->source_ip,
		.destination_ip = frame->destination_ip,
		.source_port = frame->source_port,
		.destination_port = frame->destination_port,
	};
	uint32_t length = UDP_PAYLOAD_OFFSET + frame->payload_length;
	uint8_t *bytes = fuzz_memory(padded(length));
	struct frame again;

	memcpy(bytes + UDP_PAYLOAD_OFFSET, frame->payload,
		frame->payload_length);
	FUZZ_CHECK(udp_frame_write(bytes, &address, frame->payload_length, 0) ==
		   padded(length));
	frame_parse(&again, bytes, padded(length), 0);
	FUZZ_CHECK(again.kind == FRAME_UDP);
	FUZZ_CHECK(mac_equal(&again.source, &frame->source));
	FUZZ_CHECK(mac_equal(&again.destination, &frame->destination));
	FUZZ_CHECK(again.source_ip == frame->source_ip);
	FUZZ_CHECK(again.destination_ip == frame->destination_ip);
	FUZZ_CHECK(again.source_port == frame->source_port);
	FUZZ_CHECK(again.destination_port == frame->destination_port);
	FUZZ_CHECK(again.payload_length == frame->payload_length);
	FUZZ_CHECK(memcmp(again.payload, frame->payload,
			   frame->payload_length) == 0);
	free(bytes);
}

/* Beside the request, and over it. */
static void
echo_answer(const struct frame *frame, uint8_t *request, uint32_t room)
{
	uint32_t length =
		padded(ETHERNET_BYTES + IPV4_BYTES + frame->payload_length);
	uint8_t *bytes = fuzz_memory(length);
	struct frame answer;

	FUZZ_CHECK(icmp_echo_reply_write(bytes, frame) == length);
	frame_parse(&answer, bytes, length, 0);
	FUZZ_CHECK(answer.kind == FRAME_FOREIGN);
	FUZZ_CHECK(mac_equal(&answer.destination, &frame->source));
	FUZZ_CHECK(answer.source_ip == frame->destination_ip);
	FUZZ_CHECK(answer.destination_ip == frame->source_ip);
	if (length <= room) {
		FUZZ_CHECK(icmp_echo_reply_write(request, frame) == length);
		FUZZ_CHECK(memcmp(request, bytes, length) == 0);
	}
	free(bytes);
}

static void
frame_check(const struct frame *frame, uint8_t *bytes, uint32_t length)
{
	FUZZ_CHECK(frame->kind <= FRAME_MALFORMED);
	if (frame->payload != NULL) {
		FUZZ_CHECK(frame->payload >= bytes);
		FUZZ_CHECK(frame->payload + frame->payload_length <=
			   bytes + length);
	}
	switch (frame->kind) {
	case FRAME_ARP_REQUEST:
	case FRAME_ARP_REPLY:
		arp_again(frame);
		break;
	case FRAME_UDP:
		udp_again(frame);
		break;
	case FRAME_ICMP_ECHO:
		echo_answer(frame, bytes, length);
		break;
	default:
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct fuzz_input input = {bytes, bytes + length};
	uint8_t options = fuzz_u8(&input);
	uint32_t left = fuzz_left(&input);
	uint8_t *copy = fuzz_memory(left);
	struct frame frame;

	memcpy(copy, input.next, left);
	put_right(copy, left, options);
	frame_parse(&frame, copy, left, options & VERIFIED);
	frame_check(&frame, copy, left);
	free(copy);
	return 0;
}
