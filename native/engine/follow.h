/* SPDX-License-Identifier: MIT */
/*
 * Whether an engine goes to the processor of the applications that it serves:
 * it does where they all are on another one, and somebody else wants its own.
 * Beside them it can keep the processor while they wait for it (hold.h); beside
 * others, such as the engine of a peer, it passes it to and fro.
 *
 * Each engine decides for itself. Where two of them share processors with the
 * applications of one another, or one with the other, both go, until each side
 * has a processor of its own; then there is nothing left to do. Who is alone
 * stays: where there are processors enough, the kernel has spread the threads.
 */
#ifndef ENGINE_FOLLOW_H
#define ENGINE_FOLLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

#define FOLLOW_NOWHERE UINT32_MAX

/* Not before it was so for as long: the kernel moves threads, too. To go takes
 * 10 to 20 us. */
#define FOLLOW_AFTER_NS (100 * NS_PER_US)
/* From one time to the next at least. */
#define FOLLOW_GAP_NS (2 * NS_PER_MS)

struct follow {
	bool crowded; /* others got the processor when the engine yielded */
	uint32_t cpu; /* where to, if it stays so, or FOLLOW_NOWHERE */
	uint64_t since_ns;
	uint64_t next_ns;
};

static inline void
follow_init(struct follow *follow)
{
	*follow = (struct follow){.cpu = FOLLOW_NOWHERE};
}

/**
 * There was no work.
 * @param cpu another one than the engine's, where all applications that are
 *        awake are, as far as they tell, or FOLLOW_NOWHERE
 * @return whether to go there
 */
static inline bool
follow_now(struct follow *follow, uint32_t cpu, uint64_t now_ns)
{
	if (!follow->crowded)
		cpu = FOLLOW_NOWHERE;
	if (cpu != follow->cpu) {
		follow->cpu = cpu;
		follow->since_ns = now_ns;
	}
	if (cpu == FOLLOW_NOWHERE || now_ns < follow->next_ns ||
		now_ns - follow->since_ns < FOLLOW_AFTER_NS)
		return false;
	follow->next_ns = now_ns + FOLLOW_GAP_NS;
	return true;
}

#endif
