// SPDX-License-Identifier: MIT
#include "sidecar/stats.h"

#include <inttypes.h>
#include <stdio.h>

struct text {
	char *next;
	uint32_t room;
};

/* A name has at most 31 characters, a prefix 9, a value 20. */
#define LINE_BYTES_MAX 64u
#define COUNT(name) +1u
/* Of one engine, or of all together and of the port. */
#define LINES (4u ENGINE_COUNTERS(COUNT) TRANSPORT_COUNTERS(COUNT))

uint32_t
stats_bytes_max(uint32_t engines)
{
	return (engines + 1) * LINES * LINE_BYTES_MAX;
}

static void
line(struct text *text, const char *prefix, const char *name, uint64_t value)
{
	int length = snprintf(text->next, text->room, "%s%s %" PRIu64 "\n",
		prefix, name, value);

	if (length < 0 || (uint32_t)length >= text->room)
		return;
	text->next += length;
	text->room -= (uint32_t)length;
}

static void
lines(struct text *text, const char *prefix,
	const struct engine_snapshot *snapshot)
{
	line(text, prefix, "channels", snapshot->channels);
	line(text, prefix, "connections", snapshot->flows);
#define LINE(name) line(text, prefix, #name, snapshot->engine.name);
	ENGINE_COUNTERS(LINE)
#undef LINE
#define LINE(name) line(text, prefix, #name, snapshot->transport.name);
	TRANSPORT_COUNTERS(LINE)
#undef LINE
}

static void
add(struct engine_snapshot *sum, const struct engine_snapshot *one)
{
	sum->channels += one->channels;
	sum->flows += one->flows;
#define ADD(name) sum->engine.name += one->engine.name;
	ENGINE_COUNTERS(ADD)
#undef ADD
#define ADD(name) sum->transport.name += one->transport.name;
	TRANSPORT_COUNTERS(ADD)
#undef ADD
}

uint32_t
stats_write(char *text, uint32_t capacity, uint64_t frames_missed,
	const struct engine_snapshot *snapshots, uint32_t engines)
{
	struct text out = {.next = text, .room = capacity};
	struct engine_snapshot sum = {0};

	for (uint32_t i = 0; i < engines; i++)
		add(&sum, &snapshots[i]);
	line(&out, "", "engines", engines);
	line(&out, "", "frames_missed", frames_missed);
	lines(&out, "", &sum);
	for (uint32_t i = 0; i < engines; i++) {
		char prefix[24];

		snprintf(prefix, sizeof(prefix), "engine%u_", i);
		lines(&out, prefix, &snapshots[i]);
	}
	return (uint32_t)(out.next - text);
}
