/* SPDX-License-Identifier: MIT */
/*
 * A queue of fixed-size letters between two threads, with a descriptor that
 * wakes the reader. For the few words between control thread and engine, not
 * for data: it takes a lock, and memory when it must grow.
 */
#ifndef ENGINE_MAIL_H
#define ENGINE_MAIL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mail {
	pthread_mutex_t lock;
	_Atomic uint32_t waiting; /* letters; read without the lock */
	uint8_t *letters;
	size_t letter_bytes;
	uint32_t capacity;
	uint32_t first;
	int fd; /* eventfd */
};

/** @return false if out of memory or descriptors */
bool mail_init(struct mail *mail, size_t letter_bytes);

void mail_end(struct mail *mail);

/** Aborts the process if memory runs out: a lost order would leak a channel. */
void mail_send(struct mail *mail, const void *letter);

/** @return false if there is none; then the descriptor is quiet again */
bool mail_receive(struct mail *mail, void *letter);

/** Cheap enough for every turn of a loop. */
static inline bool
mail_waiting(struct mail *mail)
{
	return atomic_load_explicit(&mail->waiting, memory_order_relaxed) != 0;
}

#endif
