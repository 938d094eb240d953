/* SPDX-License-Identifier: MIT */
/* The conversation on the control socket (shm/control.h), with a deadline. */
#ifndef CLIENT_CONTROL_H
#define CLIENT_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "machnet/machnet.h"
#include "shm/control.h"

#define CONTROL_TIMEOUT_MS_DEFAULT 1000u
#define CONTROL_DESCRIPTORS_MAX 2u

struct control {
	char path[MACHNET_SOCKET_PATH_BYTES];
	int fd;
	uint64_t deadline_ns;
	uint32_t timeout_ms; /* that the deadline was made of */
	/* What came with the reply. Whoever uses one puts -1 in its place. */
	int descriptors[CONTROL_DESCRIPTORS_MAX];
	uint32_t descriptors_count;
	bool descriptors_excess; /* there were more, which are closed */
};

/**
 * Connect.
 * @param path NULL: the default
 * @param timeout_ms for all that follows; 0: CONTROL_TIMEOUT_MS_DEFAULT
 */
int32_t control_open(struct control *control, const char *path,
	uint32_t timeout_ms, struct machnet_error *error);

/** Close what is left in *control. */
void control_close(struct control *control);

/** Send bytes; what hung up meanwhile is left to the next read. */
int32_t control_send(struct control *control, const void *bytes, size_t length,
	struct machnet_error *error);

/**
 * Read up to length bytes; less only if the stream ends.
 * @param done bytes read
 */
int32_t control_read_up_to(struct control *control, void *bytes, size_t length,
	size_t *done, struct machnet_error *error);

/**
 * Say one request, whose magic and version are filled in, and hear the reply.
 * A reply that says no is an error here.
 */
int32_t control_exchange(struct control *control,
	struct control_request *request, struct control_reply *reply,
	struct machnet_error *error);

/** Read exactly so many bytes that follow a reply. */
int32_t control_read(struct control *control, void *bytes, uint32_t length,
	struct machnet_error *error);

#endif
