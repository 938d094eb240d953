/* SPDX-License-Identifier: MIT */
/*
 * What a connection id says: generation | engine | index of the flow. Whoever
 * gets a packet finds the engine that it is for by a shift, with no table.
 */
#ifndef TRANSPORT_CONNECTION_ID_H
#define TRANSPORT_CONNECTION_ID_H

#include <stdint.h>

#define CONNECTION_INDEX_BITS 18u
#define CONNECTION_ENGINE_BITS 6u

/* The slots of one engine; index 0 is never given, so that no id is 0. */
#define CONNECTION_INDICES (1u << CONNECTION_INDEX_BITS)
#define CONNECTION_ENGINES (1u << CONNECTION_ENGINE_BITS)
/* From one generation of a slot to the next; runs over at 2^32. */
#define CONNECTION_GENERATION                                                  \
	(1u << (CONNECTION_INDEX_BITS + CONNECTION_ENGINE_BITS))

static inline uint32_t
connection_id(uint32_t generation, uint32_t engine, uint32_t index)
{
	return generation * CONNECTION_GENERATION |
	       engine << CONNECTION_INDEX_BITS | index;
}

static inline uint32_t
connection_index(uint32_t id)
{
	return id & (CONNECTION_INDICES - 1);
}

static inline uint32_t
connection_engine(uint32_t id)
{
	return id >> CONNECTION_INDEX_BITS & (CONNECTION_ENGINES - 1);
}

#endif
