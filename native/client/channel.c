/* SPDX-License-Identifier: MIT */
#include "client/channel.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"

/* A handle is a generation and, in its low bits, an index here. A slot is
 * free while its handle is 0. */
#define INDEX_BITS 8u
#define GENERATION_MAX (UINT32_MAX >> INDEX_BITS)

static_assert(CHANNELS_MAX == 1u << INDEX_BITS, "an index is a slot");

struct slot {
	_Atomic uint32_t handle;
	uint32_t generation;
	struct channel *channel;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct slot slots[CHANNELS_MAX];

uint32_t
machnet_abi_version(void)
{
	return MACHNET_ABI_VERSION;
}

static bool
slot_fill(struct channel *channel, uint32_t *handle)
{
	uint32_t i;

	pthread_mutex_lock(&lock);
	for (i = 0; i < CHANNELS_MAX; i++)
		if (atomic_load(&slots[i].handle) == 0)
			break;
	if (i < CHANNELS_MAX) {
		struct slot *slot = &slots[i];

		slot->generation = slot->generation % GENERATION_MAX + 1;
		slot->channel = channel;
		*handle = slot->generation << INDEX_BITS | i;
		atomic_store(&slot->handle, *handle);
	}
	pthread_mutex_unlock(&lock);
	return i < CHANNELS_MAX;
}

/** Make the handle stale. @return its channel, or NULL if it was stale */
static struct channel *
slot_empty(uint32_t handle)
{
	struct slot *slot = &slots[handle % CHANNELS_MAX];
	struct channel *channel = NULL;

	pthread_mutex_lock(&lock);
	if (handle != 0 && atomic_load(&slot->handle) == handle) {
		channel = slot->channel;
		slot->channel = NULL;
		atomic_store(&slot->handle, 0);
	}
	pthread_mutex_unlock(&lock);
	return channel;
}

int32_t
channel_find(uint32_t handle, struct channel **channel)
{
	struct slot *slot = &slots[handle % CHANNELS_MAX];

	if (handle == 0 || atomic_load_explicit(&slot->handle,
				   memory_order_acquire) != handle)
		return MACHNET_CLOSED;
	*channel = slot->channel;
	return (*channel)->failed;
}

void
channel_parts_close(struct channel_parts *parts)
{
	if (parts->doorbell_fd >= 0)
		close(parts->doorbell_fd);
	if (parts->memfd >= 0)
		close(parts->memfd);
	if (parts->wake_fd >= 0)
		close(parts->wake_fd);
}

static void
channel_free(struct channel *channel)
{
	if (channel->mapping != NULL)
		mapping_detach(channel->mapping);
	if (!channel->doorbell_taken && channel->doorbell_fd >= 0) {
		/* A child of the process may hold a copy: end it for all. */
		shutdown(channel->doorbell_fd, SHUT_RDWR);
		close(channel->doorbell_fd);
	}
	if (channel->wake_fd >= 0)
		close(channel->wake_fd);
	arena_destroy(channel->tx);
	block_set_destroy(&channel->tx_sent);
	block_set_destroy(&channel->rx_lent);
	free(channel);
}

static void
rings_init(struct channel *channel)
{
	const struct channel_layout *layout = &channel->layout;
	struct channel_header *header = channel->header;
	uint8_t *base = channel->base;

	ring_producer_init(&channel->submissions, &header->submissions,
		base + layout->submissions, sizeof(struct submission),
		CHANNEL_SUBMISSIONS);
	ring_consumer_init(&channel->completions, &header->completions,
		base + layout->completions, sizeof(struct machnet_event),
		CHANNEL_COMPLETIONS);
	ring_consumer_init(&channel->sent, &header->sent, base + layout->sent,
		sizeof(uint32_t), CHANNEL_BLOCKS_LENT_MAX);
	ring_producer_init(&channel->released, &header->released,
		base + layout->released, sizeof(uint32_t),
		CHANNEL_BLOCKS_LENT_MAX);
}

int32_t
channel_open(struct channel_parts *parts, uint32_t *handle,
	struct machnet_error *error)
{
	struct channel *channel = calloc(1, sizeof(*channel));
	int errnum;

	if (channel == NULL) {
		channel_parts_close(parts);
		return error_set(error, MACHNET_OUT_OF_MEMORY,
			"Cannot attach: out of memory");
	}
	channel->doorbell_fd = parts->doorbell_fd;
	channel->wake_fd = parts->wake_fd;
	channel->address = parts->address;
	channel->engine = parts->engine;
	if (channel_layout_init(&channel->layout, parts->arena_bytes))
		channel->mapping =
			mapping_create(parts->memfd, channel->layout.bytes);
	errnum = errno;
	close(parts->memfd);
	if (channel->mapping == NULL) {
		channel_free(channel);
		return error_set_errno(error, MACHNET_SYSTEM_ERROR, errnum,
			"Cannot map a channel of 2 x %u bytes",
			parts->arena_bytes);
	}
	channel->base = mapping_base(channel->mapping);
	channel->header = (struct channel_header *)channel->base;
	rings_init(channel);
	channel->tx = arena_create(parts->arena_bytes, CHANNEL_BLOCKS_LENT_MAX);
	if (channel->tx == NULL ||
		!block_set_init(&channel->tx_sent, parts->arena_bytes) ||
		!block_set_init(&channel->rx_lent, parts->arena_bytes)) {
		machnet_mapping_release(channel->base, NULL);
		channel_free(channel);
		return error_set(error, MACHNET_OUT_OF_MEMORY,
			"Cannot attach: out of memory");
	}
	if (!slot_fill(channel, handle)) {
		machnet_mapping_release(channel->base, NULL);
		channel_free(channel);
		return error_set(error, MACHNET_TOO_MANY_CHANNELS,
			"Cannot attach: a process has at most %u channels",
			CHANNELS_MAX);
	}
	return MACHNET_OK;
}

int32_t
channel_corrupt(struct channel *channel)
{
	channel->failed = MACHNET_CHANNEL_CORRUPT;
	return MACHNET_CHANNEL_CORRUPT;
}

int32_t
channel_ended(const struct channel *channel)
{
	int32_t status = atomic_load_explicit(
		&channel->header->ended, memory_order_acquire);

	switch (status) {
	case MACHNET_OK:
	case MACHNET_SIDECAR_STOPPED:
	case MACHNET_CHANNEL_CORRUPT:
		return status;
	default:
		return MACHNET_SIDECAR_GONE;
	}
}

void
channel_lack_end(struct channel *channel, enum channel_lack lack)
{
	if ((channel->lacks & lack) == 0)
		return;
	channel->lacks &= ~(uint32_t)lack;
	channel->room_came = true;
}

void
channel_wake_engine(struct channel *channel)
{
	const uint64_t one = 1;
	ssize_t written;

	/* What we published comes before what we read: either the engine sees
	 * it when it looks a last time, or we see that it sleeps. */
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(
		    &channel->header->engine_waits, memory_order_relaxed) == 0)
		return;
	if (atomic_exchange(&channel->header->engine_waits, 0) == 0)
		return;
	/* It fails only if the counter is full, and then it rings already. */
	written = write(channel->wake_fd, &one, sizeof(one));
	(void)written;
}

int32_t
channel_reap(struct channel *channel)
{
	int32_t count = ring_available(&channel->sent);
	uint32_t offset;
	int32_t i;

	if (count < 0)
		return channel_corrupt(channel);
	for (i = 0; i < count; i++) {
		ring_pop(&channel->sent, &offset);
		offset -= channel->layout.tx_arena;
		if (arena_block_bytes(channel->tx, offset) == 0 ||
			!block_set_has(&channel->tx_sent, offset))
			return channel_corrupt(channel);
		block_set_remove(&channel->tx_sent, offset);
		arena_free(channel->tx, offset);
	}
	if (count > 0) {
		ring_consume(&channel->sent);
		channel_lack_end(channel, CHANNEL_LACKS_BLOCK);
	}
	return count;
}

int32_t
machnet_channel_info(uint32_t handle, struct machnet_channel_info *info)
{
	struct channel *channel;
	int32_t status = channel_find(handle, &channel);

	if (status == MACHNET_CLOSED)
		return status;
	*info = (struct machnet_channel_info){
		.base = channel->base,
		.bytes = channel->layout.bytes,
		.doorbell_fd =
			channel->doorbell_taken ? -1 : channel->doorbell_fd,
		.address = channel->address,
		.engine = channel->engine,
		.arena_bytes = channel->layout.arena_bytes,
	};
	return MACHNET_OK;
}

int32_t
machnet_channel_doorbell(uint32_t handle)
{
	struct channel *channel;
	int32_t status = channel_find(handle, &channel);

	if (status != MACHNET_OK)
		return status;
	if (channel->doorbell_taken)
		return MACHNET_INVALID_ARGUMENT;
	channel->doorbell_taken = true;
	return channel->doorbell_fd;
}

int32_t
machnet_channel_close(uint32_t handle)
{
	struct channel *channel = slot_empty(handle);

	if (channel == NULL)
		return MACHNET_CLOSED;
	channel_free(channel);
	return MACHNET_OK;
}

int32_t
machnet_channel_lost(uint32_t handle)
{
	struct channel *channel = slot_empty(handle);
	int32_t reason;

	if (channel == NULL)
		return MACHNET_CLOSED;
	reason = channel->failed;
	if (reason == MACHNET_OK)
		reason = channel_ended(channel);
	channel_free(channel);
	return reason != MACHNET_OK ? reason : MACHNET_SIDECAR_GONE;
}
