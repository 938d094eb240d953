// SPDX-License-Identifier: MIT
#include "engine/mail.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CAPACITY_INITIAL 64u

bool
mail_init(struct mail *mail, size_t letter_bytes)
{
	memset(mail, 0, sizeof(*mail));
	mail->letter_bytes = letter_bytes;
	mail->capacity = CAPACITY_INITIAL;
	mail->letters = malloc(mail->capacity * letter_bytes);
	mail->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (mail->letters == NULL || mail->fd < 0) {
		free(mail->letters);
		if (mail->fd >= 0)
			close(mail->fd);
		return false;
	}
	pthread_mutex_init(&mail->lock, NULL);
	return true;
}

void
mail_end(struct mail *mail)
{
	pthread_mutex_destroy(&mail->lock);
	free(mail->letters);
	close(mail->fd);
}

static uint8_t *
letter_at(struct mail *mail, uint32_t index)
{
	return mail->letters + index % mail->capacity * mail->letter_bytes;
}

static void
grow(struct mail *mail, uint32_t waiting)
{
	uint8_t *letters =
		malloc(2 * (size_t)mail->capacity * mail->letter_bytes);

	if (letters == NULL)
		abort();
	for (uint32_t i = 0; i < waiting; i++)
		memcpy(letters + i * mail->letter_bytes,
			letter_at(mail, mail->first + i), mail->letter_bytes);
	free(mail->letters);
	mail->letters = letters;
	mail->first = 0;
	mail->capacity *= 2;
}

void
mail_send(struct mail *mail, const void *letter)
{
	uint32_t waiting;

	pthread_mutex_lock(&mail->lock);
	waiting = atomic_load_explicit(&mail->waiting, memory_order_relaxed);
	if (waiting == mail->capacity)
		grow(mail, waiting);
	memcpy(letter_at(mail, mail->first + waiting), letter,
		mail->letter_bytes);
	atomic_store_explicit(
		&mail->waiting, waiting + 1, memory_order_relaxed);
	pthread_mutex_unlock(&mail->lock);
	eventfd_write(mail->fd, 1);
}

bool
mail_receive(struct mail *mail, void *letter)
{
	uint32_t waiting;
	eventfd_t ignored;

	pthread_mutex_lock(&mail->lock);
	waiting = atomic_load_explicit(&mail->waiting, memory_order_relaxed);
	if (waiting == 0) {
		/* Under the lock: a sender rings after it let go. */
		eventfd_read(mail->fd, &ignored);
		pthread_mutex_unlock(&mail->lock);
		return false;
	}
	memcpy(letter, letter_at(mail, mail->first), mail->letter_bytes);
	mail->first = (mail->first + 1) % mail->capacity;
	atomic_store_explicit(
		&mail->waiting, waiting - 1, memory_order_relaxed);
	pthread_mutex_unlock(&mail->lock);
	return true;
}
