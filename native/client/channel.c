/* SPDX-License-Identifier: MIT */
#include "client/channel.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
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
	uintptr_t thread; /* whose end ends the channel, or 0 */
	struct channel *channel;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct slot slots[CHANNELS_MAX];

/* Threads that took a doorbell: the key holds their number, which no other
 * thread gets again. */
static pthread_once_t threads_once = PTHREAD_ONCE_INIT;
static pthread_key_t threads_key;
static bool threads_key_made;
static uintptr_t threads_count;

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
		slot->thread = 0;
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

static void
parts_close(const struct channel_parts *parts)
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
	if (channel->doorbell_fd >= 0) {
		/* The application has a copy, and a child of the process may
		 * have one: end it for all. */
		shutdown(channel->doorbell_fd, SHUT_RDWR);
		close(channel->doorbell_fd);
	}
	if (channel->wake_fd >= 0)
		close(channel->wake_fd);
	arena_destroy(channel->tx);
	block_set_destroy(&channel->tx_sent);
	block_set_destroy(&channel->rx_lent);
	shares_destroy(&channel->shares);
	free(channel);
}

/* A thread that took doorbells ends: a script's worker, mostly, which had no
 * chance to close anything. */
static void
thread_ended(void *thread)
{
	for (uint32_t i = 0; i < CHANNELS_MAX; i++) {
		struct slot *slot = &slots[i];
		struct channel *channel = NULL;

		pthread_mutex_lock(&lock);
		if (atomic_load(&slot->handle) != 0 &&
			slot->thread == (uintptr_t)thread) {
			channel = slot->channel;
			slot->channel = NULL;
			atomic_store(&slot->handle, 0);
		}
		pthread_mutex_unlock(&lock);
		if (channel != NULL)
			channel_free(channel);
	}
}

static void
threads_init(void)
{
	threads_key_made = pthread_key_create(&threads_key, thread_ended) == 0;
}

/** Let the channel end with the calling thread. */
static void
thread_bind(uint32_t handle)
{
	struct slot *slot = &slots[handle % CHANNELS_MAX];
	uintptr_t thread;

	pthread_once(&threads_once, threads_init);
	if (!threads_key_made)
		return;
	thread = (uintptr_t)pthread_getspecific(threads_key);
	pthread_mutex_lock(&lock);
	if (thread == 0)
		thread = ++threads_count;
	slot->thread = thread;
	pthread_mutex_unlock(&lock);
	pthread_setspecific(threads_key, (void *)thread);
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
		parts_close(parts);
		return error_set(error, MACHNET_OUT_OF_MEMORY,
			"Cannot attach: out of memory");
	}
	channel->doorbell_fd = parts->doorbell_fd;
	channel->wake_fd = parts->wake_fd;
	channel->address = parts->address;
	channel->engine = parts->engine;
	follow_init(&channel->follow);
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
		!block_set_init(&channel->rx_lent, parts->arena_bytes) ||
		!shares_init(&channel->shares, parts->arena_bytes)) {
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
channel_block_free(struct channel *channel, uint32_t offset)
{
	shares_give(&channel->shares, offset,
		arena_block_bytes(channel->tx, offset));
	arena_free(channel->tx, offset);
	channel_lack_end(channel, CHANNEL_LACKS_BLOCK);
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
		channel_block_free(channel, offset);
	}
	if (count > 0)
		ring_consume(&channel->sent);
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
	int fd;

	if (status != MACHNET_OK)
		return status;
	if (channel->doorbell_taken)
		return MACHNET_INVALID_ARGUMENT;
	/* A copy: with our own we can end the channel at any time, without
	 * closing a descriptor under an event loop. */
	fd = fcntl(channel->doorbell_fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return MACHNET_SYSTEM_ERROR;
	channel->doorbell_taken = true;
	thread_bind(handle);
	return fd;
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
