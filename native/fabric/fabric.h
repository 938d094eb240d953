/* SPDX-License-Identifier: MIT */
/*
 * The switch with its hosts, and the loop that moves frames.
 */
#ifndef FABRIC_FABRIC_H
#define FABRIC_FABRIC_H

#include <stdbool.h>

#include "fabric/control.h"
#include "fabric/host.h"
#include "fabric/switch.h"

#define FABRIC_DEPTH_MAX 16384u

struct fabric {
	struct fabric_switch *network;
	struct host hosts[SWITCH_PORTS_MAX];
	uint32_t hosts_length;
	bool busy;
	bool woken;	   /* by all hosts, as of the last look at them */
	uint64_t moved_ns; /* when a frame last moved */
};

/**
 * Open directory/hostN.memif for each host, as their server.
 * @param busy never sleep
 */
int32_t fabric_open(struct fabric *fabric, const char *directory,
	const struct switch_options *options, bool busy,
	struct machnet_error *error);

/**
 * Move frames on the calling thread until a signal comes.
 * @param control served meanwhile
 * @param signal_fd readable when the signal has come
 */
void fabric_run(struct fabric *fabric, struct control *control, int signal_fd);

/** Drops all frames, closes all ports, removes their sockets. */
void fabric_close(struct fabric *fabric);

#endif
