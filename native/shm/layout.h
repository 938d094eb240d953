/* SPDX-License-Identifier: MIT */
/*
 * What lies where in a channel's shared memory.
 *
 *   header | submissions | completions | sent | released | TX arena | RX arena
 *
 * Both ends compute the layout from the arena size alone and keep it in
 * private memory: no offset is ever read from the shared pages.
 */
#ifndef SHM_LAYOUT_H
#define SHM_LAYOUT_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

#include "base/bits.h"
#include "machnet/machnet.h"
#include "shm/ring.h"

/* Entries, powers of two. */
#define CHANNEL_SUBMISSIONS 1024u
#define CHANNEL_COMPLETIONS 1024u
/* Blocks of one arena that can be lent at a time: the rings on which they go
 * home have room for all of them, so giving back never waits. */
#define CHANNEL_BLOCKS_LENT_MAX 8192u

/* What the application asks of the engine. 32 bytes. */
enum submission_kind {
	SUBMISSION_CONNECT = 1,	 /* token, address, port, timeout_ms */
	SUBMISSION_LISTEN = 2,	 /* token, address, port, flags,
				  * length: backlog */
	SUBMISSION_UNLISTEN = 3, /* connection: the listener */
	SUBMISSION_ACCEPT = 4,	 /* connection */
	SUBMISSION_SEND = 5,	 /* connection, offset, length, flags: enum
				  * machnet_message_kind, token: the request */
	SUBMISSION_CLOSE = 6,	 /* connection, timeout_ms */
	SUBMISSION_RESET = 7,	 /* connection, offset, length: the reason */
};

struct submission {
	uint16_t kind;
	uint16_t port;
	uint32_t connection;
	uint32_t offset; /* from the base of the mapping, in the TX arena */
	uint32_t length;
	uint32_t token;
	uint32_t address;
	uint32_t timeout_ms;
	uint32_t flags;
};
_Static_assert(sizeof(struct submission) == 32, "shared between processes");

/* Values of application_waits. */
enum channel_wait {
	CHANNEL_WAIT_NONE = 0,
	CHANNEL_WAIT_EVENTS = 1,
	CHANNEL_WAIT_EVENTS_OR_ROOM = 2,
	/* With one of these: on the word itself (futex.h), not the doorbell. */
	CHANNEL_WAIT_HERE = 4,
};

/* The first page. Each word has one writer, but for the wait words, which the
 * one side sets and the other clears when it rings. */
struct channel_header {
	alignas(CACHE_LINE_BYTES) _Atomic uint32_t application_waits;
	/* See base/processor.h: where the application yielded last, if it did.
	 */
	_Atomic uint32_t application_cpu;
	alignas(CACHE_LINE_BYTES) _Atomic uint32_t engine_waits;
	/* Where the engine yielded last, unless somebody else ran meanwhile, or
	 * it was given that processor. */
	_Atomic uint32_t engine_cpu;
	/* enum machnet_status: why the sidecar ended the channel, or 0. */
	alignas(CACHE_LINE_BYTES) _Atomic int32_t ended;
	alignas(CACHE_LINE_BYTES) struct ring_shared submissions;
	struct ring_shared completions;
	struct ring_shared sent;     /* TX blocks going home: offsets */
	struct ring_shared released; /* RX blocks going home: offsets */
};
_Static_assert(sizeof(struct channel_header) <= 4096, "one page");

struct channel_layout {
	uint32_t submissions; /* offsets from the base, bytes */
	uint32_t completions;
	uint32_t sent;
	uint32_t released;
	uint32_t tx_arena;
	uint32_t rx_arena;
	uint32_t arena_bytes; /* each */
	uint32_t bytes;	      /* all */
};

/**
 * @param arena_bytes power of two in MACHNET_ARENA_BYTES_MIN ..
 *        MACHNET_ARENA_BYTES_MAX
 * @return false if arena_bytes is not
 */
bool channel_layout_init(struct channel_layout *layout, uint32_t arena_bytes);

#endif
