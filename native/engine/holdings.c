// SPDX-License-Identifier: MIT
#include "engine/holdings.h"

#include <stdlib.h>

#include "base/bits.h"
#include "shm/arena.h"
#include "transport/transport.h"

static struct holding *
holding_of(const struct holdings *holdings, uint32_t connection)
{
	return &holdings->holding[connection_index(connection)];
}

bool
holdings_create(struct holdings *holdings, uint32_t arena_bytes)
{
	holdings->connections = calloc(arena_bytes / ARENA_BLOCK_BYTES_MIN,
		sizeof(*holdings->connections));
	holdings->holding =
		calloc(CONNECTION_INDICES, sizeof(*holdings->holding));
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
