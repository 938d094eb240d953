// SPDX-License-Identifier: MIT
#include "transport/wheel.h"

#include "base/bits.h"

#define SLOT_BITS 8u
#define SLOT_MASK (WHEEL_SLOTS - 1)
#define TICKS_MAX ((UINT64_C(1) << (SLOT_BITS * WHEEL_LEVELS)) - 1)

void
wheel_init(struct wheel *wheel, uint64_t now_ns)
{
	wheel->tick = now_ns >> WHEEL_TICK_NS_LOG2;
	wheel->timers = 0;
	for (unsigned level = 0; level < WHEEL_LEVELS; level++)
		for (unsigned slot = 0; slot < WHEEL_SLOTS; slot++)
			list_init(&wheel->slots[level][slot]);
}

static void
place(struct wheel *wheel, struct timer *timer)
{
	uint64_t ticks = timer->tick - wheel->tick;
	unsigned level = 0;

	while (ticks >> (SLOT_BITS * (level + 1)) != 0)
		level++;
	list_append(&wheel->slots[level][(timer->tick >> (SLOT_BITS * level)) &
					 SLOT_MASK],
		&timer->node);
}

void
wheel_set(struct wheel *wheel, struct timer *timer, uint64_t deadline_ns)
{
	uint64_t round_up = (UINT64_C(1) << WHEEL_TICK_NS_LOG2) - 1;
	uint64_t tick = (deadline_ns + round_up) >> WHEEL_TICK_NS_LOG2;

	if (list_empty(&timer->node))
		wheel->timers++;
	else
		list_leave(&timer->node);
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
	wheel->timers--;
}

/* Move the timers of a coarse slot to finer ones; their time has come near. */
static void
cascade(struct wheel *wheel, unsigned level)
{
	unsigned slot = (wheel->tick >> (SLOT_BITS * level)) & SLOT_MASK;
	struct list moving;

	if (slot == 0 && level + 1 < WHEEL_LEVELS)
		cascade(wheel, level + 1);
	list_init(&moving);
	list_take(&moving, &wheel->slots[level][slot]);
	while (!list_empty(&moving)) {
		struct timer *timer =
			container_of(moving.next, struct timer, node);

		list_leave(&timer->node);
		place(wheel, timer);
	}
}

void
wheel_advance(struct wheel *wheel, uint64_t now_ns, struct list *due)
{
	uint64_t now = now_ns >> WHEEL_TICK_NS_LOG2;

	while (wheel->tick <= now) {
		struct list *slot;

		if (wheel->timers == 0) {
			wheel->tick = now + 1;
			return;
		}
		if ((wheel->tick & SLOT_MASK) == 0)
			cascade(wheel, 1);
		slot = &wheel->slots[0][wheel->tick & SLOT_MASK];
		for (struct list *n = slot->next; n != slot; n = n->next)
			wheel->timers--;
		list_take(due, slot);
		wheel->tick++;
	}
}

uint64_t
wheel_next_ns(const struct wheel *wheel)
{
	uint64_t tick = wheel->tick;

	if (wheel->timers == 0)
		return UINT64_MAX;
	while (list_empty(&wheel->slots[0][tick & SLOT_MASK])) {
		tick++;
		if ((tick & SLOT_MASK) == 0)
			break;
	}
	return tick << WHEEL_TICK_NS_LOG2;
}
