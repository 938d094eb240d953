/* SPDX-License-Identifier: MIT */
#include "port/interface.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/error.h"

#define PCI_DEVICES "/sys/bus/pci/devices"
#define PCI_CLASS_NETWORK 0x02
#define NAMES_BYTES 320

static void
names_add(char *names, const char *name)
{
	size_t used = strlen(names);

	snprintf(names + used, NAMES_BYTES - used, "%s%s",
		used == 0 ? "" : ", ", name);
}

static void
interface_names(char *names)
{
	struct if_nameindex *list = if_nameindex();
	struct if_nameindex *each;

	names[0] = '\0';
	if (list == NULL)
		return;
	for (each = list; each->if_index != 0; each++)
		names_add(names, each->if_name);
	if_freenameindex(list);
}

/* @return 0 or an errno */
static int
interface_ask(struct interface *interface, const char *name, int fd)
{
	struct ifreq request = {0};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(fd, SIOCGIFMTU, &request) != 0)
		return errno;
	interface->mtu = (uint32_t)request.ifr_mtu;
	if (ioctl(fd, SIOCGIFFLAGS, &request) != 0)
		return errno;
	interface->up = (request.ifr_flags & IFF_UP) != 0;
	if (ioctl(fd, SIOCGIFHWADDR, &request) != 0)
		return errno;
	interface->ethernet = request.ifr_hwaddr.sa_family == ARPHRD_ETHER;
	return 0;
}

int32_t
interface_read(struct interface *interface, const char *name,
	struct machnet_error *error)
{
	char names[NAMES_BYTES];
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int errnum = fd < 0 ? errno : interface_ask(interface, name, fd);

	if (fd >= 0)
		close(fd);
	if (errnum == ENODEV) {
		interface_names(names);
		return error_set(error, MACHNET_DEVICE_NOT_FOUND,
			"Cannot find network interface \"%s\": there are %s",
			name, names);
	}
	if (errnum != 0)
		return error_set_errno(error, MACHNET_SYSTEM_ERROR, errnum,
			"Cannot read network interface \"%s\"", name);
	return MACHNET_OK;
}

static bool
pci_is_network(const char *address)
{
	char path[PATH_MAX];
	unsigned class = 0;
	FILE *file;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/class", address);
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	if (fscanf(file, "%x", &class) != 1)
		class = 0;
	fclose(file);
	return class >> 16 == PCI_CLASS_NETWORK;
}

static void
pci_names(char *names)
{
	DIR *folder = opendir(PCI_DEVICES);
	const struct dirent *each;

	names[0] = '\0';
	if (folder == NULL)
		return;
	while ((each = readdir(folder)) != NULL)
		if (pci_is_network(each->d_name))
			names_add(names, each->d_name);
	closedir(folder);
}

/* Those that hand the device to user space, and those that share it. */
static bool
pci_driver_usable(const char *driver)
{
	static const char *const usable[] = {"vfio-pci", "igb_uio",
		"uio_pci_generic", "mlx5_core", "mlx4_core", "mana"};
	size_t i;

	for (i = 0; i < ARRAY_LENGTH(usable); i++)
		if (strcmp(driver, usable[i]) == 0)
			return true;
	return false;
}

int32_t
pci_device_check(const char *address, struct machnet_error *error)
{
	char path[PATH_MAX];
	char link[PATH_MAX];
	char names[NAMES_BYTES];
	const char *driver;
	ssize_t length;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s", address);
	if (access(path, F_OK) != 0) {
		pci_names(names);
		return error_set(error, MACHNET_DEVICE_NOT_FOUND,
			"Cannot find PCI device %s: the network devices are "
			"%s",
			address, names[0] == '\0' ? "none" : names);
	}
	snprintf(path, sizeof(path), PCI_DEVICES "/%s/driver", address);
	length = readlink(path, link, sizeof(link) - 1);
	link[length < 0 ? 0 : length] = '\0';
	driver = strrchr(link, '/');
	driver = driver == NULL ? "none" : driver + 1;
	if (!pci_driver_usable(driver))
		return error_set(error, MACHNET_DEVICE_FAILED,
			"Cannot use PCI device %s: its driver is %s; bind it "
			"with dpdk-devbind.py --bind=vfio-pci %s, which takes "
			"it away from the kernel",
			address, driver, address);
	return MACHNET_OK;
}
