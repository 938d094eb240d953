/* SPDX-License-Identifier: MIT */
/* Ports at both ends of a memif, which are both in this process. */
#include "port/memif_pair.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void
port_passes_frames_both_ways(void **state)
{
	struct port server, client;
	uint32_t free_server, free_client;

	(void)state;
	memif_pair_open(&server, &client, (struct port_options){0});
	free_server = frames_available(&server);
	free_client = frames_available(&client);
	frames_pass(&server, &client, 0, 1000, 60);
	frames_pass(&client, &server, 0, 1000, 1514);
	assert_int_equal(frames_available(&server), free_server);
	assert_int_equal(frames_available(&client), free_client);
	memif_pair_close(&server, &client);
}

static void
port_says_what_it_has(void **state)
{
	struct port server, client;

	(void)state;
	memif_pair_open(&server, &client, (struct port_options){0});
	assert_int_equal(client.mtu, 1500);
	assert_int_equal(client.queues, 1);
	assert_int_equal(client.rx_descriptors, 256);
	assert_int_equal(client.tx_descriptors, 256);
	assert_int_equal(client.rx_verified, 0);
	assert_int_equal(client.tx_offload, 0);
	assert_false(client.rx_hash);
	assert_true(client.reads_memory);
	/* Local, unicast, and not the other's. */
	assert_int_equal(client.mac.bytes[0] & 3, 2);
	assert_int_equal(server.mac.bytes[0] & 3, 2);
	assert_memory_not_equal(
		client.mac.bytes, server.mac.bytes, sizeof(client.mac.bytes));
	memif_pair_close(&server, &client);
}

static void
bell_passes(const struct port *from, struct port *to)
{
	struct pollfd bell = {.fd = port_wake_fd(to, 0), .events = POLLIN};

	assert_true(bell.fd >= 0);
	assert_false(port_wakes(to));
	assert_int_equal(poll(&bell, 1, 0), 0);
	/* More often than the socket holds. */
	for (int i = 0; i < 1000; i++)
		port_ring(from);
	assert_int_equal(poll(&bell, 1, FRAMES_WAIT_NS / NS_PER_MS), 1);
	do
		port_wake_take(to);
	while (poll(&bell, 1, 0) == 1);
	assert_true(port_wakes(to));
}

static void
port_rings_its_peer(void **state)
{
	struct port server, client;
	char bell[80];

	(void)state;
	memif_pair_open(&server, &client, (struct port_options){.queues = 2});
	bell_passes(&server, &client);
	bell_passes(&client, &server);
	assert_int_equal(port_wake_fd(&server, 1), -1);
	port_close(&client);
	port_ring(&server); /* nobody */
	port_close(&server);
	for (int end = 0; end < 2; end++) {
		snprintf(bell, sizeof(bell), "%s.bell%d", memif_path, end);
		assert_int_not_equal(access(bell, F_OK), 0);
	}
}

static void
port_has_queues_apart(void **state)
{
	struct port server, client;
	uint16_t queue;

	(void)state;
	memif_pair_open(&server, &client, (struct port_options){.queues = 4});
	for (queue = 0; queue < 4; queue++) {
		frames_pass(&server, &client, queue, 100, 1514);
		frames_pass(&client, &server, queue, 100, 60);
	}
	memif_pair_close(&server, &client);
}

static void
port_holds_a_ring_of_256(void **state)
{
	struct port server, client;
	uint64_t end_ns = clock_now_ns() + FRAMES_WAIT_NS;
	struct rte_mbuf *mbufs[512];
	struct rte_mbuf *received;
	uint16_t i, sent;

	(void)state;
	memif_pair_open(&server, &client, (struct port_options){0});
	assert_int_equal(
		rte_pktmbuf_alloc_bulk(server.pools[0], mbufs, 512), 0);
	for (i = 0; i < 512; i++)
		rte_pktmbuf_append(mbufs[i], 60);
	/* The client lends its buffers when it receives. */
	do {
		assert_true(clock_now_ns() < end_ns);
		port_rx_burst(&client, 0, &received, 1);
		sent = port_tx_burst(&server, 0, mbufs, 512);
	} while (sent == 0);
	assert_in_range(sent, 255, 256);
	rte_pktmbuf_free_bulk(mbufs + sent, 512 - sent);
	memif_pair_close(&server, &client);
}

static void
port_passes_jumbo_frames_in_one_segment(void **state)
{
	struct port server, client;

	(void)state;
	memif_pair_open(&server, &client, (struct port_options){.mtu = 9000});
	assert_int_equal(client.mtu, 9000);
	frames_pass(&server, &client, 0, 300, 9014);
	frames_pass(&client, &server, 0, 300, 9014);
	memif_pair_close(&server, &client);
}

static void
port_opens_and_closes_ten_times(void **state)
{
	struct port server, client;
	int i;

	(void)state;
	for (i = 0; i < 10; i++) {
		memif_pair_open(&server, &client, (struct port_options){0});
		frames_pass(&server, &client, 0, 10, 60);
		frames_pass(&client, &server, 0, 10, 60);
		memif_pair_close(&server, &client);
		assert_int_equal(access(memif_path, F_OK), -1);
	}
}

static void
port_replaces_the_socket_of_a_dead_server(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct port server, client;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	(void)state;
	unlink(memif_path);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", memif_path);
	assert_int_equal(
		bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	memif_pair_open(&server, &client, (struct port_options){0});
	memif_pair_close(&server, &client);
}

static void
port_takes_a_relative_path(void **state)
{
	char *before = getcwd(NULL, 0);
	struct port server, client;

	(void)state;
	assert_int_equal(chdir(memif_folder), 0);
	frames_open(&server,
		&(struct port_options){.device = "memif:a.sock,server"});
	frames_open(&client, &(struct port_options){.device = memif_client});
	frames_link(&server, &client);
	port_close(&client);
	frames_open(
		&client, &(struct port_options){.device = "memif:./a.sock"});
	frames_link(&server, &client);
	memif_pair_close(&server, &client);
	assert_int_equal(chdir(before), 0);
	free(before);
}

static void
port_leaves_a_file_that_is_no_socket(void **state)
{
	struct machnet_error error;

	(void)state;
	close(open(memif_path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(frames_open_status(memif_server, 0, 0, &error),
		MACHNET_ADDRESS_IN_USE);
	assert_int_equal(access(memif_path, F_OK), 0);
	unlink(memif_path);
}

static void
port_refuses_what_cannot_be_had(void **state)
{
	struct machnet_error error;

	(void)state;
	assert_int_equal(frames_open_status(memif_client, 1279, 0, &error),
		MACHNET_INVALID_ARGUMENT);
	assert_non_null(strstr(error.message, "1279"));
	assert_int_equal(frames_open_status(memif_client, 9217, 0, &error),
		MACHNET_INVALID_ARGUMENT);
	assert_int_equal(frames_open_status(memif_client, 0, 65, &error),
		MACHNET_INVALID_ARGUMENT);
	assert_int_equal(frames_open_status("tap:machnet0", 1501, 0, &error),
		MACHNET_INVALID_ARGUMENT);
	assert_int_equal(frames_open_status("nothing", 0, 0, &error),
		MACHNET_INVALID_ARGUMENT);
}

static void
port_names_what_exists(void **state)
{
	struct machnet_error error;

	(void)state;
	assert_int_equal(frames_open_status("af_packet:nosuch0", 0, 0, &error),
		MACHNET_DEVICE_NOT_FOUND);
	assert_non_null(strstr(error.message, "nosuch0"));
	assert_non_null(strstr(error.message, "lo"));
	assert_int_equal(frames_open_status("fffe:00:00.0", 0, 0, &error),
		MACHNET_DEVICE_NOT_FOUND);
	assert_non_null(strstr(error.message, "fffe:00:00.0"));
	assert_int_equal(
		frames_open_status("memif:/nosuch/a.sock", 0, 0, &error),
		MACHNET_DEVICE_NOT_FOUND);
	assert_non_null(strstr(error.message, "/nosuch/"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(port_passes_frames_both_ways),
		cmocka_unit_test(port_says_what_it_has),
		cmocka_unit_test(port_rings_its_peer),
		cmocka_unit_test(port_has_queues_apart),
		cmocka_unit_test(port_holds_a_ring_of_256),
		cmocka_unit_test(port_passes_jumbo_frames_in_one_segment),
		cmocka_unit_test(port_opens_and_closes_ten_times),
		cmocka_unit_test(port_replaces_the_socket_of_a_dead_server),
		cmocka_unit_test(port_takes_a_relative_path),
		cmocka_unit_test(port_leaves_a_file_that_is_no_socket),
		cmocka_unit_test(port_refuses_what_cannot_be_had),
		cmocka_unit_test(port_names_what_exists),
	};

	return cmocka_run_group_tests(tests, memif_set_up, memif_tear_down);
}
