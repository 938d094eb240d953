/* SPDX-License-Identifier: MIT */
/*
 * What each connection holds of the TX arena. One that nobody reads would take
 * all of it; so a connection may take a block only while it holds at most what
 * is free, or nothing: a dynamic threshold (Choudhury and Hahne 1998), which
 * gives a lone connection half of the arena, and each of n about 1/(n + 1).
 */
#ifndef CLIENT_SHARES_H
#define CLIENT_SHARES_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/arena.h"

struct share {
	uint32_t connection;
	uint32_t blocks; /* 0: the entry is empty */
	uint32_t bytes;
};

struct shares {
	struct share *table; /* open addressing, at most half full */
	uint32_t *holders;   /* by place of the block: the connection */
};

bool shares_init(struct shares *shares, uint32_t arena_bytes);

void shares_destroy(struct shares *shares);

/** May the connection take one more block? Cost: a look into a hash table. */
bool shares_allow(const struct shares *shares, uint32_t connection,
	const struct arena *arena, uint32_t arena_bytes);

/** The connection took a block. */
void shares_take(struct shares *shares, uint32_t connection, uint32_t offset,
	uint32_t bytes);

/** The block came home. */
void shares_give(struct shares *shares, uint32_t offset, uint32_t bytes);

#endif
