/* SPDX-License-Identifier: MIT */
/*
 * The switch with DPDK under it: a memif port for each host, and the loop that
 * moves frames.
 *
 * The loop runs on EAL's interrupt thread, in slices, each started by an alarm.
 * That is the thread on which the memif driver maps and unmaps the memory of a
 * host that comes or goes; on any other one, a host that is killed while frames
 * are copied from it would take the fabric with it.
 */
#ifndef FABRIC_FABRIC_H
#define FABRIC_FABRIC_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "fabric/control.h"
#include "fabric/switch.h"
#include "port/port.h"

/* What a host's memif ring holds is the first part of its RX queue. */
#define FABRIC_RING_FRAMES PORT_DESCRIPTORS_DEFAULT
#define FABRIC_DEPTH_MAX 16384u

struct fabric {
	struct fabric_switch *network;
	struct port ports[SWITCH_PORTS_MAX];
	uint32_t ports_length;
	bool busy;
	/* of the loop */
	const struct control *control;
	uint64_t moved_ns; /* when a frame last moved */
	uint64_t sleep_ns;
	atomic_bool stop;
	sem_t stopped;
};

/**
 * Open directory/hostN.memif for each host, as their server.
 * @param busy never sleep
 */
int32_t fabric_open(struct fabric *fabric, const char *directory,
	const struct switch_options *options, bool busy,
	struct machnet_error *error);

/** @param control served between slices, as long as the loop runs */
int32_t fabric_start(struct fabric *fabric, const struct control *control,
	struct machnet_error *error);

/** Waits until the loop has ended. */
void fabric_stop(struct fabric *fabric);

/** Drops all frames, closes all ports, removes their sockets. */
void fabric_close(struct fabric *fabric);

#endif
