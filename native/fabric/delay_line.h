/* SPDX-License-Identifier: MIT */
/* Frames on their way, ordered by the time at which they arrive. */
#ifndef FABRIC_DELAY_LINE_H
#define FABRIC_DELAY_LINE_H

#include <stdbool.h>
#include <stdint.h>

struct delayed {
	uint64_t due_ns;
	uint64_t order; /* set by the line: what is due together stays in order
			 */
	void *frame;
	uint32_t length; /* bytes */
	uint16_t from;	 /* ports */
	uint16_t to;
};

/* A binary heap, the earliest first. */
struct delay_line {
	struct delayed *entries;
	uint32_t length;
	uint32_t capacity;
	uint64_t order;
};

/** @return false without memory */
bool delay_line_init(struct delay_line *line, uint32_t capacity);

/** The frames that are left are the caller's to release, before. */
void delay_line_free(struct delay_line *line);

/** O(log n). @return false if it is full */
bool delay_line_push(struct delay_line *line, const struct delayed *delayed);

/** The earliest, or NULL. Valid until the next push or pop. */
const struct delayed *delay_line_first(const struct delay_line *line);

/** Take the earliest; there is one. O(log n). */
struct delayed delay_line_pop(struct delay_line *line);

#endif
