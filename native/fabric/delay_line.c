/* SPDX-License-Identifier: MIT */
#include "fabric/delay_line.h"

#include <assert.h>
#include <stdlib.h>

bool
delay_line_init(struct delay_line *line, uint32_t capacity)
{
	*line = (struct delay_line){.capacity = capacity};
	line->entries = calloc(capacity, sizeof(*line->entries));
	return line->entries != NULL;
}

void
delay_line_free(struct delay_line *line)
{
	free(line->entries);
}

static bool
is_before(const struct delayed *a, const struct delayed *b)
{
	if (a->due_ns != b->due_ns)
		return a->due_ns < b->due_ns;
	return a->order < b->order;
}

bool
delay_line_push(struct delay_line *line, const struct delayed *delayed)
{
	struct delayed entry = *delayed;
	uint32_t at = line->length;

	if (line->length == line->capacity)
		return false;
	entry.order = line->order++;
	line->length++;
	for (; at > 0; at = (at - 1) / 2) {
		if (!is_before(&entry, &line->entries[(at - 1) / 2]))
			break;
		line->entries[at] = line->entries[(at - 1) / 2];
	}
	line->entries[at] = entry;
	return true;
}

const struct delayed *
delay_line_first(const struct delay_line *line)
{
	return line->length == 0 ? NULL : &line->entries[0];
}

struct delayed
delay_line_pop(struct delay_line *line)
{
	struct delayed *entries = line->entries;
	struct delayed first, last;
	uint32_t at = 0;

	assert(line->length > 0);
	first = entries[0];
	last = entries[--line->length];
	for (uint32_t child = 1; child < line->length; child = 2 * at + 1) {
		if (child + 1 < line->length &&
			is_before(&entries[child + 1], &entries[child]))
			child++;
		if (!is_before(&entries[child], &last))
			break;
		entries[at] = entries[child];
		at = child;
	}
	entries[at] = last;
	return first;
}
