/* SPDX-License-Identifier: MIT */
/*
 * How a thread waits for packets: it yields for a while, then takes naps, in
 * case that nothing wakes it. What comes after a silence is late by at most a
 * small part of that silence then, or by what waking up takes anyway; and since
 * naps grow with the silence, an idle thread takes few.
 */
#ifndef BASE_IDLE_H
#define BASE_IDLE_H

#include <sched.h>
#include <stdbool.h>

#include "base/bits.h"
#include "base/clock.h"

/* When a look that found nothing and a yield took less, nobody else got the
 * processor: a system call takes 0.2 to 0.5 us, two switches 2 to 5. */
#define IDLE_ALONE_NS (1 * NS_PER_US)
/* Who is alone need not ask all the time: for packets that come meanwhile a
 * system call is a delay. */
#define IDLE_YIELD_NS (5 * NS_PER_US)
/* Without work for so long a thread stops yielding and naps. */
#define IDLE_AWAKE_NS (200 * NS_PER_US)
/* After so long a silence a sender rings, where packets wake nobody: sooner
 * than its peer sleeps, since what was a silence for the one ended later for
 * the other. */
#define IDLE_RING_NS (IDLE_AWAKE_NS / 4)
/* Waking up takes 10 to 50 us: shorter naps would be no rest. */
#define IDLE_NAP_MIN_NS (25 * NS_PER_US)
/* Parts of the silence, and limits, where nothing wakes the thread, and where
 * something does, so that to look is to be on the safe side. */
#define IDLE_NAP_PART 32
#define IDLE_NAP_MAX_NS (8 * NS_PER_MS)
#define IDLE_NAP_WOKEN_PART 2
#define IDLE_NAP_WOKEN_MAX_NS (64 * NS_PER_MS)
/* Of the kernel's timers, for prctl(PR_SET_TIMERSLACK): its own 50 us would
 * triple the shortest naps. */
#define IDLE_TIMER_SLACK_NS 1000ul

/**
 * Let others run whom this thread may be waiting for, if there are any: at once
 * where somebody ran the last time, every IDLE_YIELD_NS where nobody did.
 * @param again_ns of the caller, for the next call; 0 to begin with, and after
 *        work that others may have been woken for
 * @param now_ns the time, read before the look that found nothing
 * @return the time afterwards, so that the next look need not read it; 0 if
 *         nobody was asked
 */
static inline uint64_t
idle_yield(uint64_t *again_ns, uint64_t now_ns)
{
	uint64_t after_ns;
	bool alone;

	if (now_ns < *again_ns)
		return 0;
	sched_yield();
	after_ns = clock_now_ns();
	alone = after_ns - now_ns < IDLE_ALONE_NS;
	*again_ns = alone ? after_ns + IDLE_YIELD_NS : 0;
	return after_ns;
}

/** The next nap of a thread that has been idle for so long, if packets will
 * wake it or not. */
static inline uint64_t
idle_nap_ns(uint64_t idle_ns, bool woken)
{
	uint64_t part = woken ? IDLE_NAP_WOKEN_PART : IDLE_NAP_PART;
	uint64_t max_ns = woken ? IDLE_NAP_WOKEN_MAX_NS : IDLE_NAP_MAX_NS;

	return u64_min(u64_max(idle_ns / part, IDLE_NAP_MIN_NS), max_ns);
}

#endif
