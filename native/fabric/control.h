/* SPDX-License-Identifier: MIT */
/* The socket on which a fabric takes commands: see commands.h. A connection
 * carries one line, and its answer. */
#ifndef FABRIC_CONTROL_H
#define FABRIC_CONTROL_H

#include <poll.h>
#include <stddef.h>
#include <sys/un.h>

#include "fabric/switch.h"
#include "machnet/machnet.h"

/* At a time; one more and the one that is there for longest has to go. */
#define CONTROL_CLIENTS_MAX 8u
#define CONTROL_LINE_BYTES 128u
#define CONTROL_FDS (1 + CONTROL_CLIENTS_MAX)

struct control_client {
	int fd; /* -1: none */
	uint64_t since;
	char line[CONTROL_LINE_BYTES];
	size_t line_length;
	char *answer; /* NULL: not asked yet */
	size_t answer_length;
	size_t sent;
};

struct control {
	struct sockaddr_un address;
	int fd;
	uint64_t accepted; /* counts clients */
	struct control_client clients[CONTROL_CLIENTS_MAX];
};

/**
 * Listen on directory/fabric.sock. What a fabric that was killed left there is
 * replaced.
 */
int32_t control_open(struct control *control, const char *directory,
	struct machnet_error *error);

/** What to wait for; always CONTROL_FDS. */
void control_poll_fds(const struct control *control, struct pollfd *fds);

/** Do what poll says is to be done. Never blocks. */
void control_serve(struct control *control, const struct pollfd *fds,
	struct fabric_switch *network, uint64_t now_ns);

/** Removes the socket. */
void control_close(struct control *control);

#endif
