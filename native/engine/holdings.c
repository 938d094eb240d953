// SPDX-License-Identifier: MIT
#include "engine/holdings.h"

#include <stdlib.h>

#include "base/bits.h"
#include "base/clock.h"
#include "shm/arena.h"
#include "transport/transport.h"

/* After so long without a word it is another wait. */
#define WAIT_PAUSE_MS 1000u

static struct holding *
holding_of(const struct holdings *holdings, uint32_t connection)
{
	return &holdings->holding[connection_index(connection)];
}

bool
holdings_create(struct holdings *holdings, uint32_t arena_bytes)
{
	*holdings = (struct holdings){
		.connections = calloc(arena_bytes / ARENA_BLOCK_BYTES_MIN,
			sizeof(*holdings->connections)),
		.holding =
			calloc(CONNECTION_INDICES, sizeof(*holdings->holding)),
	};
	return holdings->connections != NULL && holdings->holding != NULL;
}

void
holdings_destroy(struct holdings *holdings)
{
	free(holdings->connections);
	free(holdings->holding);
}

void
holdings_lend(struct holdings *holdings, uint32_t connection, uint32_t offset,
	uint32_t bytes)
{
	struct holding *holding = holding_of(holdings, connection);

	holdings->connections[offset / ARENA_BLOCK_BYTES_MIN] = connection;
	holding->blocks++;
	holding->bytes += bytes;
	holding->waits_since_ms = 0;
	holdings->blocks++;
	holdings->bytes += bytes;
}

uint32_t
holdings_return(struct holdings *holdings, uint32_t offset, uint32_t bytes)
{
	uint32_t *connection =
		&holdings->connections[offset / ARENA_BLOCK_BYTES_MIN];
	uint32_t whose = *connection;
	struct holding *holding = holding_of(holdings, whose);

	if (whose == 0)
		return 0;
	*connection = 0;
	holding->blocks--;
	holding->bytes -= bytes;
	holding->waits_since_ms = 0;
	holdings->blocks--;
	holdings->bytes -= bytes;
	return whose;
}

bool
holdings_over(const struct holdings *holdings, uint32_t connection,
	uint32_t free_blocks, uint64_t free_bytes)
{
	const struct holding *holding = holding_of(holdings, connection);

	return holding->blocks > free_blocks || holding->bytes > free_bytes;
}

uint32_t
holdings_room(const struct holdings *holdings, uint32_t connection,
	uint32_t free_blocks, uint64_t free_bytes, uint32_t bytes)
{
	const struct holding *holding = holding_of(holdings, connection);

	if (holding->blocks >= free_blocks || holding->bytes >= free_bytes)
		return 0;
	return u32_min(free_blocks - holding->blocks,
		(uint32_t)((free_bytes - holding->bytes) >> log2_ceil(bytes)));
}

uint32_t
holdings_blocks(const struct holdings *holdings, uint32_t connection)
{
	return holding_of(holdings, connection)->blocks;
}

uint32_t
holdings_wait_ms(
	struct holdings *holdings, uint32_t connection, uint64_t now_ns)
{
	struct holding *holding = holding_of(holdings, connection);
	uint32_t now_ms = (uint32_t)(now_ns / NS_PER_MS);

	if (holding->waits_since_ms == 0 ||
		now_ms - holding->waits_ms > WAIT_PAUSE_MS)
		holding->waits_since_ms = now_ms;
	holding->waits_ms = now_ms;
	return now_ms - holding->waits_since_ms;
}
