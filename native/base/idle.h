/* SPDX-License-Identifier: MIT */
/*
 * How a thread waits for packets that cannot wake it, as no device here has an
 * RX interrupt: it yields for a while, then takes naps. What comes after a
 * silence is late by at most a small part of that silence, or by what waking up
 * takes anyway; and since naps grow with the silence, an idle thread takes few.
 */
#ifndef BASE_IDLE_H
#define BASE_IDLE_H

#include "base/bits.h"
#include "base/clock.h"

/* Without work for so long a thread stops yielding and naps. */
#define IDLE_AWAKE_NS (200 * NS_PER_US)
/* Waking up takes 10 to 50 us: shorter naps would be no rest. */
#define IDLE_NAP_MIN_NS (25 * NS_PER_US)
#define IDLE_NAP_MAX_NS (8 * NS_PER_MS)
#define IDLE_NAP_PART 32
/* Of the kernel's timers, for prctl(PR_SET_TIMERSLACK): its own 50 us would
 * triple the shortest naps. */
#define IDLE_TIMER_SLACK_NS 1000ul

/** The next nap of a thread that has been idle for so long. */
static inline uint64_t
idle_nap_ns(uint64_t idle_ns)
{
	uint64_t part_ns = idle_ns / IDLE_NAP_PART;

	return u64_min(u64_max(part_ns, IDLE_NAP_MIN_NS), IDLE_NAP_MAX_NS);
}

#endif
