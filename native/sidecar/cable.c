// SPDX-License-Identifier: MIT
#include "sidecar/cable.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "port/port.h"
#include "sidecar/hosts.h"

#define BURST 32u
#define QUEUE_FRAMES 256u

static struct port ports[2];
static pthread_t thread;
static atomic_bool running;
static atomic_bool cut;
static atomic_bool muted[2];

/* Guards what follows. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct cable_frame *wanted;
static enum cable_end wanted_from;
static uint8_t wanted_type;
static uint32_t captured; /* 0 or 1 */
static struct cable_frame queue[QUEUE_FRAMES];
static uint32_t queue_first, queue_length;

void
cable_forget_rings(enum cable_end from)
{
	port_wake_take(&ports[from]);
}

bool
cable_rung(enum cable_end from, uint32_t timeout_ms)
{
	struct pollfd bell = {
		.fd = port_wake_fd(&ports[from], 0), .events = POLLIN};

	return poll(&bell, 1, (int)timeout_ms) == 1;
}

/* Type of the packet in a frame; 0 if there is none. */
static uint8_t
packet_type(const uint8_t *bytes, uint32_t length)
{
	struct frame frame;

	frame_parse(&frame, bytes, length, 0);
	return frame.kind == FRAME_UDP && frame.payload_length >= 2
		       ? frame.payload[1]
		       : 0;
}

static bool
is_udp(const uint8_t *bytes, uint32_t length)
{
	struct frame frame;

	frame_parse(&frame, bytes, length, 0);
	return frame.kind == FRAME_UDP;
}

static void
capture(enum cable_end from, const uint8_t *bytes, uint32_t length)
{
	pthread_mutex_lock(&lock);
	if (wanted != NULL && from == wanted_from &&
		packet_type(bytes, length) == wanted_type) {
		wanted->from = from;
		wanted->length = length;
		memcpy(wanted->bytes, bytes, length);
		wanted = NULL;
		captured = 1;
	}
	pthread_mutex_unlock(&lock);
}

static void
forward(struct rte_mbuf *mbuf, enum cable_end from)
{
	const uint8_t *bytes = rte_pktmbuf_mtod(mbuf, const uint8_t *);
	enum cable_end to = from == CABLE_A ? CABLE_B : CABLE_A;

	capture(from, bytes, mbuf->data_len);
	if (cut || (muted[to] && is_udp(bytes, mbuf->data_len)) ||
		port_tx_burst(&ports[to], 0, &mbuf, 1) == 0)
		rte_pktmbuf_free(mbuf);
}

static bool
carry(enum cable_end from)
{
	struct rte_mbuf *mbufs[BURST];
	uint16_t length = port_rx_burst(&ports[from], 0, mbufs, BURST);

	for (uint16_t i = 0; i < length; i++)
		forward(mbufs[i], from);
	return length != 0;
}

/* @return whether one went out */
static bool
send_queued(void)
{
	struct rte_mbuf *mbuf = NULL;
	struct cable_frame *frame;
	struct port *port;
	bool sent = false;

	pthread_mutex_lock(&lock);
	frame = &queue[queue_first];
	port = &ports[frame->from == CABLE_A ? CABLE_B : CABLE_A];
	if (queue_length != 0)
		mbuf = rte_pktmbuf_alloc(port->pools[0]);
	if (mbuf != NULL) {
		memcpy(rte_pktmbuf_mtod(mbuf, uint8_t *), frame->bytes,
			frame->length);
		mbuf->data_len = (uint16_t)frame->length;
		mbuf->pkt_len = frame->length;
		sent = port_tx_burst(port, 0, &mbuf, 1) == 1;
	}
	if (sent) {
		queue_first = (queue_first + 1) % QUEUE_FRAMES;
		queue_length--;
	} else {
		rte_pktmbuf_free(mbuf);
	}
	pthread_mutex_unlock(&lock);
	return sent;
}

static void *
run(void *argument)
{
	uint32_t idle = 0;

	(void)argument;
	port_thread_begin(NULL);
	while (running) {
		bool busy = carry(CABLE_A);

		busy |= carry(CABLE_B);
		busy |= send_queued();
		idle = busy ? 0 : idle + 1;
		if (idle > 1000)
			usleep(50);
		else
			sched_yield();
	}
	port_thread_end();
	return NULL;
}

void
cable_start(void)
{
	struct port_options options = {0};
	struct machnet_error error;

	for (int i = 0; i < 2; i++) {
		options.device = hosts_memif(i == CABLE_A ? "a" : "b", true);
		if (port_open(&ports[i], &options, &error) != MACHNET_OK)
			fail_msg("%s", error.message);
	}
	running = true;
	assert_int_equal(pthread_create(&thread, NULL, run, NULL), 0);
}

void
cable_stop(void)
{
	running = false;
	pthread_join(thread, NULL);
	port_close(&ports[CABLE_A]);
	port_close(&ports[CABLE_B]);
}

void
cable_cut(bool value)
{
	cut = value;
}

void
cable_mute(enum cable_end to, bool mute)
{
	muted[to] = mute;
}

void
cable_capture(enum cable_end from, uint8_t type, struct cable_frame *frame)
{
	pthread_mutex_lock(&lock);
	wanted = frame;
	wanted_from = from;
	wanted_type = type;
	captured = 0;
	pthread_mutex_unlock(&lock);
}

static uint32_t
read_locked(const uint32_t *word)
{
	uint32_t value;

	pthread_mutex_lock(&lock);
	value = *word;
	pthread_mutex_unlock(&lock);
	return value;
}

static void
wait_for(const uint32_t *word, uint32_t least, uint32_t most)
{
	uint64_t end_ms = hosts_now_ms() + HOSTS_WAIT_MS;
	uint32_t value;

	while ((value = read_locked(word)) < least || value > most) {
		if (hosts_now_ms() > end_ms)
			fail_msg("the cable stands still");
		usleep(100);
	}
}

void
cable_captured(void)
{
	wait_for(&captured, 1, 1);
}

void
cable_send(const struct cable_frame *frame)
{
	wait_for(&queue_length, 0, QUEUE_FRAMES - 1);
	pthread_mutex_lock(&lock);
	queue[(queue_first + queue_length) % QUEUE_FRAMES] = *frame;
	queue_length++;
	pthread_mutex_unlock(&lock);
}

void
cable_flush(void)
{
	wait_for(&queue_length, 0, 0);
}

uint32_t
cable_packet(struct cable_frame *frame, uint8_t **packet)
{
	struct frame parsed;

	frame_parse(&parsed, frame->bytes, frame->length, 0);
	assert_int_equal(parsed.kind, FRAME_UDP);
	*packet = frame->bytes + (parsed.payload - frame->bytes);
	return parsed.payload_length;
}

void
cable_repack(struct cable_frame *frame, uint32_t packet_bytes)
{
	struct frame parsed;

	frame_parse(&parsed, frame->bytes, frame->length,
		FRAME_VERIFIED_IPV4 | FRAME_VERIFIED_UDP);
	assert_int_equal(parsed.kind, FRAME_UDP);
	frame->length = udp_frame_write(frame->bytes,
		&(struct udp_address){
			.source_mac = parsed.source,
			.destination_mac = parsed.destination,
			.source_ip = parsed.source_ip,
			.destination_ip = parsed.destination_ip,
			.source_port = parsed.source_port,
			.destination_port = parsed.destination_port,
		},
		packet_bytes, 0);
}
