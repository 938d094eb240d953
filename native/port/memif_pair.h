/* SPDX-License-Identifier: MIT */
/* For tests: a memif in a folder of its own, and ports at both ends of it. */
#ifndef PORT_MEMIF_PAIR_H
#define PORT_MEMIF_PAIR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "port/frames.h"

#define MEMIF_FOLDER "/tmp/machnet-memif-XXXXXX"

extern char memif_folder[sizeof(MEMIF_FOLDER)];
extern char memif_path[64]; /* of the socket */

/* The devices at its ends. */
extern char memif_server[96];
extern char memif_client[96];

/* Fixtures of a group. */
int memif_set_up(void **state);
int memif_tear_down(void **state);

/** Open both ends, and wait for their link. @param options but for the device
 */
void memif_pair_open(
	struct port *server, struct port *client, struct port_options options);
void memif_pair_close(struct port *server, struct port *client);

#endif
