/* SPDX-License-Identifier: MIT */
/* Records of one size that are used again: as many are kept as ever were in use
 * at a time, so that in the long run nothing is allocated. */
#ifndef BASE_FREELIST_H
#define BASE_FREELIST_H

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* All zero is an empty one. */
struct freelist {
	void *first; /* each begins with a pointer to the next */
};

/** @return one that was given back, its first pointer cleared and the rest as
 * it was left, or one that is all zero; NULL if out of memory */
static inline void *
freelist_take(struct freelist *list, size_t bytes)
{
	void *record = list->first;

	if (record == NULL)
		return calloc(1, bytes);
	memcpy(&list->first, record, sizeof(list->first));
	memset(record, 0, sizeof(list->first));
	return record;
}

static inline void
freelist_give(struct freelist *list, void *record)
{
	memcpy(record, &list->first, sizeof(list->first));
	list->first = record;
}

static inline void
freelist_destroy(struct freelist *list)
{
	while (list->first != NULL)
		free(freelist_take(list, 0));
}

#endif
