/* SPDX-License-Identifier: MIT */
/*
 * Who runs the turns of an engine that an application drives: the application
 * whenever it polls, so that nothing passes from thread to thread; a helper
 * thread while the application sleeps, or is busy with something else. Whoever
 * took the drive runs one turn, then gives it back.
 *
 * The helper steps back as soon as the application is here. An application that
 * leaves says so, one that is busy cannot: while it polls it puts off a timer,
 * which wakes the helper once nobody does. The helper costs no processor time
 * as long as all goes well, as it would if it looked now and then.
 */
#ifndef ENGINE_DRIVE_H
#define ENGINE_DRIVE_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bits.h"

/* An application that did not poll for so long is busy. */
#define DRIVE_BUSY_NS UINT64_C(200000)
/* When the timer wakes the helper, and after how much of that it is put off,
 * for a system call. */
#define DRIVE_WATCH_NS UINT64_C(1000000)
#define DRIVE_PUT_OFF_NS (DRIVE_WATCH_NS / 2)

struct drive {
	alignas(CACHE_LINE_BYTES) _Atomic uint32_t taken;
	_Atomic uint32_t closed;     /* the application drives no more */
	_Atomic uint64_t here_ns;    /* when it polled last; 0: it left */
	_Atomic uint64_t put_off_ns; /* when it put off the timer last */
	alignas(CACHE_LINE_BYTES) _Atomic uint32_t blocked; /* the helper is */
	int fd;		       /* eventfd that wakes the helper */
	int timer;	       /* timerfd that does */
	struct engine *engine; /* of whoever took the drive; NULL: none */
};

/** Any number of times; from the first one on the descriptors stay open.
 * @return false if there are none left */
bool drive_init(struct drive *drive);

/** From now on it is the engine's, and the application may drive. */
void drive_open(struct drive *drive, struct engine *engine);

/** Leave it to the helper for good. */
void drive_close(struct drive *drive);

/** @return false: another thread runs a turn */
bool drive_take(struct drive *drive);
void drive_give(struct drive *drive);

/* The application's. */

/** It polls, and may take the drive. @return false: it is closed */
bool drive_enter(struct drive *drive, uint64_t now_ns);

/** It will not poll for a while. Costs a system call if the helper sleeps. */
void drive_leave(struct drive *drive);

/* The helper's. */

/** Is the application away, so that the helper is needed? */
bool drive_away(const struct drive *drive, uint64_t now_ns);

/** Sleep until the application leaves, or has not polled for a while: for
 * DRIVE_WATCH_NS at most. */
void drive_watch(struct drive *drive, uint64_t now_ns);

/** The helper is about to sleep elsewhere, but wakes when drive->fd becomes
 * readable: it will if the application leaves from now on. Before the drive is
 * given back. */
void drive_block(struct drive *drive);
void drive_unblock(struct drive *drive);

#endif
