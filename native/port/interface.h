/* SPDX-License-Identifier: MIT */
/* What the kernel says about network interfaces and PCI devices. */
#ifndef PORT_INTERFACE_H
#define PORT_INTERFACE_H

#include <stdbool.h>
#include <stdint.h>

#include "machnet/machnet.h"

struct interface {
	uint32_t mtu; /* of IP, bytes */
	bool up;
	bool ethernet;
};

/**
 * Look an interface up.
 * @return MACHNET_DEVICE_NOT_FOUND, with the interfaces that exist in the
 *         message, if there is none of that name
 */
int32_t interface_read(struct interface *interface, const char *name,
	struct machnet_error *error);

/**
 * Can DPDK take the PCI device over?
 * @return MACHNET_DEVICE_NOT_FOUND with those that exist in the message, or
 *         MACHNET_DEVICE_FAILED if a driver of the kernel has it
 */
int32_t pci_device_check(const char *address, struct machnet_error *error);

#endif
