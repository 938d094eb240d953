/* SPDX-License-Identifier: MIT */
/*
 * EAL and ports over memif, without root, network or hugepages. Both ends are
 * in this process, but where one of them dies.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "port/frames.h"
#include "port/guard.h"
#include "port/sockets.h"

#define QUEUES 2
#define LOAD_FRAMES 1000u

static char folder[] = "/tmp/machnet-memif-XXXXXX";
static char path[64];
static char server_device[96];
static char client_device[96];

static int
set_up(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/a.sock", folder);
	snprintf(server_device, sizeof(server_device), "memif:%s,server", path);
	snprintf(client_device, sizeof(client_device), "memif:%s", path);
	return 0;
}

static int
tear_down(void **state)
{
	char bell[80];

	(void)state;
	/* Of servers that were killed. */
	unlink(path);
	snprintf(bell, sizeof(bell), "%s.bell0", path);
	unlink(bell);
	return rmdir(folder);
}

static int32_t
open_status(const char *device, uint32_t mtu, uint32_t queues,
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

static void
open_pair(struct port *server, struct port *client, struct port_options options)
{
	options.device = server_device;
	frames_open(server, &options);
	options.device = client_device;
	frames_open(client, &options);
	frames_link(server, client);
}

static void
close_pair(struct port *server, struct port *client)
{
	port_close(client);
	port_close(server);
}

static void
eal_starts_once_and_leaves_no_trace(void **state)
{
	struct port client;
	cpu_set_t before, after;
	sigset_t signals_before, signals_after;
	int i;
	int output = dup(STDOUT_FILENO);
	int errors = dup(STDERR_FILENO);
	int capture = open(folder, O_TMPFILE | O_RDWR, 0600);

	(void)state;
	assert_true(capture >= 0);
	sched_getaffinity(0, sizeof(before), &before);
	sigemptyset(&signals_before);
	sigemptyset(&signals_after);
	sigprocmask(SIG_BLOCK, NULL, &signals_before);
	fflush(stdout);
	dup2(capture, STDOUT_FILENO);
	dup2(capture, STDERR_FILENO);
	assert_int_equal(port_eal_start(NULL, NULL), MACHNET_OK);
	assert_int_equal(port_eal_start(NULL, NULL), MACHNET_OK);
	/* Without a server: an error to the driver. */
	frames_open(&client, &(struct port_options){.device = client_device});
	port_close(&client);
	fflush(stdout);
	dup2(output, STDOUT_FILENO);
	dup2(errors, STDERR_FILENO);
	close(output);
	close(errors);
	assert_int_equal(lseek(capture, 0, SEEK_END), 0);
	close(capture);

	sched_getaffinity(0, sizeof(after), &after);
	assert_true(CPU_EQUAL(&before, &after));
	sigprocmask(SIG_BLOCK, NULL, &signals_after);
	for (i = 1; i < NSIG; i++)
		assert_int_equal(sigismember(&signals_before, i),
			sigismember(&signals_after, i));
	assert_int_equal(access(rte_eal_get_runtime_dir(), F_OK), -1);
}

static void
eal_takes_no_nic_after_a_start_without(void **state)
{
	struct machnet_error error;

	(void)state;
	assert_int_equal(
		port_eal_start(
			&(struct port_eal_options){.pci = "0000:00:05.0"},
			&error),
		MACHNET_DEVICE_FAILED);
	assert_non_null(strstr(error.message, "0000:00:05.0"));
}

static void
port_thread_begin_gives_the_thread_a_cache(void **state)
{
	(void)state;
	assert_int_equal(port_thread_begin(NULL), MACHNET_OK);
	assert_int_not_equal(rte_lcore_id(), LCORE_ID_ANY);
	assert_int_equal(port_thread_begin(NULL), MACHNET_OK);
	port_thread_end();
	assert_int_equal(rte_lcore_id(), LCORE_ID_ANY);
}

static void
port_passes_frames_both_ways(void **state)
{
	struct port server, client;
	uint32_t free_server, free_client;

	(void)state;
	open_pair(&server, &client, (struct port_options){0});
	free_server = frames_available(&server);
	free_client = frames_available(&client);
	frames_pass(&server, &client, 0, 1000, 60);
	frames_pass(&client, &server, 0, 1000, 1514);
	assert_int_equal(frames_available(&server), free_server);
	assert_int_equal(frames_available(&client), free_client);
	close_pair(&server, &client);
}

static void
port_says_what_it_has(void **state)
{
	struct port server, client;

	(void)state;
	open_pair(&server, &client, (struct port_options){0});
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
	close_pair(&server, &client);
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
	open_pair(&server, &client, (struct port_options){.queues = 2});
	bell_passes(&server, &client);
	bell_passes(&client, &server);
	assert_int_equal(port_wake_fd(&server, 1), -1);
	port_close(&client);
	port_ring(&server); /* nobody */
	port_close(&server);
	for (int end = 0; end < 2; end++) {
		snprintf(bell, sizeof(bell), "%s.bell%d", path, end);
		assert_int_not_equal(access(bell, F_OK), 0);
	}
}

static void
port_has_queues_apart(void **state)
{
	struct port server, client;
	uint16_t queue;

	(void)state;
	open_pair(&server, &client, (struct port_options){.queues = 4});
	for (queue = 0; queue < 4; queue++) {
		frames_pass(&server, &client, queue, 100, 1514);
		frames_pass(&client, &server, queue, 100, 60);
	}
	close_pair(&server, &client);
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
	open_pair(&server, &client, (struct port_options){0});
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
	close_pair(&server, &client);
}

static void
port_passes_jumbo_frames_in_one_segment(void **state)
{
	struct port server, client;

	(void)state;
	open_pair(&server, &client, (struct port_options){.mtu = 9000});
	assert_int_equal(client.mtu, 9000);
	frames_pass(&server, &client, 0, 300, 9014);
	frames_pass(&client, &server, 0, 300, 9014);
	close_pair(&server, &client);
}

static void
port_opens_and_closes_ten_times(void **state)
{
	struct port server, client;
	int i;

	(void)state;
	for (i = 0; i < 10; i++) {
		open_pair(&server, &client, (struct port_options){0});
		frames_pass(&server, &client, 0, 10, 60);
		frames_pass(&client, &server, 0, 10, 60);
		close_pair(&server, &client);
		assert_int_equal(access(path, F_OK), -1);
	}
}

/* What the other process does: sends back what it gets. */
static int
serve(const char *device)
{
	struct port_options options = {.device = device, .queues = QUEUES};
	struct rte_mbuf *mbufs[32];
	struct port port;
	uint16_t queue, received, sent;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (port_open(&port, &options, NULL) != MACHNET_OK)
		return 1;
	for (;;) {
		port_link_up(&port);
		for (queue = 0; queue < QUEUES; queue++) {
			received = port_rx_burst(&port, queue, mbufs, 32);
			sent = port_tx_burst(&port, queue, mbufs, received);
			rte_pktmbuf_free_bulk(mbufs + sent, received - sent);
		}
		sched_yield();
	}
}

/* DPDK would share the socket between both ends of one process. */
static pid_t
peer_start(char *device)
{
	char *arguments[] = {"peer", device, NULL};
	pid_t pid;

	assert_int_equal(posix_spawn(&pid, "/proc/self/exe", NULL, NULL,
				 arguments, environ),
		0);
	return pid;
}

static void
peer_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void
link_wait(struct port *port, bool up)
{
	uint64_t end_ns = clock_now_ns() + FRAMES_WAIT_NS;

	while (port_link_up(port) != up) {
		if (clock_now_ns() > end_ns)
			fail_msg("the link does not go %s", up ? "up" : "down");
		rte_delay_us_sleep(10000);
	}
}

static void
port_connects_whenever_its_server_comes(void **state)
{
	struct port client;
	struct rte_mbuf *mbuf;
	pid_t pid;
	int i;

	(void)state;
	frames_open(&client, &(struct port_options){.device = client_device,
				     .queues = QUEUES});
	assert_false(port_link_up(&client));
	assert_int_equal(port_rx_burst(&client, 0, &mbuf, 1), 0);
	mbuf = rte_pktmbuf_alloc(client.pools[0]);
	assert_int_equal(port_tx_burst(&client, 0, &mbuf, 1), 0);
	rte_pktmbuf_free(mbuf);
	for (i = 0; i < 3; i++) {
		/* From the second time on it finds the dead one's socket. */
		pid = peer_start(server_device);
		link_wait(&client, true);
		frames_pass(&client, &client, 0, 1000, 60);
		peer_kill(pid);
		link_wait(&client, false);
	}
	port_close(&client);
}

/* Longer than a client waits before it connects again. */
#define STANDSTILL_NS (2 * NS_PER_S)

static void
port_bears_with_a_server_that_stands_still(void **state)
{
	struct port client;
	pid_t pid = peer_start(server_device);
	uint64_t end_ns;

	(void)state;
	frames_open(&client, &(struct port_options){.device = client_device,
				     .queues = QUEUES});
	link_wait(&client, true);
	port_close(&client);
	kill(pid, SIGSTOP);
	assert_int_equal(waitpid(pid, NULL, WUNTRACED), pid);
	frames_open(&client, &(struct port_options){.device = client_device,
				     .queues = QUEUES});
	end_ns = clock_now_ns() + STANDSTILL_NS;
	while (clock_now_ns() < end_ns) {
		assert_false(port_link_up(&client));
		rte_delay_us_sleep(10000);
	}
	kill(pid, SIGCONT);
	link_wait(&client, true);
	frames_pass(&client, &client, 0, 1000, 60);
	port_close(&client);
	peer_kill(pid);
	unlink(path);
}

struct load {
	struct port port;
	atomic_uint returned; /* frames */
	atomic_bool stopping;
};

static struct load load;

/* Sends, and drops what comes back. */
static void *
load_queue(void *argument)
{
	uint16_t queue = (uint16_t)(uintptr_t)argument;
	struct rte_mbuf *mbufs[32];
	uint16_t received, sent, i;

	port_thread_begin(NULL);
	while (!atomic_load(&load.stopping)) {
		received = port_rx_burst(&load.port, queue, mbufs, 32);
		rte_pktmbuf_free_bulk(mbufs, received);
		atomic_fetch_add(&load.returned, received);
		if (rte_pktmbuf_alloc_bulk(load.port.pools[queue], mbufs, 32))
			continue;
		for (i = 0; i < 32; i++)
			mbufs[i]->data_len = mbufs[i]->pkt_len = 1000;
		sent = port_tx_burst(&load.port, queue, mbufs, 32);
		rte_pktmbuf_free_bulk(mbufs + sent, 32 - sent);
	}
	port_thread_end();
	return NULL;
}

static void
load_wait(void)
{
	uint64_t end_ns = clock_now_ns() + FRAMES_WAIT_NS;
	unsigned before = atomic_load(&load.returned);

	while (atomic_load(&load.returned) - before < LOAD_FRAMES) {
		if (clock_now_ns() > end_ns)
			fail_msg("the peer sends nothing back");
		rte_delay_us_sleep(1000);
	}
}

static void
kill_peers_under_load(char *device, char *peer_device)
{
	pthread_t threads[QUEUES];
	uintptr_t queue;
	pid_t pid;
	int i;

	frames_open(&load.port,
		&(struct port_options){.device = device, .queues = QUEUES});
	atomic_store(&load.stopping, false);
	for (queue = 0; queue < QUEUES; queue++)
		pthread_create(
			&threads[queue], NULL, load_queue, (void *)queue);
	for (i = 0; i < 4; i++) {
		pid = peer_start(peer_device);
		link_wait(&load.port, true);
		load_wait();
		peer_kill(pid);
		link_wait(&load.port, false);
	}
	atomic_store(&load.stopping, true);
	for (queue = 0; queue < QUEUES; queue++)
		pthread_join(threads[queue], NULL);
	port_close(&load.port);
}

static void
port_survives_servers_killed_under_load(void **state)
{
	(void)state;
	kill_peers_under_load(client_device, server_device);
	unlink(path);
}

static void
port_survives_clients_killed_under_load(void **state)
{
	(void)state;
	kill_peers_under_load(server_device, client_device);
}

static bool
is_listening(int fd, const void *unused)
{
	struct sockaddr_un address = {0};
	socklen_t address_length = sizeof(address) - 1;
	int listening = 0;
	socklen_t length = sizeof(listening);

	(void)unused;
	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) ==
		       0 &&
	       listening != 0 &&
	       getsockname(fd, (struct sockaddr *)&address, &address_length) ==
		       0 &&
	       strcmp(address.sun_path, path) == 0;
}

/* The driver leaves open what others listened on, to which nobody connects any
 * more (22.11). @return whether one that connected waits to be accepted */
static bool
client_wait(void)
{
	struct sockets sockets;
	struct pollfd fds[SOCKETS_MAX];

	sockets_list(&sockets, is_listening, NULL);
	for (uint32_t i = 0; i < sockets.count; i++)
		fds[i] =
			(struct pollfd){.fd = sockets.fds[i], .events = POLLIN};
	return poll(fds, sockets.count, FRAMES_WAIT_NS / NS_PER_MS) == 1;
}

/* Accepted, and nothing else. */
static int
server_connect(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	uint8_t greeting[1024];
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(
		connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_true(recv(fd, greeting, sizeof(greeting), 0) > 0);
	return fd;
}

/* It hears of all of it at once, and the memory of the second gets the number
 * that the socket of the first had, whose own is that of one before it. */
static void
port_tells_a_client_from_the_next_one(void **state)
{
	struct port server;
	unsigned absences;
	uint64_t end_ns;
	bool waits;
	pid_t pid;
	int fd;

	(void)state;
	frames_open(&server, &(struct port_options){.device = server_device,
				     .queues = QUEUES});
	fd = server_connect();
	pid = peer_start(client_device);
	link_wait(&server, true);
	frames_pass(&server, &server, 0, 100, 60);
	guard_hold();
	absences = atomic_load(&server.absences);
	peer_kill(pid);
	close(fd);
	pid = peer_start(client_device);
	waits = client_wait();
	guard_release();
	assert_true(waits);
	end_ns = clock_now_ns() + FRAMES_WAIT_NS;
	while (atomic_load(&server.absences) == absences) {
		assert_true(clock_now_ns() < end_ns);
		rte_delay_us_sleep(1000);
	}
	link_wait(&server, true);
	frames_pass(&server, &server, 0, 100, 60);
	peer_kill(pid);
	port_close(&server);
}

static void
port_replaces_the_socket_of_a_dead_server(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct port server, client;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	(void)state;
	unlink(path);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(
		bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	open_pair(&server, &client, (struct port_options){0});
	close_pair(&server, &client);
}

static void
port_leaves_a_living_server_alone(void **state)
{
	struct machnet_error error;
	struct port client;
	pid_t pid = peer_start(server_device);
	int i;

	(void)state;
	frames_open(&client, &(struct port_options){.device = client_device,
				     .queues = QUEUES});
	link_wait(&client, true);
	for (i = 0; i < 20; i++) {
		assert_int_equal(open_status(server_device, 0, 0, &error),
			MACHNET_ADDRESS_IN_USE);
		assert_non_null(strstr(error.message, path));
	}
	frames_pass(&client, &client, 0, 1000, 60);
	port_close(&client);
	peer_kill(pid);
	unlink(path);
}

static void
port_takes_a_relative_path(void **state)
{
	char *before = getcwd(NULL, 0);
	struct port server, client;

	(void)state;
	assert_int_equal(chdir(folder), 0);
	frames_open(&server,
		&(struct port_options){.device = "memif:a.sock,server"});
	frames_open(&client, &(struct port_options){.device = client_device});
	frames_link(&server, &client);
	port_close(&client);
	frames_open(
		&client, &(struct port_options){.device = "memif:./a.sock"});
	frames_link(&server, &client);
	close_pair(&server, &client);
	assert_int_equal(chdir(before), 0);
	free(before);
}

static void
port_leaves_a_file_that_is_no_socket(void **state)
{
	struct machnet_error error;

	(void)state;
	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(open_status(server_device, 0, 0, &error),
		MACHNET_ADDRESS_IN_USE);
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
}

static void
port_refuses_what_cannot_be_had(void **state)
{
	struct machnet_error error;

	(void)state;
	assert_int_equal(open_status(client_device, 1279, 0, &error),
		MACHNET_INVALID_ARGUMENT);
	assert_non_null(strstr(error.message, "1279"));
	assert_int_equal(open_status(client_device, 9217, 0, &error),
		MACHNET_INVALID_ARGUMENT);
	assert_int_equal(open_status(client_device, 0, 65, &error),
		MACHNET_INVALID_ARGUMENT);
	assert_int_equal(open_status("tap:machnet0", 1501, 0, &error),
		MACHNET_INVALID_ARGUMENT);
	assert_int_equal(
		open_status("nothing", 0, 0, &error), MACHNET_INVALID_ARGUMENT);
}

static void
port_names_what_exists(void **state)
{
	struct machnet_error error;

	(void)state;
	assert_int_equal(open_status("af_packet:nosuch0", 0, 0, &error),
		MACHNET_DEVICE_NOT_FOUND);
	assert_non_null(strstr(error.message, "nosuch0"));
	assert_non_null(strstr(error.message, "lo"));
	assert_int_equal(open_status("fffe:00:00.0", 0, 0, &error),
		MACHNET_DEVICE_NOT_FOUND);
	assert_non_null(strstr(error.message, "fffe:00:00.0"));
	assert_int_equal(open_status("memif:/nosuch/a.sock", 0, 0, &error),
		MACHNET_DEVICE_NOT_FOUND);
	assert_non_null(strstr(error.message, "/nosuch/"));
}

static void
port_tells_the_device_which_checksums_to_fill_in(void **state)
{
	struct rte_mbuf mbuf;

	(void)state;
	memset(&mbuf, 0, sizeof(mbuf));
	port_tx_offload(&mbuf, 0);
	assert_int_equal(mbuf.ol_flags, 0);
	port_tx_offload(&mbuf, FRAME_VERIFIED_UDP);
	assert_int_equal(
		mbuf.ol_flags, RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_UDP_CKSUM);
	assert_int_equal(mbuf.l2_len, 14);
	assert_int_equal(mbuf.l3_len, 20);
}

static void
port_believes_only_good_checksums(void **state)
{
	struct rte_mbuf mbuf;

	(void)state;
	memset(&mbuf, 0, sizeof(mbuf));
	assert_int_equal(port_rx_verified(&mbuf), 0);
	mbuf.ol_flags = RTE_MBUF_F_RX_IP_CKSUM_GOOD;
	assert_int_equal(port_rx_verified(&mbuf), FRAME_VERIFIED_IPV4);
	mbuf.ol_flags =
		RTE_MBUF_F_RX_IP_CKSUM_BAD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	assert_int_equal(port_rx_verified(&mbuf), FRAME_VERIFIED_UDP);
	mbuf.ol_flags =
		RTE_MBUF_F_RX_IP_CKSUM_NONE | RTE_MBUF_F_RX_L4_CKSUM_NONE;
	assert_int_equal(port_rx_verified(&mbuf), 0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(eal_starts_once_and_leaves_no_trace),
		cmocka_unit_test(eal_takes_no_nic_after_a_start_without),
		cmocka_unit_test(port_thread_begin_gives_the_thread_a_cache),
		cmocka_unit_test(port_passes_frames_both_ways),
		cmocka_unit_test(port_says_what_it_has),
		cmocka_unit_test(port_rings_its_peer),
		cmocka_unit_test(port_has_queues_apart),
		cmocka_unit_test(port_holds_a_ring_of_256),
		cmocka_unit_test(port_passes_jumbo_frames_in_one_segment),
		cmocka_unit_test(port_opens_and_closes_ten_times),
		cmocka_unit_test(port_connects_whenever_its_server_comes),
		cmocka_unit_test(port_bears_with_a_server_that_stands_still),
		cmocka_unit_test(port_survives_servers_killed_under_load),
		cmocka_unit_test(port_survives_clients_killed_under_load),
		cmocka_unit_test(port_tells_a_client_from_the_next_one),
		cmocka_unit_test(port_replaces_the_socket_of_a_dead_server),
		cmocka_unit_test(port_leaves_a_living_server_alone),
		cmocka_unit_test(port_takes_a_relative_path),
		cmocka_unit_test(port_leaves_a_file_that_is_no_socket),
		cmocka_unit_test(port_refuses_what_cannot_be_had),
		cmocka_unit_test(port_names_what_exists),
		cmocka_unit_test(
			port_tells_the_device_which_checksums_to_fill_in),
		cmocka_unit_test(port_believes_only_good_checksums),
	};

	if (argc == 2 && strcmp(argv[0], "peer") == 0)
		return serve(argv[1]);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
