/* SPDX-License-Identifier: MIT */
/*
 * A guard for memif ports. When a peer is gone, EAL's interrupt thread unmaps
 * the rings that queues may be moving packets through: a process whose peer is
 * killed under load crashes (22.11). So the interrupt thread is kept in a
 * callback of ours that waits for events on the driver's sockets, and is let go
 * to handle them only while all queues of all memif ports stand still, some
 * 50 us at a time.
 *
 * What changes ports, here or in the driver, happens between guard_hold and
 * guard_release, when the interrupt thread is in that callback.
 */
#ifndef PORT_GUARD_H
#define PORT_GUARD_H

#include "machnet/machnet.h"

struct port;

void guard_hold(void);
void guard_release(void);

/** From now on, guard a port. */
int32_t guard_add(struct port *port, struct machnet_error *error);

/** Guard it no more. Its queues stand still. */
void guard_remove(struct port *port);

/** Make a port's queues stand still until it is started again. */
void guard_stop(struct port *port);

#endif
