/* SPDX-License-Identifier: MIT */
/* One RX queue of a host: what arrived, and the host has not taken yet. */
#ifndef FABRIC_RX_QUEUE_H
#define FABRIC_RX_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

/* Counters of a queue. */
#define RX_QUEUE_COUNTERS(X)                                                   \
	X(packets_received)                                                    \
	X(bytes_received)                                                      \
	X(drop_depth)	  /* it was full */                                    \
	X(drop_depth_syn) /* ... and dropped was a SYN of ours */

struct rx_queue_counters {
#define RX_QUEUE_COUNTER(name) uint64_t name;
	RX_QUEUE_COUNTERS(RX_QUEUE_COUNTER)
#undef RX_QUEUE_COUNTER
};

struct queued {
	void *frame;
	uint32_t length; /* bytes */
	uint16_t from;	 /* port */
};

struct rx_queue {
	struct queued *ring; /* positions count on */
	uint32_t mask;
	uint32_t head;
	uint32_t tail;
	struct rx_queue_counters counters;
};

/** Room for capacity frames or some more. @return false without memory */
bool rx_queue_init(struct rx_queue *queue, uint32_t capacity);

/** The frames that are left are the caller's to release, before. */
void rx_queue_free(struct rx_queue *queue);

static inline uint32_t
rx_queue_length(const struct rx_queue *queue)
{
	return queue->tail - queue->head;
}

static inline bool
rx_queue_full(const struct rx_queue *queue)
{
	return rx_queue_length(queue) > queue->mask;
}

/** The frame at a place, 0 for the oldest; there is one. */
static inline struct queued *
rx_queue_at(const struct rx_queue *queue, uint32_t place)
{
	return &queue->ring[(queue->head + place) & queue->mask];
}

/** Put a frame last; the queue is not full. */
static inline void
rx_queue_push(struct rx_queue *queue, const struct queued *queued)
{
	queue->ring[queue->tail++ & queue->mask] = *queued;
}

/** Take the oldest, or the newest; there is one. */
static inline struct queued
rx_queue_pop_oldest(struct rx_queue *queue)
{
	return queue->ring[queue->head++ & queue->mask];
}

static inline struct queued
rx_queue_pop_newest(struct rx_queue *queue)
{
	return queue->ring[--queue->tail & queue->mask];
}

#endif
