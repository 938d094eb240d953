// SPDX-License-Identifier: MIT
#include "transport/wheel.h"

#include <string.h>

#include "base/bits.h"

#define SLOT_BITS 8u
#define SLOT_MASK (WHEEL_SLOTS - 1)
#define TICKS_MAX ((UINT64_C(1) << (SLOT_BITS * WHEEL_LEVELS)) - 1)

#define DUE WHEEL_LEVELS

void
wheel_init(struct wheel *wheel, uint64_t now_ns)
{
	memset(wheel, 0, sizeof(*wheel));
	wheel->tick = now_ns >> WHEEL_TICK_NS_LOG2;
	for (unsigned level = 0; level < WHEEL_LEVELS; level++)
		for (unsigned slot = 0; slot < WHEEL_SLOTS; slot++)
			list_init(&wheel->slots[level][slot]);
}

static struct list *
slot_of(struct wheel *wheel, unsigned level, uint64_t tick)
{
	return &wheel->slots[level][(tick >> (SLOT_BITS * level)) & SLOT_MASK];
}

static void
place(struct wheel *wheel, struct timer *timer)
{
	uint64_t ticks = timer->tick - wheel->tick;
	unsigned level = 0;

	while (ticks >> (SLOT_BITS * (level + 1)) != 0)
		level++;
	timer->level = level;
	wheel->timers[level]++;
	list_append(slot_of(wheel, level, timer->tick), &timer->node);
}

void
wheel_set(struct wheel *wheel, struct timer *timer, uint64_t deadline_ns)
{
	uint64_t round_up = (UINT64_C(1) << WHEEL_TICK_NS_LOG2) - 1;
	uint64_t tick = (deadline_ns + round_up) >> WHEEL_TICK_NS_LOG2;

	wheel_cancel(wheel, timer);
	timer->tick =
		u64_min(u64_max(tick, wheel->tick), wheel->tick + TICKS_MAX);
	place(wheel, timer);
}

void
wheel_cancel(struct wheel *wheel, struct timer *timer)
{
	if (list_empty(&timer->node))
		return;
	list_leave(&timer->node);
	wheel->timers[timer->level]--;
}

/* Move the timers of a coarse slot to finer ones; their time has come near. */
static void
cascade(struct wheel *wheel, unsigned level)
{
	struct list *slot = slot_of(wheel, level, wheel->tick);

	if ((wheel->tick >> (SLOT_BITS * level) & SLOT_MASK) == 0 &&
		level + 1 < WHEEL_LEVELS)
		cascade(wheel, level + 1);
	while (!list_empty(slot)) {
		struct timer *timer =
			container_of(slot->next, struct timer, node);

		wheel_cancel(wheel, timer);
		place(wheel, timer);
	}
}

static void
collect(struct wheel *wheel, struct list *due)
{
	struct list *slot = slot_of(wheel, 0, wheel->tick);

	while (!list_empty(slot)) {
		struct timer *timer =
			container_of(slot->next, struct timer, node);

		wheel_cancel(wheel, timer);
		timer->level = DUE;
		wheel->timers[DUE]++;
		list_append(due, &timer->node);
	}
}

/* The first tick from wheel->tick on at which there may be something to do:
 * without fine timers, that is when the next coarse slot opens. */
static uint64_t
busy_tick(const struct wheel *wheel)
{
	unsigned level = 0;
	uint64_t span;

	while (level < WHEEL_LEVELS && wheel->timers[level] == 0)
		level++;
	if (level == WHEEL_LEVELS)
		return UINT64_MAX;
	span = UINT64_C(1) << (SLOT_BITS * level);
	return (wheel->tick + span - 1) & ~(span - 1);
}

void
wheel_advance(struct wheel *wheel, uint64_t now_ns, struct list *due)
{
	uint64_t now = now_ns >> WHEEL_TICK_NS_LOG2;

	while (wheel->tick <= now) {
		wheel->tick = u64_min(busy_tick(wheel), now + 1);
		if (wheel->tick > now)
			break;
		if ((wheel->tick & SLOT_MASK) == 0)
			cascade(wheel, 1);
		collect(wheel, due);
		wheel->tick++;
	}
}

uint64_t
wheel_next_ns(const struct wheel *wheel)
{
	uint64_t tick = busy_tick(wheel);

	if (tick == UINT64_MAX)
		return UINT64_MAX;
	/* No further than where a coarse slot opens. */
	while ((tick & SLOT_MASK) != 0 &&
		list_empty(&wheel->slots[0][tick & SLOT_MASK]))
		tick++;
	while (wheel->timers[0] == 0 && (tick >> SLOT_BITS & SLOT_MASK) != 0 &&
		list_empty(&wheel->slots[1][tick >> SLOT_BITS & SLOT_MASK]))
		tick += WHEEL_SLOTS;
	return tick << WHEEL_TICK_NS_LOG2;
}
