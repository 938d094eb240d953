/* SPDX-License-Identifier: MIT */
#include "fabric/lab.h"

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

const char *lab_program;
pid_t lab_fabric;
struct port lab_hosts[LAB_HOSTS];
uint32_t lab_queues;

static char folder[] = "/tmp/machnet-fabric-XXXXXX";

const char *
lab_path(const char *name)
{
	static char text[64];

	snprintf(text, sizeof(text), "%s/%s", folder, name);
	return text;
}

int
lab_set_up(void **state)
{
	(void)state;
	lab_queues = 1;
	return mkdtemp(folder) == NULL ? -1 : 0;
}

int
lab_tear_down(void **state)
{
	char *const files[] = {"fabric.sock", "host0.memif", "host1.memif",
		"host2.memif", "host0.memif.bell0", "host1.memif.bell0",
		"host2.memif.bell0"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(files); i++)
		unlink(lab_path(files[i]));
	return rmdir(folder);
}

pid_t
lab_fabric_spawn(const char *const *options)
{
	const char *argv[16] = {lab_program, "--directory", folder, "--hosts",
		"3", "--exit-with-parent"};
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
	assert_int_equal(posix_spawn(&pid, lab_program, &actions, NULL,
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

int
lab_fabric_end(int signal)
{
	int status = 0;

	kill(lab_fabric, signal);
	waitpid(lab_fabric, &status, 0);
	lab_fabric = 0;
	return status;
}

/* A memif client has no room before it looks for the first time, and cannot
 * look while ports stand still. */
static void
look(const struct port *port, uint16_t queue)
{
	uint64_t end_ns = clock_now_ns() + LAB_WAIT_NS;
	struct rte_mbuf *mbuf;

	while (!port_burst_begin(port, queue)) {
		assert_true(clock_now_ns() < end_ns);
		sched_yield();
	}
	assert_int_equal(rte_eth_rx_burst(port->id, queue, &mbuf, 1), 0);
	port_burst_end(port, queue);
}

void
lab_wait_for_link(uint32_t index)
{
	struct port *port = &lab_hosts[index];
	uint64_t end_ns = clock_now_ns() + LAB_WAIT_NS;

	while (!port_link_up(port)) {
		assert_true(clock_now_ns() < end_ns);
		usleep(1000);
	}
	for (uint16_t queue = 0; queue < port->queues; queue++)
		look(port, queue);
}

void
lab_wait_for_links(void)
{
	for (uint32_t i = 0; i < LAB_HOSTS; i++)
		lab_wait_for_link(i);
}

void
lab_host_open(uint32_t index)
{
	char device[96];
	struct machnet_error error;
	const struct port_options options = {
		.device = device,
		.queues = lab_queues,
	};

	snprintf(
		device, sizeof(device), "memif:%s/host%u.memif", folder, index);
	if (port_open(&lab_hosts[index], &options, &error) != MACHNET_OK)
		fail_msg("%s", error.message);
}

void
lab_start_with(const char *const *options)
{
	lab_fabric = lab_fabric_spawn(options);
	assert_true(lab_fabric > 0);
	for (uint32_t i = 0; i < LAB_HOSTS; i++)
		lab_host_open(i);
	lab_wait_for_links();
}

void
lab_start(const char *option, const char *value)
{
	lab_start_with((const char *const[]){option, value, NULL});
}

int
lab_stop(void **state)
{
	(void)state;
	lab_queues = 1;
	for (uint32_t i = 0; i < LAB_HOSTS; i++)
		if (lab_hosts[i].queues != 0)
			port_close(&lab_hosts[i]);
	memset(lab_hosts, 0, sizeof(lab_hosts));
	if (lab_fabric > 0)
		lab_fabric_end(SIGKILL);
	return 0;
}

void
lab_frame_write(uint8_t *bytes, uint32_t from, uint32_t to, uint8_t content)
{
	memset(bytes, content, LAB_FRAME_BYTES);
	memcpy(bytes, to < LAB_HOSTS ? &lab_hosts[to].mac : &mac_broadcast, 6);
	memcpy(bytes + 6, &lab_hosts[from].mac, 6);
}

void
lab_send_frame(uint32_t from, uint32_t to, uint8_t content)
{
	struct port *port = &lab_hosts[from];
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(port->pools[0]);
	uint64_t end_ns = clock_now_ns() + LAB_WAIT_NS;

	lab_frame_write((uint8_t *)rte_pktmbuf_append(mbuf, LAB_FRAME_BYTES),
		from, to, content);
	while (port_tx_burst(port, 0, &mbuf, 1) == 0)
		assert_true(clock_now_ns() < end_ns);
}

struct rte_mbuf *
lab_receive(uint32_t at, uint64_t patience_ns)
{
	uint64_t end_ns = clock_now_ns() + patience_ns;
	struct rte_mbuf *mbuf;

	while (port_rx_burst(&lab_hosts[at], 0, &mbuf, 1) == 0) {
		if (clock_now_ns() > end_ns)
			return NULL;
		sched_yield();
	}
	assert_int_equal(rte_pktmbuf_data_len(mbuf), LAB_FRAME_BYTES);
	return mbuf;
}

bool
lab_receive_frame(uint32_t at, uint8_t *content, uint64_t patience_ns)
{
	struct rte_mbuf *mbuf = lab_receive(at, patience_ns);

	if (mbuf == NULL)
		return false;
	*content =
		*rte_pktmbuf_mtod_offset(mbuf, uint8_t *, LAB_FRAME_BYTES - 1);
	rte_pktmbuf_free(mbuf);
	return true;
}

void
lab_pass_frame(uint32_t from, uint32_t to, uint8_t content)
{
	uint8_t received;

	lab_send_frame(from, to, content);
	assert_true(lab_receive_frame(to, &received, LAB_WAIT_NS));
	assert_int_equal(received, content);
}

void
lab_introduce(void)
{
	uint8_t content;

	for (uint32_t from = 0; from < LAB_HOSTS; from++) {
		lab_send_frame(from, LAB_HOSTS, (uint8_t)from);
		for (uint32_t to = 0; to < LAB_HOSTS; to++) {
			if (to == from)
				continue;
			assert_true(
				lab_receive_frame(to, &content, LAB_WAIT_NS));
			assert_int_equal(content, from);
		}
	}
}

int
lab_control_connect(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/fabric.sock",
		folder);
	assert_int_equal(
		connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

const char *
lab_ask(const char *command)
{
	static char text[1 << 20] = "\n";
	int fd = lab_control_connect();
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

uint64_t
lab_counter(const char *name)
{
	const char *text = lab_ask("stats");
	char key[64];
	const char *found;

	snprintf(key, sizeof(key), "\n%s ", name);
	found = strstr(text, key);
	assert_non_null(found);
	return strtoull(found + strlen(key), NULL, 10);
}
