/* SPDX-License-Identifier: MIT */
/*
 * The control socket: applications come, get a channel, and are watched until
 * they go. Runs on the control thread; nothing here is fast, nothing here may
 * block.
 */
#ifndef SIDECAR_CONTROL_H
#define SIDECAR_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "engine/engine.h"

struct control {
	char path[MACHNET_SOCKET_PATH_BYTES];
	int fd;	   /* listening */
	int epoll; /* of the control thread; borrowed */
	uint32_t address;
	/* Borrowed; set before control_serve. */
	struct port *port;
	struct engine *const *engines;
	uint32_t engines_length;
	/* Channels of each. */
	uint32_t channels[CONNECTION_ENGINES];
	struct list clients;
	uint32_t clients_length;
	bool stopping;
};

/** Listen at a path, see control_socket.h. */
int32_t control_open(struct control *control, const char *path, int epoll,
	struct machnet_error *error);

/**
 * Something may have happened: accept, read, time out.
 * @return whether to look again soon, for who tells of nothing: an application
 *         that has yet to say what it wants, or could not be taken in
 */
bool control_serve(struct control *control);

/** A notice of an engine. */
void control_notice(
	struct control *control, const struct engine_notice *notice);

/** End all channels, and refuse others. Before the engines are stopped. */
void control_stop(struct control *control);

/** Forget whoever is left, when the engines have ended and the port was
 * stopped. */
void control_clients_end(struct control *control);

/** Remove the socket. */
void control_close(struct control *control);

#endif
