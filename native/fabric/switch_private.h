/* SPDX-License-Identifier: MIT */
/* What the parts of the switch share: switch.c makes and shows it, forward.c
 * takes frames from hosts, arrive.c brings them to hosts. */
#ifndef FABRIC_SWITCH_PRIVATE_H
#define FABRIC_SWITCH_PRIVATE_H

#include "fabric/addresses.h"
#include "fabric/delay_line.h"
#include "fabric/dice.h"
#include "fabric/switch.h"

struct switch_port {
	struct dice dice;
	struct cap out; /* of what the host sends */
	struct cap in;	/* of what is sent to it */
	uint32_t in_flight;
	uint64_t cut_until_ns;
	struct classifier *classifier;
	struct rx_queue *queues;
	uint64_t pending; /* queues that are not empty, a bit each */
	struct switch_counters counters;
};

/* Probabilities as a share of 2^32. */
struct odds {
	uint64_t loss;
	uint64_t duplicate;
	uint64_t reorder;
	uint64_t corrupt;
};

struct fabric_switch {
	struct switch_options options;
	struct switch_operations operations;
	struct odds odds;
	struct delay_line line;
	struct addresses addresses;
	struct switch_port ports[SWITCH_PORTS_MAX];
};

/* Mark a frame on its way, if it can be. */
static inline void
switch_mark(struct fabric_switch *fabric, struct delayed *delayed)
{
	if (fabric->operations.mark(&delayed->frame))
		fabric->ports[delayed->to].counters.ecn_marked++;
}

/** Drop what is in an RX queue. @return how many frames that were */
uint64_t switch_queue_empty(
	struct fabric_switch *fabric, struct switch_port *port, uint32_t index);

#endif
