/* SPDX-License-Identifier: MIT */
/*
 * What wakes a thread that waits for packets: DPDK's drivers for virtual
 * devices have no RX interrupt (22.11).
 *
 * af_packet and af_xdp receive on sockets of the kernel's, one per queue, which
 * become readable. The driver does not show them; sockets.h finds them.
 *
 * memif's rings have an eventfd each, which the driver masks and keeps to
 * itself. So both ends have a bell beside the memif socket, a datagram socket:
 * who sends first after a silence rings the other's (port_ring). A peer without
 * a bell is seen when the thread looks by itself.
 */
#ifndef PORT_WAKE_H
#define PORT_WAKE_H

struct port;

/** Of a memif port. What fails costs only the wake-ups. */
void bell_open(struct port *port);
void bell_close(struct port *port);

#endif
