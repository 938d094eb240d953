/* SPDX-License-Identifier: MIT */
/*
 * The engine's end of a channel: an application's requests in, events out. All
 * that the application wrote is copied to private memory, then checked, then
 * used; what cannot be true fails the channel.
 */
#ifndef ENGINE_CHANNEL_H
#define ENGINE_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/processor.h"
#include "engine/holdings.h"
#include "engine/subnet.h"
#include "shm/arena.h"
#include "shm/layout.h"
#include "transport/transport.h"

/* A message of the application that the transport has, or a packet. */
struct record {
	struct tx_message message;
	struct channel *channel;
	uint32_t packets; /* that refer to its bytes */
	bool sent;	  /* the transport is done with it */
};

struct channel {
	struct endpoint endpoint; /* what the transport sees */
	struct transport *transport;
	struct listeners *listeners;
	struct subnet subnet; /* this host's, by its address */

	int memfd;
	int socket;  /* the application's doorbell, and its life */
	int eventfd; /* ours */
	uint8_t *base;
	struct channel_layout layout;
	struct channel_header *header;
	struct ring_consumer submissions;
	struct ring_consumer released;
	struct ring_producer completions;
	struct ring_producer sent;
	struct arena *received;	  /* the RX arena */
	struct holdings holdings; /* what of it the application has */
	struct record *records;
	struct tx_message *free_records;
	uint32_t records_touched; /* the others are free, too */
	uint32_t records_pinned;  /* that packets refer to */
	bool mapped; /* packets may: the device reads the TX arena */
	uint64_t starved_told_ns; /* when the application heard of it last */
	uint32_t cpu_told;	  /* engine_cpu */
	bool events_pushed;	  /* since the last channel_flush */
	bool room_made; /* blocks went home, or submissions were taken */
	bool corrupt;
	bool reported;	/* that it is corrupt */
	int32_t status; /* why it was ended, or MACHNET_OK */
};

/**
 * Make the shared memory and this end of it.
 * @param socket belongs to the channel from now on, if it succeeds
 */
int32_t channel_create(struct channel **channel, uint32_t arena_bytes,
	int socket, struct machnet_error *error);

/** The TX arena, for port_memory_map. */
static inline uint8_t *
channel_tx_arena(const struct channel *channel)
{
	return channel->base + channel->layout.tx_arena;
}

/**
 * Not while records are pinned. The pages of the arenas are freed even if the
 * application still maps them, unless it is the sidecar that ends: then it may
 * still read what it got.
 */
void channel_destroy(struct channel *channel);

/**
 * Do what the application asks, as far as fairness to others and its room for
 * answers allow.
 * @return what was done; 0: nothing to do
 */
uint32_t channel_serve(struct channel *channel, uint64_t now_ns);

/** Show the application what was pushed, and ring if it waits for it. */
void channel_flush(struct channel *channel);

/** The last word to the application. @param status why the channel ends */
void channel_end(struct channel *channel, int32_t status);

/** Say that this end is about to sleep. @return false: there is work */
bool channel_sleep(struct channel *channel);

/** This end is awake again. */
void channel_wake(struct channel *channel);

/**
 * Tell the application where it may join this end.
 * @param cpu where this end yields and nobody else runs, or PROCESSOR_NONE
 */
void channel_tell_cpu(struct channel *channel, uint32_t cpu);

/* What the application does, as far as it can be told. */
enum channel_application {
	APPLICATION_BUSY,
	APPLICATION_WAITS,  /* without events, and yields */
	APPLICATION_ASLEEP, /* until it is woken */
};

/** @param cpu set to where it yielded last, or PROCESSOR_NONE if it never
 * did
 */
enum channel_application channel_application(
	struct channel *channel, uint32_t *cpu);

/* For struct transport_ops. */
uint8_t *channel_message_allocate(struct channel *channel, uint32_t connection,
	uint32_t length, bool urgent, uint32_t *offset);
bool channel_message_capped(const struct channel *channel, uint32_t connection);
void channel_message_waits(
	struct channel *channel, uint32_t connection, uint64_t now_ns);
uint32_t channel_message_room(
	const struct channel *channel, uint32_t connection, uint32_t bytes);
void channel_message_free(struct channel *channel, uint32_t offset);
void channel_message_sent(struct channel *channel, struct tx_message *message);

/**
 * One more packet refers to the bytes of a message, which do not go home before
 * it has left, even if the message was sent.
 */
void channel_message_pin(struct channel *channel, struct tx_message *message);

/** A packet has left. */
void channel_message_unpin(struct tx_message *message);
bool channel_deliver(
	struct channel *channel, const struct machnet_event *event);

#endif
