// SPDX-License-Identifier: MIT
/* From the start of a sidecar to its end, gentle or not: two of them, joined by
 * a memif, and what their applications hear. */
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "shm/layout.h"
#include "sidecar/application.h"
#include "sidecar/hosts.h"

#define A_ADDRESS 0x0a000001u
#define B_ADDRESS 0x0a000002u
#define PORT 888
#define MEGABYTE (1u << 20)

static struct host a, b;

/* With a peer timeout that outlasts every wait, where the end of a silence must
 * not be mistaken for something else. */
static const char *const patient[] = {"--peer-timeout", "60000", NULL};

static int
pair_set_up(void **state)
{
	if (hosts_set_up(state) != 0)
		return -1;
	host_start_server(&a, NULL);
	host_start_client(&b, NULL);
	return 0;
}

static int
patient_set_up(void **state)
{
	if (hosts_set_up(state) != 0)
		return -1;
	host_start_server(&a, patient);
	host_start_client(&b, NULL);
	return 0;
}

/* That DPDK makes for a process; see also runtime_dir_remove in port/. */
static uint32_t
runtime_folders(pid_t pid)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char folder[128], name[32];

	if (geteuid() == 0)
		snprintf(folder, sizeof(folder), "/var/run/dpdk");
	else
		snprintf(folder, sizeof(folder), "%s/dpdk",
			runtime != NULL ? runtime : "/tmp");
	snprintf(name, sizeof(name), "machnet-%d", (int)pid);
	return hosts_files(folder, name);
}

static void
a_sidecar_says_when_it_is_ready_and_leaves_nothing(void **state)
{
	char expected[256];
	pid_t pid;

	(void)state;
	host_start_server(&a, NULL);
	snprintf(expected, sizeof(expected),
		"machnetd: ready: 10.0.0.1/24 on memif:%s/wire.memif,server, "
		"control socket %s/a.sock\n",
		hosts_folder, hosts_folder);
	assert_string_equal(a.said, expected);
	/* The control socket, and the wire's with its bell. */
	assert_int_equal(hosts_files(hosts_folder, ""), 3);
	pid = a.pid;
	host_stop(&a);
	assert_string_equal(a.said, expected);
	assert_int_equal(hosts_files(hosts_folder, ""), 0);
	assert_int_equal(runtime_folders(pid), 0);
}

static void
a_sidecar_says_that_its_link_came_up_and_went_down(void **state)
{
	(void)state;
	host_start_server(&a, NULL);
	assert_null(strstr(a.said, "link"));
	host_start_client(&b, NULL);
	host_says(&a, "\nmachnetd: link up\n");
	assert_null(strstr(a.said, "link down"));
	host_stop(&b);
	host_says(&a, "\nmachnetd: link up\nmachnetd: link down\n");
	host_stop(&a);
}

static void
any_signal_that_asks_for_an_end_gets_a_clean_one(void **state)
{
	const int signals[] = {SIGINT, SIGHUP};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		host_start_server(&a, NULL);
		kill(a.pid, signals[i]);
		assert_int_equal(host_wait(&a), 0);
		assert_int_equal(hosts_files(hosts_folder, ""), 0);
	}
}

static void
only_its_user_may_reach_a_sidecar(void **state)
{
	struct stat status;

	(void)state;
	host_start_server(&a, NULL);
	assert_int_equal(stat(a.socket, &status), 0);
	assert_int_equal(status.st_mode & 0777, geteuid() == 0 ? 0660 : 0600);
	host_stop(&a);
}

static void
datagram_expect(int fd, const char *text)
{
	char bytes[64] = "";
	struct timeval wait = {.tv_sec = HOSTS_WAIT_MS / 1000};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	assert_true(recv(fd, bytes, sizeof(bytes) - 1, 0) > 0);
	assert_string_equal(bytes, text);
}

static void
systemd_is_told_instead_if_it_asks(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)state;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify",
		hosts_folder);
	assert_int_equal(
		bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	setenv("NOTIFY_SOCKET", address.sun_path, 1);
	host_begin(&a, &(struct host_options){
			       .name = "a",
			       .device = hosts_memif("wire", true),
			       .ip = "10.0.0.1/24",
		       });
	unsetenv("NOTIFY_SOCKET");
	datagram_expect(fd, "READY=1");
	host_stop(&a);
	datagram_expect(fd, "STOPPING=1");
	close(fd);
	assert_string_equal(a.said, "");
}

static void
a_sidecar_ends_with_its_parent_if_told_to(void **state)
{
	const char *const more[] = {"--exit-with-parent", NULL};
	int ready[2], done[2];
	char byte;
	pid_t parent;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(done), 0);
	parent = hosts_fork();
	if (parent == 0) {
		/* The end of `done` is the end of both. */
		host_start(&a, &(struct host_options){
				       .name = "a",
				       .device = hosts_memif("wire", true),
				       .ip = "10.0.0.1/24",
				       .more = more,
			       });
		(void)!write(ready[1], "", 1);
		pause();
	}
	close(ready[1]);
	close(done[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	hosts_kill(parent);
	assert_int_equal(read(done[0], &byte, 1), 0);
	close(ready[0]);
	close(done[0]);
	/* By SIGTERM, not by SIGKILL: the folder went with it. */
	assert_int_equal(mkdir(hosts_folder, S_IRWXU), 0);
}

static void
stopping_tells_applications_and_peers(void **state)
{
	struct application client, idle, server;
	uint32_t client_side, server_side;

	(void)state;
	application_attach(&client, &a);
	application_attach(&idle, &a);
	application_attach(&server, &b);
	application_listen(&server, 0, PORT);
	application_pair(&client, &client_side, &server, &server_side, PORT);
	application_round_trip(&client, client_side, &server, server_side);
	/* What is there can still be read when the sidecar is not. */
	application_send(&server, server_side, "last words", 10);
	host_counts(&a, "messages_received", 2);
	host_stop(&a);
	application_receive(&client, client_side, "last words", 10);
	assert_int_equal(application_loss(&client), MACHNET_SIDECAR_STOPPED);
	assert_int_equal(application_loss(&idle), MACHNET_SIDECAR_STOPPED);
	application_closed(&server, server_side, MACHNET_CONNECTION_RESET,
		"the sidecar was stopped");
	application_end(&server);
	machnet_mapping_release(client.info.base, NULL);
	machnet_mapping_release(idle.info.base, NULL);
	host_stop(&b);
	assert_int_equal(hosts_files(hosts_folder, ""), 0);
}

static void
stopping_does_not_wait_for_a_peer_that_is_silent(void **state)
{
	struct application client, server;
	uint32_t client_side, server_side;
	struct machnet_event event;
	uint64_t begin_ms;

	(void)state;
	application_attach(&client, &a);
	application_attach(&server, &b);
	application_listen(&server, 0, PORT);
	application_pair(&client, &client_side, &server, &server_side, PORT);
	kill(b.pid, SIGSTOP);
	begin_ms = hosts_now_ms();
	host_stop(&a);
	assert_in_range(hosts_now_ms() - begin_ms, 0, HOSTS_WAIT_MS / 2);
	assert_int_equal(application_loss(&client), MACHNET_SIDECAR_STOPPED);
	/* Its wire is cut by now: it finds out by itself, or by a reset that
	 * it still has in a ring. */
	kill(b.pid, SIGCONT);
	event = application_event(&server, MACHNET_EVENT_CLOSED);
	assert_true(event.status == MACHNET_CONNECTION_LOST ||
		    event.status == MACHNET_CONNECTION_RESET);
	machnet_mapping_release(client.info.base, NULL);
	application_end(&server);
	host_stop(&b);
}

static void
a_killed_application_frees_all_and_resets_its_peers(void **state)
{
	struct application client, other;
	struct machnet_event event;
	uint32_t descriptors = host_descriptors(&b);
	pid_t server;

	(void)state;
	server = application_echo(&b, PORT);
	application_attach(&client, &a);
	event = application_connect(&client, B_ADDRESS, PORT, HOSTS_WAIT_MS);
	assert_int_equal(event.status, MACHNET_OK);
	application_send(&client, event.connection, "ping", 4);
	application_receive(&client, event.connection, "ping", 4);
	hosts_kill(server);
	application_closed(&client, event.connection, MACHNET_CONNECTION_RESET,
		"the application ended");
	host_settles(&b, "channels", 0);
	host_closes(&b, descriptors);
	application_attach(&other, &b);
	assert_int_equal(
		application_listen(&other, 0, PORT).status, MACHNET_OK);
	/* Finished connections linger, so that repeats are known as such. */
	host_settles(&a, "connections", 0);
	application_end(&other);
	application_end(&client);
	host_stop(&b);
	host_stop(&a);
}

/* Sends the largest messages for ever. */
static pid_t
flood(uint8_t *bytes)
{
	struct application client;
	struct machnet_event event;
	pid_t pid = hosts_fork();

	if (pid != 0)
		return pid;
	application_attach(&client, &a);
	event = application_connect(&client, B_ADDRESS, PORT, HOSTS_WAIT_MS);
	for (;;)
		application_send(&client, event.connection, bytes,
			MACHNET_MESSAGE_BYTES_MAX);
}

static void
an_application_killed_with_packets_under_way_leaves_nothing(void **state)
{
	const uint32_t length = MACHNET_MESSAGE_BYTES_MAX;
	uint8_t *bytes = malloc(length);
	struct application server;
	struct machnet_event event;
	uint32_t descriptors = host_descriptors(&a), messages = 0;
	pid_t client;

	(void)state;
	assert_non_null(bytes);
	for (uint32_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)(i * 2654435761u >> 13);
	application_attach(&server, &b);
	application_listen(&server, 0, PORT);
	client = flood(bytes);
	event = application_event(&server, MACHNET_EVENT_ACCEPTED);
	machnet_accept(server.channel, event.connection);
	while (application_take(&server, &event, HOSTS_WAIT_MS) &&
		event.kind != MACHNET_EVENT_CLOSED) {
		if (event.kind != MACHNET_EVENT_MESSAGE)
			continue;
		assert_int_equal(event.length, length);
		assert_memory_equal((uint8_t *)server.info.base + event.offset,
			bytes, length);
		machnet_release(server.channel, event.offset);
		if (++messages == 2)
			hosts_kill(client);
	}
	assert_int_equal(event.kind, MACHNET_EVENT_CLOSED);
	assert_in_range(messages, 2, 16);
	assert_true(host_counter(&a, "packets_zero_copy") >= 2 * length / 1500);
	host_settles(&a, "channels", 0);
	host_closes(&a, descriptors);
	application_end(&server);
	free(bytes);
	host_stop(&b);
	host_stop(&a);
}

/* Sends what it goes on writing to. */
static pid_t
scribble(uint16_t port)
{
	static const uint8_t bytes[MEGABYTE];
	struct application client;
	struct channel_layout layout;
	struct machnet_event event;
	unsigned seed = 1;
	pid_t pid = hosts_fork();

	if (pid != 0)
		return pid;
	application_attach(&client, &a);
	channel_layout_init(&layout, MACHNET_ARENA_BYTES_MIN);
	event = application_connect(&client, B_ADDRESS, port, HOSTS_WAIT_MS);
	for (;;) {
		uint32_t at = (uint32_t)rand_r(&seed) % layout.arena_bytes;

		machnet_send(
			client.channel, event.connection, bytes, sizeof(bytes));
		((uint8_t *)client.info.base)[layout.tx_arena + at]++;
	}
}

static void
who_writes_to_what_is_under_way_hurts_no_other(void **state)
{
	static uint8_t bytes[MEGABYTE];
	struct application client, server;
	uint32_t client_side, server_side;
	pid_t echo, scribbler;

	(void)state;
	application_attach(&client, &a);
	application_attach(&server, &b);
	application_listen(&server, 0, PORT);
	application_pair(&client, &client_side, &server, &server_side, PORT);
	echo = application_echo(&b, PORT + 1);
	scribbler = scribble(PORT + 1);
	host_counts(&a, "packets_zero_copy", 10000);
	for (uint32_t i = 0; i < 20; i++) {
		memset(bytes, (int)i, sizeof(bytes));
		application_send(&client, client_side, bytes, sizeof(bytes));
		application_receive(&server, server_side, bytes, sizeof(bytes));
	}
	/* Whose checksum was of other bytes than those that went out. */
	print_message("# spoiled by their writer: %" PRIu64 "\n",
		host_counter(&b, "frames_malformed"));
	hosts_kill(scribbler);
	hosts_kill(echo);
	host_settles(&a, "channels", 1);
	application_end(&client);
	application_end(&server);
	host_stop(&b);
	host_stop(&a);
}

static void
a_killed_sidecar_is_noticed_by_all_and_can_come_back(void **state)
{
	struct application client, server, again;
	uint32_t client_side, server_side, again_side;

	(void)state;
	application_attach(&client, &a);
	application_attach(&server, &b);
	application_listen(&server, 0, PORT);
	application_pair(&client, &client_side, &server, &server_side, PORT);
	application_round_trip(&client, client_side, &server, server_side);

	host_kill(&b);
	assert_int_equal(application_loss(&server), MACHNET_SIDECAR_GONE);
	assert_int_equal(access(b.socket, F_OK), 0);

	/* Its successor knows nothing of the connection, and says so. */
	host_start_client(&b, NULL);
	application_closed(
		&client, client_side, MACHNET_CONNECTION_RESET, NULL);
	application_attach(&again, &b);
	application_listen(&again, 0, PORT);
	application_pair(&client, &client_side, &again, &again_side, PORT);
	application_round_trip(&client, client_side, &again, again_side);
	application_end(&again);
	application_closed(&client, client_side, MACHNET_CONNECTION_RESET,
		"the application ended");
	application_end(&client);
	machnet_mapping_release(server.info.base, NULL);
	host_stop(&b);
	host_stop(&a);
}

/* It has the server's end of the memif, too, whose file it leaves. */
static void
a_killed_sidecar_that_stays_away_is_lost(void **state)
{
	struct application client, server;
	uint32_t client_side, server_side;

	(void)state;
	application_attach(&client, &a);
	application_attach(&server, &b);
	application_listen(&server, 0, PORT);
	application_pair(&client, &client_side, &server, &server_side, PORT);
	host_kill(&a);
	application_closed(&server, server_side, MACHNET_CONNECTION_LOST, NULL);
	machnet_mapping_release(client.info.base, NULL);

	host_start_server(&a, NULL);
	application_attach(&client, &a);
	application_pair(&client, &client_side, &server, &server_side, PORT);
	application_round_trip(&client, client_side, &server, server_side);
	application_end(&server);
	application_end(&client);
	host_stop(&b);
	host_stop(&a);
	assert_int_equal(hosts_files(hosts_folder, ""), 0);
}

static uint64_t
cpu_ticks(pid_t pid)
{
	unsigned long user, system;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_int_equal(fscanf(file,
				 "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u "
				 "%*u %*u %lu %lu",
				 &user, &system),
		2);
	fclose(file);
	return user + system;
}

/* Of one core, over a while in which no event comes; per cent. */
static double
idle_load(const struct host *host, struct application *application)
{
	const uint32_t period_ms = 1000;
	struct machnet_event event;
	uint64_t ticks = cpu_ticks(host->pid);

	while (application_take(application, &event, period_ms))
		ticks = cpu_ticks(host->pid);
	ticks = cpu_ticks(host->pid) - ticks;
	return 100.0 * 1000 * (double)ticks /
	       (double)(sysconf(_SC_CLK_TCK) * period_ms);
}

/* Per cent of a core. One that spins uses all of it. */
#define IDLE_LOAD_MAX 10

/* Wait for a while in which it is so: others on the machine may make a thread
 * late to go to sleep. But not until silent peers are given up. */
static void
rests(const struct host *host, struct application *application)
{
	uint64_t end_ms = hosts_now_ms() + HOSTS_WAIT_MS / 2;
	double load;

	while ((load = idle_load(host, application)) >= IDLE_LOAD_MAX)
		if (hosts_now_ms() > end_ms)
			fail_msg("it uses %.2f %% of a core", load);
}

static void
an_idle_sidecar_uses_little_cpu(void **state)
{
	static const uint8_t bytes[100000];
	struct application client, server;
	uint32_t client_side, server_side, sides[4];

	(void)state;
	application_attach(&client, &a);
	application_attach(&server, &b);
	application_listen(&server, 0, PORT);
	application_pair(&client, &client_side, &server, &server_side, PORT);
	rests(&a, &client);

	/* At a wire that ends nowhere, where nothing can be sent of all that
	 * there is to send. */
	for (int i = 0; i < 4; i++) {
		application_pair(
			&client, &sides[i], &server, &server_side, PORT);
		application_round_trip(&client, sides[i], &server, server_side);
	}
	host_kill(&b);
	for (int i = 0; i < 40; i++)
		assert_int_equal(machnet_send(client.channel, sides[i % 4],
					 bytes, sizeof(bytes)),
			MACHNET_OK);
	assert_int_equal(
		machnet_connect(client.channel, 1, B_ADDRESS, PORT, 60000, 0),
		MACHNET_OK);
	rests(&a, &client);
	application_loss(&server);
	machnet_mapping_release(server.info.base, NULL);
	application_end(&client);
	host_stop(&a);
}

#define ALONE(f)                                                               \
	cmocka_unit_test_setup_teardown(f, hosts_set_up, hosts_tear_down)
#define PAIR(f) cmocka_unit_test_setup_teardown(f, pair_set_up, hosts_tear_down)
#define PATIENT(f)                                                             \
	cmocka_unit_test_setup_teardown(f, patient_set_up, hosts_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ALONE(a_sidecar_says_when_it_is_ready_and_leaves_nothing),
		ALONE(a_sidecar_says_that_its_link_came_up_and_went_down),
		ALONE(any_signal_that_asks_for_an_end_gets_a_clean_one),
		ALONE(only_its_user_may_reach_a_sidecar),
		ALONE(systemd_is_told_instead_if_it_asks),
		ALONE(a_sidecar_ends_with_its_parent_if_told_to),
		PAIR(stopping_tells_applications_and_peers),
		PATIENT(stopping_does_not_wait_for_a_peer_that_is_silent),
		PAIR(a_killed_application_frees_all_and_resets_its_peers),
		PAIR(an_application_killed_with_packets_under_way_leaves_nothing),
		PAIR(who_writes_to_what_is_under_way_hurts_no_other),
		PATIENT(a_killed_sidecar_is_noticed_by_all_and_can_come_back),
		PAIR(a_killed_sidecar_that_stays_away_is_lost),
		PATIENT(an_idle_sidecar_uses_little_cpu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
