/* SPDX-License-Identifier: MIT */
/*
 * An engine: one thread, one queue pair of the port, its own transport and
 * channels, shared with nobody. The control thread talks to it by mail: orders
 * in, notices out, each a short queue under a lock that the engine touches
 * only when there is mail.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "machnet/engine.h"
#include "port/port.h"
#include "transport/transport.h"

#define ENGINE_CHANNELS_MAX 128u

struct channel;
struct drive;
struct engine;
struct exchange;

struct engine_options {
	struct port *port;	   /* borrowed */
	uint16_t queue;		   /* its number, too */
	struct exchange *exchange; /* with the other engines; borrowed; NULL:
				    * there are none */
	uint32_t address;	   /* host byte order */
	uint32_t prefix_length;
	uint32_t gateway; /* 0: none */
	uint32_t poll;	  /* enum machnet_poll_mode */
	uint32_t peer_timeout_ms;
	struct drive *drive; /* borrowed; NULL: its thread runs all turns */
	int32_t core;	     /* to run on; -1: any */
	/* For struct transport_options: */
	uint16_t engines;
	uint64_t instance;
	uint8_t secret[16];
	struct services *services; /* of the sidecar; borrowed */
};

#define ENGINE_COUNTERS(X)                                                     \
	X(frames_received)                                                     \
	X(frames_sent)                                                         \
	X(frames_malformed)                                                    \
	X(frames_foreign)                                                      \
	X(frames_dropped)                                                      \
	X(arp_requests_received)                                               \
	X(arp_requests_sent)                                                   \
	X(arp_conflicts)                                                       \
	X(echo_requests_received)                                              \
	X(neighbors_unreachable)                                               \
	X(mbufs_exhausted)                                                     \
	X(packets_zero_copy)                                                   \
	X(channels_corrupt)                                                    \
	X(packets_handed_over)                                                 \
	X(packets_taken_over)                                                  \
	X(parcels_dropped)                                                     \
	X(observations_sent)                                                   \
	X(observations_received)                                               \
	X(sleeps)                                                              \
	X(moves)

struct engine_counters {
#define ENGINE_COUNTER_FIELD(name) uint64_t name;
	ENGINE_COUNTERS(ENGINE_COUNTER_FIELD)
#undef ENGINE_COUNTER_FIELD
};

/* A copy of what an engine counted. */
struct engine_snapshot {
	struct engine_counters engine;
	struct transport_counters transport;
	uint32_t channels;
	uint32_t flows;
};

enum engine_order_kind {
	ENGINE_ADOPT,	 /* channel: serve it from now on */
	ENGINE_DROP,	 /* channel, status: end it; answered by DROPPED */
	ENGINE_SNAPSHOT, /* snapshot; answered by SNAPSHOT_TAKEN */
	ENGINE_STOP,	 /* reset all connections, end the thread */
};

struct engine_order {
	enum engine_order_kind kind;
	int32_t status;
	struct channel *channel;
	struct engine_snapshot *snapshot;
	void *cookie; /* comes back in the notice */
};

enum engine_notice_kind {
	ENGINE_CORRUPT, /* channel: its memory makes no sense; drop it */
	ENGINE_DROPPED, /* channel: nobody uses it any more. Not sent if it was
			 * stopped before the device had sent it all: then
			 * nobody does after port_stop */
	ENGINE_SNAPSHOT_TAKEN,
	ENGINE_STOPPED,
};

struct engine_notice {
	enum engine_notice_kind kind;
	struct channel *channel;
	void *cookie;
};

/**
 * Make an engine and start its thread, which is the helper if it has a drive.
 * @return its status; on failure nothing is left
 */
int32_t engine_start(struct engine **engine,
	const struct engine_options *options, struct machnet_error *error);

/** Becomes readable when there are notices. Belongs to the engine. */
int engine_notice_fd(const struct engine *engine);

/** @return false if there is none */
bool engine_notice(struct engine *engine, struct engine_notice *notice);

/** Orders are few and never lost: the queue grows if need be. */
void engine_order(struct engine *engine, const struct engine_order *order);

/** Run one turn of an engine that has a drive, for who took that. */
void engine_drive(struct engine *engine, uint64_t now_ns);

/** After ENGINE_STOPPED, of this engine and of those that it has an exchange
 * with: join the thread, free everything. Channels must have been dropped. */
void engine_destroy(struct engine *engine);

/**
 * Does another host use our address, or is about to? Asks three times over
 * 150 ms (RFC 5227, in a hurry). Before any engine of that port starts.
 * @param mac the other's, if so
 */
bool engine_address_in_use(
	const struct engine_options *options, struct mac *mac);

#endif
