// SPDX-License-Identifier: MIT
#include "sidecar/stats.h"

#include <inttypes.h>
#include <stdio.h>

struct text {
	char *next;
	uint32_t room;
};

static void
line(struct text *text, const char *name, uint64_t value)
{
	int length = snprintf(
		text->next, text->room, "%s %" PRIu64 "\n", name, value);

	if (length < 0 || (uint32_t)length >= text->room)
		return;
	text->next += length;
	text->room -= (uint32_t)length;
}

uint32_t
stats_write(
	char *text, uint32_t capacity, const struct engine_snapshot *snapshot)
{
	struct text out = {.next = text, .room = capacity};

	line(&out, "channels", snapshot->channels);
	line(&out, "connections", snapshot->flows);
#define LINE(name) line(&out, #name, snapshot->engine.name);
	ENGINE_COUNTERS(LINE)
#undef LINE
#define LINE(name) line(&out, #name, snapshot->transport.name);
	TRANSPORT_COUNTERS(LINE)
#undef LINE
	return (uint32_t)(out.next - text);
}
