/* SPDX-License-Identifier: MIT */
/*
 * Hierarchical timer wheel (Varghese and Lauck, SOSP 1987, scheme 7): three
 * levels of 256 slots, ticks of 16 us, so 4.2 ms, 1.1 s and 4.6 min. Setting
 * and cancelling are O(1); a timer that lies further away fires early and is
 * set again by its owner.
 */
#ifndef TRANSPORT_WHEEL_H
#define TRANSPORT_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

#define WHEEL_TICK_NS_LOG2 14u /* 16.384 us */
#define WHEEL_SLOTS 256u
#define WHEEL_LEVELS 3u

struct timer {
	struct list node;
	/* When it fires, and where it waits; meaningful while it is set. */
	uint64_t tick : 56;
	uint64_t level : 8;
};

struct wheel {
	uint64_t tick;			   /* all before it have fired */
	uint32_t timers[WHEEL_LEVELS + 1]; /* by level; the last: due */
	struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

void wheel_init(struct wheel *wheel, uint64_t now_ns);

static inline void
timer_init(struct timer *timer)
{
	list_init(&timer->node);
}

/** Set, or set again, to fire at the first tick not before deadline_ns. */
void wheel_set(struct wheel *wheel, struct timer *timer, uint64_t deadline_ns);

void wheel_cancel(struct wheel *wheel, struct timer *timer);

/** Has a tick passed since wheel_advance? */
static inline bool
wheel_behind(const struct wheel *wheel, uint64_t now_ns)
{
	return wheel->tick <= now_ns >> WHEEL_TICK_NS_LOG2;
}

/**
 * Collect the timers that are due by now into `due`, in the order of their
 * ticks. The caller takes them out one by one with wheel_cancel; those that
 * wait there can be set and cancelled like any other. Time without timers is
 * skipped, so a late call costs no more than a punctual one.
 */
void wheel_advance(struct wheel *wheel, uint64_t now_ns, struct list *due);

/** When the next slot with a timer comes up, or UINT64_MAX. Looks no further
 * than where a slot of the next level opens, so it may be early. */
uint64_t wheel_next_ns(const struct wheel *wheel);

#endif
