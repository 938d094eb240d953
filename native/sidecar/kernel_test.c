// SPDX-License-Identifier: MIT
/*
 * Sidecars on af_packet, among hosts that nobody here wrote: the Linux kernel's
 * own. Needs root, for network namespaces that are this program's own and end
 * with it:
 *
 *   here:    a0 -- a1  a veth pair without addresses, a sidecar on either end
 *            k0, r0, s0
 *   kernel:  k1        10.99.0.1/24
 *   router:  r1, s1    10.1.0.1/24 and 10.2.0.1/24, which it joins
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "port/namespaces.h"
#include "sidecar/application.h"
#include "sidecar/hosts.h"

#define PORT 888
#define KERNEL_ADDRESS 0x0a630001u
#define LARGE_BYTES (1u << 20)

static pid_t kernel, router;
static struct host a, b;

static int
set_up(void **state)
{
	if (hosts_set_up(state) != 0)
		return -1;
	kernel = namespace_begin();
	router = namespace_begin();
	if (kernel < 0 || router < 0)
		return -1;
	return shell("set -e; for i in a0:a1:$$ k0:k1:%d r0:r1:%d s0:s1:%d; do "
		     "IFS=: read here there pid <<E\n$i\nE\n"
		     "ip link add $here type veth peer name $there netns $pid; "
		     "ip link set $here up; done; ip link set a1 up; "
		     "nsenter -t %d -n sh -ec 'ip link set k1 up; "
		     "ip addr add 10.99.0.1/24 dev k1'; "
		     "nsenter -t %d -n sh -ec 'ip link set r1 up; "
		     "ip link set s1 up; ip addr add 10.1.0.1/24 dev r1; "
		     "ip addr add 10.2.0.1/24 dev s1; "
		     "ip route add unreachable 10.3.0.0/24; "
		     "echo 1 >/proc/sys/net/ipv4/ip_forward'",
		kernel, router, router, kernel, router);
}

static int
tear_down(void **state)
{
	namespace_end(kernel);
	namespace_end(router);
	return hosts_tear_down(state);
}

static void
start(struct host *host, const char *name, const char *device, const char *ip,
	const char *gateway)
{
	const char *const more[] = {"--gateway", gateway, NULL};

	host_start(host, &(struct host_options){
				 .name = name,
				 .device = device,
				 .ip = ip,
				 .more = gateway != NULL ? more : NULL,
			 });
}

/* Some of every size, both ways at once. */
static void
messages_pass(struct application *client, uint32_t client_side,
	struct application *server, uint32_t server_side)
{
	uint8_t *large = malloc(LARGE_BYTES);

	assert_non_null(large);
	for (uint32_t i = 0; i < LARGE_BYTES; i++)
		large[i] = (uint8_t)(i * 2654435761u >> 13);
	for (uint32_t length = 0; length < 20000; length += 997) {
		application_send(client, client_side, large, length);
		application_send(server, server_side, large + 1, length);
		application_receive(server, server_side, large, length);
		application_receive(client, client_side, large + 1, length);
	}
	application_send(client, client_side, large, LARGE_BYTES);
	application_send(server, server_side, large, LARGE_BYTES);
	application_receive(server, server_side, large, LARGE_BYTES);
	application_receive(client, client_side, large, LARGE_BYTES);
	free(large);
}

static void
pair_works(void)
{
	struct application client, server;
	uint32_t client_side, server_side;

	application_attach(&client, &a);
	application_attach(&server, &b);
	application_listen(&server, 0, PORT);
	application_pair(&client, &client_side, &server, &server_side, PORT);
	messages_pass(&client, client_side, &server, server_side);
	application_end(&client);
	application_closed(&server, server_side, MACHNET_CONNECTION_RESET,
		"the application ended");
	application_end(&server);
}

static void
two_sidecars_talk_over_a_veth_pair(void **state)
{
	(void)state;
	start(&a, "a", "af_packet:a0", "10.0.0.1/24", NULL);
	start(&b, "b", "af_packet:a1", "10.0.0.2/24", NULL);
	pair_works();
	assert_true(host_counter(&a, "packets_zero_copy") > 0);
	assert_true(host_counter(&b, "packets_zero_copy") > 0);
	host_stop(&a);
	host_stop(&b);
}

static void
two_sidecars_talk_through_a_router_of_the_kernel(void **state)
{
	struct application client;

	(void)state;
	start(&a, "a", "af_packet:r0", "10.1.0.2/24", "10.1.0.1");
	start(&b, "b", "af_packet:s0", "10.2.0.2/24", "10.2.0.1");
	pair_works();
	application_attach(&client, &a);
	/* The router says that it has no way there. */
	assert_int_equal(
		application_connect(&client, 0x0a030001, PORT, HOSTS_WAIT_MS)
			.status,
		MACHNET_HOST_UNREACHABLE);
	application_end(&client);
	host_stop(&b);
	/* Nobody is the gateway. */
	host_stop(&a);
	start(&a, "a", "af_packet:r0", "10.1.0.2/24", "10.1.0.9");
	application_attach(&client, &a);
	assert_int_equal(
		application_connect(&client, 0x0a020002, PORT, HOSTS_WAIT_MS)
			.status,
		MACHNET_HOST_UNREACHABLE);
	application_end(&client);
	host_stop(&a);
}

static int
in_kernel(const char *command)
{
	return shell("nsenter -t %d -n sh -c '%s' >&2", kernel, command);
}

static void
the_kernels_ping_and_arping_get_answers(void **state)
{
	(void)state;
	start(&a, "a", "af_packet:k0", "10.99.0.2/24", NULL);
	assert_int_equal(in_kernel("arping -q -c 2 -w 60 -I k1 10.99.0.2"), 0);
	assert_int_equal(in_kernel("ping -q -c 3 -i 0.01 -W 60 10.99.0.2"), 0);
	assert_int_equal(in_kernel("ping -q -c 3 -i 0.01 -W 60 -s 1472 -M do "
				   "10.99.0.2"),
		0);
	assert_int_equal(
		in_kernel("ping -q -c 3 -i 0.01 -W 60 -s 0 10.99.0.2"), 0);
	assert_int_not_equal(
		in_kernel("arping -q -c 1 -w 1 -I k1 10.99.0.3"), 0);
	assert_int_equal(host_counter(&a, "echo_requests_received"), 9);
	host_stop(&a);
}

static void
the_kernels_address_is_in_use(void **state)
{
	const char *const texts[] = {
		"Cannot use address 10.99.0.1: the host ", NULL};

	(void)state;
	host_refuses(&(struct host_options){.name = "c",
			     .device = "af_packet:k0",
			     .ip = "10.99.0.1/24"},
		texts);
}

static void
the_kernels_port_unreachable_is_a_refusal(void **state)
{
	struct application client;

	(void)state;
	start(&a, "a", "af_packet:k0", "10.99.0.2/24", NULL);
	application_attach(&client, &a);
	assert_int_equal(application_connect(
				 &client, KERNEL_ADDRESS, PORT, HOSTS_WAIT_MS)
				 .status,
		MACHNET_CONNECTION_REFUSED);
	application_end(&client);
	host_stop(&a);
}

/* In the kernel's namespace: it sees what a host there would send. */
static void
garbage_send(uint32_t count)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET};
	unsigned seed = 9;
	uint8_t bytes[1514];
	int fd;

	if (namespace_enter(kernel) != 0)
		_exit(1);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	address.sll_ifindex = (int)if_nametoindex("k1");
	for (uint32_t i = 0; i < count; i++) {
		size_t length = 14 + (size_t)rand_r(&seed) % 1500;

		for (size_t j = 0; j < length; j++)
			bytes[j] = (uint8_t)rand_r(&seed);
		bytes[12] = 8;
		bytes[13] = i % 2 == 0 ? 0 : 6;
		if (sendto(fd, bytes, length, 0, (struct sockaddr *)&address,
			    sizeof(address)) < 0 &&
			errno != ENOBUFS)
			_exit(1);
	}
	_exit(0);
}

static void
what_a_kernel_cannot_mean_is_counted_and_dropped(void **state)
{
	pid_t child;
	int status;

	(void)state;
	start(&a, "a", "af_packet:k0", "10.99.0.2/24", NULL);
	/* An echo request in three fragments. The driver has the kernel put
	 * them together, and then they are longer than a frame. */
	assert_int_not_equal(
		in_kernel("ping -q -c 1 -W 1 -s 3000 10.99.0.2"), 0);
	host_counts(&a, "frames_malformed", 1);
	/* A UDP checksum that was left to a device which is none. */
	assert_int_equal(shell("nsenter -t %d -n bash -c "
			       "'echo hello >/dev/udp/10.99.0.2/31580'",
				 kernel),
		0);
	host_counts(&a, "frames_malformed", 2);
	child = fork();
	if (child == 0)
		garbage_send(1000);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	host_counts(&a, "frames_malformed", 100);
	assert_int_equal(in_kernel("ping -q -c 1 -W 60 10.99.0.2"), 0);
	host_stop(&a);
}

/* Its queue holds 256. */
static void
what_overflows_a_queue_is_counted(void **state)
{
	pid_t child;
	int status;

	(void)state;
	start(&a, "a", "af_packet:k0", "10.99.0.2/24", NULL);
	assert_int_equal(host_counter(&a, "frames_missed"), 0);
	kill(a.pid, SIGSTOP);
	assert_int_equal(waitpid(a.pid, &status, WUNTRACED), a.pid);
	assert_true(WIFSTOPPED(status));
	child = fork();
	if (child == 0)
		garbage_send(1000);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	kill(a.pid, SIGCONT);
	host_counts(&a, "frames_missed", 500);
	assert_int_equal(in_kernel("ping -q -c 1 -W 60 10.99.0.2"), 0);
	assert_true(host_counter(&a, "frames_missed") >= 500);
	host_stop(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_sidecars_talk_over_a_veth_pair),
		cmocka_unit_test(
			two_sidecars_talk_through_a_router_of_the_kernel),
		cmocka_unit_test(the_kernels_ping_and_arping_get_answers),
		cmocka_unit_test(the_kernels_address_is_in_use),
		cmocka_unit_test(the_kernels_port_unreachable_is_a_refusal),
		cmocka_unit_test(
			what_a_kernel_cannot_mean_is_counted_and_dropped),
		cmocka_unit_test(what_overflows_a_queue_is_counted),
	};

	if (unshare(CLONE_NEWNET) != 0) {
		printf("1..0 # SKIP no network namespaces: %s\n",
			strerror(errno));
		return 0;
	}
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
