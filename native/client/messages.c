/* SPDX-License-Identifier: MIT */
/* Bytes: send a copy, write in place, give back. */
#include "client/submit.h"

static int32_t
send_copy(uint32_t handle, struct submission *submission, const void *bytes,
	uint32_t length)
{
	struct channel *channel;
	int32_t status = channel_find(handle, &channel);

	if (status != MACHNET_OK)
		return status;
	if (length > MACHNET_MESSAGE_BYTES_MAX)
		return MACHNET_MESSAGE_TOO_LARGE;
	if (bytes == NULL && length != 0)
		return MACHNET_INVALID_ARGUMENT;
	return submit_bytes(channel, submission, bytes, length);
}

int32_t
machnet_send(uint32_t handle, uint32_t connection, const void *bytes,
	uint32_t length)
{
	struct submission submission = {
		.kind = SUBMISSION_SEND,
		.connection = connection,
	};

	return send_copy(handle, &submission, bytes, length);
}

/** A kind with a request? */
static bool
kind_is_tagged(uint32_t kind)
{
	return kind >= MACHNET_MESSAGE_REQUEST &&
	       kind <= MACHNET_MESSAGE_CANCEL;
}

int32_t
machnet_send_tagged(uint32_t handle, uint32_t connection, const void *bytes,
	uint32_t length, uint32_t kind, uint32_t request)
{
	struct submission submission = {
		.kind = SUBMISSION_SEND,
		.connection = connection,
		.flags = kind,
		.token = request,
	};

	if (!kind_is_tagged(kind))
		return MACHNET_INVALID_ARGUMENT;
	return send_copy(handle, &submission, bytes, length);
}

int32_t
machnet_allocate(uint32_t handle, uint32_t connection, uint32_t length)
{
	struct channel *channel;
	uint32_t offset;
	int32_t status = channel_find(handle, &channel);

	if (status != MACHNET_OK)
		return status;
	if (length > MACHNET_MESSAGE_BYTES_MAX)
		return MACHNET_MESSAGE_TOO_LARGE;
	status = submit_allocate(
		channel, connection, u32_max(length, 1), &offset);
	if (status != MACHNET_OK)
		return status;
	return (int32_t)(channel->layout.tx_arena + offset);
}

/** Bytes of the block at an offset in the TX arena that is ours to write. */
static uint32_t
allocated_bytes(const struct channel *channel, uint32_t offset)
{
	uint32_t bytes = arena_block_bytes(channel->tx, offset);

	return bytes != 0 && !block_set_has(&channel->tx_sent, offset) ? bytes
								       : 0;
}

static int32_t
send_in_place(uint32_t handle, struct submission *submission, uint32_t offset,
	uint32_t length)
{
	struct channel *channel;
	int32_t status = channel_find(handle, &channel);

	if (status != MACHNET_OK)
		return status;
	submission->offset = length == 0 ? 0 : offset;
	submission->length = length;
	offset -= channel->layout.tx_arena;
	if (length > MACHNET_MESSAGE_BYTES_MAX)
		return MACHNET_MESSAGE_TOO_LARGE;
	if (length > allocated_bytes(channel, offset) ||
		allocated_bytes(channel, offset) == 0)
		return MACHNET_INVALID_ARGUMENT;
	status = submit(channel, submission);
	if (status != MACHNET_OK)
		return status;
	if (length == 0)
		channel_block_free(channel, offset);
	else
		block_set_add(&channel->tx_sent, offset);
	return MACHNET_OK;
}

int32_t
machnet_send_allocated(
	uint32_t handle, uint32_t connection, uint32_t offset, uint32_t length)
{
	struct submission submission = {
		.kind = SUBMISSION_SEND,
		.connection = connection,
	};

	return send_in_place(handle, &submission, offset, length);
}

int32_t
machnet_send_allocated_tagged(uint32_t handle, uint32_t connection,
	uint32_t offset, uint32_t length, uint32_t kind, uint32_t request)
{
	struct submission submission = {
		.kind = SUBMISSION_SEND,
		.connection = connection,
		.flags = kind,
		.token = request,
	};

	if (!kind_is_tagged(kind))
		return MACHNET_INVALID_ARGUMENT;
	return send_in_place(handle, &submission, offset, length);
}

/** Return a block to the engine, which hears of it with the next publish. */
static int32_t
return_received(struct channel *channel, uint32_t offset)
{
	uint32_t from_base = channel->layout.rx_arena + offset;
	int32_t room;

	if (offset % ARENA_BLOCK_BYTES_MIN != 0 ||
		!block_set_has(&channel->rx_lent, offset))
		return MACHNET_INVALID_ARGUMENT;
	/* There is room for every block that the engine may lend. */
	room = ring_room(&channel->released, 1);
	if (room <= 0)
		return channel_corrupt(channel);
	block_set_remove(&channel->rx_lent, offset);
	ring_push(&channel->released, &from_base);
	return MACHNET_OK;
}

static int32_t
free_allocated(struct channel *channel, uint32_t offset)
{
	if (allocated_bytes(channel, offset) == 0)
		return MACHNET_INVALID_ARGUMENT;
	channel_block_free(channel, offset);
	return MACHNET_OK;
}

int32_t
machnet_release(uint32_t handle, uint32_t offset)
{
	return machnet_release_many(handle, &offset, 1);
}

int32_t
machnet_release_many(uint32_t handle, const uint32_t *offsets, uint32_t count)
{
	struct channel *channel;
	int32_t status = channel_find(handle, &channel);
	const struct channel_layout *layout;
	bool returned = false;

	if (status != MACHNET_OK)
		return status;
	if (offsets == NULL && count != 0)
		return MACHNET_INVALID_ARGUMENT;
	layout = &channel->layout;
	for (uint32_t i = 0; i < count && status == MACHNET_OK; i++) {
		if (offsets[i] - layout->rx_arena < layout->arena_bytes) {
			status = return_received(
				channel, offsets[i] - layout->rx_arena);
			returned |= status == MACHNET_OK;
		} else {
			status = free_allocated(
				channel, offsets[i] - layout->tx_arena);
		}
	}
	if (returned) {
		ring_publish(&channel->released);
		channel_wake_engine(channel);
	}
	return status;
}
