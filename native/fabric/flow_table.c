/* SPDX-License-Identifier: MIT */
#include "fabric/flow_table.h"

#include <stdlib.h>
#include <string.h>

#include <sodium/crypto_shorthash.h>

bool
flow_table_init(struct flow_table *table, const uint8_t key[16])
{
	memcpy(table->key, key, sizeof(table->key));
	table->sets = calloc(FLOW_TABLE_SETS, sizeof(*table->sets));
	return table->sets != NULL;
}

void
flow_table_free(struct flow_table *table)
{
	free(table->sets);
}

/* Its entry, or the one to replace. */
static struct flow_entry *
look_up(struct flow_table *table, const struct flow *flow)
{
	struct flow_entry *set, *oldest;
	uint64_t hash;

	crypto_shorthash((unsigned char *)&hash, (const unsigned char *)flow,
		sizeof(*flow), table->key);
	set = table->sets[hash % FLOW_TABLE_SETS];
	oldest = set;
	for (uint32_t i = 0; i < FLOW_TABLE_WAYS; i++) {
		if (memcmp(&set[i].flow, flow, sizeof(*flow)) == 0)
			return &set[i];
		if (set[i].used_ns < oldest->used_ns)
			oldest = &set[i];
	}
	return oldest;
}

static bool
is_alive(const struct flow_entry *entry, const struct flow *flow,
	uint64_t now_ns)
{
	return entry->used_ns != 0 &&
	       now_ns - entry->used_ns <= FLOW_IDLE_NS_MAX &&
	       memcmp(&entry->flow, flow, sizeof(*flow)) == 0;
}

struct flow_entry *
flow_table_find(
	struct flow_table *table, const struct flow *flow, uint64_t now_ns)
{
	struct flow_entry *entry = look_up(table, flow);

	if (!is_alive(entry, flow, now_ns))
		return NULL;
	entry->used_ns = now_ns;
	return entry;
}

struct flow_entry *
flow_table_add(
	struct flow_table *table, const struct flow *flow, uint64_t now_ns)
{
	struct flow_entry *entry = look_up(table, flow);

	if (!is_alive(entry, flow, now_ns))
		*entry = (struct flow_entry){.flow = *flow};
	entry->used_ns = now_ns;
	return entry;
}
