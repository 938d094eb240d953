/* SPDX-License-Identifier: MIT */
/*
 * Whether this thread shares its processor with somebody who computes, told by
 * how long its yields take. A yield to one who computes lasts a time slice, and
 * so do the next ones; one to a thread that collects garbage for a while, or to
 * a task of the kernel's, is followed by many short ones.
 */
#ifndef CLIENT_CROWD_H
#define CLIENT_CROWD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

/* A yield that took longer went to somebody who computes. */
#define CROWD_YIELD_NS (1 * NS_PER_MS)
/* So many of them in a row tell a crowd: on a quiet machine every fourth
 * follows one. Each costs a time slice, 3 to 4 ms. */
#define CROWD_ROW 3u
/* What lies between two of a row at most. Beside one who computes it is 0.1 to
 * 0.3 ms in the median, on a quiet machine 8 to 50. */
#define CROWD_GAP_NS (1 * NS_PER_MS)
/* For so long nobody yields then; to look again costs one yield. */
#define CROWD_NS (10 * NS_PER_MS)

/** Begins as zeros. */
struct crowd {
	uint64_t until_ns; /* there is one until then */
	uint64_t last_ns;  /* the end of the last long yield, or of the crowd */
	uint32_t row;
};

/** A yield took so long, and is over. */
static inline void
crowd_yielded(struct crowd *crowd, uint64_t took_ns, uint64_t now_ns)
{
	if (took_ns <= CROWD_YIELD_NS)
		return;
	if (now_ns - took_ns > crowd->last_ns + CROWD_GAP_NS)
		crowd->row = 0;
	crowd->last_ns = now_ns;
	if (crowd->row + 1 < CROWD_ROW) {
		crowd->row++;
		return;
	}
	crowd->last_ns = crowd->until_ns = now_ns + CROWD_NS;
}

/** Whether it is no time to yield. */
static inline bool
crowd_is_there(const struct crowd *crowd, uint64_t now_ns)
{
	return now_ns < crowd->until_ns;
}

#endif
