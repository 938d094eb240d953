/* SPDX-License-Identifier: MIT */
/* To wait for a word that another process changes: futex(2). */
#ifndef SHM_FUTEX_H
#define SHM_FUTEX_H

#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/** Block while the word has this value, until it is woken, for less than a
 * second. May return early. */
static inline void
futex_wait(_Atomic uint32_t *word, uint32_t value, uint64_t timeout_ns)
{
	const struct timespec timeout = {.tv_nsec = (long)timeout_ns};

	syscall(SYS_futex, word, FUTEX_WAIT, value, &timeout, NULL, 0);
}

/** Wake whoever waits, after the word was changed. */
static inline void
futex_wake(_Atomic uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

#endif
