/* SPDX-License-Identifier: MIT */
#include "fabric/host.h"

#include <stdio.h>

#include "base/error.h"
#include "base/idle.h"
#include "wire/ethernet.h"

#define BURST_FRAMES 32u

static void
mbuf_retain(void *frame)
{
	rte_pktmbuf_refcnt_update(frame, 1);
}

static void
mbuf_release(void *frame)
{
	rte_pktmbuf_free(frame);
}

/* The same frame as one that nobody else looks at, or NULL if there is no room
 * for a copy. */
static struct rte_mbuf *
mbuf_own(struct rte_mbuf *mbuf)
{
	struct rte_mbuf *copy;

	if (mbuf->nb_segs == 1 && rte_mbuf_refcnt_read(mbuf) == 1)
		return mbuf;
	copy = rte_pktmbuf_copy(mbuf, mbuf->pool, 0, UINT32_MAX);
	if (copy != NULL)
		rte_pktmbuf_free(mbuf);
	return copy;
}

static void *
mbuf_corrupt(void *frame, uint32_t bit)
{
	struct rte_mbuf *mbuf = mbuf_own(frame);

	if (mbuf == NULL) {
		rte_pktmbuf_free(frame);
		return NULL;
	}
	*rte_pktmbuf_mtod_offset(mbuf, uint8_t *, bit / 8) ^=
		(uint8_t)(1u << bit % 8);
	return mbuf;
}

static bool
mbuf_mark(void **frame)
{
	struct rte_mbuf *mbuf = *frame;

	if (!frame_ecn_capable(
		    rte_pktmbuf_mtod(mbuf, uint8_t *), mbuf->data_len))
		return false;
	mbuf = mbuf_own(mbuf);
	if (mbuf == NULL)
		return false;
	frame_ecn_mark(rte_pktmbuf_mtod(mbuf, uint8_t *));
	*frame = mbuf;
	return true;
}

static const uint8_t *
mbuf_bytes(const void *frame, uint32_t *length)
{
	const struct rte_mbuf *mbuf = frame;

	*length = mbuf->data_len;
	return rte_pktmbuf_mtod(mbuf, const uint8_t *);
}

const struct switch_operations host_operations = {
	.retain = mbuf_retain,
	.release = mbuf_release,
	.corrupt = mbuf_corrupt,
	.mark = mbuf_mark,
	.bytes = mbuf_bytes,
};

int32_t
host_open(struct host *host, const char *directory, uint32_t index,
	const struct switch_options *options, struct machnet_error *error)
{
	char device[MACHNET_DEVICE_BYTES];
	const struct port_options port_options = {
		.device = device,
		.mtu = options->mtu,
		.queues = options->hosts[index].queues,
		.descriptors = HOST_RING_FRAMES,
		.mbufs_held = SWITCH_IN_FLIGHT_MAX + 8 * BURST_FRAMES,
		.one_pool = true,
	};
	int length = snprintf(device, sizeof(device),
		"memif:%s/host%u.memif,server", directory, index);

	if (length >= (int)sizeof(device))
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot use directory \"%s\": too long", directory);
	*host = (struct host){.index = (uint16_t)index};
	return port_open(&host->port, &port_options, error);
}

void
host_close(struct host *host)
{
	port_close(&host->port);
}

/* A queue that was open once and is not now is known before it is polled, which
 * is better: it is where something else is now. */
static uint16_t
opened_at_most(const struct host *host)
{
	for (uint16_t queue = 1; queue < host->port.queues; queue++)
		if ((host->received >> queue & 1) != 0 &&
			!port_queue_opened(&host->port, queue))
			return queue;
	return host->port.queues;
}

static void
host_gone(struct host *host, struct fabric_switch *network)
{
	host->up = false;
	host->heard = false;
	host->opened = 0;
	switch_link_down(network, host->index);
	switch_open_queues(network, host->index, 1);
}

void
host_look(struct host *host, struct fabric_switch *network)
{
	unsigned absences = atomic_load(&host->port.absences);
	bool up = port_link_up(&host->port);

	if (host->up && (!up || absences != host->absences))
		host_gone(host, network);
	host->absences = absences;
	if (up && !host->up) {
		host->up = true;
		host->opened = opened_at_most(host);
	}
}

/*
 * The first frames of a host. What it sends on its first queue appears on all
 * queues that it did not open as well, at once.
 * @return false if this queue is one of those
 */
static bool
queue_check(struct host *host, uint16_t queue, struct rte_mbuf **mbufs,
	uint16_t count)
{
	if (host->heard || port_queue_opened(&host->port, queue))
		return true;
	rte_pktmbuf_free_bulk(mbufs, count);
	host->opened = queue;
	return false;
}

static bool
queues_receive(
	struct host *host, struct fabric_switch *network, uint64_t now_ns)
{
	struct rte_mbuf *mbufs[BURST_FRAMES];
	bool moved = false;

	for (uint16_t queue = 0; queue < host->opened; queue++) {
		uint16_t count = rte_eth_rx_burst(
			host->port.id, queue, mbufs, BURST_FRAMES);

		if (count == 0)
			continue;
		if (!queue_check(host, queue, mbufs, count))
			break;
		host->received |= UINT64_C(1) << queue;
		for (uint16_t i = 0; i < count; i++)
			switch_receive(network, host->index, mbufs[i],
				rte_pktmbuf_pkt_len(mbufs[i]), now_ns);
		moved = true;
	}
	if (moved && !host->heard) {
		host->heard = true;
		switch_open_queues(network, host->index, host->opened);
	}
	return moved;
}

/*
 * Frames can move, from and to the host that is there, which is the same until
 * port_burst_end. All of its queues are this thread's: one stands for all.
 */
static bool
burst_begin(struct host *host, struct fabric_switch *network)
{
	if (!port_burst_begin(&host->port, 0))
		return false;
	if (atomic_load(&host->port.absences) != host->absences)
		host_look(host, network);
	return true;
}

bool
host_receive(struct host *host, struct fabric_switch *network, uint64_t now_ns)
{
	bool moved;

	if (!switch_accepts(network, host->index, now_ns) ||
		!burst_begin(host, network))
		return false;
	moved = queues_receive(host, network, now_ns);
	port_burst_end(&host->port, 0);
	if (moved)
		host->moved_ns = now_ns;
	return moved;
}

static bool
queue_send(struct host *host, struct fabric_switch *network, uint16_t queue)
{
	void *frames[BURST_FRAMES];
	uint32_t offered, taken;
	bool moved = false;

	do {
		offered = switch_offer(network, host->index, queue, frames,
			ARRAY_LENGTH(frames));
		taken = offered == 0 ? 0
				     : rte_eth_tx_burst(host->port.id, queue,
					       (struct rte_mbuf **)frames,
					       (uint16_t)offered);
		switch_taken(network, host->index, queue, offered, taken);
		moved |= taken > 0;
	} while (taken == ARRAY_LENGTH(frames));
	return moved;
}

bool
host_send(struct host *host, struct fabric_switch *network, uint64_t now_ns,
	bool *paused)
{
	uint64_t queues;
	bool moved = false;

	if (!port_link_up(&host->port)) {
		switch_link_down(network, host->index);
		return false;
	}
	/* All ports stand still while a host comes or goes. */
	if (!burst_begin(host, network)) {
		*paused = true;
		return false;
	}
	queues = switch_pending(network, host->index);
	for (; queues != 0; queues &= queues - 1)
		moved |= queue_send(
			host, network, (uint16_t)__builtin_ctzll(queues));
	port_burst_end(&host->port, 0);
	if (!moved)
		return false;
	if (now_ns - host->moved_ns > IDLE_RING_NS)
		port_ring(&host->port);
	host->moved_ns = now_ns;
	return true;
}
