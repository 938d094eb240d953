/* SPDX-License-Identifier: MIT */
#include "client/mapping.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "machnet/machnet.h"

struct mapping {
	struct mapping *next;
	void *base;
	uint64_t bytes;
	bool detached; /* its channel is over */
	bool released; /* nothing reaches it from outside any more */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct mapping *mappings;

struct mapping *
mapping_create(int memfd, uint64_t bytes)
{
	struct mapping *mapping = calloc(1, sizeof(*mapping));

	if (mapping == NULL)
		return NULL;
	mapping->base =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	if (mapping->base == MAP_FAILED) {
		free(mapping);
		return NULL;
	}
	mapping->bytes = bytes;
	pthread_mutex_lock(&lock);
	mapping->next = mappings;
	mappings = mapping;
	pthread_mutex_unlock(&lock);
	return mapping;
}

void *
mapping_base(const struct mapping *mapping)
{
	return mapping->base;
}

/** Unmap and forget it, if neither side needs it. Called with the lock. */
static void
collect(struct mapping *mapping)
{
	struct mapping **link = &mappings;

	if (!mapping->detached || !mapping->released)
		return;
	while (*link != mapping)
		link = &(*link)->next;
	*link = mapping->next;
	munmap(mapping->base, mapping->bytes);
	free(mapping);
}

void
mapping_detach(struct mapping *mapping)
{
	pthread_mutex_lock(&lock);
	/* Should it fail, the shared pages stay: a view still never faults. */
	mmap(mapping->base, mapping->bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	mapping->detached = true;
	collect(mapping);
	pthread_mutex_unlock(&lock);
}

void
machnet_mapping_release(void *base, void *context)
{
	struct mapping *mapping;

	(void)context;
	pthread_mutex_lock(&lock);
	for (mapping = mappings; mapping != NULL; mapping = mapping->next)
		if (mapping->base == base)
			break;
	if (mapping != NULL) {
		mapping->released = true;
		collect(mapping);
	}
	pthread_mutex_unlock(&lock);
}
