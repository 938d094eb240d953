/* SPDX-License-Identifier: MIT */
/*
 * A host that sends SYNs in the name of others, as fast as it is told to: what
 * a server must bear. It takes the answers, too, since it says of itself to be
 * all of those addresses.
 *
 *     syn-flood DEVICE TARGET SERVICE
 *
 * TARGET is an IPv4 address, which shares its upper 24 bits with those that are
 * forged: .100 to .227. What is asked for comes as lines on standard input,
 * "syns COUNT PER_SECOND", or "strays ...": the same packets, but to UDP ports
 * on which nobody listens, to tell what the flood costs by itself. After each
 * it prints how many went out and how many answers came in.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/load.h"
#include "fabric/dice.h"
#include "port/port.h"
#include "transport/transport.h"
#include "wire/packet.h"

#define BURST 32u
#define FORGED_FIRST 100u
#define FORGED 128u
#define PORTS (TRANSPORT_PORT_LAST - TRANSPORT_PORT_FIRST + 1)
#define WAIT_NS (10 * NS_PER_S)
/* What comes after the last SYN. */
#define AFTER_NS (300 * NS_PER_MS)
/* Between bursts. To poll would take a core from those that are measured. */
#define REST_NS (300 * NS_PER_US)

static struct {
	struct port port;
	struct dice dice;
	uint32_t target;
	struct mac target_mac;
	bool found;
	uint16_t service;
	bool strays; /* to ports that the target has nothing on */
	uint64_t sent;
	uint64_t answers;
} flood;

static uint32_t
forged_address(uint32_t index)
{
	return (flood.target & ~0xffu) + FORGED_FIRST + index % FORGED;
}

static void
send_or_free(struct rte_mbuf *mbuf, uint32_t length)
{
	mbuf->data_len = (uint16_t)length;
	mbuf->pkt_len = length;
	if (port_tx_burst(&flood.port, 0, &mbuf, 1) == 0)
		rte_pktmbuf_free(mbuf);
}

static struct rte_mbuf *
mbuf_get(void)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(flood.port.pools[0]);

	if (mbuf == NULL)
		load_fail("Cannot send", "no mbufs");
	return mbuf;
}

static void
arp_answer(const struct frame *frame)
{
	struct rte_mbuf *mbuf = mbuf_get();

	send_or_free(mbuf, arp_reply_write(rte_pktmbuf_mtod(mbuf, uint8_t *),
				   &flood.port.mac, frame->target_ip,
				   &frame->sender_mac, frame->sender_ip));
}

static void
take(struct rte_mbuf *mbuf)
{
	struct frame frame;

	frame_parse(&frame, rte_pktmbuf_mtod(mbuf, uint8_t *), mbuf->data_len,
		port_rx_verified(mbuf));
	if (frame.kind == FRAME_ARP_REQUEST &&
		frame.target_ip - forged_address(0) < FORGED) {
		arp_answer(&frame);
	} else if (frame.kind == FRAME_ARP_REPLY &&
		   frame.sender_ip == flood.target) {
		flood.target_mac = frame.sender_mac;
		flood.found = true;
	}
	flood.answers += frame.kind == FRAME_UDP;
	rte_pktmbuf_free(mbuf);
}

static void
take_all(void)
{
	struct rte_mbuf *mbufs[BURST];
	uint16_t count;

	do {
		count = port_rx_burst(&flood.port, 0, mbufs, BURST);
		for (uint16_t i = 0; i < count; i++)
			take(mbufs[i]);
	} while (count == BURST);
}

static void
find_target(void)
{
	uint64_t end_ns = clock_now_ns() + WAIT_NS;
	uint64_t asked_ns = 0;

	while (!flood.found) {
		uint64_t now_ns = clock_now_ns();

		if (now_ns > end_ns)
			load_fail("Cannot reach the target", "no answer");
		if (port_link_up(&flood.port) &&
			now_ns > asked_ns + 100 * NS_PER_MS) {
			struct rte_mbuf *mbuf = mbuf_get();

			send_or_free(
				mbuf, arp_request_write(
					      rte_pktmbuf_mtod(mbuf, uint8_t *),
					      &flood.port.mac,
					      forged_address(0), flood.target));
			asked_ns = now_ns;
		}
		take_all();
		sched_yield();
	}
}

/* One of those that sidecars listen on by default. */
static uint16_t
port_draw(uint64_t thrown)
{
	return (uint16_t)(TRANSPORT_PORT_FIRST + dice_amount(thrown, PORTS));
}

static void
syn_write(struct rte_mbuf *mbuf)
{
	uint8_t *bytes = rte_pktmbuf_mtod(mbuf, uint8_t *);
	const struct udp_address address = {
		.source_mac = flood.port.mac,
		.destination_mac = flood.target_mac,
		.source_ip = forged_address(
			dice_amount(dice_throw(&flood.dice), FORGED)),
		.destination_ip = flood.target,
		.source_port = port_draw(dice_throw(&flood.dice)),
		.destination_port =
			(uint16_t)(port_draw(dice_throw(&flood.dice)) +
				   (flood.strays ? PORTS : 0)),
	};
	const struct wire_syn syn = {
		.client = (uint32_t)dice_throw(&flood.dice),
		.port = flood.service,
		.mtu = 1500,
		.answer_from = port_draw(dice_throw(&flood.dice)),
		.answer_to = port_draw(dice_throw(&flood.dice)),
		.engine = WIRE_ENGINE_ANY,
	};
	uint32_t length = wire_syn_write(
		bytes + UDP_PAYLOAD_OFFSET, dice_throw(&flood.dice) >> 1, &syn);

	length = udp_frame_write(bytes, &address, length, 0);
	mbuf->data_len = (uint16_t)length;
	mbuf->pkt_len = length;
}

/* @return whether the device took all of them */
static bool
burst_send(uint64_t count)
{
	struct rte_mbuf *mbufs[BURST];
	uint16_t length = (uint16_t)(count < BURST ? count : BURST);
	uint16_t sent;

	for (uint16_t i = 0; i < length; i++) {
		mbufs[i] = mbuf_get();
		syn_write(mbufs[i]);
	}
	sent = port_tx_burst(&flood.port, 0, mbufs, length);
	flood.sent += sent;
	rte_pktmbuf_free_bulk(mbufs + sent, length - sent);
	return sent == length;
}

static void
rest(void)
{
	nanosleep(&(struct timespec){.tv_nsec = REST_NS}, NULL);
}

static void
run(uint64_t count, uint64_t per_second)
{
	uint64_t begun_ns = clock_now_ns();
	uint64_t end_ns;

	flood.sent = flood.answers = 0;
	while (flood.sent < count) {
		uint64_t due =
			(clock_now_ns() - begun_ns) * per_second / NS_PER_S;

		due = due < count ? due : count;
		while (flood.sent < due && burst_send(due - flood.sent))
			continue;
		take_all();
		rest();
	}
	end_ns = clock_now_ns() + AFTER_NS;
	while (clock_now_ns() < end_ns) {
		take_all();
		rest();
	}
}

/* Others may ask for our addresses meanwhile. @return false at the end */
static bool
order_wait(void)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};

	while (poll(&input, 1, 1) == 0)
		take_all();
	return (input.revents & POLLIN) != 0;
}

static void
orders_run(void)
{
	uint64_t count, per_second;
	char line[64], kind[8];

	while (order_wait() && fgets(line, sizeof(line), stdin) != NULL) {
		if (sscanf(line, "%7s %" SCNu64 " %" SCNu64, kind, &count,
			    &per_second) != 3 ||
			per_second == 0)
			load_fail("Cannot run", line);
		flood.strays = strcmp(kind, "strays") == 0;
		run(count, per_second);
		printf("{\"sent\":%" PRIu64 ",\"answers\":%" PRIu64 "}\n",
			flood.sent, flood.answers);
		fflush(stdout);
	}
}

int
main(int argc, char **argv)
{
	struct machnet_error error;
	struct in_addr target;

	if (argc != 4 || inet_pton(AF_INET, argv[2], &target) != 1)
		load_fail("Usage", "syn-flood DEVICE TARGET SERVICE");
	/* poll() tells nothing of what a buffer holds. */
	setvbuf(stdin, NULL, _IONBF, 0);
	flood.target = ntohl(target.s_addr);
	flood.service = (uint16_t)atoi(argv[3]);
	dice_init(&flood.dice, clock_now_ns(), 0);
	if (port_open(&flood.port, &(struct port_options){.device = argv[1]},
		    &error) != MACHNET_OK)
		load_fail("Cannot open device", error.message);
	port_thread_begin(NULL);
	find_target();
	orders_run();
	port_thread_end();
	port_close(&flood.port);
	return EXIT_SUCCESS;
}
