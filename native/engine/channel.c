// SPDX-License-Identifier: MIT
#include "engine/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "shm/futex.h"

/* Requests of one channel in a turn of the loop. */
#define SERVE_BURST 64u
#define BACKLOG_DEFAULT 128u
#define BACKLOG_MAX 4096u
/* For so long peers wait before the application hears of it, and before it
 * hears of it again. */
#define STARVED_MS 1000u

static int32_t
memory_create(struct channel *channel, struct machnet_error *error)
{
	size_t bytes = channel->layout.bytes;

	channel->memfd =
		memfd_create("machnet", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (channel->memfd < 0 || ftruncate(channel->memfd, (off_t)bytes) != 0)
		return error_set_errno(error, MACHNET_OUT_OF_MEMORY, errno,
			"Cannot make %zu bytes of shared memory", bytes);
	/* The application cannot pull the pages away from under us. */
	if (fcntl(channel->memfd, F_ADD_SEALS,
		    F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
		return error_set_errno(error, MACHNET_SYSTEM_ERROR, errno,
			"Cannot seal shared memory");
	channel->base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		channel->memfd, 0);
	if (channel->base == MAP_FAILED) {
		channel->base = NULL;
		return error_set_errno(error, MACHNET_OUT_OF_MEMORY, errno,
			"Cannot map %zu bytes of shared memory", bytes);
	}
	channel->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (channel->eventfd < 0)
		return error_set_errno(error, MACHNET_SYSTEM_ERROR, errno,
			"Cannot make an eventfd");
	return MACHNET_OK;
}

static void
rings_init(struct channel *channel)
{
	const struct channel_layout *layout = &channel->layout;
	uint8_t *base = channel->base;

	channel->header = (struct channel_header *)base;
	ring_consumer_init(&channel->submissions, &channel->header->submissions,
		base + layout->submissions, sizeof(struct submission),
		CHANNEL_SUBMISSIONS);
	ring_consumer_init(&channel->released, &channel->header->released,
		base + layout->released, sizeof(uint32_t),
		CHANNEL_BLOCKS_LENT_MAX);
	ring_producer_init(&channel->completions, &channel->header->completions,
		base + layout->completions, sizeof(struct machnet_event),
		CHANNEL_COMPLETIONS);
	ring_producer_init(&channel->sent, &channel->header->sent,
		base + layout->sent, sizeof(uint32_t), CHANNEL_BLOCKS_LENT_MAX);
}

static int32_t
state_create(struct channel *channel, struct machnet_error *error)
{
	channel->received = arena_create(
		channel->layout.arena_bytes, CHANNEL_BLOCKS_LENT_MAX);
	channel->records =
		calloc(CHANNEL_BLOCKS_LENT_MAX, sizeof(*channel->records));
	if (channel->received == NULL || channel->records == NULL ||
		!holdings_create(
			&channel->holdings, channel->layout.arena_bytes) ||
		!endpoint_open(&channel->endpoint))
		return error_set(error, MACHNET_OUT_OF_MEMORY,
			"Cannot make a channel: out of memory");
	return MACHNET_OK;
}

int32_t
channel_create(struct channel **made, uint32_t arena_bytes, int socket,
	struct machnet_error *error)
{
	struct channel *channel = calloc(1, sizeof(*channel));
	int32_t status;

	if (channel == NULL)
		return error_set(error, MACHNET_OUT_OF_MEMORY,
			"Cannot make a channel: out of memory");
	channel->memfd = channel->eventfd = channel->socket = -1;
	if (!channel_layout_init(&channel->layout, arena_bytes))
		status = error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot make a channel: arenas of %u bytes, not a "
			"power "
			"of two in %u .. %u",
			arena_bytes, MACHNET_ARENA_BYTES_MIN,
			MACHNET_ARENA_BYTES_MAX);
	else
		status = memory_create(channel, error);
	if (status == MACHNET_OK)
		status = state_create(channel, error);
	if (status != MACHNET_OK) {
		channel_destroy(channel);
		return status;
	}
	rings_init(channel);
	channel->socket = socket;
	*made = channel;
	return MACHNET_OK;
}

void
channel_destroy(struct channel *channel)
{
	if (channel->base != NULL)
		munmap(channel->base, channel->layout.bytes);
	if (channel->memfd >= 0) {
		/* Not the header, where the application looks for the reason,
		 * nor the rings, where it would take zeros for events. */
		if (channel->status != MACHNET_SIDECAR_STOPPED)
			fallocate(channel->memfd,
				FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				channel->layout.tx_arena,
				2 * (off_t)channel->layout.arena_bytes);
		close(channel->memfd);
	}
	if (channel->eventfd >= 0)
		close(channel->eventfd);
	if (channel->socket >= 0)
		close(channel->socket);
	if (channel->received != NULL)
		arena_destroy(channel->received);
	holdings_destroy(&channel->holdings);
	free(channel->records);
	free(channel);
}

static bool
corrupt(struct channel *channel)
{
	channel->corrupt = true;
	return false;
}

/* The bytes that a request names, or NULL if they are too many or not all in
 * the application's own arena. The offset of no bytes means nothing. */
static const uint8_t *
bytes_of(const struct channel *channel, const struct submission *request,
	uint32_t length_max)
{
	const struct channel_layout *layout = &channel->layout;
	uint32_t offset = request->offset;

	if (request->length == 0)
		return channel->base;
	if (request->length > length_max || offset < layout->tx_arena ||
		offset - layout->tx_arena > layout->arena_bytes ||
		request->length >
			layout->arena_bytes - (offset - layout->tx_arena))
		return NULL;
	return channel->base + offset;
}

static void
sent_home(struct channel *channel, uint32_t offset)
{
	/* Without room the application sent the same block twice. */
	if (ring_room(&channel->sent, 1) < 1) {
		corrupt(channel);
		return;
	}
	ring_push(&channel->sent, &offset);
	channel->room_made = true;
}

/* Room for events, or less than 1. */
static int32_t
events_room(struct channel *channel)
{
	int32_t room = ring_room(&channel->completions, 1);

	if (room < 0)
		corrupt(channel);
	return room;
}

static bool
record_free(const struct channel *channel)
{
	return channel->free_records != NULL ||
	       channel->records_touched < CHANNEL_BLOCKS_LENT_MAX;
}

static struct record *
record_of(struct tx_message *message)
{
	return container_of(message, struct record, message);
}

/* There is a free one. */
static struct tx_message *
record_take(struct channel *channel)
{
	struct tx_message *message = channel->free_records;

	if (message == NULL)
		message = &channel->records[channel->records_touched++].message;
	else
		channel->free_records = message->next;
	record_of(message)->channel = channel;
	record_of(message)->sent = false;
	return message;
}

static void
record_home(struct channel *channel, struct tx_message *message)
{
	if (message->length != 0)
		sent_home(channel, message->offset);
	message->next = channel->free_records;
	channel->free_records = message;
}

static bool
serve_send(struct channel *channel, uint64_t now_ns,
	const struct submission *request)
{
	struct tx_message *message;
	const uint8_t *bytes =
		bytes_of(channel, request, MACHNET_MESSAGE_BYTES_MAX);

	if (bytes == NULL || request->flags > MACHNET_MESSAGE_CANCEL)
		return corrupt(channel);
	message = record_take(channel);
	message->bytes = bytes;
	message->offset = request->offset;
	message->length = request->length;
	message->kind = (uint8_t)request->flags;
	message->request = request->token;
	message->fin = false;
	transport_send(channel->transport, now_ns, &channel->endpoint,
		request->connection, message);
	return true;
}

static bool
serve_reset(struct channel *channel, uint64_t now_ns,
	const struct submission *request)
{
	const uint8_t *reason =
		bytes_of(channel, request, MACHNET_REASON_BYTES_MAX);

	if (reason == NULL)
		return corrupt(channel);
	transport_reset(channel->transport, now_ns, &channel->endpoint,
		request->connection, reason, request->length);
	if (request->length != 0)
		sent_home(channel, request->offset);
	return true;
}

static void
serve_connect(struct channel *channel, uint64_t now_ns,
	const struct submission *request)
{
	struct machnet_event event = {
		.kind = MACHNET_EVENT_CONNECTED,
		.token = request->token,
		.status = MACHNET_INVALID_ARGUMENT,
		.address = request->address,
		.port = request->port,
	};

	if (subnet_host(&channel->subnet, request->address))
		transport_connect(channel->transport, now_ns,
			&channel->endpoint, request->token, request->address,
			request->port, request->timeout_ms, request->flags);
	else
		channel_deliver(channel, &event);
}

static void
serve_listen(struct channel *channel, const struct submission *request)
{
	struct machnet_event event = {
		.kind = MACHNET_EVENT_LISTENING,
		.token = request->token,
		.address = channel->subnet.address,
		.port = request->port,
	};
	uint32_t backlog =
		request->length == 0 ? BACKLOG_DEFAULT : request->length;
	struct listener *listener;

	if (request->address != 0 &&
		request->address != channel->subnet.address) {
		event.status = MACHNET_ADDRESS_NOT_AVAILABLE;
	} else {
		listener = listeners_add(channel->listeners, &channel->endpoint,
			request->port,
			(request->flags & MACHNET_LISTEN_REUSE) != 0,
			u32_min(backlog, BACKLOG_MAX), &event.status);
		if (listener != NULL) {
			event.listener = listener->id;
			event.port = listener->port;
		}
	}
	channel_deliver(channel, &event);
}

static void
serve_unlisten(struct channel *channel, const struct submission *request)
{
	struct machnet_event event = {
		.kind = MACHNET_EVENT_UNLISTENED,
		.listener = request->connection,
	};
	struct listener *listener =
		listeners_get(channel->listeners, request->connection);

	if (listener != NULL && listener->endpoint == &channel->endpoint)
		listeners_remove(channel->listeners, listener);
	channel_deliver(channel, &event);
}

static bool
serve_one(struct channel *channel, uint64_t now_ns,
	const struct submission *request)
{
	struct transport *transport = channel->transport;
	struct endpoint *endpoint = &channel->endpoint;

	switch (request->kind) {
	case SUBMISSION_SEND:
		return serve_send(channel, now_ns, request);
	case SUBMISSION_ACCEPT:
		transport_accept(transport, endpoint, request->connection);
		return true;
	case SUBMISSION_CONNECT:
		serve_connect(channel, now_ns, request);
		return true;
	case SUBMISSION_LISTEN:
		serve_listen(channel, request);
		return true;
	case SUBMISSION_UNLISTEN:
		serve_unlisten(channel, request);
		return true;
	case SUBMISSION_CLOSE:
		transport_close(transport, now_ns, endpoint,
			request->connection, request->timeout_ms);
		return true;
	case SUBMISSION_RESET:
		return serve_reset(channel, now_ns, request);
	default:
		return corrupt(channel);
	}
}

/* Is there a request, and what it may need: a record, room for its answer? */
static bool
submissions_open(struct channel *channel)
{
	int32_t available = ring_available(&channel->submissions);

	if (available < 0)
		corrupt(channel);
	return !channel->corrupt && available > 0 && record_free(channel) &&
	       events_room(channel) > 0;
}

/* Do events wait, and is there room for them? */
static bool
pending_open(struct channel *channel)
{
	return !list_empty(&channel->endpoint.pending) &&
	       events_room(channel) > 0;
}

static uint32_t
serve_submissions(struct channel *channel, uint64_t now_ns)
{
	uint32_t done = 0;

	while (done < SERVE_BURST && submissions_open(channel)) {
		struct submission request;

		ring_pop(&channel->submissions, &request);
		serve_one(channel, now_ns, &request);
		done++;
	}
	if (done != 0) {
		ring_consume(&channel->submissions);
		channel->room_made = true;
	}
	return done;
}

/* A block that the application has read comes home. */
static bool
serve_released_block(struct channel *channel, uint32_t offset)
{
	uint32_t at = offset - channel->layout.rx_arena;
	uint32_t bytes = 0, connection = 0;

	if (offset >= channel->layout.rx_arena)
		bytes = arena_block_bytes(channel->received, at);
	if (bytes != 0)
		connection = holdings_return(&channel->holdings, at, bytes);
	/* Nothing was lent there. */
	if (connection == 0)
		return corrupt(channel);
	arena_free(channel->received, at);
	transport_released(channel->transport, &channel->endpoint, connection);
	return true;
}

static uint32_t
serve_released(struct channel *channel)
{
	int32_t available = ring_available(&channel->released);

	if (available < 0) {
		corrupt(channel);
		return 0;
	}
	for (int32_t i = 0; i < available; i++) {
		uint32_t offset;

		ring_pop(&channel->released, &offset);
		if (!serve_released_block(channel, offset))
			break;
	}
	if (available != 0)
		ring_consume(&channel->released);
	return (uint32_t)available;
}

uint32_t
channel_serve(struct channel *channel, uint64_t now_ns)
{
	struct endpoint *endpoint = &channel->endpoint;
	uint32_t released;

	if (channel->corrupt)
		return 0;
	released = serve_released(channel);
	if ((released != 0 && !list_empty(&endpoint->starved)) ||
		pending_open(channel))
		endpoint_resume(
			channel->transport, now_ns, endpoint, released != 0);
	return released + serve_submissions(channel, now_ns);
}

static void
application_wake(struct channel *channel, bool here)
{
	_Atomic uint32_t *word = &channel->header->application_waits;

	atomic_store_explicit(word, CHANNEL_WAIT_NONE, memory_order_relaxed);
	if (here)
		futex_wake(word);
	else
		/* A full socket holds enough to wake it. */
		send(channel->socket, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void
channel_flush(struct channel *channel)
{
	uint32_t waits, wanted;

	if (!channel->events_pushed && !channel->room_made)
		return;
	ring_publish(&channel->completions);
	ring_publish(&channel->sent);
	/* Between what was published and the look whether somebody waits:
	 * the application sets the word, then looks at the rings. */
	atomic_thread_fence(memory_order_seq_cst);
	waits = atomic_load_explicit(
		&channel->header->application_waits, memory_order_relaxed);
	wanted = waits & ~(uint32_t)CHANNEL_WAIT_HERE;
	if (wanted == CHANNEL_WAIT_EVENTS_OR_ROOM ||
		(wanted == CHANNEL_WAIT_EVENTS && channel->events_pushed))
		application_wake(channel, waits != wanted);
	channel->events_pushed = false;
	channel->room_made = false;
}

void
channel_end(struct channel *channel, int32_t status)
{
	channel_flush(channel);
	channel->status = status;
	/* After the last event. The end of the doorbell's stream will wake. */
	atomic_store_explicit(
		&channel->header->ended, status, memory_order_release);
}

bool
channel_sleep(struct channel *channel)
{
	atomic_store_explicit(
		&channel->header->engine_waits, 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	/* Requests of an application that takes no events are no work. */
	return channel->corrupt ||
	       (ring_available(&channel->released) == 0 &&
		       !submissions_open(channel) && !pending_open(channel) &&
		       !channel->corrupt);
}

void
channel_wake(struct channel *channel)
{
	atomic_store_explicit(
		&channel->header->engine_waits, 0, memory_order_relaxed);
}

void
channel_tell_cpu(struct channel *channel, uint32_t cpu)
{
	processor_tell(&channel->header->engine_cpu, &channel->cpu_told, cpu);
}

enum channel_application
channel_application(struct channel *channel, uint32_t *cpu)
{
	const struct channel_header *header = channel->header;

	*cpu = processor_told(&header->application_cpu);
	if (atomic_load_explicit(&header->application_waits,
		    memory_order_relaxed) != CHANNEL_WAIT_NONE)
		return APPLICATION_ASLEEP;
	return *cpu != PROCESSOR_NONE && ring_room(&channel->completions,
						 CHANNEL_COMPLETIONS) ==
						 (int32_t)CHANNEL_COMPLETIONS
		       ? APPLICATION_WAITS
		       : APPLICATION_BUSY;
}

bool
channel_message_capped(const struct channel *channel, uint32_t connection)
{
	return holdings_over(&channel->holdings, connection,
		CHANNEL_BLOCKS_LENT_MAX - arena_lent_blocks(channel->received),
		channel->layout.arena_bytes -
			arena_lent_bytes(channel->received));
}

/* How many messages does the application hold that leave no room for those of
 * a connection: of that one, or, if *connection is 0 then, of all? 0: it is
 * not the application that holds so much. */
static uint32_t
messages_in_the_way(const struct channel *channel, uint32_t *connection)
{
	const struct holdings *holdings = &channel->holdings;

	if (channel_message_capped(channel, *connection))
		return holdings_blocks(holdings, *connection);
	*connection = 0;
	return holdings->bytes > channel->layout.arena_bytes / 2 ||
			       holdings->blocks > CHANNEL_BLOCKS_LENT_MAX / 2
		       ? holdings->blocks
		       : 0;
}

void
channel_message_waits(
	struct channel *channel, uint32_t connection, uint64_t now_ns)
{
	uint32_t waits_ms =
		holdings_wait_ms(&channel->holdings, connection, now_ns);
	struct machnet_event event = {
		.kind = MACHNET_EVENT_STARVED,
		.connection = connection,
	};

	if (waits_ms < STARVED_MS ||
		now_ns - channel->starved_told_ns < STARVED_MS * NS_PER_MS)
		return;
	event.token = messages_in_the_way(channel, &event.connection);
	if (event.token != 0 && channel_deliver(channel, &event))
		channel->starved_told_ns = now_ns;
}

uint32_t
channel_message_room(
	const struct channel *channel, uint32_t connection, uint32_t bytes)
{
	return holdings_room(&channel->holdings, connection,
		CHANNEL_BLOCKS_LENT_MAX - arena_lent_blocks(channel->received),
		channel->layout.arena_bytes -
			arena_lent_bytes(channel->received),
		bytes);
}

uint8_t *
channel_message_allocate(struct channel *channel, uint32_t connection,
	uint32_t length, bool urgent, uint32_t *offset)
{
	uint32_t at;

	/* Messages that cannot be delivered before others get here must not
	 * take the room that those need: half of the arena, and its last large
	 * block, are for messages whose turn it is. */
	if (!urgent && (arena_lent_bytes(channel->received) >=
				       channel->layout.arena_bytes / 2 ||
			       (length > ARENA_BLOCK_BYTES_MAX / 2 &&
				       !arena_has_spare(channel->received))))
		return NULL;
	if (channel_message_capped(channel, connection))
		return NULL;
	at = arena_allocate(channel->received, length);
	if (at == ARENA_FULL)
		return NULL;
	*offset = channel->layout.rx_arena + at;
	return channel->base + *offset;
}

void
channel_message_free(struct channel *channel, uint32_t offset)
{
	arena_free(channel->received, offset - channel->layout.rx_arena);
}

void
channel_message_sent(struct channel *channel, struct tx_message *message)
{
	struct record *record = record_of(message);

	record->sent = true;
	if (record->packets == 0)
		record_home(channel, message);
}

void
channel_message_pin(struct channel *channel, struct tx_message *message)
{
	if (record_of(message)->packets++ == 0)
		channel->records_pinned++;
}

void
channel_message_unpin(struct tx_message *message)
{
	struct record *record = record_of(message);

	if (--record->packets != 0)
		return;
	record->channel->records_pinned--;
	if (record->sent)
		record_home(record->channel, message);
}

bool
channel_deliver(struct channel *channel, const struct machnet_event *event)
{
	if (events_room(channel) < 1)
		return false;
	/* What an event carries is the application's until it gives it back. */
	if (event->length != 0) {
		uint32_t at = event->offset - channel->layout.rx_arena;

		holdings_lend(&channel->holdings, event->connection, at,
			arena_block_bytes(channel->received, at));
	}
	ring_push(&channel->completions, event);
	channel->events_pushed = true;
	return true;
}
