/* SPDX-License-Identifier: MIT */
/*
 * machnet-fabric as a process, between hosts that are ports of this one. Its
 * path is the argument.
 */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "port/port.h"
#include "wire/ethernet.h"

#define HOSTS 3u
#define FRAME_BYTES 1000u
/* So long that no machine is too slow. */
#define PATIENCE_NS (60 * NS_PER_S)

extern char **environ;

static const char *program;
static const char *const no_options[] = {NULL};
static char folder[] = "/tmp/machnet-fabric-XXXXXX";
static pid_t fabric;
static struct port hosts[HOSTS];
static uint32_t queues; /* that hosts open from now on */

static const char *
path(const char *name)
{
	static char text[64];

	snprintf(text, sizeof(text), "%s/%s", folder, name);
	return text;
}

/* @return its process, once it is ready, or -1 if it ended */
static pid_t
fabric_spawn(const char *const *options)
{
	const char *argv[16] = {program, "--directory", folder, "--hosts", "3",
		"--exit-with-parent"};
	posix_spawn_file_actions_t actions;
	char line[64] = "";
	int fds[2];
	pid_t pid;
	FILE *output;

	for (uint32_t i = 0; options[i] != NULL; i++)
		argv[6 + i] = options[i];
	assert_int_equal(pipe(fds), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
	posix_spawn_file_actions_addclose(&actions, fds[0]);
	posix_spawn_file_actions_addclose(&actions, fds[1]);
	assert_int_equal(posix_spawn(&pid, program, &actions, NULL,
				 (char *const *)argv, environ),
		0);
	posix_spawn_file_actions_destroy(&actions);
	close(fds[1]);
	output = fdopen(fds[0], "r");
	assert_non_null(output);
	if (fgets(line, sizeof(line), output) == NULL) {
		waitpid(pid, NULL, 0);
		pid = -1;
	} else {
		assert_memory_equal(line, "machnet-fabric: ready: mtu ", 27);
	}
	fclose(output);
	return pid;
}

static int
fabric_end(int signal)
{
	int status = 0;

	kill(fabric, signal);
	waitpid(fabric, &status, 0);
	fabric = 0;
	return status;
}

/* A memif client has no room before it looks for the first time, and cannot
 * look while ports stand still. */
static void
look(const struct port *port, uint16_t queue)
{
	uint64_t end_ns = clock_now_ns() + PATIENCE_NS;
	struct rte_mbuf *mbuf;

	while (!port_burst_begin(port, queue)) {
		assert_true(clock_now_ns() < end_ns);
		sched_yield();
	}
	assert_int_equal(rte_eth_rx_burst(port->id, queue, &mbuf, 1), 0);
	port_burst_end(port, queue);
}

static void
wait_for_link(uint32_t index)
{
	struct port *port = &hosts[index];
	uint64_t end_ns = clock_now_ns() + PATIENCE_NS;

	while (!port_link_up(port)) {
		assert_true(clock_now_ns() < end_ns);
		usleep(1000);
	}
	for (uint16_t queue = 0; queue < port->queues; queue++)
		look(port, queue);
}

static void
wait_for_links(void)
{
	for (uint32_t i = 0; i < HOSTS; i++)
		wait_for_link(i);
}

/* There is no fabric. */
static void
wait_for_no_links(void)
{
	uint64_t end_ns = clock_now_ns() + PATIENCE_NS;

	for (uint32_t i = 0; i < HOSTS; i++)
		while (port_link_up(&hosts[i])) {
			assert_true(clock_now_ns() < end_ns);
			usleep(1000);
		}
}

static void
host_open(uint32_t index)
{
	char device[96];
	struct machnet_error error;
	const struct port_options options = {
		.device = device,
		.queues = queues,
	};

	snprintf(
		device, sizeof(device), "memif:%s/host%u.memif", folder, index);
	if (port_open(&hosts[index], &options, &error) != MACHNET_OK)
		fail_msg("%s", error.message);
}

static void
start_with(const char *const *options)
{
	fabric = fabric_spawn(options);
	assert_true(fabric > 0);
	for (uint32_t i = 0; i < HOSTS; i++)
		host_open(i);
	wait_for_links();
}

static void
start(const char *option, const char *value)
{
	start_with((const char *const[]){option, value, NULL});
}

static int
stop(void **state)
{
	(void)state;
	queues = 1;
	for (uint32_t i = 0; i < HOSTS; i++)
		if (hosts[i].queues != 0)
			port_close(&hosts[i]);
	memset(hosts, 0, sizeof(hosts));
	if (fabric > 0)
		fabric_end(SIGKILL);
	return 0;
}

static void
frame_write(uint8_t *bytes, uint32_t from, uint32_t to, uint8_t content)
{
	memset(bytes, content, FRAME_BYTES);
	memcpy(bytes, to < HOSTS ? &hosts[to].mac : &mac_broadcast, 6);
	memcpy(bytes + 6, &hosts[from].mac, 6);
}

/* @param to HOSTS for all */
static void
send_frame(uint32_t from, uint32_t to, uint8_t content)
{
	struct port *port = &hosts[from];
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(port->pools[0]);
	uint64_t end_ns = clock_now_ns() + PATIENCE_NS;

	frame_write((uint8_t *)rte_pktmbuf_append(mbuf, FRAME_BYTES), from, to,
		content);
	while (port_tx_burst(port, 0, &mbuf, 1) == 0)
		assert_true(clock_now_ns() < end_ns);
}

/* @return the frame, or NULL if none came in time */
static struct rte_mbuf *
receive(uint32_t at, uint64_t patience_ns)
{
	uint64_t end_ns = clock_now_ns() + patience_ns;
	struct rte_mbuf *mbuf;

	while (port_rx_burst(&hosts[at], 0, &mbuf, 1) == 0) {
		if (clock_now_ns() > end_ns)
			return NULL;
		sched_yield();
	}
	assert_int_equal(rte_pktmbuf_data_len(mbuf), FRAME_BYTES);
	return mbuf;
}

static bool
receive_frame(uint32_t at, uint8_t *content, uint64_t patience_ns)
{
	struct rte_mbuf *mbuf = receive(at, patience_ns);

	if (mbuf == NULL)
		return false;
	*content = *rte_pktmbuf_mtod_offset(mbuf, uint8_t *, FRAME_BYTES - 1);
	rte_pktmbuf_free(mbuf);
	return true;
}

static void
pass_frame(uint32_t from, uint32_t to, uint8_t content)
{
	uint8_t received;

	send_frame(from, to, content);
	assert_true(receive_frame(to, &received, PATIENCE_NS));
	assert_int_equal(received, content);
}

/* A broadcast of each host, so that the fabric knows them. */
static void
introduce(void)
{
	uint8_t content;

	for (uint32_t from = 0; from < HOSTS; from++) {
		send_frame(from, HOSTS, (uint8_t)from);
		for (uint32_t to = 0; to < HOSTS; to++) {
			if (to == from)
				continue;
			assert_true(receive_frame(to, &content, PATIENCE_NS));
			assert_int_equal(content, from);
		}
	}
}

static int
control_connect(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/fabric.sock",
		folder);
	assert_int_equal(
		connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* @return the answer of the control socket, with a newline before, until the
 * next one */
static const char *
ask(const char *command)
{
	static char text[1 << 20] = "\n";
	int fd = control_connect();
	size_t used = 1;
	ssize_t got;

	assert_int_equal(
		write(fd, command, strlen(command)), (ssize_t)strlen(command));
	assert_int_equal(write(fd, "\n", 1), 1);
	while ((got = read(fd, text + used, sizeof(text) - used - 1)) > 0)
		used += (size_t)got;
	close(fd);
	text[used] = '\0';
	return text;
}

static uint64_t
counter(const char *name)
{
	const char *text = ask("stats");
	char key[64];
	const char *found;

	snprintf(key, sizeof(key), "\n%s ", name);
	found = strstr(text, key);
	assert_non_null(found);
	return strtoull(found + strlen(key), NULL, 10);
}

static void
frames_reach_their_host_and_are_counted(void **state)
{
	uint8_t content;

	(void)state;
	start(NULL, NULL);
	introduce();
	for (uint32_t i = 0; i < 1000; i++)
		pass_frame(i % HOSTS, (i + 1) % HOSTS, (uint8_t)i);
	assert_false(receive_frame(0, &content, 10 * NS_PER_MS));
	assert_int_equal(counter("port0_packets_sent"), 1 + 334);
	assert_int_equal(counter("port0_packets_received"), 2 + 333);
	assert_int_equal(counter("port0_bytes_received"), FRAME_BYTES * 335);
	assert_int_equal(counter("port2_flooded"), 1);
	assert_int_equal(counter("port1_drop_depth"), 0);
}

/* Much longer than the silence after which one rings. */
#define SILENCE_US 20000

static void
a_host_is_rung_after_a_silence(void **state)
{
	struct pollfd bell = {.events = POLLIN};

	(void)state;
	start(NULL, NULL);
	introduce();
	bell.fd = port_wake_fd(&hosts[1], 0);
	for (int i = 0; i < 3; i++) {
		usleep(SILENCE_US);
		/* It answers when it has rung for what it gave before. */
		ask("stats");
		port_wake_take(&hosts[1]);
		assert_int_equal(poll(&bell, 1, 0), 0);
		pass_frame(0, 1, 7);
		assert_int_equal(poll(&bell, 1, PATIENCE_NS / NS_PER_MS), 1);
	}
}

/* All copies are one mbuf, until a bit of one of them must flip. */
static void
corruption_spares_the_other_copies(void **state)
{
	uint32_t corrupted[HOSTS] = {0};
	uint8_t sent[FRAME_BYTES];

	(void)state;
	start("--corrupt", "0.5");
	frame_write(sent, 0, HOSTS, 0);
	for (uint32_t i = 0; i < 200; i++) {
		send_frame(0, HOSTS, 0);
		for (uint32_t at = 1; at < HOSTS; at++) {
			struct rte_mbuf *mbuf = receive(at, PATIENCE_NS);

			assert_non_null(mbuf);
			corrupted[at] += memcmp(rte_pktmbuf_mtod(mbuf, void *),
						 sent, FRAME_BYTES) != 0;
			rte_pktmbuf_free(mbuf);
		}
	}
	assert_in_range(corrupted[1], 50, 150);
	assert_int_equal(corrupted[1], counter("port1_corrupted"));
	assert_int_equal(corrupted[2], counter("port2_corrupted"));
}

/* @return how many of the next ones at a host are marked */
static uint32_t
receive_marked(uint32_t at, uint32_t count)
{
	uint32_t marked = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct rte_mbuf *mbuf = receive(at, PATIENCE_NS);
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
	start_with((const char *const[]){
		"--bandwidth-mbps", "1", "--ecn-threshold", "4", NULL});
	introduce();
	for (uint32_t i = 0; i < 40; i++) {
		struct port *port = &hosts[i % 2];
		struct rte_mbuf *mbuf = rte_pktmbuf_alloc(port->pools[0]);
		uint8_t *bytes =
			(uint8_t *)rte_pktmbuf_append(mbuf, FRAME_BYTES);

		memset(bytes, 0, FRAME_BYTES);
		address.source_mac = port->mac;
		address.destination_mac = hosts[2].mac;
		assert_int_equal(udp_frame_write(bytes, &address,
					 FRAME_BYTES - UDP_PAYLOAD_OFFSET, 0),
			FRAME_BYTES);
		assert_int_equal(port_tx_burst(port, 0, &mbuf, 1), 1);
	}
	marked = receive_marked(2, 40);
	assert_in_range(marked, 1, 35);
	assert_int_equal(marked, counter("port2_ecn_marked"));
	assert_int_equal(counter("port2_drop_bandwidth"), 0);
}

static void
a_host_that_takes_nothing_has_256_frames(void **state)
{
	uint8_t content;

	(void)state;
	start(NULL, NULL);
	introduce();
	for (uint32_t i = 0; i < 1000; i++)
		send_frame(0, 1, (uint8_t)i);
	pass_frame(0, 2, 0);
	for (uint32_t i = 0; i < 256; i++) {
		assert_true(receive_frame(1, &content, PATIENCE_NS));
		assert_int_equal(content, (uint8_t)i);
	}
	assert_false(receive_frame(1, &content, 10 * NS_PER_MS));
	assert_int_equal(counter("port1_drop_depth"), 744);
}

/* UDP from a port to port 7, on a TX queue. */
static void
send_udp(uint32_t from, uint16_t queue, uint32_t to, uint16_t source_port)
{
	struct port *port = &hosts[from];
	struct udp_address address = {
		.source_mac = port->mac,
		.destination_mac = hosts[to].mac,
		.source_ip = 0x0a000001 + from,
		.destination_ip = 0x0a000001 + to,
		.source_port = source_port,
		.destination_port = 7,
	};
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(port->pools[queue]);
	uint8_t *bytes = (uint8_t *)rte_pktmbuf_append(mbuf, FRAME_BYTES);
	uint64_t end_ns = clock_now_ns() + PATIENCE_NS;

	memset(bytes, 0, FRAME_BYTES);
	udp_frame_write(bytes, &address, FRAME_BYTES - UDP_PAYLOAD_OFFSET, 0);
	while (port_tx_burst(port, queue, &mbuf, 1) == 0)
		assert_true(clock_now_ns() < end_ns);
}

/* @return the queue on which a frame from a source port came, at once the next
 * one and the only one */
static uint32_t
receive_udp(uint32_t at, uint16_t source_port)
{
	struct port *port = &hosts[at];
	uint64_t end_ns = clock_now_ns() + PATIENCE_NS;
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
		send_udp(from, (uint16_t)(i % hosts[from].queues), to, i);
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
	queues = 4;
	start_with((const char *const[]){"--queues", "4", "--seed", "3", NULL});
	introduce();
	for (uint16_t i = 0; i < 40; i++) {
		send_udp(0, i % 4, 1, i);
		before[i] = receive_udp(1, i);
	}
	assert_int_equal(queues_reached(0, 1, 40), 0xf);
	for (uint16_t i = 0; i < 40; i++) {
		send_udp(0, (i + 1) % 4, 1, i);
		assert_int_equal(receive_udp(1, i), before[i]);
	}
	assert_opaque(&hosts[1]);
	assert_int_equal(counter("port1_packets_received"), 2 + 120);
	assert_in_range(counter("port1_queue3_packets_received"), 10, 100);
	assert_string_equal(ask("rekey 1"), "\nok\n");
	for (uint16_t i = 0; i < 40; i++) {
		send_udp(0, 0, 1, i);
		moved += receive_udp(1, i) != before[i];
	}
	assert_in_range(moved, 10, 40);
	assert_int_equal(counter("port1_rekeyed"), 1);
}

static void
a_host_may_open_fewer_queues(void **state)
{
	(void)state;
	start("--queues", "4");
	introduce();
	for (uint32_t i = 0; i < 1000; i++)
		pass_frame(i % HOSTS, (i + 1) % HOSTS, (uint8_t)i);
	assert_int_equal(queues_reached(0, 1, 40), 0x1);
	assert_int_equal(counter("port0_packets_sent"), 1 + 334 + 40);
	assert_int_equal(counter("port1_packets_received"), 2 + 334 + 40);
	stop(state);
	queues = 2;
	start("--queues", "4");
	introduce();
	assert_int_equal(queues_reached(0, 1, 40), 0x3);
	assert_int_equal(queues_reached(1, 0, 40), 0x3);
}

/* Each time with other queues. */
static void
a_host_may_come_back_as_another(void **state)
{
	static const uint32_t numbers[] = {4, 1, 3, 2, 4};

	(void)state;
	queues = 4;
	start("--queues", "4");
	introduce();
	assert_int_equal(queues_reached(0, 1, 40), 0xf);
	for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
		port_close(&hosts[1]);
		queues = numbers[i];
		host_open(1);
		wait_for_link(1);
		assert_int_equal(queues_reached(1, 2, 40) & 0x1, 0x1);
		assert_int_equal(queues_reached(0, 1, 40), (1u << queues) - 1);
	}
}

/* The fabric hears all of it at once. */
static void
a_host_may_come_back_as_another_unseen(void **state)
{
	(void)state;
	queues = 4;
	start("--queues", "4");
	introduce();
	assert_int_equal(queues_reached(1, 2, 40), 0xf);
	kill(fabric, SIGSTOP);
	assert_int_equal(waitpid(fabric, NULL, WUNTRACED), fabric);
	port_close(&hosts[1]);
	queues = 1;
	host_open(1);
	kill(fabric, SIGCONT);
	wait_for_link(1);
	assert_int_equal(queues_reached(1, 2, 40), 0xf);
	assert_int_equal(queues_reached(0, 1, 40), 0x1);
	assert_int_equal(counter("port1_drop_malformed"), 0);
}

/* Ends when the other end is closed or shut. */
static void
assert_answer(int fd, const char *begins)
{
	char text[512] = "";
	size_t used = 0;
	ssize_t got;

	while ((got = read(fd, text + used, sizeof(text) - used - 1)) > 0)
		used += (size_t)got;
	assert_int_equal(strncmp(text, begins, strlen(begins)), 0);
	close(fd);
}

static void
control_bears_with_its_clients(void **state)
{
	char line[4096];
	int silent[32];
	int slow, fd;

	(void)state;
	start(NULL, NULL);
	introduce();
	/* Says nothing more, takes no answer, says too much. */
	for (size_t i = 0; i < ARRAY_LENGTH(silent); i++) {
		silent[i] = control_connect();
		assert_int_equal(write(silent[i], "rekey", 5), 5);
	}
	fd = control_connect();
	assert_int_equal(write(fd, "stats\n", 6), 6);
	close(fd);
	fd = control_connect();
	memset(line, 'x', sizeof(line));
	assert_true(write(fd, line, sizeof(line)) > 0);
	assert_answer(fd, "");
	slow = control_connect();
	assert_int_equal(write(slow, "re", 2), 2);
	usleep(10000);
	assert_int_equal(write(slow, "key 2\n", 6), 6);
	assert_answer(slow, "ok\n");
	fd = control_connect();
	shutdown(fd, SHUT_WR);
	assert_answer(fd, "");
	fd = control_connect();
	assert_int_equal(write(fd, "nonsense\n", 9), 9);
	assert_answer(fd, "error: A command is one of stats, ");
	for (size_t i = 0; i < ARRAY_LENGTH(silent); i++)
		close(silent[i]);
	assert_int_equal(counter("port2_rekeyed"), 1);
	pass_frame(0, 1, 1);
}

/* Send frames to a host that has gone, until the fabric drops one because it
 * knows. What it gave the host before is lost as well. */
static void
lose_frames(uint32_t from, uint32_t to)
{
	uint64_t end_ns = clock_now_ns() + PATIENCE_NS;
	uint64_t before;
	char name[32];

	snprintf(name, sizeof(name), "port%u_drop_link_down", to);
	before = counter(name);
	do {
		assert_true(clock_now_ns() < end_ns);
		send_frame(from, to, 7);
	} while (counter(name) == before);
}

static void
a_host_may_go_and_come_back(void **state)
{
	(void)state;
	start("--latency-us", "100");
	introduce();
	for (uint32_t i = 0; i < 5; i++) {
		port_close(&hosts[1]);
		lose_frames(0, 1);
		pass_frame(2, 0, 1);
		host_open(1);
		wait_for_link(1);
		pass_frame(1, 0, 2);
		pass_frame(0, 1, 3);
	}
}

static void
a_killed_fabric_is_replaced(void **state)
{
	(void)state;
	start(NULL, NULL);
	fabric_end(SIGKILL);
	wait_for_no_links();
	assert_int_equal(access(path("fabric.sock"), F_OK), 0);
	assert_int_equal(access(path("host0.memif"), F_OK), 0);
	fabric = fabric_spawn(no_options);
	assert_true(fabric > 0);
	wait_for_links();
	introduce();
	assert_int_equal(counter("port0_packets_sent"), 1);
}

static void
a_second_fabric_is_refused(void **state)
{
	(void)state;
	start(NULL, NULL);
	/* Its message goes to stderr. */
	assert_int_equal(fabric_spawn(no_options), -1);
	introduce();
}

static void
it_ends_when_asked_and_leaves_no_file(void **state)
{
	static const int signals[] = {SIGTERM, SIGINT};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(signals); i++) {
		start("--poll", i == 0 ? "adaptive" : "busy");
		introduce();
		assert_int_equal(fabric_end(signals[i]), 0);
		assert_int_not_equal(access(path("fabric.sock"), F_OK), 0);
		assert_int_not_equal(access(path("host0.memif"), F_OK), 0);
		assert_int_not_equal(
			access(path("host0.memif.bell0"), F_OK), 0);
		stop(state);
	}
}

#define TEST(function) cmocka_unit_test_teardown(function, stop)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(frames_reach_their_host_and_are_counted),
		TEST(corruption_spares_the_other_copies),
		TEST(congestion_marks_packets),
		TEST(a_host_that_takes_nothing_has_256_frames),
		TEST(four_queues_carry_frames),
		TEST(a_host_may_open_fewer_queues),
		TEST(a_host_may_come_back_as_another),
		TEST(a_host_may_come_back_as_another_unseen),
		TEST(a_host_is_rung_after_a_silence),
		TEST(control_bears_with_its_clients),
		TEST(a_host_may_go_and_come_back),
		TEST(a_killed_fabric_is_replaced),
		TEST(a_second_fabric_is_refused),
		TEST(it_ends_when_asked_and_leaves_no_file),
	};
	char *const files[] = {"fabric.sock", "host0.memif", "host1.memif",
		"host2.memif", "host0.memif.bell0", "host1.memif.bell0",
		"host2.memif.bell0"};
	int failed;

	if (argc != 2 || mkdtemp(folder) == NULL)
		return EXIT_FAILURE;
	program = argv[1];
	queues = 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	for (size_t i = 0; i < ARRAY_LENGTH(files); i++)
		unlink(path(files[i]));
	rmdir(folder);
	return failed;
}
