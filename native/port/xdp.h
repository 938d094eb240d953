/* SPDX-License-Identifier: MIT */
/*
 * The AF_XDP driver (22.11, where it cannot share memory between sockets)
 * forgets to close its sockets, and while one is open nobody else, nor we
 * again, can have the queue. So remember them, and close them afterwards.
 */
#ifndef PORT_XDP_H
#define PORT_XDP_H

#include <stdint.h>

#define XDP_SOCKETS_MAX 256u

struct xdp_sockets {
	uint32_t count;
	int fds[XDP_SOCKETS_MAX];
};

/** List the AF_XDP sockets of this process, but for those in without. */
void xdp_sockets_list(
	struct xdp_sockets *sockets, const struct xdp_sockets *without);

/** Close those that are still open. */
void xdp_sockets_close(const struct xdp_sockets *sockets);

#endif
