/* SPDX-License-Identifier: MIT */
/*
 * Whether an engine that has nothing to do keeps its processor, and looks on,
 * rather than yield. It may where those who run there besides are applications
 * that wait for it: what they wait for comes from elsewhere, and to pass the
 * processor to and fro until then costs two switches each time.
 *
 * What it cannot see is who else runs there: with the engine of a peer, say,
 * what it looks for does not come before it yields. So a time that was kept in
 * vain puts the next one off, for longer each time.
 */
#ifndef ENGINE_HOLD_H
#define ENGINE_HOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bits.h"
#include "base/clock.h"

/* Not longer than this after the last work: a peer answers within 4 to 10. */
#define HOLD_NS (20 * NS_PER_US)
/* How long the engine only yields after one that was in vain, after two, and so
 * on. At most 1 % of its time passes in vain. */
#define HOLD_OFF_NS_MIN (HOLD_NS / 2)
#define HOLD_OFF_GROWTH 4
#define HOLD_OFF_NS_MAX (100 * HOLD_NS)

/** Begins as zeros. */
struct hold {
	bool on;
	uint64_t off_ns; /* after the last one that was in vain */
	uint64_t off_until_ns;
};

/** There was work. */
static inline void
hold_worked(struct hold *hold)
{
	if (hold->on)
		hold->off_ns /= HOLD_OFF_GROWTH;
	hold->on = false;
}

/**
 * There was none.
 * @param waited_for all that run here besides, as far as the engine knows, wait
 *        for it
 * @param idle_ns since the last work
 * @return whether to look again without a yield
 */
static inline bool
hold_on(struct hold *hold, bool waited_for, uint64_t idle_ns, uint64_t now_ns)
{
	bool held = hold->on;

	hold->on =
		waited_for && idle_ns < HOLD_NS && now_ns >= hold->off_until_ns;
	if (held && idle_ns >= HOLD_NS) {
		hold->off_ns = u64_min(u64_max(hold->off_ns * HOLD_OFF_GROWTH,
					       HOLD_OFF_NS_MIN),
			HOLD_OFF_NS_MAX);
		hold->off_until_ns = now_ns + hold->off_ns;
	}
	return hold->on;
}

#endif
