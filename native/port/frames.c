/* SPDX-License-Identifier: MIT */
#include "port/frames.h"

#include "port/memory.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define BURST 32
/* Local experimental EtherType 1 (IEEE 802): nobody answers. */
#define ETHER_TYPE 0x88b5
#define SEQUENCE_OFFSET ETHERNET_BYTES
/* For the ends of as many frames as are on their way. */
#define HEAD_BYTES 64
#define TAIL_BYTES_MAX 12288
#define TAILS (2 * BURST)

static alignas(65536) uint8_t tails[TAILS][TAIL_BYTES_MAX];
static uint32_t tails_next;
static uint32_t referring;

void
frames_open(struct port *port, const struct port_options *options)
{
	struct machnet_error error;

	if (port_open(port, options, &error) != MACHNET_OK)
		fail_msg("%s", error.message);
}

int32_t
frames_open_status(const char *device, uint32_t mtu, uint32_t queues,
	struct machnet_error *error)
{
	struct port port;
	int32_t status = port_open(&port,
		&(struct port_options){
			.device = device, .mtu = mtu, .queues = queues},
		error);

	if (status == MACHNET_OK)
		port_close(&port);
	return status;
}

void
frames_link(struct port *a, struct port *b)
{
	uint64_t end_ns = clock_now_ns() + FRAMES_WAIT_NS;

	while (!port_link_up(a) || !port_link_up(b)) {
		if (clock_now_ns() > end_ns)
			fail_msg("the link stays down");
		rte_delay_us_sleep(1000);
	}
}

static void
tail_left(void *bytes, void *context)
{
	/* What comes too late is not sent. */
	memset(bytes, 0, TAIL_BYTES_MAX);
	assert_ptr_equal(context, &referring);
	referring--;
}

void
frames_split(const struct port *port, struct rte_mbuf *mbuf)
{
	struct rte_mbuf *tail = rte_pktmbuf_alloc(port->pools[0]);
	uint8_t *bytes = tails[tails_next++ % TAILS];
	uint16_t length = (uint16_t)(mbuf->data_len - HEAD_BYTES);

	assert_non_null(tail);
	memcpy(bytes, rte_pktmbuf_mtod_offset(mbuf, uint8_t *, HEAD_BYTES),
		length);
	memset(rte_pktmbuf_mtod_offset(mbuf, uint8_t *, HEAD_BYTES), 0, length);
	port_mbuf_refer(tail, bytes, length, tail_left, &referring);
	mbuf->data_len = HEAD_BYTES;
	mbuf->next = tail;
	mbuf->nb_segs = 2;
	referring++;
}

uint32_t
frames_referring(void)
{
	return referring;
}

static struct rte_mbuf *
frame_make(const struct port *from, const struct port *to, uint16_t queue,
	uint32_t sequence, uint32_t length)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(from->pools[queue]);
	uint8_t *bytes;

	assert_non_null(mbuf);
	assert_true(rte_pktmbuf_tailroom(mbuf) >= length);
	mbuf->data_len = (uint16_t)length;
	mbuf->pkt_len = length;
	bytes = rte_pktmbuf_mtod(mbuf, uint8_t *);
	memset(bytes, (int)sequence, length);
	memcpy(bytes, to->mac.bytes, sizeof(to->mac.bytes));
	memcpy(bytes + 6, from->mac.bytes, sizeof(from->mac.bytes));
	bytes[12] = ETHER_TYPE >> 8;
	bytes[13] = ETHER_TYPE & 0xff;
	memcpy(bytes + SEQUENCE_OFFSET, &sequence, sizeof(sequence));
	if (from->reads_memory && sequence % 2 == 1 && length >= 2 * HEAD_BYTES)
		frames_split(from, mbuf);
	return mbuf;
}

/* The frame may come out of any queue. @return whether it was one of ours */
static bool
frame_check(struct rte_mbuf *mbuf, uint32_t sequence, uint32_t length)
{
	const uint8_t *bytes = rte_pktmbuf_mtod(mbuf, const uint8_t *);
	uint32_t got;
	bool ours = bytes[12] == ETHER_TYPE >> 8 &&
		    bytes[13] == (ETHER_TYPE & 0xff);

	if (ours) {
		memcpy(&got, bytes + SEQUENCE_OFFSET, sizeof(got));
		assert_int_equal(got, sequence);
		assert_int_equal(mbuf->nb_segs, 1);
		assert_int_equal(rte_pktmbuf_data_len(mbuf), length);
		assert_int_equal(bytes[length - 1], (uint8_t)sequence);
	}
	rte_pktmbuf_free(mbuf);
	return ours;
}

static uint32_t
frames_receive(const struct port *to, uint32_t sequence, uint32_t length)
{
	struct rte_mbuf *mbufs[BURST];
	uint32_t checked = 0;
	uint16_t queue, received, i;

	for (queue = 0; queue < to->queues; queue++) {
		received = port_rx_burst(to, queue, mbufs, BURST);
		for (i = 0; i < received; i++)
			checked += frame_check(
				mbufs[i], sequence + checked, length);
	}
	return checked;
}

void
frames_pass(const struct port *from, const struct port *to, uint16_t queue,
	uint32_t count, uint32_t length)
{
	uint64_t end_ns = clock_now_ns() + FRAMES_WAIT_NS;
	struct rte_mbuf *mbuf = NULL;
	uint32_t sent = 0;
	uint32_t received = 0;

	assert_int_equal(port_memory_map(from, tails, sizeof(tails)),
		from->reads_memory);
	while (received < count) {
		if (mbuf == NULL && sent < count && sent - received < BURST)
			mbuf = frame_make(from, to, queue, sent, length);
		/* A memif server has nowhere to send to before its client
		 * receives. */
		if (mbuf != NULL && port_tx_burst(from, queue, &mbuf, 1) == 1) {
			mbuf = NULL;
			sent++;
		}
		received += frames_receive(to, received, length);
		if (clock_now_ns() > end_ns)
			fail_msg("%u of %u frames came", received, count);
	}
	assert_int_equal(referring, 0);
	if (from->reads_memory)
		port_memory_unmap(from, tails, sizeof(tails));
}

uint32_t
frames_available(const struct port *port)
{
	uint32_t available = 0;
	uint16_t queue;

	for (queue = 0; queue < port->queues; queue++)
		available += rte_mempool_avail_count(port->pools[queue]);
	return available;
}
