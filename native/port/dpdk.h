/* SPDX-License-Identifier: MIT */
/*
 * DPDK's headers, at peace with ours: both define container_of (DPDK's yields
 * to an earlier one) and NS_PER_S (DPDK's is an int, ours 64 bits wide).
 * Include this, or port.h, before any other header of DPDK.
 */
#ifndef PORT_DPDK_H
#define PORT_DPDK_H

#include "base/bits.h"
#include "base/clock.h"

#undef NS_PER_S

#include <rte_cycles.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#undef NS_PER_S
#define NS_PER_S UINT64_C(1000000000)

#endif
