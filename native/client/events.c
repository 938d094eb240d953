/* SPDX-License-Identifier: MIT */
/* What comes from the engine: events, room, and the wait for either. */
#include <errno.h>
#include <sched.h>
#include <sys/socket.h>

#include "base/idle.h"
#include "base/processor.h"
#include "client/channel.h"
#include "shm/futex.h"

/* Looks at what needs no wake-up: room, the end. */
#define BLOCK_NS (1 * NS_PER_MS)

/** Note the block that an event lends. @return false if it cannot be one */
static bool
borrow(struct channel *channel, struct machnet_event *event)
{
	uint32_t arena_bytes = channel->layout.arena_bytes;
	uint32_t offset = event->offset - channel->layout.rx_arena;

	if (event->length == 0) {
		event->offset = 0;
		return true;
	}
	if (offset % ARENA_BLOCK_BYTES_MIN != 0 || offset >= arena_bytes ||
		event->length > MACHNET_MESSAGE_BYTES_MAX ||
		event->length > arena_bytes - offset ||
		block_set_has(&channel->rx_lent, offset))
		return false;
	block_set_add(&channel->rx_lent, offset);
	return true;
}

static bool
event_accept(struct channel *channel, struct machnet_event *event)
{
	switch (event->kind) {
	case MACHNET_EVENT_MESSAGE:
	case MACHNET_EVENT_REQUEST:
	case MACHNET_EVENT_REPLY:
	case MACHNET_EVENT_FAILURE:
	case MACHNET_EVENT_CANCEL:
	case MACHNET_EVENT_CLOSED:
		return borrow(channel, event);
	case MACHNET_EVENT_LISTENING:
	case MACHNET_EVENT_CONNECTED:
	case MACHNET_EVENT_ACCEPTED:
	case MACHNET_EVENT_UNLISTENED:
	case MACHNET_EVENT_PATH:
	case MACHNET_EVENT_STARVED:
		return true;
	default:
		return false;
	}
}

static int32_t
events_take(struct channel *channel, struct machnet_event *events,
	uint32_t capacity)
{
	int32_t available = ring_available(&channel->completions);
	uint32_t i, count;

	if (available < 0)
		return channel_corrupt(channel);
	count = u32_min((uint32_t)available, capacity);
	for (i = 0; i < count; i++) {
		ring_pop(&channel->completions, &events[i]);
		if (!event_accept(channel, &events[i]))
			return channel_corrupt(channel);
	}
	if (count > 0)
		ring_consume(&channel->completions);
	/* An engine that found the ring full may sleep with more to say. This
	 * spares it the wait, mostly: it also looks again by itself. */
	if (available == (int32_t)CHANNEL_COMPLETIONS && count > 0)
		channel_wake_engine(channel);
	return (int32_t)count;
}

/** Look for what refused calls lack. @return what they still lack */
static int32_t
lacks_update(struct channel *channel)
{
	int32_t room;

	if (channel->lacks & CHANNEL_LACKS_BLOCK) {
		int32_t status = channel_reap(channel);

		if (status < 0)
			return status;
	}
	if (channel->lacks & CHANNEL_LACKS_SUBMISSION) {
		room = ring_room(&channel->submissions, 1);
		if (room < 0)
			return channel_corrupt(channel);
		if (room > 0)
			channel_lack_end(channel, CHANNEL_LACKS_SUBMISSION);
	}
	return (int32_t)channel->lacks;
}

/** Run the engine, if that is for us to do. @return the time, if it tells, or
 * what was known of it, ns */
static uint64_t
turn(struct channel *channel, uint64_t known_ns)
{
	if (channel->driver == NULL)
		return known_ns;
	channel->turned = true;
	return channel->driver(0);
}

/** One look: events, or 0, or a negative status. */
static int32_t
look(struct channel *channel, struct machnet_event *events, uint32_t capacity)
{
	int32_t count = events_take(channel, events, capacity);
	int32_t ended;

	if (count != 0)
		return count;
	ended = channel_ended(channel);
	if (ended == MACHNET_OK)
		return 0;
	/* The last events came before the end: look for them once more. */
	count = events_take(channel, events, capacity);
	return count != 0 ? count : ended;
}

/** Block until the engine has something for us, or it is time. */
static void
block(struct channel *channel, uint64_t ns)
{
	_Atomic uint32_t *word = &channel->header->application_waits;
	uint32_t value = CHANNEL_WAIT_HERE |
			 (channel->lacks != 0 ? CHANNEL_WAIT_EVENTS_OR_ROOM
					      : CHANNEL_WAIT_EVENTS);

	atomic_store(word, value);
	/* As in machnet_wait. */
	atomic_thread_fence(memory_order_seq_cst);
	if (ring_available(&channel->completions) == 0)
		futex_wait(word, value, ns);
	atomic_store_explicit(word, CHANNEL_WAIT_NONE, memory_order_relaxed);
}

/**
 * Let the engine run, and whoever else wants to. Among those who compute a
 * yield yields nothing, while one who blocks and is woken goes before them.
 * Among threads that yield, a block and a wake-up are slower than two yields.
 * @return the time afterwards, ns, or 0 if it was not read
 */
static uint64_t
step_aside(struct channel *channel, uint64_t now_ns, uint64_t deadline_ns,
	uint64_t *yield_ns)
{
	struct channel_header *header = channel->header;
	struct crowd *crowd = &channel->crowd;
	uint32_t cpu, there;
	uint64_t after_ns;

	/* Who drives the engine waits for nobody. */
	if (channel->driver != NULL)
		return idle_yield(yield_ns, now_ns);
	if (crowd_is_there(crowd, now_ns)) {
		block(channel, u64_min(deadline_ns - now_ns, BLOCK_NS));
		return 0;
	}
	/* The engine may share this processor. */
	cpu = (uint32_t)sched_getcpu();
	processor_tell(&header->application_cpu, &channel->cpu_told, cpu);
	after_ns = idle_yield(yield_ns, now_ns);
	if (after_ns == 0)
		return 0;
	crowd_yielded(crowd, after_ns - now_ns, after_ns);
	there = processor_told(&header->engine_cpu);
	if (follow_now(&channel->follow, cpu, there, *yield_ns == 0, after_ns))
		follow_move(there);
	return after_ns;
}

int32_t
machnet_poll(uint32_t handle, struct machnet_event *events, uint32_t capacity,
	uint32_t spin_us)
{
	struct channel *channel;
	int32_t result = channel_find(handle, &channel);
	int32_t lacked, lacks;
	uint64_t now_ns, deadline_ns = 0, yield_ns = 0;

	if (result != MACHNET_OK)
		return result;
	if (events == NULL || capacity == 0)
		return MACHNET_INVALID_ARGUMENT;
	lacked = (int32_t)channel->lacks;
	result = channel_reap(channel);
	if (result < 0)
		return result;
	now_ns = turn(channel, 0);
	for (;;) {
		result = look(channel, events, capacity);
		if (result != 0 || spin_us == 0)
			return result;
		if (now_ns == 0)
			now_ns = clock_now_ns();
		if (deadline_ns == 0)
			deadline_ns = now_ns + spin_us * NS_PER_US;
		if (now_ns >= deadline_ns)
			return 0;
		lacks = lacks_update(channel);
		if (lacks < 0)
			return lacks;
		if (lacks != lacked)
			return 0; /* there is room: what was refused can go */
		now_ns = step_aside(channel, now_ns, deadline_ns, &yield_ns);
		now_ns = turn(channel, now_ns);
	}
}

/**
 * Take the bytes out of a doorbell that was left here, so that it is quiet
 * until it rings again.
 */
static int32_t
doorbell_drain(struct channel *channel)
{
	char bytes[64];
	ssize_t count;

	if (channel->doorbell_taken)
		return MACHNET_OK;
	do {
		count = recv(channel->doorbell_fd, bytes, sizeof(bytes),
			MSG_DONTWAIT);
	} while (count > 0 || (count < 0 && errno == EINTR));
	return count < 0 ? MACHNET_OK : MACHNET_CLOSED;
}

/** Is there something not to sleep for? 1, 0 or a negative status. */
static int32_t
something_to_do(struct channel *channel, uint32_t room)
{
	int32_t result = ring_available(&channel->completions);

	if (result < 0)
		return channel_corrupt(channel);
	if (result > 0 || channel_ended(channel) != MACHNET_OK)
		return 1;
	if (room == 0)
		return 0;
	result = lacks_update(channel);
	if (result > 0 && !channel->room_came)
		return 0;
	channel->room_came = false;
	return result < 0 ? result : 1;
}

int32_t
machnet_wait(uint32_t handle, uint32_t room)
{
	struct channel *channel;
	int32_t result = channel_find(handle, &channel);

	if (result != MACHNET_OK)
		return result;
	/* An ended doorbell stays readable: who waits for it wakes. */
	result = doorbell_drain(channel);
	if (result != MACHNET_OK)
		return 0;
	atomic_store(&channel->header->application_waits,
		room ? CHANNEL_WAIT_EVENTS_OR_ROOM : CHANNEL_WAIT_EVENTS);
	/* What we say comes before what we see: either the engine sees that
	 * we wait, or we see what it published before it looked. */
	atomic_thread_fence(memory_order_seq_cst);
	result = something_to_do(channel, room);
	if (result == 0 && channel->driver != NULL)
		channel->driver(1);
	if (result != 0)
		atomic_store_explicit(&channel->header->application_waits,
			CHANNEL_WAIT_NONE, memory_order_relaxed);
	return result;
}

int32_t
machnet_channel_drive(uint32_t handle, void *driver)
{
	struct channel *channel;
	int32_t result = channel_find(handle, &channel);

	if (result == MACHNET_OK)
		channel->driver = (machnet_driver *)driver;
	return result;
}
