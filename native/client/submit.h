/* SPDX-License-Identifier: MIT */
/* What goes to the engine: submissions, and blocks of bytes for them. */
#ifndef CLIENT_SUBMIT_H
#define CLIENT_SUBMIT_H

#include "client/channel.h"

/** Queue a request and wake the engine. MACHNET_AGAIN if there is no room. */
int32_t submit(struct channel *channel, const struct submission *submission);

/**
 * Queue a request with a copy of the bytes (length 0: without a block), whose
 * offset and length are filled in. MACHNET_AGAIN if there is no room.
 */
int32_t submit_bytes(struct channel *channel, struct submission *submission,
	const void *bytes, uint32_t length);

/**
 * Take a TX block for a message of a connection, if need be one that has come
 * home just now.
 * @param length 1 .. MACHNET_MESSAGE_BYTES_MAX
 * @param offset of the block in the arena
 * @return MACHNET_OK, MACHNET_AGAIN (there is none, or the connection holds
 *         too much) or MACHNET_CHANNEL_CORRUPT
 */
int32_t submit_allocate(struct channel *channel, uint32_t connection,
	uint32_t length, uint32_t *offset);

#endif
