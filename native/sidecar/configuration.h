/* SPDX-License-Identifier: MIT */
/* From struct machnet_engine_options, which a user wrote, to what is used. */
#ifndef SIDECAR_CONFIGURATION_H
#define SIDECAR_CONFIGURATION_H

#include <stdint.h>

#include "machnet/engine.h"
#include "transport/connection_id.h"

struct configuration {
	char device[MACHNET_DEVICE_BYTES];
	char socket[MACHNET_SOCKET_PATH_BYTES];
	uint32_t address; /* host byte order */
	uint32_t prefix_length;
	uint32_t gateway; /* 0: none */
	uint32_t mtu;	  /* 0: the device's own */
	uint32_t poll;
	uint32_t peer_timeout_ms;
	uint32_t drive;
	uint32_t engines;		   /* at least 1 */
	int32_t cores[CONNECTION_ENGINES]; /* of each; -1: any */
};

/** The error names the field and what it may be. */
int32_t configuration_read(struct configuration *configuration,
	const struct machnet_engine_options *options,
	struct machnet_error *error);

#endif
