/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "machnet/machnet.h"

int32_t
machnet_socket_path_default(char *path, uint32_t capacity)
{
	const char *chosen = getenv("MACHNET_SOCKET");
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	int length;

	if (path == NULL || capacity == 0)
		return MACHNET_INVALID_ARGUMENT;
	if (chosen != NULL && chosen[0] != '\0')
		length = snprintf(path, capacity, "%s", chosen);
	else if (geteuid() == 0)
		length = snprintf(path, capacity, "/run/machnet/machnet.sock");
	else if (runtime != NULL && runtime[0] != '\0')
		length = snprintf(path, capacity, "%s/machnet.sock", runtime);
	else
		length = snprintf(path, capacity, "/run/user/%u/machnet.sock",
			(unsigned int)geteuid());
	if (length < 0 || (uint32_t)length >= capacity)
		return MACHNET_INVALID_ARGUMENT;
	return length;
}
