/* SPDX-License-Identifier: MIT */
/*
 * Ports: DPDK's EAL, devices by name, their capabilities, queues and mbufs.
 *
 * A queue is one RX and one TX ring with an mbuf pool of its own; it belongs to
 * one thread, which moves packets with port_rx_burst, port_tx_burst and
 * rte_pktmbuf_alloc_bulk(port->pools[queue], ...). The other calls are for one
 * control thread, which may be that of a queue.
 *
 * Only the least common denominator may be relied on; struct port says what
 * else there is.
 *
 * What a user of a port must know of the devices:
 *
 * - Anything may arrive: drop what has more than one segment (longer than the
 *   MTU) and, on af_packet, what has our own MAC as its source (frames that
 *   the kernel sends from the same interface are seen, ours are not).
 * - memif: only the peer may reach the socket, so keep it in a folder of mode
 *   0700: another process that connects and goes away at once makes EAL panic
 *   in the server (22.11). A server can send only after its client has received
 *   once; both ends cannot be in one process unless the server opens first.
 *   Queues pause for some 0.1 ms when a peer comes or goes, see guard.h.
 * - af_packet, af_xdp over veth: UDP and TCP that a *kernel* sends from the
 *   other end of a veth pair, or from a VM over virtio, have no valid checksum
 *   (CHECKSUM_PARTIAL; the driver does not look at TP_STATUS_CSUMNOTREADY) and
 *   may be longer than the MTU (GSO), until `ethtool -K PEER tx off` there. ARP
 *   and ICMP are not affected, nor is what machnetd sends.
 * - af_packet: the kernel gets every packet, too. Our IP address must not be
 *   one of the kernel's (it would answer with ICMP port unreachable), and with
 *   net.ipv4.ip_forward=1 the kernel tries to route packets for our address and
 *   may tell the sender that we are unreachable: drop them in nftables, or take
 *   the subnet off the interface.
 * - af_packet: two processes whose ids have the same lower 16 bits, as in two
 *   PID namespaces, cannot both have the same interface.
 */
#ifndef PORT_PORT_H
#define PORT_PORT_H

#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "machnet/machnet.h"
#include "port/device.h"
#include "port/dpdk.h"
#include "port/sockets.h"
#include "rss/map.h"
#include "wire/ethernet.h"

#define PORT_QUEUES_MAX 64u
#define PORT_MTU_MIN 1280u
#define PORT_MTU_MAX 9216u
#define PORT_DESCRIPTORS_DEFAULT 256u
#define PORT_MBUFS_HELD_DEFAULT 1024u
#define PORT_EAL_MEMORY_MB_DEFAULT 512u

struct port_eal_options {
	/* Of --no-huge memory, for the pools of all ports that will ever be
	 * open at a time. Pages count when they are touched. 0: the default. */
	uint32_t memory_mb;
	/* PCI address of a NIC that a port will use, with hugepages, or NULL:
	 * no PCI, no hugepages, no root needed. */
	const char *pci;
};

struct port_options {
	const char *device;   /* see struct machnet_engine_options */
	uint32_t mtu;	      /* of IP, bytes; 0: the device's own */
	uint32_t queues;      /* 0: 1 */
	uint32_t descriptors; /* of each ring, power of two; 0: 256 */
	uint32_t mbufs_held;  /* per pool, that the caller keeps besides
			       * those in rings; 0: 1024 */
	bool one_pool; /* memif: one thread runs all queues, which share a
			* pool, and heeds port_queue_opened */
};

/* On a cache line of its own: a queue's thread writes it in every burst. */
struct port_burst {
	alignas(CACHE_LINE_BYTES) atomic_bool busy;
};

struct port {
	uint16_t id; /* DPDK's */
	uint16_t queues;
	uint16_t rx_descriptors; /* per queue, as the driver adjusted them */
	uint16_t tx_descriptors;
	uint32_t mtu; /* of IP, bytes */
	struct mac mac;
	struct rss_key nic_key; /* as the driver tells it, see rss.h */
	unsigned rx_verified; /* enum frame_verified: may be set by the device,
			       * see port_rx_verified */
	unsigned tx_offload;  /* enum frame_verified: checksums that the device
			       * fills in, for udp_frame_write */
	bool rx_hash;	      /* mbuf->hash.rss has the RSS hash */
	bool reads_memory;    /* packets may end in memory of others, if
			       * port_memory_map maps it */
	bool tx_clean;	      /* it gives back when asked what it has sent */
	uint16_t queues_max;  /* that the device could have */
	atomic_uint absences; /* memif: changes when the peer goes, even if
			       * another one comes before anybody looks */
	struct device device;
	struct rte_mempool *pools[PORT_QUEUES_MAX];

	/* The rest is of no use outside port/. */
	struct rte_device *rte_device;
	bool stopped;
	atomic_bool running;	   /* the driver was started */
	atomic_bool started;	   /* bursts reach it */
	struct port_burst *bursts; /* memif: see guard.h; else NULL */
	struct port *next_guarded;
	uint64_t connect_ns; /* memif client: last attempt */
	uint64_t connection; /* and its socket, see socket_number; 0: none */
	int connection_fd;
	struct sockets sockets; /* af_packet, af_xdp: those of the driver */
	uint64_t packet_drops;	/* af_packet: see missed.c */
	int bell_fd;		/* memif: see wake.h; -1: none */
	atomic_bool rung;	/* it was, by the peer */
};

/**
 * Start EAL, once per process, on a thread of its own that ends with the call,
 * so that the caller keeps its CPU affinity. EAL stays until the process ends;
 * another call is a no-op, but asking for PCI after a start without fails.
 * Writes nothing to stdout; what EAL and the drivers log at warning or worse
 * goes to stderr if MACHNET_DPDK_LOG is set, and the last line of it into the
 * message of an error.
 * @param options NULL for the defaults
 */
int32_t port_eal_start(
	const struct port_eal_options *options, struct machnet_error *error);

/**
 * Register the calling thread with EAL, so that mbufs come from its cache:
 * without it alloc and free go through the pool's shared ring, some 5 times
 * slower. Every thread that runs a queue calls it first, and port_thread_end
 * last. At most 127 at a time. A thread that is registered is a no-op.
 */
int32_t port_thread_begin(struct machnet_error *error);
void port_thread_end(void);

/** What registering made of the calling thread, for port_lcore_enter. */
static inline unsigned
port_lcore(void)
{
	return rte_lcore_id();
}

/**
 * Be that thread to DPDK, until the next call: mbufs come from its cache, which
 * it must leave alone meanwhile. So threads that run a queue in turns need not
 * all register.
 * @return what the thread was before
 */
static inline unsigned
port_lcore_enter(unsigned lcore)
{
	unsigned before = rte_lcore_id();

	RTE_PER_LCORE(_lcore_id) = lcore;
	return before;
}

/**
 * Open a device: attach, configure, start. Starts EAL with the defaults if
 * nobody did.
 *
 * MACHNET_DEVICE_NOT_FOUND names the devices that exist, MACHNET_DEVICE_FAILED
 * says what the device refused, MACHNET_ADDRESS_IN_USE that a server lives on
 * the memif socket, MACHNET_INVALID_ARGUMENT what was wrong with options.
 *
 * @param port must stay where it is until port_close; undefined after an error
 */
int32_t port_open(struct port *port, const struct port_options *options,
	struct machnet_error *error);

/**
 * Take back every mbuf that the device holds: the first half of port_close, for
 * who must know when that is done. No other thread may use the port any more.
 */
void port_stop(struct port *port);

/**
 * Stop, close and detach. All mbufs of its pools must be free or in its rings,
 * and no other thread may use it any more. The device can be opened again.
 */
void port_close(struct port *port);

/**
 * Is somebody at the other end? False until a memif peer connects. Call it from
 * the control thread every 100 ms or so: a memif client whose server was away
 * connects from here. About 20 ns, or 50 us when it connects.
 */
bool port_link_up(struct port *port);

/**
 * Did the peer of a memif server open this queue, too? It may open fewer than
 * there are, and what an unopened queue receives is a copy of what the first
 * one does (22.11), and what is sent on it ruins the first one. Ask when the
 * queue has received something: before, and from the 17th queue on, where the
 * driver does not tell, it counts as opened. A few us.
 */
bool port_queue_opened(const struct port *port, uint16_t queue);

/**
 * Does the memif server have as many queues as this client? It must: a queue of
 * one end alone is where packets are lost, see port_queue_opened, and a client
 * with more is turned away by the driver, time and again. Known when it has
 * turned us away or connected; a server with option one_pool may have more.
 * @return MACHNET_DEVICE_FAILED with both numbers, as far as they are known
 */
int32_t port_queues_check(const struct port *port, struct machnet_error *error);

/**
 * Frames that came and were lost for want of a descriptor, an mbuf or a place
 * in the ring that the kernel shares with the driver, over all queues since
 * port_open: what the driver tells (imissed and rx_nombuf), and of af_packet
 * and af_xdp what the kernel does. 0 of a memif, whose sender finds the ring
 * full and keeps the frame or counts it. A few us, a system call a queue with
 * the kernel's; for the control thread.
 */
uint64_t port_missed(struct port *port);

/* A burst begins; false: the port is paused or not running. */
static inline bool
port_burst_begin(const struct port *port, uint16_t queue)
{
	if (port->bursts == NULL)
		return true;
	atomic_store(&port->bursts[queue].busy, true);
	if (atomic_load(&port->started))
		return true;
	atomic_store(&port->bursts[queue].busy, false);
	return false;
}

static inline void
port_burst_end(const struct port *port, uint16_t queue)
{
	if (port->bursts != NULL)
		atomic_store_explicit(
			&port->bursts[queue].busy, false, memory_order_release);
}

/**
 * Take up to count packets. Never blocks.
 * @return their number; the mbufs are the caller's
 */
static inline uint16_t
port_rx_burst(const struct port *port, uint16_t queue, struct rte_mbuf **mbufs,
	uint16_t count)
{
	if (!port_burst_begin(port, queue))
		return 0;
	count = rte_eth_rx_burst(port->id, queue, mbufs, count);
	port_burst_end(port, queue);
	return count;
}

/**
 * Send up to count packets. Waits out a pause of the port, some 0.1 ms.
 * @return the number taken, the first ones; the others are still the caller's.
 *         0 while the link is down, too
 */
static inline uint16_t
port_tx_burst(const struct port *port, uint16_t queue, struct rte_mbuf **mbufs,
	uint16_t count)
{
	while (!port_burst_begin(port, queue)) {
		if (!atomic_load(&port->running))
			return 0;
		sched_yield();
	}
	count = rte_eth_tx_burst(port->id, queue, mbufs, count);
	port_burst_end(port, queue);
	return count;
}

/**
 * What becomes readable when packets wait in the queue: of memif, only when the
 * peer rang (see port_ring), for all queues that of the first one.
 * @return a descriptor to wait for, or -1: there is none, look at the queue
 */
int port_wake_fd(const struct port *port, uint16_t queue);

/** It was readable: the packets are the caller's to take, the rest is this. */
void port_wake_take(struct port *port);

/** Will packets make it readable? Of memif, once the peer has rung. */
bool port_wakes(const struct port *port);

/**
 * Wake the peer, if it is a memif's, and others need no waking: packets were
 * sent after a silence in which it may have gone to sleep. A system call, 1 to
 * 2 us, and never waits.
 */
void port_ring(const struct port *port);

/** Which checksums (enum frame_verified) the device verified. */
static inline unsigned
port_rx_verified(const struct rte_mbuf *mbuf)
{
	unsigned verified = 0;

	if ((mbuf->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) ==
		RTE_MBUF_F_RX_IP_CKSUM_GOOD)
		verified |= FRAME_VERIFIED_IPV4;
	if ((mbuf->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) ==
		RTE_MBUF_F_RX_L4_CKSUM_GOOD)
		verified |= FRAME_VERIFIED_UDP;
	return verified;
}

/**
 * Leave checksums of a UDP frame in mbuf to the device.
 * @param offload what udp_frame_write got: port->tx_offload or 0
 */
static inline void
port_tx_offload(struct rte_mbuf *mbuf, unsigned offload)
{
	if (offload == 0)
		return;
	mbuf->l2_len = ETHERNET_BYTES;
	mbuf->l3_len = IPV4_BYTES;
	mbuf->ol_flags |= RTE_MBUF_F_TX_IPV4;
	if (offload & FRAME_VERIFIED_IPV4)
		mbuf->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
	if (offload & FRAME_VERIFIED_UDP)
		mbuf->ol_flags |= RTE_MBUF_F_TX_UDP_CKSUM;
}

#endif
