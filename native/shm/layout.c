/* SPDX-License-Identifier: MIT */
#include "shm/layout.h"

#include <assert.h>

#define PAGE_BYTES 4096u

/* Offsets are int32_t in the calls that return one. */
static_assert(2 * (uint64_t)MACHNET_ARENA_BYTES_MAX + (1u << 20) < INT32_MAX,
	"an offset fits the ABI");

static uint32_t
place(uint32_t *end, uint32_t bytes)
{
	uint32_t offset = *end;

	*end += (bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
	return offset;
}

bool
channel_layout_init(struct channel_layout *layout, uint32_t arena_bytes)
{
	const uint32_t blocks = CHANNEL_BLOCKS_LENT_MAX * sizeof(uint32_t);
	uint32_t end = 0;

	if (!is_power_of_two(arena_bytes) ||
		arena_bytes < MACHNET_ARENA_BYTES_MIN ||
		arena_bytes > MACHNET_ARENA_BYTES_MAX)
		return false;
	place(&end, sizeof(struct channel_header));
	layout->submissions =
		place(&end, CHANNEL_SUBMISSIONS * sizeof(struct submission));
	layout->completions =
		place(&end, CHANNEL_COMPLETIONS * sizeof(struct machnet_event));
	layout->sent = place(&end, blocks);
	layout->released = place(&end, blocks);
	layout->tx_arena = place(&end, arena_bytes);
	layout->rx_arena = place(&end, arena_bytes);
	layout->arena_bytes = arena_bytes;
	layout->bytes = end;
	return true;
}
