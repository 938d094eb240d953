/* SPDX-License-Identifier: MIT */
/*
 * Whether a thread goes to the processor of whom it waits for, when it waits
 * by yielding and others want its own: an engine to its applications, an
 * application to its engine. Where the two are alone together, the engine keeps
 * the processor while it is waited for (engine/hold.h); beside others, such as
 * the engine of a peer, they pass it to and fro.
 *
 * Each thread decides for itself. Where engines share processors with the
 * applications of one another, or one with the other, they go, until each side
 * has a processor of its own; then there is nothing left to do. Where an engine
 * is alone it stays, and its application comes. Where there are processors
 * enough, the kernel has spread the threads, and all stay.
 */
#ifndef BASE_FOLLOW_H
#define BASE_FOLLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/processor.h"

/* Not before it was so for as long: the kernel moves threads, too. To go takes
 * 10 to 20 us. */
#define FOLLOW_AFTER_NS (100 * NS_PER_US)
/* From one time to the next at least. */
#define FOLLOW_GAP_NS (2 * NS_PER_MS)

struct follow {
	uint32_t cpu; /* where to, if it stays so, or PROCESSOR_NONE */
	uint64_t since_ns;
	uint64_t next_ns;
};

static inline void
follow_init(struct follow *follow)
{
	*follow = (struct follow){.cpu = PROCESSOR_NONE};
}

/**
 * The thread has waited, in vain so far.
 * @param here its processor
 * @param there that of whom it waits for, or PROCESSOR_NONE
 * @param crowded others got the processor when it yielded
 * @return whether to go there
 */
static inline bool
follow_now(struct follow *follow, uint32_t here, uint32_t there, bool crowded,
	uint64_t now_ns)
{
	uint32_t cpu = crowded && there != here ? there : PROCESSOR_NONE;

	if (cpu != follow->cpu) {
		follow->cpu = cpu;
		follow->since_ns = now_ns;
	}
	if (cpu == PROCESSOR_NONE || now_ns < follow->next_ns ||
		now_ns - follow->since_ns < FOLLOW_AFTER_NS)
		return false;
	follow->next_ns = now_ns + FOLLOW_GAP_NS;
	return true;
}

/**
 * Take this thread to a processor, if it may run there; the kernel may move it
 * on. Costs three system calls and a migration.
 * @return false: it may not
 */
bool follow_move(uint32_t cpu);

#endif
