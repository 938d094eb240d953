/* SPDX-License-Identifier: MIT */
#include "client/submit.h"

#include <string.h>

static int32_t
submission_room(struct channel *channel)
{
	int32_t room = ring_room(&channel->submissions, 1);

	if (room < 0)
		return channel_corrupt(channel);
	if (room == 0) {
		channel->lacks |= CHANNEL_LACKS_SUBMISSION;
		return MACHNET_AGAIN;
	}
	return MACHNET_OK;
}

int32_t
submit(struct channel *channel, const struct submission *submission)
{
	int32_t status = submission_room(channel);

	if (status != MACHNET_OK)
		return status;
	ring_push(&channel->submissions, submission);
	ring_publish(&channel->submissions);
	channel_wake_engine(channel);
	/* The first one leaves now, and not when the script polls again. The
	 * others share its next turn, and packets. */
	if (channel->driver != NULL && channel->turned) {
		channel->turned = false;
		channel->driver(0);
	}
	return MACHNET_OK;
}

/** A block of the connection's, or ARENA_FULL. */
static uint32_t
block_take(struct channel *channel, uint32_t connection, uint32_t length)
{
	uint32_t offset = arena_allocate(channel->tx, length);

	if (offset != ARENA_FULL)
		shares_take(&channel->shares, connection, offset,
			arena_block_bytes(channel->tx, offset));
	return offset;
}

/** The same, if need be a block that has come home just now. */
static int32_t
block_find(struct channel *channel, uint32_t connection, uint32_t length,
	bool unfair, uint32_t *offset)
{
	for (int32_t reaped = 1; reaped > 0;) {
		if (unfair || shares_allow(&channel->shares, connection,
				      channel->tx, channel->layout.arena_bytes))
			*offset = block_take(channel, connection, length);
		else
			*offset = ARENA_FULL;
		if (*offset != ARENA_FULL)
			return MACHNET_OK;
		reaped = channel_reap(channel);
		if (reaped < 0)
			return reaped;
	}
	channel->lacks |= CHANNEL_LACKS_BLOCK;
	return MACHNET_AGAIN;
}

int32_t
submit_allocate(struct channel *channel, uint32_t connection, uint32_t length,
	uint32_t *offset)
{
	return block_find(channel, connection, length, false, offset);
}

int32_t
submit_bytes(struct channel *channel, struct submission *submission,
	const void *bytes, uint32_t length)
{
	/* What a connection holds is often why it is reset. */
	bool unfair = submission->kind != SUBMISSION_SEND;
	uint32_t offset;
	int32_t status = submission_room(channel);

	if (status != MACHNET_OK || length == 0)
		return status != MACHNET_OK ? status
					    : submit(channel, submission);
	status = block_find(
		channel, submission->connection, length, unfair, &offset);
	if (status != MACHNET_OK)
		return status;
	block_set_add(&channel->tx_sent, offset);
	submission->offset = channel->layout.tx_arena + offset;
	submission->length = length;
	memcpy(channel->base + submission->offset, bytes, length);
	return submit(channel, submission);
}
