/* SPDX-License-Identifier: MIT */
#ifndef PORT_POOL_H
#define PORT_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "port/dpdk.h"

#define POOL_CACHE_MBUFS 256u

/**
 * Make a pool of mbufs, of one segment for data_bytes besides the headroom.
 * @param for_xdp every mbuf is a chunk of 4 KiB with nothing in between
 * @return NULL with rte_errno
 */
struct rte_mempool *pool_create(const char *name, uint32_t mbufs,
	uint32_t data_bytes, bool for_xdp, int socket);

#endif
