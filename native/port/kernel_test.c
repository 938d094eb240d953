/* SPDX-License-Identifier: MIT */
/*
 * Ports over interfaces of the kernel: af_packet, af_xdp, tap. Needs root. Runs
 * in network namespaces that are this process's own and end with it:
 *
 *   here:  a0 -- a1   a veth pair, a port on either end
 *          b0 -- b1   b1 is in the peer's namespace, the kernel has 10.99.0.1
 *   peer:  a child that only keeps the other namespace alive
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "port/frames.h"
#include "port/namespaces.h"

#define OUR_IP 0x0a630002u /* 10.99.0.2 */
#define KERNEL_IP "10.99.0.1"
#define FRAME_BYTES 60u
#define QUEUES 4u
#define MISSED 100u
/* What a kernel says of itself meanwhile (IPv6). */
#define KERNEL_FRAMES_MAX 50u

static pid_t peer;

/*
 * For LeakSanitizer: the AF_XDP driver loses 80 bytes of libxdp's at every
 * close, which only the slow unwinder can tell.
 */
MACHNET_API const char *__asan_default_options(void);
MACHNET_API const char *__lsan_default_suppressions(void);

const char *
__asan_default_options(void)
{
	return "fast_unwind_on_malloc=0";
}

const char *
__lsan_default_suppressions(void)
{
	return "leak:libxdp\n";
}

static int
set_up(void **state)
{
	(void)state;
	peer = namespace_begin();
	if (peer < 0 || unshare(CLONE_NEWNET) != 0)
		return -1;
	return shell("ip link add a0 type veth peer name a1 && "
		     "ip link add b0 type veth peer name b1 netns %d && "
		     "ip link set a0 up && ip link set a1 up && "
		     "ip link set b0 up && nsenter -t %d -n sh -c '"
		     "ip addr add " KERNEL_IP
		     "/24 dev b1 && ip link set b1 up'",
		peer, peer);
}

static int
tear_down(void **state)
{
	(void)state;
	namespace_end(peer);
	return 0;
}

/* As an engine does, but for UDP, which is counted. */
struct host {
	struct port port;
	uint32_t udp;
	uint32_t malformed;
};

static uint32_t
answer_write(struct host *host, uint8_t *bytes, const struct frame *frame)
{
	if (frame->kind == FRAME_ARP_REQUEST && frame->target_ip == OUR_IP)
		return arp_reply_write(bytes, &host->port.mac, OUR_IP,
			&frame->sender_mac, frame->sender_ip);
	if (frame->kind == FRAME_ICMP_ECHO && frame->destination_ip == OUR_IP)
		return icmp_echo_reply_write(bytes, frame);
	return 0;
}

static void
host_answer(struct host *host, struct rte_mbuf *request)
{
	struct rte_mbuf *reply = rte_pktmbuf_alloc(host->port.pools[0]);
	struct frame frame;

	assert_non_null(reply);
	frame_parse(&frame, rte_pktmbuf_mtod(request, uint8_t *),
		rte_pktmbuf_data_len(request), port_rx_verified(request));
	host->udp += frame.kind == FRAME_UDP;
	host->malformed += frame.kind == FRAME_MALFORMED;
	reply->data_len = (uint16_t)answer_write(
		host, rte_pktmbuf_mtod(reply, uint8_t *), &frame);
	reply->pkt_len = reply->data_len;
	rte_pktmbuf_free(request);
	if (host->port.reads_memory && reply->data_len > 1000)
		frames_split(&host->port, reply);
	if (reply->data_len == 0 ||
		port_tx_burst(&host->port, 0, &reply, 1) == 0)
		rte_pktmbuf_free(reply);
}

static void
host_turn(struct host *host)
{
	struct rte_mbuf *mbufs[32];
	uint16_t received = port_rx_burst(&host->port, 0, mbufs, 32);

	for (uint16_t i = 0; i < received; i++)
		host_answer(host, mbufs[i]);
	sched_yield();
}

/* Be a host while a command runs. @return what it returned */
static int
host_run(struct host *host, const char *command)
{
	uint64_t end_ns = clock_now_ns() + FRAMES_WAIT_NS;
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		execl("/bin/sh", "sh", "-c", command, NULL);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		host_turn(host);
		if (clock_now_ns() > end_ns)
			fail_msg("`%s` does not end", command);
	}
	return status;
}

/* The kernel's own ping, in that process's namespace, gets its answers. */
static void
host_is_pinged(struct host *host, pid_t pid)
{
	char command[128];

	snprintf(command, sizeof(command),
		"nsenter -t %d -n ping -q -c 3 -i 0.01 -W 60 -s 1472 -M do "
		"10.99.0.2 >/dev/null",
		pid);
	assert_int_equal(host_run(host, command), 0);
	assert_int_equal(host->malformed, 0);
	assert_int_equal(frames_referring(), 0);
}

/* Be a host until one of its counters has a value. */
static void
host_counts(struct host *host, const uint32_t *counter, uint32_t value)
{
	uint64_t end_ns = clock_now_ns() + FRAMES_WAIT_NS;

	while (*counter < value) {
		host_turn(host);
		if (clock_now_ns() > end_ns)
			fail_msg("%u datagrams came, not %u", *counter, value);
	}
}

/* A port on either end of the veth pair. */
static void
pair_open(struct port *a, struct port *b, const char *kind, uint32_t mtu)
{
	char device[64];
	struct port_options options = {.device = device, .mtu = mtu};

	snprintf(device, sizeof(device), "%s:a0", kind);
	frames_open(a, &options);
	snprintf(device, sizeof(device), "%s:a1", kind);
	frames_open(b, &options);
	frames_link(a, b);
}

static void
pair_pass(const char *kind, uint32_t mtu, uint32_t length)
{
	struct port a, b;

	pair_open(&a, &b, kind, mtu);
	frames_pass(&a, &b, 0, 500, length);
	frames_pass(&b, &a, 0, 500, length);
	port_close(&b);
	port_close(&a);
}

/* Take what waits in a queue until nothing does: the kernel may say something,
 * too. @return frames */
static uint32_t
frames_take(const struct port *port, uint16_t queue)
{
	struct pollfd wake = {
		.fd = port_wake_fd(port, queue), .events = POLLIN};
	uint64_t end_ns = clock_now_ns() + FRAMES_WAIT_NS;
	struct rte_mbuf *mbuf;
	uint32_t taken = 0;

	assert_true(wake.fd >= 0);
	while (poll(&wake, 1, 0) != 0) {
		assert_true(clock_now_ns() < end_ns);
		for (; port_rx_burst(port, queue, &mbuf, 1) == 1; taken++)
			rte_pktmbuf_free(mbuf);
	}
	return taken;
}

static void
pair_wakes(const char *kind)
{
	struct pollfd wake = {.events = POLLIN};
	struct rte_mbuf *mbuf;
	struct port a, b;

	pair_open(&a, &b, kind, 0);
	assert_true(port_wakes(&b));
	for (int i = 0; i < 3; i++) {
		frames_take(&b, 0);
		mbuf = rte_pktmbuf_alloc(a.pools[0]);
		memset(rte_pktmbuf_append(mbuf, 60), 0xff, 60);
		assert_int_equal(port_tx_burst(&a, 0, &mbuf, 1), 1);
		wake.fd = port_wake_fd(&b, 0);
		assert_int_equal(poll(&wake, 1, FRAMES_WAIT_NS / NS_PER_MS), 1);
		assert_true(frames_take(&b, 0) > 0);
	}
	port_close(&b);
	port_close(&a);
}

static void
af_packet_wakes_who_waits(void **state)
{
	(void)state;
	pair_wakes("af_packet");
}

static void
af_xdp_wakes_who_waits(void **state)
{
	(void)state;
	pair_wakes("af_xdp");
}

static void
af_packet_passes_frames(void **state)
{
	(void)state;
	pair_pass("af_packet", 0, 60);
	pair_pass("af_packet", 0, 1514);
}

static void
af_packet_passes_jumbo_frames(void **state)
{
	struct machnet_error error;

	(void)state;
	assert_int_equal(frames_open_status("af_packet:a0", 9000, 0, &error),
		MACHNET_INVALID_ARGUMENT);
	assert_non_null(strstr(error.message, "ip link set a0 mtu 9000"));
	assert_int_equal(
		shell("ip link set a0 mtu 9000 && ip link set a1 mtu 9000"), 0);
	pair_pass("af_packet", 0, 9014);
	pair_pass("af_packet", 9000, 9014);
	pair_pass("af_packet", 1500, 1514);
	assert_int_equal(
		shell("ip link set a0 mtu 1500 && ip link set a1 mtu 1500"), 0);
}

static void
af_packet_opens_and_closes_ten_times(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		pair_pass("af_packet", 0, 60);
}

/* UDP between two addresses of nobody. */
static void
udp_send(const struct port *from, const struct port *to, uint16_t source_port,
	uint16_t destination_port)
{
	const struct udp_address address = {
		.source_mac = from->mac,
		.destination_mac = to->mac,
		.source_ip = OUR_IP,
		.destination_ip = OUR_IP + 1,
		.source_port = source_port,
		.destination_port = destination_port,
	};
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(from->pools[0]);

	assert_non_null(mbuf);
	mbuf->data_len = mbuf->pkt_len = FRAME_BYTES;
	udp_frame_write(rte_pktmbuf_mtod(mbuf, uint8_t *), &address,
		FRAME_BYTES - UDP_PAYLOAD_OFFSET, 0);
	assert_int_equal(port_tx_burst(from, 0, &mbuf, 1), 1);
}

/* @return the queue on which the frame of a source port came */
static uint16_t
udp_receive(const struct port *port, uint16_t source_port)
{
	uint64_t end_ns = clock_now_ns() + FRAMES_WAIT_NS;
	struct rte_mbuf *mbuf;
	struct frame frame;
	uint16_t queue;

	for (queue = 0; clock_now_ns() < end_ns;
		queue = (uint16_t)((queue + 1) % port->queues)) {
		if (port_rx_burst(port, queue, &mbuf, 1) == 0)
			continue;
		frame_parse(&frame, rte_pktmbuf_mtod(mbuf, uint8_t *),
			mbuf->data_len, 0);
		rte_pktmbuf_free(mbuf);
		if (frame.kind == FRAME_UDP && frame.source_port == source_port)
			return queue;
	}
	fail_msg("the frame of port %u does not arrive", source_port);
	return UINT16_MAX;
}

/* The other opaque NIC: nobody reads or sets the key of this hash. */
static void
af_packet_spreads_flows_over_queues(void **state)
{
	struct port a, b;
	uint32_t reached = 0;
	uint16_t i;

	(void)state;
	frames_open(&a, &(struct port_options){.device = "af_packet:a0"});
	frames_open(&b, &(struct port_options){
				.device = "af_packet:a1",
				.queues = QUEUES,
			});
	frames_link(&a, &b);
	for (i = 1; i <= 100; i++) {
		uint16_t queue;

		udp_send(&a, &b, i, 7);
		queue = udp_receive(&b, i);
		reached |= 1u << queue;
		udp_send(&a, &b, i, 7);
		assert_int_equal(udp_receive(&b, i), queue);
	}
	assert_int_equal(reached, (1u << QUEUES) - 1);
	assert_false(b.rx_hash);
	port_close(&b);
	port_close(&a);
}

static void
af_packet_takes_the_address_of_the_interface(void **state)
{
	struct port port;
	char command[128];

	(void)state;
	frames_open(&port, &(struct port_options){.device = "af_packet:a0"});
	assert_int_equal(port.mtu, 1500);
	assert_true(port.reads_memory);
	snprintf(command, sizeof(command),
		"ip -o link show a0 | grep -q "
		"%02x:%02x:%02x:%02x:%02x:%02x",
		port.mac.bytes[0], port.mac.bytes[1], port.mac.bytes[2],
		port.mac.bytes[3], port.mac.bytes[4], port.mac.bytes[5]);
	assert_int_equal(shell("%s", command), 0);
	port_close(&port);
}

/* Nobody takes what comes to b, until it has missed so many more. */
static uint32_t
overflow(const struct port *a, struct port *b, uint64_t more)
{
	uint64_t end_ns = clock_now_ns() + FRAMES_WAIT_NS;
	uint64_t enough = port_missed(b) + more;
	uint32_t sent = 0;

	for (; port_missed(b) < enough; sent++) {
		assert_true(clock_now_ns() < end_ns);
		udp_send(a, b, 1, 7);
	}
	return sent;
}

static void
pair_misses(const char *kind)
{
	struct port_options options = {0};
	uint32_t sent, taken;
	uint64_t missed;
	char device[64];
	struct port a, b;

	options.device = device;
	snprintf(device, sizeof(device), "%s:a0", kind);
	frames_open(&a, &options);
	snprintf(device, sizeof(device), "%s:a1", kind);
	frames_open(&b, &options);
	frames_link(&a, &b);
	sent = overflow(&a, &b, MISSED);
	taken = frames_take(&b, 0);
	sent += overflow(&a, &b, MISSED);
	taken += frames_take(&b, 0);
	missed = port_missed(&b);
	assert_true(taken >= 2u * b.rx_descriptors);
	assert_in_range(missed, 2 * MISSED, sent - taken + KERNEL_FRAMES_MAX);
	port_close(&b);
	frames_open(&b, &options);
	assert_true(port_missed(&b) < KERNEL_FRAMES_MAX);
	port_close(&b);
	port_close(&a);
}

static void
af_packet_counts_what_it_misses(void **state)
{
	(void)state;
	pair_misses("af_packet");
}

static void
af_xdp_counts_what_it_misses(void **state)
{
	(void)state;
	pair_misses("af_xdp");
}

/* As the driver does it. @return the socket */
static int
fanout_join(const char *interface, uint32_t group)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(interface),
	};
	uint32_t fanout = group | (uint32_t)(PACKET_FANOUT_HASH |
					     PACKET_FANOUT_FLAG_DEFRAG |
					     PACKET_FANOUT_FLAG_ROLLOVER)
					  << 16;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	assert_int_equal(
		bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &fanout,
				 sizeof(fanout)),
		0);
	return fd;
}

static void
af_packet_shares_no_group_with_another_process(void **state)
{
	static const char *const interfaces[] = {"a0", "a1"};
	uint32_t group = (uint32_t)(getpid() ^ (int)if_nametoindex("a0"));
	struct machnet_error error;

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(interfaces); i++) {
		int fd = fanout_join(interfaces[i], group & 0xffff);

		assert_int_equal(
			frames_open_status("af_packet:a0", 0, 0, &error),
			MACHNET_ADDRESS_IN_USE);
		assert_non_null(strstr(error.message, "fan-out group"));
		close(fd);
		assert_int_equal(
			frames_open_status("af_packet:a0", 0, 0, &error),
			MACHNET_OK);
	}
}

static void
af_packet_refuses_an_interface_that_is_down(void **state)
{
	struct machnet_error error;

	(void)state;
	assert_int_equal(shell("ip link set a0 down"), 0);
	assert_int_equal(frames_open_status("af_packet:a0", 0, 0, &error),
		MACHNET_DEVICE_FAILED);
	assert_non_null(strstr(error.message, "ip link set a0 up"));
	assert_int_equal(shell("ip link set a0 up"), 0);
	assert_int_equal(frames_open_status("af_packet:lo", 0, 0, &error),
		MACHNET_DEVICE_FAILED);
	assert_int_equal(frames_open_status("af_packet:a2", 0, 0, &error),
		MACHNET_DEVICE_NOT_FOUND);
	assert_non_null(strstr(error.message, "a0"));
	assert_non_null(strstr(error.message, "b0"));
}

static void
af_packet_is_a_host_to_the_kernel(void **state)
{
	struct host host = {0};

	(void)state;
	frames_open(
		&host.port, &(struct port_options){.device = "af_packet:b0"});
	host_is_pinged(&host, peer);
	port_close(&host.port);
}

/*
 * A fact about the driver that port.h tells: over veth a kernel leaves the UDP
 * checksum to a device that does not exist.
 */
static void
af_packet_gets_unfinished_checksums_from_a_kernel(void **state)
{
	struct host host = {0};
	char send[256], command[512];

	(void)state;
	frames_open(
		&host.port, &(struct port_options){.device = "af_packet:b0"});
	snprintf(send, sizeof(send),
		"nsenter -t %d -n bash -c 'echo hello >/dev/udp/10.99.0.2/9'",
		peer);
	assert_int_equal(host_run(&host, send), 0);
	host_counts(&host, &host.malformed, 1);
	assert_int_equal(host.udp, 0);
	snprintf(command, sizeof(command),
		"nsenter -t %d -n ethtool -K b1 tx off >/dev/null && %s", peer,
		send);
	assert_int_equal(host_run(&host, command), 0);
	host_counts(&host, &host.udp, 1);
	assert_int_equal(host.malformed, 1);
	port_close(&host.port);
}

static void
tap_is_a_host_to_the_kernel(void **state)
{
	struct host host = {0};
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		frames_open(
			&host.port, &(struct port_options){.device = "tap:t0"});
		assert_int_equal(host.port.mtu, 1500);
		assert_true(host.port.reads_memory);
		assert_int_equal(shell("ip addr add " KERNEL_IP
				       "/24 dev t0 && ip link set t0 up"),
			0);
		host_is_pinged(&host, getpid());
		port_close(&host.port);
		assert_int_not_equal(shell("ip link show t0 2>/dev/null"), 0);
	}
}

/* Without an mbuf to put it in, the driver loses what it has read. */
static void
tap_counts_what_it_misses(void **state)
{
	uint64_t end_ns = clock_now_ns() + FRAMES_WAIT_NS;
	struct rte_mbuf *held = NULL, *mbuf;
	struct host host = {0};

	(void)state;
	frames_open(&host.port, &(struct port_options){.device = "tap:t0"});
	while ((mbuf = rte_pktmbuf_alloc(host.port.pools[0])) != NULL) {
		mbuf->next = held;
		held = mbuf;
	}
	assert_int_equal(port_missed(&host.port), 0);
	assert_int_equal(
		shell("ip addr add " KERNEL_IP
		      "/24 dev t0 && ip link set t0 up && "
		      "ip neigh add 10.99.0.2 lladdr 02:00:00:00:00:02 "
		      "dev t0 && "
		      "bash -c 'echo hello >/dev/udp/10.99.0.2/9'"),
		0);
	while (port_missed(&host.port) == 0) {
		assert_true(clock_now_ns() < end_ns);
		assert_int_equal(port_rx_burst(&host.port, 0, &mbuf, 1), 0);
	}
	for (; held != NULL; held = mbuf) {
		mbuf = held->next;
		held->next = NULL;
		rte_pktmbuf_free(held);
	}
	port_close(&host.port);
}

/* What the largest MTU needs is one page. */
static void
af_xdp_passes_frames(void **state)
{
	struct machnet_error error;

	(void)state;
	pair_pass("af_xdp", 0, 60);
	pair_pass("af_xdp", 0, 1514);
	assert_int_equal(
		shell("ip link set a0 mtu 3498 && ip link set a1 mtu 3498"), 0);
	pair_pass("af_xdp", 0, 3512);
	assert_int_equal(shell("ip link set a0 mtu 3499"), 0);
	assert_int_equal(frames_open_status("af_xdp:a0", 0, 0, &error),
		MACHNET_DEVICE_FAILED);
	assert_non_null(strstr(error.message, "mtu 3498"));
	assert_int_equal(frames_open_status("af_xdp:a0", 3499, 0, &error),
		MACHNET_INVALID_ARGUMENT);
	assert_int_equal(
		shell("ip link set a0 mtu 1500 && ip link set a1 mtu 1500"), 0);
}

static void
af_xdp_opens_and_closes_ten_times(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		pair_pass("af_xdp", 0, 60);
}

static void
af_xdp_is_a_host_to_the_kernel(void **state)
{
	struct host host = {0};

	(void)state;
	frames_open(&host.port, &(struct port_options){.device = "af_xdp:b0"});
	/* It takes one segment, and says so. */
	assert_false(host.port.reads_memory);
	host_is_pinged(&host, peer);
	port_close(&host.port);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(af_packet_passes_frames),
		cmocka_unit_test(af_packet_passes_jumbo_frames),
		cmocka_unit_test(af_packet_wakes_who_waits),
		cmocka_unit_test(af_packet_opens_and_closes_ten_times),
		cmocka_unit_test(af_packet_spreads_flows_over_queues),
		cmocka_unit_test(af_packet_takes_the_address_of_the_interface),
		cmocka_unit_test(
			af_packet_shares_no_group_with_another_process),
		cmocka_unit_test(af_packet_refuses_an_interface_that_is_down),
		cmocka_unit_test(af_packet_is_a_host_to_the_kernel),
		cmocka_unit_test(
			af_packet_gets_unfinished_checksums_from_a_kernel),
		cmocka_unit_test(af_packet_counts_what_it_misses),
		cmocka_unit_test(tap_is_a_host_to_the_kernel),
		cmocka_unit_test(tap_counts_what_it_misses),
		cmocka_unit_test(af_xdp_passes_frames),
		cmocka_unit_test(af_xdp_wakes_who_waits),
		cmocka_unit_test(af_xdp_counts_what_it_misses),
		cmocka_unit_test(af_xdp_opens_and_closes_ten_times),
		cmocka_unit_test(af_xdp_is_a_host_to_the_kernel),
	};

	if (geteuid() != 0) {
		printf("1..0 # SKIP needs root for network namespaces\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
