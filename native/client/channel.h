/* SPDX-License-Identifier: MIT */
/* The application's end of a channel. Used by one thread at a time. */
#ifndef CLIENT_CHANNEL_H
#define CLIENT_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/follow.h"
#include "client/block_set.h"
#include "client/crowd.h"
#include "client/mapping.h"
#include "client/shares.h"
#include "machnet/machnet.h"
#include "shm/arena.h"
#include "shm/layout.h"
#include "shm/ring.h"

/* Of one process. */
#define CHANNELS_MAX 256u

/* What machnet_engine_driver returns, see there: run one turn, or leave it to
 * the helper. @return the time that the turn began, see clock_now_ns */
typedef uint64_t machnet_driver(uint32_t leaves);

/* What a call was refused for with MACHNET_AGAIN, until it has come. */
enum channel_lack {
	CHANNEL_LACKS_SUBMISSION = 1u,
	CHANNEL_LACKS_BLOCK = 2u,
};

struct channel {
	uint8_t *base; /* of the mapping; offsets count from here */
	struct channel_header *header;
	struct ring_producer submissions;
	struct ring_producer released;
	struct ring_consumer completions;
	struct ring_consumer sent;
	struct arena *tx;	  /* blocks that we lend */
	struct block_set tx_sent; /* of those, the engine's */
	struct block_set rx_lent; /* blocks lent to us */
	struct shares shares;	  /* who holds what of tx */
	int32_t failed;		  /* why no call succeeds any more, or 0 */
	uint32_t lacks;		  /* enum channel_lack */
	bool room_came;		  /* a lack ended since machnet_wait said so */
	int wake_fd;		  /* eventfd that wakes the engine */
	int doorbell_fd;
	bool doorbell_taken; /* then its bytes are not ours to take out */
	uint32_t address;
	uint32_t engine;
	struct channel_layout layout;
	struct mapping *mapping;
	struct crowd crowd;	/* on the processor of who polls */
	struct follow follow;	/* of that thread, to the engine */
	uint32_t cpu_told;	/* application_cpu */
	machnet_driver *driver; /* runs the engine, or NULL */
	bool turned;		/* it ran since something was submitted */
};

/* What the sidecar hands over. The descriptors have an owner at any time. */
struct channel_parts {
	int doorbell_fd;
	int memfd;
	int wake_fd;
	uint32_t arena_bytes;
	uint32_t engine;
	uint32_t address;
};

/** Make a channel of its parts, which it owns then, also if it fails. */
int32_t channel_open(struct channel_parts *parts, uint32_t *handle,
	struct machnet_error *error);

/**
 * Look a handle up. Cost: two loads.
 * @return MACHNET_OK, MACHNET_CLOSED if the handle is stale, or why the
 *         channel failed (*channel is set then too)
 */
int32_t channel_find(uint32_t handle, struct channel **channel);

/** Note that the sidecar broke the rules. @return MACHNET_CHANNEL_CORRUPT */
int32_t channel_corrupt(struct channel *channel);

/** Why the sidecar ended the channel, as it says itself, or MACHNET_OK. */
int32_t channel_ended(const struct channel *channel);

/** Put a TX block back, whoever held it. */
void channel_block_free(struct channel *channel, uint32_t offset);

/** Note that something came that a refused call lacked. */
void channel_lack_end(struct channel *channel, enum channel_lack lack);

/** Wake the engine if it asked for it; after something was published. */
void channel_wake_engine(struct channel *channel);

/**
 * Take the TX blocks home that the engine has sent.
 * @return their number, or MACHNET_CHANNEL_CORRUPT
 */
int32_t channel_reap(struct channel *channel);

#endif
