/* SPDX-License-Identifier: MIT */
/* Intrusive circular doubly linked list. A node in no list links to itself, so
 * that leaving is idempotent. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *previous;
	struct list *next;
};

static inline void
list_init(struct list *node)
{
	node->previous = node;
	node->next = node;
}

static inline bool
list_empty(const struct list *node)
{
	return node->next == node;
}

static inline void
list_leave(struct list *node)
{
	node->previous->next = node->next;
	node->next->previous = node->previous;
	list_init(node);
}

/** Put a node that is in no list last. */
static inline void
list_append(struct list *head, struct list *node)
{
	node->previous = head->previous;
	node->next = head;
	head->previous->next = node;
	head->previous = node;
}

/** As list_append, if the node is in no list. */
static inline void
list_join(struct list *head, struct list *node)
{
	if (list_empty(node))
		list_append(head, node);
}

/** Move all nodes of one list to the end of another. */
static inline void
list_take(struct list *to, struct list *from)
{
	if (list_empty(from))
		return;
	from->next->previous = to->previous;
	to->previous->next = from->next;
	from->previous->next = to;
	to->previous = from->previous;
	list_init(from);
}

#endif
