/* SPDX-License-Identifier: MIT */
#include "port/attach.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "port/interface.h"
#include "port/peer.h"
#include "port/xdp_objects.h"

#define MTU_DEFAULT 1500u
#define GREETING_MS_MAX 60000
/* Page, minus the headers of mempool, mbuf and XDP: what XDP on veth takes. */
#define AF_XDP_MTU_MAX 3498u
#define MBUF_DATA_BYTES_MIN 2048u
/*
 * Where the kernel puts the IP packet in a frame of the ring: behind the
 * header, the address and the MAC header, aligned (packet_mmap.rst).
 */
#define AF_PACKET_OVERHEAD_BYTES TPACKET_ALIGN(TPACKET2_HDRLEN + 16)

static int32_t
mtu_refuse(const struct device *device, uint32_t mtu, const char *why,
	struct machnet_error *error)
{
	return error_set(error, MACHNET_INVALID_ARGUMENT,
		"Cannot open device \"%s:%s\" with an MTU of %u bytes: %s",
		device_kind_name(device->kind), device->target, mtu, why);
}

/*
 * Does a server live behind the socket? It must be heard out: one that cannot
 * send its greeting closes a descriptor that EAL's interrupt thread then
 * panics over (22.11), which ends its process.
 * @return 0 or an errno, ECONNREFUSED if it is dead
 */
static int
memif_server_call(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct pollfd greeting = {.events = POLLIN};
	int errnum = 0;

	/* device_parse saw that it fits. */
	memcpy(address.sun_path, path, strlen(path) + 1);
	greeting.fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (greeting.fd < 0)
		return errno;
	if (connect(greeting.fd, (struct sockaddr *)&address,
		    sizeof(address)) != 0)
		errnum = errno;
	else
		while (poll(&greeting, 1, GREETING_MS_MAX) < 0 &&
			errno == EINTR)
			continue;
	close(greeting.fd);
	return errnum;
}

/*
 * Is the socket's file free? What a killed server left behind is removed;
 * nothing else is.
 */
static int32_t
memif_path_free(const char *path, struct machnet_error *error)
{
	struct stat status;
	int errnum;

	if (lstat(path, &status) != 0)
		return MACHNET_OK;
	if (!S_ISSOCK(status.st_mode))
		return error_set(error, MACHNET_ADDRESS_IN_USE,
			"Cannot listen on \"%s\": the file exists and is not "
			"a socket",
			path);
	errnum = memif_server_call(path);
	if (errnum == 0)
		return error_set(error, MACHNET_ADDRESS_IN_USE,
			"Cannot listen on \"%s\": another process does", path);
	if (errnum != ECONNREFUSED || unlink(path) != 0)
		return error_set_errno(error, MACHNET_ADDRESS_IN_USE,
			errnum != ECONNREFUSED ? errnum : errno,
			"Cannot listen on \"%s\", which exists", path);
	return MACHNET_OK;
}

/* A folder that exists is what the driver insists on, for clients too. */
static int32_t
memif_folder_check(const char *path, struct machnet_error *error)
{
	char folder[MACHNET_DEVICE_BYTES];

	snprintf(folder, sizeof(folder), "%.*s",
		(int)(strrchr(path, '/') - path + 1), path);
	if (access(folder, W_OK) != 0)
		return error_set_errno(error, MACHNET_DEVICE_NOT_FOUND, errno,
			"Cannot use memif socket \"%s\": folder \"%s\"", path,
			folder);
	return MACHNET_OK;
}

/* The driver takes absolute paths only (22.11). */
static int32_t
memif_path(char path[MACHNET_DEVICE_BYTES], const char *target,
	struct machnet_error *error)
{
	struct sockaddr_un address;
	size_t used = 0;

	if (target[0] != '/') {
		if (getcwd(path, MACHNET_DEVICE_BYTES - 1) == NULL)
			return error_set_errno(error, MACHNET_SYSTEM_ERROR,
				errno, "Cannot use memif socket \"%s\"",
				target);
		used = strlen(path);
		path[used++] = '/';
	}
	if (used + strlen(target) >= sizeof(address.sun_path))
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot use memif socket \"%s\": with the folder "
			"that it is relative to, its path is too long",
			target);
	strcpy(path + used, target);
	return MACHNET_OK;
}

static int32_t
memif_plan(struct attachment *attachment, const struct device *device,
	const struct port_options *options, struct machnet_error *error)
{
	char path[MACHNET_DEVICE_BYTES];
	uint8_t mac[6];
	int32_t status = memif_folder_check(device->target, error);

	if (status == MACHNET_OK && device->server)
		status = memif_path_free(device->target, error);
	if (status == MACHNET_OK)
		status = memif_path(path, device->target, error);
	if (status != MACHNET_OK)
		return status;
	if (getrandom(mac, sizeof(mac), 0) != sizeof(mac))
		return error_set_errno(error, MACHNET_SYSTEM_ERROR, errno,
			"Cannot make up a MAC address");
	mac[0] = (uint8_t)((mac[0] & 0xfc) | 2); /* local, unicast */
	attachment->mtu = options->mtu == 0 ? MTU_DEFAULT : options->mtu;
	attachment->data_bytes = u32_max(MBUF_DATA_BYTES_MIN,
		RTE_ALIGN_CEIL(attachment->mtu + ETHERNET_BYTES, 64));
	snprintf(attachment->args, sizeof(attachment->args),
		"role=%s,socket=%s,socket-abstract=no,rsize=%u,bsize=%u,"
		"mac=%02x:%02x:%02x:%02x:%02x:%02x",
		device->server ? "server" : "client", path,
		log2_ceil(options->descriptors), attachment->data_bytes, mac[0],
		mac[1], mac[2], mac[3], mac[4], mac[5]);
	return MACHNET_OK;
}

/* An interface that can be used, and the MTU that it will be used with. */
static int32_t
interface_plan(struct attachment *attachment, const struct device *device,
	uint32_t mtu, uint32_t mtu_max, struct machnet_error *error)
{
	struct interface interface;
	char why[MACHNET_DEVICE_BYTES + 96];
	int32_t status = interface_read(&interface, device->target, error);

	if (status != MACHNET_OK)
		return status;
	if (!interface.ethernet)
		return error_set(error, MACHNET_DEVICE_FAILED,
			"Cannot use interface \"%s\": it is not Ethernet",
			device->target);
	/* The driver's words for it: PACKET_FANOUT, Invalid argument. */
	if (!interface.up)
		return error_set(error, MACHNET_DEVICE_FAILED,
			"Cannot use interface \"%s\": it is down; run "
			"`ip link set %s up`",
			device->target, device->target);
	attachment->mtu = mtu == 0 ? u32_min(interface.mtu, mtu_max) : mtu;
	if (attachment->mtu > mtu_max) {
		snprintf(why, sizeof(why), "it takes at most %u", mtu_max);
		return mtu_refuse(device, attachment->mtu, why, error);
	}
	if (attachment->mtu > interface.mtu || attachment->mtu < PORT_MTU_MIN) {
		snprintf(why, sizeof(why),
			"that of the interface is %u; run "
			"`ip link set %s mtu %u`",
			interface.mtu, device->target,
			u32_max(attachment->mtu, PORT_MTU_MIN));
		return mtu_refuse(device, attachment->mtu, why, error);
	}
	return MACHNET_OK;
}

static int32_t
capability_check(int domain, int type, const char *driver,
	const char *capabilities, struct machnet_error *error)
{
	int fd = socket(domain, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return error_set_errno(error, MACHNET_DEVICE_FAILED, errno,
			"Cannot use %s, which needs root or %s", driver,
			capabilities);
	close(fd);
	return MACHNET_OK;
}

/*
 * The driver gives its queues a fan-out group (packet(7)) whose number it makes
 * of the process id and the interface (22.11). The kernel would let two
 * processes whose numbers are the same share packets between them, without a
 * word, if they use one interface. No group has our mode, so that ours cannot
 * be made where there is one already.
 */
static int32_t
fanout_check(const char *name, struct machnet_error *error)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(name),
	};
	uint32_t group = (uint32_t)(getpid() ^ address.sll_ifindex) & 0xffff;
	uint32_t fanout = PACKET_FANOUT_RND << 16 | group;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	int errnum = 0;

	if (fd < 0 ||
		bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
		setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &fanout,
			sizeof(fanout)) != 0)
		errnum = errno;
	if (fd >= 0)
		close(fd);
	if (errnum == EINVAL)
		return error_set(error, MACHNET_ADDRESS_IN_USE,
			"Cannot use interface \"%s\": another process has "
			"fan-out group %u, which follows from its id and this "
			"one's; start again, so that this one has another id",
			name, group);
	if (errnum != 0)
		return error_set_errno(error, MACHNET_DEVICE_FAILED, errnum,
			"Cannot use interface \"%s\"", name);
	return MACHNET_OK;
}

static int32_t
af_packet_plan(struct attachment *attachment, const struct device *device,
	const struct port_options *options, struct machnet_error *error)
{
	uint32_t frame, block;
	int32_t status = interface_plan(
		attachment, device, options->mtu, PORT_MTU_MAX, error);

	if (status == MACHNET_OK)
		status = capability_check(
			AF_PACKET, SOCK_RAW, "af_packet", "CAP_NET_RAW", error);
	if (status == MACHNET_OK)
		status = fanout_check(device->target, error);
	if (status != MACHNET_OK)
		return status;
	/* The driver counts on blocks that are full of frames. */
	frame = u32_max(MBUF_DATA_BYTES_MIN,
		1u << log2_ceil(attachment->mtu + AF_PACKET_OVERHEAD_BYTES));
	block = u32_max(frame, (uint32_t)sysconf(_SC_PAGESIZE));
	attachment->data_bytes = frame;
	snprintf(attachment->args, sizeof(attachment->args),
		"iface=%s,qpairs=%u,framesz=%u,blocksz=%u,framecnt=%u",
		device->target, options->queues, frame, block,
		u32_max(options->descriptors, block / frame));
	return MACHNET_OK;
}

static int32_t
af_xdp_plan(struct attachment *attachment, const struct device *device,
	const struct port_options *options, struct machnet_error *error)
{
	struct interface interface;
	int32_t status = interface_plan(
		attachment, device, options->mtu, AF_XDP_MTU_MAX, error);

	if (status == MACHNET_OK)
		status = interface_read(&interface, device->target, error);
	/* XDP wants every packet of the interface in one page, ours or not. */
	if (status == MACHNET_OK && interface.mtu > AF_XDP_MTU_MAX)
		return error_set(error, MACHNET_DEVICE_FAILED,
			"Cannot use interface \"%s\" with XDP: its MTU is %u; "
			"run `ip link set %s mtu %u`",
			device->target, interface.mtu, device->target,
			AF_XDP_MTU_MAX);
	if (status == MACHNET_OK)
		status = capability_check(AF_XDP, SOCK_RAW, "af_xdp",
			"CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF", error);
	if (status != MACHNET_OK)
		return status;
	xdp_objects_find();
	attachment->data_bytes =
		u32_max(MBUF_DATA_BYTES_MIN, attachment->mtu + ETHERNET_BYTES);
	snprintf(attachment->args, sizeof(attachment->args),
		"iface=%s,start_queue=0,queue_count=%u", device->target,
		options->queues);
	return MACHNET_OK;
}

static int32_t
tap_plan(struct attachment *attachment, const struct device *device,
	const struct port_options *options, struct machnet_error *error)
{
	if (options->mtu > MTU_DEFAULT)
		return mtu_refuse(
			device, options->mtu, "it takes at most 1500", error);
	attachment->mtu = options->mtu == 0 ? MTU_DEFAULT : options->mtu;
	attachment->data_bytes = MBUF_DATA_BYTES_MIN;
	snprintf(attachment->args, sizeof(attachment->args), "iface=%s",
		device->target);
	return MACHNET_OK;
}

static int32_t
pci_plan(struct attachment *attachment, const struct device *device,
	const struct port_options *options, struct machnet_error *error)
{
	attachment->mtu = options->mtu;
	attachment->data_bytes = u32_max(MBUF_DATA_BYTES_MIN,
		RTE_ALIGN_CEIL(options->mtu + RTE_ETHER_HDR_LEN +
				       RTE_ETHER_CRC_LEN + 2 * RTE_VLAN_HLEN,
			64));
	snprintf(attachment->name, sizeof(attachment->name), "%s",
		device->target);
	attachment->args[0] = '\0';
	return pci_device_check(device->target, error);
}

int32_t
attachment_plan(struct attachment *attachment, const struct device *device,
	const struct port_options *options, struct machnet_error *error)
{
	static int32_t (*const plans[])(struct attachment *,
		const struct device *, const struct port_options *,
		struct machnet_error *) = {
		[DEVICE_MEMIF] = memif_plan,
		[DEVICE_AF_PACKET] = af_packet_plan,
		[DEVICE_AF_XDP] = af_xdp_plan,
		[DEVICE_TAP] = tap_plan,
		[DEVICE_PCI] = pci_plan,
	};
	static atomic_uint opened;

	/* The prefix selects the driver. */
	if (device->kind == DEVICE_MEMIF)
		peer_name_format(attachment->name, atomic_fetch_add(&opened, 1),
			options->one_pool ? 0 : options->queues);
	else
		snprintf(attachment->name, sizeof(attachment->name),
			"net_%s_machnet%u", device_kind_name(device->kind),
			atomic_fetch_add(&opened, 1));
	return plans[device->kind](attachment, device, options, error);
}
