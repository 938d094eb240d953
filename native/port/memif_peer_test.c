/* SPDX-License-Identifier: MIT */
/* A port at one end of a memif, and a process at the other that comes, stands
 * still, and is killed. */
#include "port/memif_pair.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "port/guard.h"
#include "port/sockets.h"

#define QUEUES 2
#define LOAD_FRAMES 1000u

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
	frames_open(&client, &(struct port_options){
				     .device = memif_client, .queues = QUEUES});
	assert_false(port_link_up(&client));
	assert_int_equal(port_rx_burst(&client, 0, &mbuf, 1), 0);
	mbuf = rte_pktmbuf_alloc(client.pools[0]);
	assert_int_equal(port_tx_burst(&client, 0, &mbuf, 1), 0);
	rte_pktmbuf_free(mbuf);
	for (i = 0; i < 3; i++) {
		/* From the second time on it finds the dead one's socket. */
		pid = peer_start(memif_server);
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
	pid_t pid = peer_start(memif_server);
	uint64_t end_ns;

	(void)state;
	frames_open(&client, &(struct port_options){
				     .device = memif_client, .queues = QUEUES});
	link_wait(&client, true);
	port_close(&client);
	kill(pid, SIGSTOP);
	assert_int_equal(waitpid(pid, NULL, WUNTRACED), pid);
	frames_open(&client, &(struct port_options){
				     .device = memif_client, .queues = QUEUES});
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
	unlink(memif_path);
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
	kill_peers_under_load(memif_client, memif_server);
	unlink(memif_path);
}

static void
port_survives_clients_killed_under_load(void **state)
{
	(void)state;
	kill_peers_under_load(memif_server, memif_client);
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
	       strcmp(address.sun_path, memif_path) == 0;
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

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", memif_path);
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
	frames_open(&server, &(struct port_options){
				     .device = memif_server, .queues = QUEUES});
	fd = server_connect();
	pid = peer_start(memif_client);
	link_wait(&server, true);
	frames_pass(&server, &server, 0, 100, 60);
	guard_hold();
	absences = atomic_load(&server.absences);
	peer_kill(pid);
	close(fd);
	pid = peer_start(memif_client);
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
port_leaves_a_living_server_alone(void **state)
{
	struct machnet_error error;
	struct port client;
	pid_t pid = peer_start(memif_server);
	int i;

	(void)state;
	frames_open(&client, &(struct port_options){
				     .device = memif_client, .queues = QUEUES});
	link_wait(&client, true);
	for (i = 0; i < 20; i++) {
		assert_int_equal(frames_open_status(memif_server, 0, 0, &error),
			MACHNET_ADDRESS_IN_USE);
		assert_non_null(strstr(error.message, memif_path));
	}
	frames_pass(&client, &client, 0, 1000, 60);
	port_close(&client);
	peer_kill(pid);
	unlink(memif_path);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(port_connects_whenever_its_server_comes),
		cmocka_unit_test(port_bears_with_a_server_that_stands_still),
		cmocka_unit_test(port_survives_servers_killed_under_load),
		cmocka_unit_test(port_survives_clients_killed_under_load),
		cmocka_unit_test(port_tells_a_client_from_the_next_one),
		cmocka_unit_test(port_leaves_a_living_server_alone),
	};

	if (argc == 2 && strcmp(argv[0], "peer") == 0)
		return serve(argv[1]);
	return cmocka_run_group_tests(tests, memif_set_up, memif_tear_down);
}
