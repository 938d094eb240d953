/* SPDX-License-Identifier: MIT */
/*
 * How many queues the server of a memif has. The driver (22.11) tells a client
 * two things, and tells us by logging them: why the server hung up, and by
 * which name it goes, which ends in the number if it is a port of ours.
 */
#ifndef PORT_PEER_H
#define PORT_PEER_H

#include <stdint.h>

#include "port/attach.h"

/* How much of a name the driver passes on, with its zero. */
#define PEER_NAME_BYTES 32u
/* It has fewer than we have. */
#define PEER_QUEUES_FEWER UINT32_MAX

/** Name a port after its queues; 0: it is content with fewer of its client. */
void peer_name_format(
	char name[PEER_NAME_BYTES], uint32_t number, uint32_t queues);

/** A line that the driver logged, on any thread. */
void peer_line_read(const char *line, size_t length);

/** What the last line about it said; 0: nothing. Of a process that is client of
 * several servers there is no telling which one. */
uint32_t peer_queues(void);
void peer_queues_forget(void);

#endif
