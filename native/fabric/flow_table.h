/* SPDX-License-Identifier: MIT */
/* The flows that a vNIC keeps in mind, as SDN flow tables do: a bounded number,
 * each until nobody has sent anything for a while. */
#ifndef FABRIC_FLOW_TABLE_H
#define FABRIC_FLOW_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "fabric/flow.h"

#define FLOW_TABLE_FLOWS (FLOW_TABLE_SETS * FLOW_TABLE_WAYS)
#define FLOW_TABLE_SETS 8192u
#define FLOW_TABLE_WAYS 8u
/* As EC2's for UDP that goes one way. */
#define FLOW_IDLE_NS_MAX (30 * NS_PER_S)

struct flow_entry {
	struct flow flow;
	uint64_t used_ns; /* 0: never */
	bool begun;	  /* by the host */
	bool heard;	  /* by the host */
};

struct flow_table {
	struct flow_entry (*sets)[FLOW_TABLE_WAYS];
	uint8_t key[16]; /* so that nobody can fill one set on purpose */
};

/** @return false without memory. Memory is touched as flows come. */
bool flow_table_init(struct flow_table *table, const uint8_t key[16]);
void flow_table_free(struct flow_table *table);

/** O(1). @return a flow that is there, used now, or NULL */
struct flow_entry *flow_table_find(
	struct flow_table *table, const struct flow *flow, uint64_t now_ns);

/** As flow_table_find; one that was not there is new, and takes the place of
 * the one of its set that was idle for longest. */
struct flow_entry *flow_table_add(
	struct flow_table *table, const struct flow *flow, uint64_t now_ns);

#endif
