/* SPDX-License-Identifier: MIT */
/* What becomes of frames between the hosts of a fabric. */
#include "fabric/lab.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
frames_reach_their_host_and_are_counted(void **state)
{
	uint8_t content;

	(void)state;
	lab_start(NULL, NULL);
	lab_introduce();
	for (uint32_t i = 0; i < 1000; i++)
		lab_pass_frame(i % LAB_HOSTS, (i + 1) % LAB_HOSTS, (uint8_t)i);
	assert_false(lab_receive_frame(0, &content, 10 * NS_PER_MS));
	assert_int_equal(lab_counter("port0_packets_sent"), 1 + 334);
	assert_int_equal(lab_counter("port0_packets_received"), 2 + 333);
	assert_int_equal(
		lab_counter("port0_bytes_received"), LAB_FRAME_BYTES * 335);
	assert_int_equal(lab_counter("port2_flooded"), 1);
	assert_int_equal(lab_counter("port1_drop_depth"), 0);
}

/* Much longer than the silence after which one rings. */
#define SILENCE_US 20000

static void
a_host_is_rung_after_a_silence(void **state)
{
	struct pollfd bell = {.events = POLLIN};

	(void)state;
	lab_start(NULL, NULL);
	lab_introduce();
	bell.fd = port_wake_fd(&lab_hosts[1], 0);
	for (int i = 0; i < 3; i++) {
		usleep(SILENCE_US);
		/* It answers when it has rung for what it gave before. */
		lab_ask("stats");
		port_wake_take(&lab_hosts[1]);
		assert_int_equal(poll(&bell, 1, 0), 0);
		lab_pass_frame(0, 1, 7);
		assert_int_equal(poll(&bell, 1, LAB_WAIT_NS / NS_PER_MS), 1);
	}
}

/* All copies are one mbuf, until a bit of one of them must flip. */
static void
corruption_spares_the_other_copies(void **state)
{
	uint32_t corrupted[LAB_HOSTS] = {0};
	uint8_t sent[LAB_FRAME_BYTES];

	(void)state;
	lab_start("--corrupt", "0.5");
	lab_frame_write(sent, 0, LAB_HOSTS, 0);
	for (uint32_t i = 0; i < 200; i++) {
		lab_send_frame(0, LAB_HOSTS, 0);
		for (uint32_t at = 1; at < LAB_HOSTS; at++) {
			struct rte_mbuf *mbuf = lab_receive(at, LAB_WAIT_NS);

			assert_non_null(mbuf);
			corrupted[at] += memcmp(rte_pktmbuf_mtod(mbuf, void *),
						 sent, LAB_FRAME_BYTES) != 0;
			rte_pktmbuf_free(mbuf);
		}
	}
	assert_in_range(corrupted[1], 50, 150);
	assert_int_equal(corrupted[1], lab_counter("port1_corrupted"));
	assert_int_equal(corrupted[2], lab_counter("port2_corrupted"));
}

/* @return how many of the next ones at a host are marked */
static uint32_t
receive_marked(uint32_t at, uint32_t count)
{
	uint32_t marked = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct rte_mbuf *mbuf = lab_receive(at, LAB_WAIT_NS);
		struct frame frame;

		assert_non_null(mbuf);
		/* Verifies the checksum of the IPv4 header. */
		frame_parse(&frame, rte_pktmbuf_mtod(mbuf, uint8_t *),
			mbuf->data_len, 0);
		assert_int_equal(frame.kind, FRAME_UDP);
		marked += frame.ecn_marked;
		rte_pktmbuf_free(mbuf);
	}
	return marked;
}

/* Through a cap that they wait for: 1000 bytes are 8 ms. */
static void
congestion_marks_packets(void **state)
{
	struct udp_address address = {
		.source_ip = 0x0a000001,
		.destination_ip = 0x0a000002,
		.source_port = 1,
		.destination_port = 2,
	};
	uint32_t marked;

	(void)state;
	lab_start_with((const char *const[]){
		"--bandwidth-mbps", "1", "--ecn-threshold", "4", NULL});
	lab_introduce();
	for (uint32_t i = 0; i < 40; i++) {
		struct port *port = &lab_hosts[i % 2];
		struct rte_mbuf *mbuf = rte_pktmbuf_alloc(port->pools[0]);
		uint8_t *bytes =
			(uint8_t *)rte_pktmbuf_append(mbuf, LAB_FRAME_BYTES);

		memset(bytes, 0, LAB_FRAME_BYTES);
		address.source_mac = port->mac;
		address.destination_mac = lab_hosts[2].mac;
		assert_int_equal(
			udp_frame_write(bytes, &address,
				LAB_FRAME_BYTES - UDP_PAYLOAD_OFFSET, 0),
			LAB_FRAME_BYTES);
		assert_int_equal(port_tx_burst(port, 0, &mbuf, 1), 1);
	}
	marked = receive_marked(2, 40);
	assert_in_range(marked, 1, 35);
	assert_int_equal(marked, lab_counter("port2_ecn_marked"));
	assert_int_equal(lab_counter("port2_drop_bandwidth"), 0);
}

static void
a_host_that_takes_nothing_has_256_frames(void **state)
{
	uint8_t content;

	(void)state;
	lab_start(NULL, NULL);
	lab_introduce();
	for (uint32_t i = 0; i < 1000; i++)
		lab_send_frame(0, 1, (uint8_t)i);
	lab_pass_frame(0, 2, 0);
	for (uint32_t i = 0; i < 256; i++) {
		assert_true(lab_receive_frame(1, &content, LAB_WAIT_NS));
		assert_int_equal(content, (uint8_t)i);
	}
	assert_false(lab_receive_frame(1, &content, 10 * NS_PER_MS));
	assert_int_equal(lab_counter("port1_drop_depth"), 744);
}

#define TEST(function) cmocka_unit_test_teardown(function, lab_stop)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(frames_reach_their_host_and_are_counted),
		TEST(corruption_spares_the_other_copies),
		TEST(congestion_marks_packets),
		TEST(a_host_that_takes_nothing_has_256_frames),
		TEST(a_host_is_rung_after_a_silence),
	};

	if (argc != 2)
		return EXIT_FAILURE;
	lab_program = argv[1];
	return cmocka_run_group_tests(tests, lab_set_up, lab_tear_down);
}
