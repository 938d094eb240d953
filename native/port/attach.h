/* SPDX-License-Identifier: MIT */
/* From a device's name to what its driver is told. */
#ifndef PORT_ATTACH_H
#define PORT_ATTACH_H

#include <stdint.h>

#include "port/port.h"

#define ATTACH_NAME_BYTES MACHNET_DEVICE_BYTES
#define ATTACH_ARGS_BYTES 512

struct attachment {
	char name[ATTACH_NAME_BYTES]; /* DPDK's, new in this process */
	char args[ATTACH_ARGS_BYTES];
	uint32_t mtu;	     /* of IP, bytes; 0: ask the device */
	uint32_t data_bytes; /* of an mbuf, for a frame in one segment */
};

/**
 * Look at the machine and choose the driver's arguments.
 * @param options with their defaults filled in, but for mtu
 */
int32_t attachment_plan(struct attachment *attachment,
	const struct device *device, const struct port_options *options,
	struct machnet_error *error);

#endif
