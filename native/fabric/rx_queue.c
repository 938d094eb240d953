/* SPDX-License-Identifier: MIT */
#include "fabric/rx_queue.h"

#include <stdlib.h>

#include "base/bits.h"

bool
rx_queue_init(struct rx_queue *queue, uint32_t capacity)
{
	capacity = 1u << log2_ceil(capacity);
	*queue = (struct rx_queue){.mask = capacity - 1};
	queue->ring = calloc(capacity, sizeof(*queue->ring));
	return queue->ring != NULL;
}

void
rx_queue_free(struct rx_queue *queue)
{
	free(queue->ring);
}
