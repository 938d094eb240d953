/* SPDX-License-Identifier: MIT */
/* For tests: frames from port to port. They fail the test that calls them. */
#ifndef PORT_FRAMES_H
#define PORT_FRAMES_H

#include "port/port.h"

/* For what must come: so long that no machine is too slow. */
#define FRAMES_WAIT_NS (60 * NS_PER_S)

/** Open a port, failing with the error's message. */
void frames_open(struct port *port, const struct port_options *options);

/** Try to open a port, and close it. @return the status */
int32_t frames_open_status(const char *device, uint32_t mtu, uint32_t queues,
	struct machnet_error *error);

/** Wait until both ends are up. */
void frames_link(struct port *a, struct port *b);

/**
 * Send count frames of length bytes, each of its own content, and expect them
 * all, in order, in one segment. Every other one ends in memory that is not
 * DPDK's, where the port can send such. from and to may be the same if the
 * other end sends them back.
 */
void frames_pass(const struct port *from, const struct port *to, uint16_t queue,
	uint32_t count, uint32_t length);

/** Move the end of a frame of at least 128 bytes to memory that is not DPDK's,
 * and let it refer to that. */
void frames_split(const struct port *port, struct rte_mbuf *mbuf);

/** How many such frames have not left yet. */
uint32_t frames_referring(void);

/** Frames that stand in no queue: mbufs of a port's pools that are free. */
uint32_t frames_available(const struct port *port);

#endif
