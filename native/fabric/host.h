/* SPDX-License-Identifier: MIT */
/* One host of the fabric: the memif port between its driver and its vNIC. */
#ifndef FABRIC_HOST_H
#define FABRIC_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "fabric/switch.h"
#include "port/port.h"

/* What a queue's memif ring holds is the first part of its depth. */
#define HOST_RING_FRAMES PORT_DESCRIPTORS_DEFAULT

struct host {
	struct port port;
	uint16_t index;	 /* port of the switch */
	uint16_t opened; /* queues that its driver opened, as far as known; 0
			  * while it is not there */
	bool up;
	unsigned absences; /* of the port, when it was last looked at */
	bool heard;	   /* since it connected: opened is known */
	uint64_t received; /* queues that something ever came on, a bit each */
	uint64_t moved_ns; /* when frames last came or went */
};

/** What switches and EAL do with mbufs. */
extern const struct switch_operations host_operations;

/**
 * Open directory/hostN.memif, as its server.
 * @param host must stay where it is until host_close
 */
int32_t host_open(struct host *host, const char *directory, uint32_t index,
	const struct switch_options *options, struct machnet_error *error);

void host_close(struct host *host);

/**
 * Has it connected, or gone? A host that was not heard yet has one queue: which
 * ones it opened shows when it first sends something. Call it every few ms.
 */
void host_look(struct host *host, struct fabric_switch *network);

/** Take frames from all of its queues. @return whether there were any */
bool host_receive(
	struct host *host, struct fabric_switch *network, uint64_t now_ns);

/**
 * Give it what is in its RX queues, as far as there is room.
 * @param paused set if nothing can move for some 0.1 ms
 * @return whether a frame moved
 */
bool host_send(struct host *host, struct fabric_switch *network,
	uint64_t now_ns, bool *paused);

#endif
