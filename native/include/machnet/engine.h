/* SPDX-License-Identifier: MIT */
/*
 * libmachnet_engine: the sidecar as a library. machnetd is a thin main around
 * it; a script embeds it. One engine set per process, since DPDK's EAL is one
 * per process: it starts with the first engine and stays until the process
 * ends.
 */
#ifndef MACHNET_ENGINE_H
#define MACHNET_ENGINE_H

#include <stdint.h>

#include "machnet/machnet.h"

enum machnet_poll_mode {
	MACHNET_POLL_ADAPTIVE = 0, /* yield when idle, then sleep */
	MACHNET_POLL_BUSY = 1,	   /* for dedicated cores */
};

enum machnet_drive {
	/* Every engine has a thread that runs it. */
	MACHNET_DRIVE_THREAD = 0,
	/* There is one engine, and the application runs it when it polls, see
	 * machnet_channel_drive, so that nothing passes from thread to thread.
	 * A helper thread does while the application is away. */
	MACHNET_DRIVE_INLINE = 1,
};

#define MACHNET_DEVICE_BYTES 256u
#define MACHNET_CORES_BYTES 256u

/* All strings NUL terminated. */
struct machnet_engine_options {
	char device[MACHNET_DEVICE_BYTES];	/* memif:PATH[,server],
						 * af_packet:IFACE, af_xdp:IFACE,
						 * tap:IFACE, or a PCI address */
	char ip[32];				/* a.b.c.d/prefix */
	char gateway[32];			/* a.b.c.d, or empty */
	char socket[MACHNET_SOCKET_PATH_BYTES]; /* empty: the default */
	uint32_t mtu;				/* 0: the device's own */
	uint32_t engines;	  /* each with a queue pair, at most 64; 0: 1 */
	uint32_t poll;		  /* enum machnet_poll_mode */
	uint32_t peer_timeout_ms; /* hosts silent for so long are lost: 100 to
				   * 60000; 0: 3000 */
	char cores[MACHNET_CORES_BYTES]; /* one for each engine, as in 2,4-6; or
					  * empty: the kernel chooses */
	uint32_t drive;			 /* enum machnet_drive */
};

/* What the stream of machnet_engine_start tells, a byte each. */
#define MACHNET_ENGINE_READY 'R' /* first: applications can attach */
#define MACHNET_ENGINE_LINK_UP 'U'
#define MACHNET_ENGINE_LINK_DOWN 'D' /* after up: packets are lost */

/**
 * Start the engines of this process, on threads of their own. Returns at
 * once. *fd belongs to the caller: MACHNET_ENGINE_READY comes when they are,
 * the end of the stream when they have ended; ask machnet_engine_result then.
 * What a caller leaves unread for long is dropped.
 */
MACHNET_API int32_t machnet_engine_start(
	const struct machnet_engine_options *options, int32_t *fd,
	struct machnet_error *error);

/**
 * How the engines of this process fare: MACHNET_OK while running or ended
 * without error, MACHNET_AGAIN while starting, else why they ended.
 */
MACHNET_API int32_t machnet_engine_result(struct machnet_error *error);

/**
 * Ask the engines to stop: applications are told, peers get resets, files are
 * removed. The stream from machnet_engine_start ends when all is done.
 */
MACHNET_API int32_t machnet_engine_stop(void);

/**
 * What an application passes to machnet_channel_drive for its channels to an
 * engine that was started with MACHNET_DRIVE_INLINE. It stays valid, and does
 * nothing while no such engine runs.
 */
MACHNET_API void *machnet_engine_driver(void);

/** The control socket in use. Written with its NUL. @return its length */
MACHNET_API int32_t machnet_engine_socket(char *path, uint32_t capacity);

#endif
