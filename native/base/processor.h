/* SPDX-License-Identifier: MIT */
/* Processors by number, and words in shared memory by which threads tell each
 * other on which they are. Who believes one may be wrong. */
#ifndef BASE_PROCESSOR_H
#define BASE_PROCESSOR_H

#include <stdatomic.h>
#include <stdint.h>

/* What a word says that is 0. */
#define PROCESSOR_NONE UINT32_MAX

/** Write a word, if it is another than what its only writer told before. */
static inline void
processor_tell(_Atomic uint32_t *word, uint32_t *told, uint32_t cpu)
{
	if (cpu + 1 == *told)
		return;
	*told = cpu + 1;
	atomic_store_explicit(word, *told, memory_order_relaxed);
}

/** @return what a word says, whatever it is */
static inline uint32_t
processor_told(const _Atomic uint32_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed) - 1;
}

#endif
