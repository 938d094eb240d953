/* SPDX-License-Identifier: MIT */
/*
 * How much of a channel's RX arena an application holds of each connection:
 * messages that it was given and has not given back. One connection that
 * nobody reads must leave room for the others, so each may hold as much as is
 * still free (dynamic thresholds, Choudhury and Hahne, ToN 1998).
 */
#ifndef ENGINE_HOLDINGS_H
#define ENGINE_HOLDINGS_H

#include <stdbool.h>
#include <stdint.h>

struct holding {
	uint32_t blocks;
	uint32_t bytes;
	/* When a message found no room, the first time and the last, if no
	 * block went in or out since; 0: none did. */
	uint32_t waits_since_ms;
	uint32_t waits_ms;
};

struct holdings {
	uint32_t *connections;	 /* by block: whose it is, 0: not lent */
	struct holding *holding; /* by connection */
	uint32_t blocks;	 /* of all connections */
	uint64_t bytes;
};

/**
 * Tables by every block and connection that there could be; untouched pages
 * cost nothing.
 * @return false if out of memory
 */
bool holdings_create(struct holdings *holdings, uint32_t arena_bytes);

void holdings_destroy(struct holdings *holdings);

/** @param offset in the arena */
void holdings_lend(struct holdings *holdings, uint32_t connection,
	uint32_t offset, uint32_t bytes);

/** @return the connection whose block it was, 0 if none was lent there */
uint32_t holdings_return(
	struct holdings *holdings, uint32_t offset, uint32_t bytes);

/** For how many more blocks of so many bytes of the connection is there room,
 * before the application holds more of it than is free? An estimate. */
uint32_t holdings_room(const struct holdings *holdings, uint32_t connection,
	uint32_t free_blocks, uint64_t free_bytes, uint32_t bytes);

/** Does the application hold more of the connection than is free? */
bool holdings_over(const struct holdings *holdings, uint32_t connection,
	uint32_t free_blocks, uint64_t free_bytes);

/** How many blocks of the connection does the application hold? */
uint32_t holdings_blocks(const struct holdings *holdings, uint32_t connection);

/**
 * A message of the connection finds no room. To be told several times a second
 * while that is so.
 * @return for how long it has been, and the application neither got nor gave
 *         back one
 */
uint32_t holdings_wait_ms(
	struct holdings *holdings, uint32_t connection, uint64_t now_ns);

#endif
