/* SPDX-License-Identifier: MIT */
/* Devices by name: "memif:/tmp/a.sock,server". Pure, knows no DPDK. */
#ifndef PORT_DEVICE_H
#define PORT_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "machnet/engine.h"

enum device_kind {
	DEVICE_MEMIF,	  /* shared memory with one other process */
	DEVICE_AF_PACKET, /* an interface of the kernel, packet socket */
	DEVICE_AF_XDP,	  /* an interface of the kernel, AF_XDP socket */
	DEVICE_TAP,	  /* an interface that the kernel gets from us */
	DEVICE_PCI,	  /* a NIC taken away from the kernel */
};

struct device {
	enum device_kind kind;
	bool server; /* memif: listen, do not connect */
	/* path of the socket, name of the interface, or the PCI address with
	 * its domain, in lower case */
	char target[MACHNET_DEVICE_BYTES];
};

/**
 * Parse the name of a device. Does not look whether it exists.
 * @return MACHNET_OK, or MACHNET_INVALID_ARGUMENT with the kinds or the form
 *         that would do in the message
 */
int32_t device_parse(
	struct device *device, const char *text, struct machnet_error *error);

/** "memif", "af_packet", ... Static storage. */
const char *device_kind_name(enum device_kind kind);

#endif
