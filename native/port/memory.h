/* SPDX-License-Identifier: MIT */
/*
 * Packets that end where an application wrote, not in an mbuf of a pool:
 * external buffers, in DPDK's words.
 */
#ifndef PORT_MEMORY_H
#define PORT_MEMORY_H

#include "port/port.h"

/**
 * Does a device that was attached take packets of several segments, of memory
 * that is not DPDK's? Found out with a page.
 */
bool memory_probe(const struct rte_eth_dev_info *info);

/**
 * Does a device that was set up give packets back soon? Those that are read
 * by the processor do before a burst is over (memif, af_packet, tap: they
 * copy); others must do when asked.
 */
bool memory_comes_back(const struct port *port);

/**
 * Let the device read memory, where port->reads_memory says that it may. On the
 * control thread; pages of some devices are pinned.
 * @param bytes whole pages
 * @return false: what is sent of it must be copied
 */
bool port_memory_map(const struct port *port, void *memory, size_t bytes);

/** Undo port_memory_map, when no packet refers to the memory. At the latest
 * between port_stop and port_close. */
void port_memory_unmap(const struct port *port, void *memory, size_t bytes);

/**
 * Make an mbuf refer to memory that was mapped: no copy.
 * @param mbuf from a pool of the port, empty
 * @param left called with context, by whoever frees the mbuf: the thread of the
 *        queue, or that of port_stop
 */
static inline void
port_mbuf_refer(struct rte_mbuf *mbuf, const void *bytes, uint16_t length,
	rte_mbuf_extbuf_free_callback_t left, void *context)
{
	/* In its own buffer, of no other use meanwhile. No driver sends clones
	 * of an mbuf, which would outlive it. */
	struct rte_mbuf_ext_shared_info *shared = mbuf->buf_addr;

	shared->free_cb = left;
	shared->fcb_opaque = context;
	rte_mbuf_ext_refcnt_set(shared, 1);
	rte_pktmbuf_attach_extbuf(mbuf, (void *)(uintptr_t)bytes,
		(rte_iova_t)(uintptr_t)bytes, length, shared);
	mbuf->data_len = length;
}

/** Take back what the device has sent, of a queue that sends nothing now. */
static inline void
port_tx_clean(const struct port *port, uint16_t queue)
{
	if (port->tx_clean)
		rte_eth_tx_done_cleanup(port->id, queue, 0);
}

#endif
