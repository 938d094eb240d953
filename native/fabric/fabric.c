/* SPDX-License-Identifier: MIT */
#include "fabric/fabric.h"

#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/error.h"
#include "wire/ethernet.h"

#define BURST_FRAMES 32u
/* How often to look at the descriptors while frames move. */
#define LOOK_NS (1 * NS_PER_MS)
/* How long to yield, hoping for the next frame, before sleeping: as long as an
 * engine does, or the fabric would be late for what is sent again after a loss.
 */
#define YIELD_NS (500 * NS_PER_US)
#define SLEEP_MIN_NS (50 * NS_PER_US)
#define SLEEP_MAX_NS (2 * NS_PER_MS)

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

static const struct switch_operations mbuf_operations = {
	.retain = mbuf_retain,
	.release = mbuf_release,
	.corrupt = mbuf_corrupt,
	.mark = mbuf_mark,
};

static bool
port_receive(struct fabric *fabric, uint32_t index, uint64_t now_ns)
{
	struct rte_mbuf *mbufs[BURST_FRAMES];
	uint16_t count;

	if (!switch_accepts(fabric->network, index, now_ns))
		return false;
	count = port_rx_burst(&fabric->ports[index], 0, mbufs, BURST_FRAMES);
	for (uint16_t i = 0; i < count; i++)
		switch_receive(fabric->network, index, mbufs[i],
			rte_pktmbuf_mtod(mbufs[i], const uint8_t *),
			rte_pktmbuf_pkt_len(mbufs[i]), now_ns);
	return count > 0;
}

/* @return whether a frame moved; *paused is set if that is for later */
static bool
port_send(struct fabric *fabric, uint32_t index, bool *paused)
{
	struct port *port = &fabric->ports[index];
	void *frames[BURST_FRAMES];
	uint32_t offered, taken;
	bool moved = false;

	if (!port_link_up(port)) {
		switch_link_down(fabric->network, index);
		return false;
	}
	for (;;) {
		offered = switch_offer(
			fabric->network, index, frames, BURST_FRAMES);
		if (offered == 0)
			return moved;
		/* All ports stand still while a host comes or goes. */
		if (!port_burst_begin(port, 0)) {
			*paused = true;
			return moved;
		}
		taken = rte_eth_tx_burst(port->id, 0,
			(struct rte_mbuf **)frames, (uint16_t)offered);
		port_burst_end(port, 0);
		switch_taken(fabric->network, index, offered, taken);
		moved |= taken > 0;
		if (taken < offered)
			return moved;
	}
}

static bool
turn(struct fabric *fabric, uint64_t now_ns)
{
	bool moved = false;
	bool more = true;
	bool paused = false;

	for (uint32_t i = 0; i < fabric->ports_length; i++)
		moved |= port_receive(fabric, i, now_ns);
	while (more && !paused) {
		uint32_t ports = switch_advance(fabric->network, now_ns, &more);

		for (; ports != 0; ports &= ports - 1)
			moved |= port_send(fabric,
				(uint32_t)__builtin_ctz(ports), &paused);
	}
	return moved;
}

/* How long nothing need be done, ns; 0 for as soon as possible. */
static uint64_t
rest(struct fabric *fabric, uint64_t now_ns)
{
	uint64_t sleep_ns = fabric->sleep_ns;
	uint64_t next_ns;

	if (fabric->busy || now_ns - fabric->moved_ns < YIELD_NS) {
		fabric->sleep_ns = SLEEP_MIN_NS;
		return 0;
	}
	next_ns = u64_max(switch_next_ns(fabric->network, now_ns), now_ns);
	fabric->sleep_ns = u64_min(2 * sleep_ns, SLEEP_MAX_NS);
	return u64_min(sleep_ns, next_ns - now_ns);
}

/* @return false if the signal has come */
static bool
look(const struct fabric *fabric, struct control *control, int signal_fd,
	uint64_t rest_ns)
{
	const struct timespec timeout = {.tv_nsec = (long)rest_ns};
	struct pollfd fds[] = {
		{.fd = control->fd, .events = POLLIN},
		{.fd = signal_fd, .events = POLLIN},
	};

	if (ppoll(fds, ARRAY_LENGTH(fds), &timeout, NULL) <= 0)
		return true;
	if (fds[0].revents != 0)
		control_serve(control, fabric->network);
	return fds[1].revents == 0;
}

void
fabric_run(struct fabric *fabric, struct control *control, int signal_fd)
{
	uint64_t looked_ns = 0;
	bool running = true;

	/* Only faster: without it the pools have no caches. */
	port_thread_begin(NULL);
	/* Sleep for what is asked for, not 50 us more. */
	prctl(PR_SET_TIMERSLACK, 1000);
	while (running) {
		uint64_t now_ns = clock_now_ns();
		uint64_t rest_ns;

		if (turn(fabric, now_ns))
			fabric->moved_ns = now_ns;
		rest_ns = rest(fabric, now_ns);
		if (rest_ns > 0 || now_ns - looked_ns >= LOOK_NS) {
			running = look(fabric, control, signal_fd, rest_ns);
			looked_ns = now_ns;
		} else if (!fabric->busy && fabric->moved_ns != now_ns) {
			sched_yield();
		}
	}
	port_thread_end();
}

/* No mbuf crosses a page. */
static uint32_t
memory_mb(const struct switch_options *options)
{
	uint64_t mbuf_bytes = RTE_ALIGN_CEIL(
		RTE_PKTMBUF_HEADROOM + options->mtu + 1024, 4096);
	uint64_t mbufs = SWITCH_IN_FLIGHT_MAX + 2 * FABRIC_RING_FRAMES + 2048;

	return (uint32_t)(64 + (options->ports * mbufs * mbuf_bytes >> 20));
}

static int32_t
host_open(struct fabric *fabric, const char *directory, uint32_t mtu,
	struct machnet_error *error)
{
	char device[MACHNET_DEVICE_BYTES];
	const struct port_options options = {
		.device = device,
		.mtu = mtu,
		.descriptors = FABRIC_RING_FRAMES,
		.mbufs_held = SWITCH_IN_FLIGHT_MAX + 8 * BURST_FRAMES,
	};
	int length =
		snprintf(device, sizeof(device), "memif:%s/host%u.memif,server",
			directory, fabric->ports_length);
	int32_t status;

	if (length >= (int)sizeof(device))
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot use directory \"%s\": too long", directory);
	status = port_open(
		&fabric->ports[fabric->ports_length], &options, error);
	if (status == MACHNET_OK)
		fabric->ports_length++;
	return status;
}

int32_t
fabric_open(struct fabric *fabric, const char *directory,
	const struct switch_options *options, bool busy,
	struct machnet_error *error)
{
	const struct port_eal_options eal = {.memory_mb = memory_mb(options)};
	int32_t status;

	memset(fabric, 0, sizeof(*fabric));
	fabric->busy = busy;
	fabric->sleep_ns = SLEEP_MIN_NS;
	fabric->network = switch_create(options, &mbuf_operations);
	if (fabric->network == NULL)
		return error_set(error, MACHNET_OUT_OF_MEMORY,
			"Cannot make a switch for %u hosts", options->ports);
	status = port_eal_start(&eal, error);
	while (status == MACHNET_OK && fabric->ports_length < options->ports)
		status = host_open(fabric, directory, options->mtu, error);
	if (status != MACHNET_OK)
		fabric_close(fabric);
	return status;
}

void
fabric_close(struct fabric *fabric)
{
	switch_destroy(fabric->network);
	for (uint32_t i = 0; i < fabric->ports_length; i++)
		port_close(&fabric->ports[i]);
}
