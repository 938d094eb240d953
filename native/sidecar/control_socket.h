/* SPDX-License-Identifier: MIT */
/* The file of the control socket: who may use it, and whose it is. */
#ifndef SIDECAR_CONTROL_SOCKET_H
#define SIDECAR_CONTROL_SOCKET_H

#include <stdint.h>

#include "machnet/machnet.h"

/**
 * Bind the socket and listen: mode 0660 and group machnet (if there is one) for
 * root, 0600 for others. A file that a dead sidecar left is replaced; a living
 * one is MACHNET_ADDRESS_IN_USE. The folder is made if there is none.
 * @param fd never blocks; the caller's, as the file is; -1 after an error
 * @param path fits into a socket's address
 */
int32_t control_socket_listen(
	int *fd, const char *path, struct machnet_error *error);

#endif
