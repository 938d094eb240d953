/* SPDX-License-Identifier: MIT */
#include "port/port.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "port/attach.h"
#include "port/eal.h"
#include "port/guard.h"
#include "port/memory.h"
#include "port/peer.h"
#include "port/pool.h"
#include "port/rss.h"
#include "port/wake.h"

#define DESCRIPTORS_MAX 16384u
/* What the driver lends the kernel, whatever the number of descriptors. */
#define XDP_FILL_MBUFS 2048u
/* The kernel takes its time to part from a socket that was closed: EBUSY. */
#define XDP_BUSY_NS_MAX (1 * NS_PER_S)
#define XDP_RETRY_US 20000
#define POOL_MBUFS_HELD_MAX (1u << 20)
/* A memif client: how often it looks for its server, and how soon it connects
 * again to one that turned it away. */
#define CONNECT_PERIOD_NS (20 * NS_PER_MS)
#define CONNECT_AGAIN_NS (500 * NS_PER_MS)
/* And how long one may stand still. When it goes on and its client has gone, it
 * ends: see memif_server_call. */
#define CONNECT_NS_MAX (60 * NS_PER_S)

/* What the driver said, or the errno. */
static int32_t
fail(const char *device, const char *what, int errnum,
	struct machnet_error *error)
{
	const char *line = eal_log_first();

	return error_set(error, MACHNET_DEVICE_FAILED,
		"Cannot open device \"%s\": %s: %s", device, what,
		line[0] != '\0' ? line : rte_strerror(errnum));
}

static int32_t
options_complete(struct port_options *options, struct machnet_error *error)
{
	if (options->queues == 0)
		options->queues = 1;
	if (options->descriptors == 0)
		options->descriptors = PORT_DESCRIPTORS_DEFAULT;
	if (options->mbufs_held == 0)
		options->mbufs_held = PORT_MBUFS_HELD_DEFAULT;
	if (options->mtu != 0 &&
		(options->mtu < PORT_MTU_MIN || options->mtu > PORT_MTU_MAX))
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot open device \"%s\": mtu %u is not in %u .. %u",
			options->device, options->mtu, PORT_MTU_MIN,
			PORT_MTU_MAX);
	if (options->queues > PORT_QUEUES_MAX)
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot open device \"%s\": %u queues, at most %u",
			options->device, options->queues, PORT_QUEUES_MAX);
	if (!is_power_of_two(options->descriptors) ||
		options->descriptors < 2 ||
		options->descriptors > DESCRIPTORS_MAX ||
		options->mbufs_held > POOL_MBUFS_HELD_MAX)
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot open device \"%s\": %u descriptors, not a "
			"power of two up to %u, or %u mbufs held, more than %u",
			options->device, options->descriptors, DESCRIPTORS_MAX,
			options->mbufs_held, POOL_MBUFS_HELD_MAX);
	return MACHNET_OK;
}

/* A NIC may be there already: EAL attaches the one it was started for. */
static int
attach(struct port *port, const struct attachment *attachment)
{
	char devargs[ATTACH_NAME_BYTES + ATTACH_ARGS_BYTES];
	int result;

	if (rte_eth_dev_get_port_by_name(attachment->name, &port->id) == 0)
		return 0;
	snprintf(devargs, sizeof(devargs), "%s%s%s", attachment->name,
		attachment->args[0] == '\0' ? "" : ",", attachment->args);
	result = rte_dev_probe(devargs);
	if (result != 0)
		return -result;
	result = rte_eth_dev_get_port_by_name(attachment->name, &port->id);
	return -result;
}

static unsigned
checksums(uint64_t offloads, uint64_t ipv4, uint64_t udp)
{
	return ((offloads & ipv4) != 0 ? FRAME_VERIFIED_IPV4 : 0) |
	       ((offloads & udp) != 0 ? FRAME_VERIFIED_UDP : 0);
}

/* Ask for what the device offers of what we can use. */
static void
configuration_choose(struct rte_eth_conf *configuration,
	const struct rte_eth_dev_info *info, const struct port *port,
	uint32_t mtu)
{
	uint64_t hash = info->flow_type_rss_offloads &
			(RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_UDP);

	memset(configuration, 0, sizeof(*configuration));
	configuration->rxmode.offloads =
		info->rx_offload_capa &
		(RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM);
	configuration->txmode.offloads =
		info->tx_offload_capa &
		(RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM);
	if (port->reads_memory)
		configuration->txmode.offloads |= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	if (port->queues > 1 && hash != 0) {
		configuration->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		configuration->rx_adv_conf.rss_conf.rss_hf = hash;
		configuration->rxmode.offloads |=
			info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_RSS_HASH;
	}
	/* Virtual devices refuse what they can do, see attach.c. */
	if (port->device.kind == DEVICE_PCI)
		configuration->rxmode.mtu = mtu;
}

static int
configure(struct port *port, uint32_t mtu, uint32_t descriptors)
{
	struct rte_eth_dev_info info;
	struct rte_eth_conf configuration;
	int result = rte_eth_dev_info_get(port->id, &info);

	if (result != 0)
		return -result;
	port->rte_device = info.device;
	port->queues_max = RTE_MIN(info.max_rx_queues, info.max_tx_queues);
	if (port->queues > port->queues_max)
		return ERANGE;
	port->reads_memory = memory_probe(&info);
	configuration_choose(&configuration, &info, port, mtu);
	port->rx_verified = checksums(configuration.rxmode.offloads,
		RTE_ETH_RX_OFFLOAD_IPV4_CKSUM, RTE_ETH_RX_OFFLOAD_UDP_CKSUM);
	port->tx_offload = checksums(configuration.txmode.offloads,
		RTE_ETH_TX_OFFLOAD_IPV4_CKSUM, RTE_ETH_TX_OFFLOAD_UDP_CKSUM);
	port->rx_hash = (configuration.rxmode.offloads &
				RTE_ETH_RX_OFFLOAD_RSS_HASH) != 0;
	port->rx_descriptors = (uint16_t)descriptors;
	port->tx_descriptors = (uint16_t)descriptors;
	result = rte_eth_dev_configure(
		port->id, port->queues, port->queues, &configuration);
	if (result == 0)
		result = rte_eth_dev_adjust_nb_rx_tx_desc(
			port->id, &port->rx_descriptors, &port->tx_descriptors);
	return -result;
}

static int
pool_set_up(struct port *port, uint16_t queue, uint32_t data_bytes,
	uint32_t mbufs_held)
{
	bool xdp = port->device.kind == DEVICE_AF_XDP;
	/* Every thread with a cache may keep half as much again in it. */
	uint32_t mbufs = port->rx_descriptors + port->tx_descriptors +
			 mbufs_held + 3 * POOL_CACHE_MBUFS +
			 (xdp ? XDP_FILL_MBUFS : 0);
	char name[RTE_MEMPOOL_NAMESIZE];

	snprintf(name, sizeof(name), "machnet%u.%u", port->id, queue);
	port->pools[queue] = pool_create(
		name, mbufs, data_bytes, xdp, rte_eth_dev_socket_id(port->id));
	return port->pools[queue] == NULL ? rte_errno : 0;
}

static int
queue_set_up(struct port *port, uint16_t queue, uint32_t data_bytes,
	const struct port_options *options)
{
	int socket = rte_eth_dev_socket_id(port->id);
	int result = 0;

	/* memif copies: its rings hold no mbufs, however many there are. */
	if (options->one_pool && queue > 0)
		port->pools[queue] = port->pools[0];
	else
		result = pool_set_up(
			port, queue, data_bytes, options->mbufs_held);
	if (result != 0)
		return result;
	result = rte_eth_rx_queue_setup(port->id, queue, port->rx_descriptors,
		(unsigned)socket, NULL, port->pools[queue]);
	if (result == 0)
		result = rte_eth_tx_queue_setup(port->id, queue,
			port->tx_descriptors, (unsigned)socket, NULL);
	return -result;
}

static void
pools_free(struct port *port)
{
	uint16_t queue;

	for (queue = 0; queue < port->queues; queue++)
		if (queue == 0 || port->pools[queue] != port->pools[0])
			rte_mempool_free(port->pools[queue]);
}

/* The driver forgets its sockets; while one is open nobody gets its queue. */
static void
xdp_sockets_close(const struct sockets *sockets)
{
	uint32_t i;

	for (i = 0; i < sockets->count; i++)
		if (socket_domain(sockets->fds[i]) == AF_XDP)
			close(sockets->fds[i]);
}

/* It gives back what it was to send. */
static void
stop(struct port *port)
{
	if (port->stopped)
		return;
	port->stopped = true;
	rte_eth_dev_stop(port->id);
	rte_eth_dev_close(port->id);
}

static void
detach(struct port *port)
{
	stop(port);
	rte_dev_remove(port->rte_device);
	xdp_sockets_close(&port->sockets);
	pools_free(port);
}

static int
mac_read(struct port *port)
{
	struct rte_ether_addr address;
	int result = rte_eth_macaddr_get(port->id, &address);

	memcpy(port->mac.bytes, address.addr_bytes, sizeof(port->mac.bytes));
	/* A tap's address is that of the kernel's end: be another host. */
	if (port->device.kind == DEVICE_TAP)
		port->mac.bytes[5] ^= 1;
	return -result;
}

/* What only a device that runs can tell. */
static int
inspect(struct port *port, uint32_t mtu)
{
	uint16_t own_mtu = 0;
	int result = mac_read(port);

	if (result != 0)
		return result;
	port->mtu = mtu;
	if (port->queues > 1)
		port->nic_key = port_rss_key(port);
	port->tx_clean = rte_eth_tx_done_cleanup(port->id, 0, 0) >= 0;
	port->reads_memory &= memory_comes_back(port);
	if (port->device.kind != DEVICE_PCI)
		return 0;
	result = rte_eth_dev_get_mtu(port->id, &own_mtu);
	port->mtu = own_mtu;
	return -result;
}

static bool
is_memif_client(const struct port *port)
{
	return port->device.kind == DEVICE_MEMIF && !port->device.server;
}

static bool
is_new_connection(int fd, const void *others)
{
	return socket_domain(fd) == AF_UNIX &&
	       socket_type(fd) == SOCK_SEQPACKET &&
	       !sockets_contain(others, fd);
}

/* A memif client connects, or tries to. */
static int
start_client(struct port *port)
{
	static const struct sockets none;
	struct sockets before, after;
	int result;

	sockets_list(&before, is_new_connection, &none);
	result = rte_eth_dev_start(port->id);
	sockets_list(&after, is_new_connection, &before);
	port->connection_fd = after.count == 0 ? -1 : after.fds[0];
	port->connection = socket_number(port->connection_fd);
	return result;
}

/* The driver has not closed it: the server has not turned us away or died, but
 * may not have heard us yet. */
static bool
is_connected(const struct port *port)
{
	return port->connection != 0 &&
	       socket_number(port->connection_fd) == port->connection;
}

static int
start(struct port *port)
{
	int result = is_memif_client(port) ? start_client(port)
					   : rte_eth_dev_start(port->id);

	port->connect_ns = clock_now_ns();
	atomic_store(&port->running, result == 0);
	atomic_store(&port->started, result == 0);
	return -result;
}

static int32_t
set_up(struct port *port, const struct attachment *attachment,
	const struct port_options *options, struct machnet_error *error)
{
	int errnum = configure(port, attachment->mtu, options->descriptors);
	uint16_t queue;

	if (errnum == ERANGE)
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot open device \"%s\" with %u queues: it has %u",
			options->device, port->queues, port->queues_max);
	if (errnum != 0)
		return fail(options->device, "configuration", errnum, error);
	for (queue = 0; queue < port->queues; queue++) {
		errnum = queue_set_up(
			port, queue, attachment->data_bytes, options);
		if (errnum != 0)
			return fail(options->device, "queue", errnum, error);
	}
	errnum = start(port);
	/* Its server may come later. */
	if (errnum != 0 && !is_memif_client(port))
		return fail(options->device, "start", errnum, error);
	errnum = inspect(port, attachment->mtu);
	if (errnum != 0)
		return fail(options->device, "inspection", errnum, error);
	return MACHNET_OK;
}

static bool
is_new_of_driver(int fd, const void *others)
{
	int domain = socket_domain(fd);

	return (domain == AF_XDP || domain == AF_PACKET) &&
	       !sockets_contain(others, fd);
}

static int32_t
open_once(struct port *port, const struct attachment *attachment,
	const struct port_options *options, struct machnet_error *error)
{
	static const struct sockets none;
	struct sockets others;
	int32_t status;
	int errnum;

	port->stopped = false;
	sockets_list(&others, is_new_of_driver, &none);
	eal_log_reset();
	errnum = attach(port, attachment);
	if (errnum != 0)
		return fail(options->device, "attach", errnum, error);
	status = set_up(port, attachment, options, error);
	sockets_list(&port->sockets, is_new_of_driver, &others);
	if (status != MACHNET_OK)
		detach(port);
	return status;
}

static int32_t
open_memif(struct port *port, const struct attachment *attachment,
	const struct port_options *options, struct machnet_error *error)
{
	size_t bytes = port->queues * sizeof(*port->bursts);
	int32_t status;

	port->bursts = aligned_alloc(alignof(struct port_burst), bytes);
	if (port->bursts == NULL)
		return error_set(error, MACHNET_OUT_OF_MEMORY,
			"Cannot open device \"%s\"", options->device);
	memset(port->bursts, 0, bytes);
	guard_hold();
	peer_queues_forget();
	status = open_once(port, attachment, options, error);
	if (status == MACHNET_OK) {
		status = guard_add(port, error);
		if (status != MACHNET_OK)
			detach(port);
	}
	guard_release();
	if (status == MACHNET_OK)
		bell_open(port);
	else
		free(port->bursts);
	return status;
}

static int32_t
open_xdp(struct port *port, const struct attachment *attachment,
	const struct port_options *options, struct machnet_error *error)
{
	uint64_t end_ns = clock_now_ns() + XDP_BUSY_NS_MAX;
	int32_t status = open_once(port, attachment, options, error);

	while (status != MACHNET_OK && clock_now_ns() < end_ns) {
		rte_delay_us_sleep(XDP_RETRY_US);
		status = open_once(port, attachment, options, error);
	}
	return status;
}

int32_t
port_open(struct port *port, const struct port_options *options,
	struct machnet_error *error)
{
	struct port_options complete = *options;
	struct port_eal_options eal_options = {0};
	struct attachment attachment;
	int32_t status = options_complete(&complete, error);

	memset(port, 0, sizeof(*port));
	port->bell_fd = -1;
	if (status == MACHNET_OK)
		status = device_parse(&port->device, options->device, error);
	if (status == MACHNET_OK)
		status = attachment_plan(
			&attachment, &port->device, &complete, error);
	if (port->device.kind == DEVICE_PCI)
		eal_options.pci = port->device.target;
	if (status == MACHNET_OK)
		status = port_eal_start(&eal_options, error);
	if (status != MACHNET_OK)
		return status;
	port->queues = (uint16_t)complete.queues;
	if (port->device.kind == DEVICE_MEMIF)
		return open_memif(port, &attachment, &complete, error);
	if (port->device.kind == DEVICE_AF_XDP)
		return open_xdp(port, &attachment, &complete, error);
	return open_once(port, &attachment, &complete, error);
}

/* memif: while the driver changes. */
static void
hold(struct port *port)
{
	if (port->bursts == NULL)
		return;
	guard_hold();
	guard_remove(port);
}

static void
release(const struct port *port)
{
	if (port->bursts != NULL)
		guard_release();
}

void
port_stop(struct port *port)
{
	hold(port);
	stop(port);
	release(port);
}

void
port_close(struct port *port)
{
	bell_close(port);
	hold(port);
	detach(port);
	release(port);
	free(port->bursts);
}

/* The driver connects when it is started, and only then. */
static void
connect_again(struct port *port)
{
	guard_hold();
	atomic_store(&port->running, false);
	guard_stop(port);
	rte_eth_dev_stop(port->id);
	start(port);
	guard_release();
}

static bool
link_read(const struct port *port)
{
	struct rte_eth_link link = {0};

	return port->running && rte_eth_link_get_nowait(port->id, &link) == 0 &&
	       link.link_status == RTE_ETH_LINK_UP;
}

bool
port_link_up(struct port *port)
{
	uint64_t wait_ns = port->running ? CONNECT_AGAIN_NS : CONNECT_PERIOD_NS;
	uint64_t waited_ns;

	if (link_read(port))
		return true;
	waited_ns = clock_now_ns() - port->connect_ns;
	if (!is_memif_client(port) || waited_ns < wait_ns ||
		(is_connected(port) && waited_ns < CONNECT_NS_MAX))
		return false;
	connect_again(port);
	return link_read(port);
}

bool
port_queue_opened(const struct port *port, uint16_t queue)
{
	struct rte_eth_stats stats;

	/* Only of queues that the peer opened are there counters. */
	return queue >= RTE_ETHDEV_QUEUE_STAT_CNTRS ||
	       rte_eth_stats_get(port->id, &stats) != 0 ||
	       stats.q_ipackets[queue] != 0;
}

int32_t
port_queues_check(const struct port *port, struct machnet_error *error)
{
	uint32_t queues = is_memif_client(port) ? peer_queues() : 0;
	char number[16] = "fewer";

	if (queues == 0 || queues == port->queues)
		return MACHNET_OK;
	if (queues != PEER_QUEUES_FEWER)
		snprintf(number, sizeof(number), "%u", queues);
	return error_set(error, MACHNET_DEVICE_FAILED,
		"Cannot use memif socket \"%s\" with %u engine%s: the other "
		"end "
		"has %s; start both with the same number (--engines)",
		port->device.target, port->queues, port->queues == 1 ? "" : "s",
		number);
}
