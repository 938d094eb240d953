/* SPDX-License-Identifier: MIT */
/*
 * What is said over the sidecar's Unix socket (SOCK_STREAM). The client says
 * one request; the sidecar answers with one reply. After a reply to ATTACH
 * with status OK, which carries two descriptors (SCM_RIGHTS: the sealed memfd
 * and the eventfd that wakes the engine), the socket stays open: bytes from
 * the sidecar are the application's doorbell, the end of the stream is the end
 * of the channel, in both directions. The client says nothing more. After a
 * reply to STATS with status OK follow text_bytes bytes of text, then the end
 * of the stream.
 */
#ifndef SHM_CONTROL_H
#define SHM_CONTROL_H

#include <stdint.h>

#define CONTROL_MAGIC 0x6d61636eu /* "mach" with an n */

enum control_request_kind {
	CONTROL_ATTACH = 1,
	CONTROL_STATS = 2,
};

struct control_request {
	uint32_t magic;
	uint32_t abi_version;
	uint32_t kind;
	uint32_t arena_bytes; /* ATTACH: each way */
	int32_t engine;	      /* ATTACH: -1: the least loaded */
	uint32_t reserved[3];
};
_Static_assert(sizeof(struct control_request) == 32, "between processes");

struct control_reply {
	uint32_t magic;
	uint32_t abi_version;
	int32_t status; /* enum machnet_status */
	uint32_t arena_bytes;
	uint32_t engine;
	uint32_t address; /* IPv4 of the sidecar, host byte order */
	uint32_t text_bytes;
	uint32_t reserved;
	char message[224]; /* if status is not OK; NUL terminated */
};
_Static_assert(sizeof(struct control_reply) == 256, "between processes");

#endif
