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
	return MACHNET_OK;
}

int32_t
submit_allocate(struct channel *channel, uint32_t length, uint32_t *offset)
{
	int32_t reaped;

	*offset = arena_allocate(channel->tx, length);
	if (*offset != ARENA_FULL)
		return MACHNET_OK;
	reaped = channel_reap(channel);
	if (reaped < 0)
		return reaped;
	if (reaped > 0)
		*offset = arena_allocate(channel->tx, length);
	if (*offset != ARENA_FULL)
		return MACHNET_OK;
	channel->lacks |= CHANNEL_LACKS_BLOCK;
	return MACHNET_AGAIN;
}

int32_t
submit_bytes(struct channel *channel, struct submission *submission,
	const void *bytes, uint32_t length)
{
	uint32_t offset;
	int32_t status = submission_room(channel);

	if (status != MACHNET_OK || length == 0)
		return status != MACHNET_OK ? status
					    : submit(channel, submission);
	status = submit_allocate(channel, length, &offset);
	if (status != MACHNET_OK)
		return status;
	block_set_add(&channel->tx_sent, offset);
	submission->offset = channel->layout.tx_arena + offset;
	submission->length = length;
	memcpy(channel->base + submission->offset, bytes, length);
	return submit(channel, submission);
}
