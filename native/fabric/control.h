/* SPDX-License-Identifier: MIT */
/* The socket that writes the counters to whoever connects. */
#ifndef FABRIC_CONTROL_H
#define FABRIC_CONTROL_H

#include <sys/un.h>

#include "fabric/switch.h"
#include "machnet/machnet.h"

struct control {
	struct sockaddr_un address;
	int fd;	  /* readable when somebody connects */
	int last; /* whom we served last, -1 for nobody */
};

/**
 * Listen on directory/fabric.sock. What a fabric that was killed left there is
 * replaced.
 */
int32_t control_open(struct control *control, const char *directory,
	struct machnet_error *error);

/** Serve one connection, if there is one; never blocks. A system call. */
void control_serve(
	struct control *control, const struct fabric_switch *network);

/** Removes the socket. */
void control_close(struct control *control);

#endif
