/* SPDX-License-Identifier: MIT */
/* Hosts of a fabric that have several queues, or fewer than it. */
#include "fabric/lab.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* UDP from a port to port 7, on a TX queue. */
static void
send_udp(uint32_t from, uint16_t queue, uint32_t to, uint16_t source_port)
{
	struct port *port = &lab_hosts[from];
	struct udp_address address = {
		.source_mac = port->mac,
		.destination_mac = lab_hosts[to].mac,
		.source_ip = 0x0a000001 + from,
		.destination_ip = 0x0a000001 + to,
		.source_port = source_port,
		.destination_port = 7,
	};
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(port->pools[queue]);
	uint8_t *bytes = (uint8_t *)rte_pktmbuf_append(mbuf, LAB_FRAME_BYTES);
	uint64_t end_ns = clock_now_ns() + LAB_WAIT_NS;

	memset(bytes, 0, LAB_FRAME_BYTES);
	udp_frame_write(
		bytes, &address, LAB_FRAME_BYTES - UDP_PAYLOAD_OFFSET, 0);
	while (port_tx_burst(port, queue, &mbuf, 1) == 0)
		assert_true(clock_now_ns() < end_ns);
}

/* @return the queue on which a frame from a source port came, at once the next
 * one and the only one */
static uint32_t
receive_udp(uint32_t at, uint16_t source_port)
{
	struct port *port = &lab_hosts[at];
	uint64_t end_ns = clock_now_ns() + LAB_WAIT_NS;
	struct rte_mbuf *mbuf;
	struct frame frame;
	uint16_t queue = 0;

	while (port_rx_burst(port, queue, &mbuf, 1) == 0) {
		assert_true(clock_now_ns() < end_ns);
		queue = (uint16_t)((queue + 1) % port->queues);
		if (queue == 0)
			sched_yield();
	}
	frame_parse(
		&frame, rte_pktmbuf_mtod(mbuf, uint8_t *), mbuf->data_len, 0);
	assert_int_equal(frame.kind, FRAME_UDP);
	assert_int_equal(frame.source_port, source_port);
	assert_int_equal(mbuf->ol_flags & RTE_MBUF_F_RX_RSS_HASH, 0);
	rte_pktmbuf_free(mbuf);
	return queue;
}

/* @return the queues that so many source ports reach, a bit each */
static uint32_t
queues_reached(uint32_t from, uint32_t to, uint16_t ports)
{
	uint32_t reached = 0;

	for (uint16_t i = 0; i < ports; i++) {
		send_udp(from, (uint16_t)(i % lab_hosts[from].queues), to, i);
		reached |= 1u << receive_udp(to, i);
	}
	return reached;
}

/* A driver is neither told the key or the hash, nor can it set them. */
static void
assert_opaque(const struct port *port)
{
	uint8_t key[64];
	struct rte_eth_rss_conf conf = {
		.rss_key = key,
		.rss_key_len = sizeof(key),
	};

	assert_int_not_equal(rte_eth_dev_rss_hash_conf_get(port->id, &conf), 0);
	assert_int_not_equal(rte_eth_dev_rss_hash_update(port->id, &conf), 0);
	assert_false(port->rx_hash);
}

static void
four_queues_carry_frames(void **state)
{
	uint32_t before[40];
	uint32_t moved = 0;

	(void)state;
	lab_queues = 4;
	lab_start_with(
		(const char *const[]){"--queues", "4", "--seed", "3", NULL});
	lab_introduce();
	for (uint16_t i = 0; i < 40; i++) {
		send_udp(0, i % 4, 1, i);
		before[i] = receive_udp(1, i);
	}
	assert_int_equal(queues_reached(0, 1, 40), 0xf);
	for (uint16_t i = 0; i < 40; i++) {
		send_udp(0, (i + 1) % 4, 1, i);
		assert_int_equal(receive_udp(1, i), before[i]);
	}
	assert_opaque(&lab_hosts[1]);
	assert_int_equal(lab_counter("port1_packets_received"), 2 + 120);
	assert_in_range(lab_counter("port1_queue3_packets_received"), 10, 100);
	assert_string_equal(lab_ask("rekey 1"), "\nok\n");
	for (uint16_t i = 0; i < 40; i++) {
		send_udp(0, 0, 1, i);
		moved += receive_udp(1, i) != before[i];
	}
	assert_in_range(moved, 10, 40);
	assert_int_equal(lab_counter("port1_rekeyed"), 1);
}

static void
a_host_may_open_fewer_queues(void **state)
{
	(void)state;
	lab_start("--queues", "4");
	lab_introduce();
	for (uint32_t i = 0; i < 1000; i++)
		lab_pass_frame(i % LAB_HOSTS, (i + 1) % LAB_HOSTS, (uint8_t)i);
	assert_int_equal(queues_reached(0, 1, 40), 0x1);
	assert_int_equal(lab_counter("port0_packets_sent"), 1 + 334 + 40);
	assert_int_equal(lab_counter("port1_packets_received"), 2 + 334 + 40);
	lab_stop(state);
	lab_queues = 2;
	lab_start("--queues", "4");
	lab_introduce();
	assert_int_equal(queues_reached(0, 1, 40), 0x3);
	assert_int_equal(queues_reached(1, 0, 40), 0x3);
}

/* Each time with other queues. */
static void
a_host_may_come_back_as_another(void **state)
{
	static const uint32_t numbers[] = {4, 1, 3, 2, 4};

	(void)state;
	lab_queues = 4;
	lab_start("--queues", "4");
	lab_introduce();
	assert_int_equal(queues_reached(0, 1, 40), 0xf);
	for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
		port_close(&lab_hosts[1]);
		lab_queues = numbers[i];
		lab_host_open(1);
		lab_wait_for_link(1);
		assert_int_equal(queues_reached(1, 2, 40) & 0x1, 0x1);
		assert_int_equal(
			queues_reached(0, 1, 40), (1u << lab_queues) - 1);
	}
}

/* The fabric hears all of it at once. */
static void
a_host_may_come_back_as_another_unseen(void **state)
{
	(void)state;
	lab_queues = 4;
	lab_start("--queues", "4");
	lab_introduce();
	assert_int_equal(queues_reached(1, 2, 40), 0xf);
	kill(lab_fabric, SIGSTOP);
	assert_int_equal(waitpid(lab_fabric, NULL, WUNTRACED), lab_fabric);
	port_close(&lab_hosts[1]);
	lab_queues = 1;
	lab_host_open(1);
	kill(lab_fabric, SIGCONT);
	lab_wait_for_link(1);
	assert_int_equal(queues_reached(1, 2, 40), 0xf);
	assert_int_equal(queues_reached(0, 1, 40), 0x1);
	assert_int_equal(lab_counter("port1_drop_malformed"), 0);
}

#define TEST(function) cmocka_unit_test_teardown(function, lab_stop)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(four_queues_carry_frames),
		TEST(a_host_may_open_fewer_queues),
		TEST(a_host_may_come_back_as_another),
		TEST(a_host_may_come_back_as_another_unseen),
	};

	if (argc != 2)
		return EXIT_FAILURE;
	lab_program = argv[1];
	return cmocka_run_group_tests(tests, lab_set_up, lab_tear_down);
}
