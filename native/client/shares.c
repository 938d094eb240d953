/* SPDX-License-Identifier: MIT */
#include "client/shares.h"

#include <assert.h>
#include <stdlib.h>

#include "shm/layout.h"

/* Who holds something holds a block, so that this many entries suffice. */
#define TABLE_BITS 14u
#define TABLE_SIZE (1u << TABLE_BITS)

static_assert(TABLE_SIZE == 2 * CHANNEL_BLOCKS_LENT_MAX, "at most half full");

bool
shares_init(struct shares *shares, uint32_t arena_bytes)
{
	/* Pages that are never needed are never touched. */
	shares->table = calloc(TABLE_SIZE, sizeof(*shares->table));
	shares->holders = calloc(
		arena_bytes / ARENA_BLOCK_BYTES_MIN, sizeof(*shares->holders));
	return shares->table != NULL && shares->holders != NULL;
}

void
shares_destroy(struct shares *shares)
{
	free(shares->table);
	free(shares->holders);
}

/* Ids are an index and a generation: neighbours must not collide. */
static uint32_t
home_of(uint32_t connection)
{
	return connection * 0x9e3779b1u >> (32 - TABLE_BITS);
}

/** The connection's entry, or the empty one where it would be. */
static uint32_t
find(const struct shares *shares, uint32_t connection)
{
	uint32_t at = home_of(connection);

	while (shares->table[at].blocks != 0 &&
		shares->table[at].connection != connection)
		at = (at + 1) % TABLE_SIZE;
	return at;
}

/** Empty an entry, and move up those that were put behind it. */
static void
entry_remove(struct share *table, uint32_t hole)
{
	uint32_t at = hole;

	for (;;) {
		uint32_t home;

		table[hole].blocks = 0;
		do {
			at = (at + 1) % TABLE_SIZE;
			if (table[at].blocks == 0)
				return;
			home = home_of(table[at].connection);
			/* It stays if its home is behind the hole. */
		} while ((at - home) % TABLE_SIZE < (at - hole) % TABLE_SIZE);
		table[hole] = table[at];
		hole = at;
	}
}

bool
shares_allow(const struct shares *shares, uint32_t connection,
	const struct arena *arena, uint32_t arena_bytes)
{
	const struct share *share = &shares->table[find(shares, connection)];

	if (share->blocks == 0)
		return true;
	return share->bytes <= arena_bytes - arena_lent_bytes(arena) &&
	       share->blocks <=
		       CHANNEL_BLOCKS_LENT_MAX - arena_lent_blocks(arena);
}

void
shares_take(struct shares *shares, uint32_t connection, uint32_t offset,
	uint32_t bytes)
{
	struct share *share = &shares->table[find(shares, connection)];

	if (share->blocks == 0)
		*share = (struct share){.connection = connection};
	share->blocks++;
	share->bytes += bytes;
	shares->holders[offset / ARENA_BLOCK_BYTES_MIN] = connection;
}

void
shares_give(struct shares *shares, uint32_t offset, uint32_t bytes)
{
	uint32_t holder = shares->holders[offset / ARENA_BLOCK_BYTES_MIN];
	uint32_t at = find(shares, holder);
	struct share *share = &shares->table[at];

	assert(share->blocks != 0 && share->bytes >= bytes);
	share->bytes -= bytes;
	if (share->blocks > 1)
		share->blocks--;
	else
		entry_remove(shares->table, at);
}
