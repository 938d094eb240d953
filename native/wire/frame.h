/* SPDX-License-Identifier: MIT */
/* Frames of a packet (see packet.h), one after another: inline, since a packet
 * of small messages has many. */
#ifndef WIRE_FRAME_H
#define WIRE_FRAME_H

#include <assert.h>

#include "base/bytes.h"
#include "wire/packet.h"

/** Does a frame of that kind name a request? */
static inline bool
wire_frame_tagged(uint8_t kind)
{
	return kind >= WIRE_FRAME_REQUEST;
}

/** Bytes of the header of a frame. */
static inline uint32_t
wire_frame_bytes(uint8_t kind)
{
	return WIRE_FRAME_BYTES +
	       (wire_frame_tagged(kind) ? WIRE_REQUEST_BYTES : 0);
}

/** The header of a frame; the caller writes the payload behind it. */
static inline uint32_t
wire_frame_write(uint8_t *bytes, const struct wire_frame *frame)
{
	bytes[0] = frame->kind;
	bytes[1] = 0;
	store_le16(bytes + 2, frame->length);
	store_le32(bytes + 4, frame->message);
	store_le32(bytes + 8, frame->total);
	store_le32(bytes + 12, frame->offset);
	if (wire_frame_tagged(frame->kind))
		store_le32(bytes + WIRE_FRAME_BYTES, frame->request);
	return wire_frame_bytes(frame->kind);
}

/* All but the length of the payload, which the packet bounds. */
static inline bool
wire_frame_valid(const struct wire_frame *frame)
{
	static_assert(WIRE_FRAME_MESSAGE == 1, "kinds are in a row");
	if (frame->kind == 0 || frame->kind > WIRE_FRAME_CANCEL)
		return false;
	if (frame->kind == WIRE_FRAME_FIN)
		return frame->length == 0 && frame->total == 0 &&
		       frame->offset == 0;
	return frame->total <= MACHNET_MESSAGE_BYTES_MAX &&
	       (frame->length != 0 || frame->total == 0) &&
	       (uint64_t)frame->offset + frame->length <= frame->total;
}

/**
 * @return 1 and the frame, 0 at the end, -1 if malformed (unknown kind,
 *         payload or offset + length out of bounds, total over the largest
 *         message, FIN with a payload, total or offset, empty fragment of a
 *         message that is not empty); it stays malformed
 */
static inline int
wire_reader_next(struct wire_reader *reader, struct wire_frame *frame)
{
	const uint8_t *bytes = reader->next;
	uint32_t room = (uint32_t)(reader->end - bytes);
	uint32_t header;

	if (room == 0)
		return 0;
	header = wire_frame_bytes(bytes[0]);
	if (room < header || bytes[1] != 0)
		return -1;
	frame->kind = bytes[0];
	frame->length = load_le16(bytes + 2);
	frame->message = load_le32(bytes + 4);
	frame->total = load_le32(bytes + 8);
	frame->offset = load_le32(bytes + 12);
	frame->request = header != WIRE_FRAME_BYTES
				 ? load_le32(bytes + WIRE_FRAME_BYTES)
				 : 0;
	frame->payload = bytes + header;
	if (frame->length > room - header || !wire_frame_valid(frame))
		return -1;
	reader->next = frame->payload + frame->length;
	return 1;
}

#endif
