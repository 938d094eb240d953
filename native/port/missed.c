/* SPDX-License-Identifier: MIT */
#include <linux/if_packet.h>
#include <linux/if_xdp.h>
#include <sys/socket.h>

#include "port/port.h"

#ifndef SOL_XDP
#define SOL_XDP 283
#endif

/* Since it was last asked: packet(7). */
static uint64_t
packet_drops(int fd)
{
	struct tpacket_stats stats = {0};
	socklen_t length = sizeof(stats);

	getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &length);
	return stats.tp_drops;
}

/* The driver's imissed leaves out the full ring (22.11), which a kernel before
 * 5.9 counts as dropped. */
static uint64_t
xdp_drops(int fd)
{
	struct xdp_statistics stats = {0};
	socklen_t length = sizeof(stats);

	getsockopt(fd, SOL_XDP, XDP_STATISTICS, &stats, &length);
	return stats.rx_dropped + stats.rx_ring_full;
}

static uint64_t
sockets_missed(struct port *port)
{
	uint64_t missed = 0;

	for (uint32_t i = 0; i < port->sockets.count; i++) {
		int fd = port->sockets.fds[i];

		if (socket_domain(fd) == AF_XDP)
			missed += xdp_drops(fd);
		else
			port->packet_drops += packet_drops(fd);
	}
	return missed + port->packet_drops;
}

uint64_t
port_missed(struct port *port)
{
	struct rte_eth_stats stats;

	if (port->sockets.count > 0)
		return sockets_missed(port);
	if (rte_eth_stats_get(port->id, &stats) != 0)
		return 0;
	return stats.imissed + stats.rx_nombuf;
}
