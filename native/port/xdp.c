/* SPDX-License-Identifier: MIT */
#include "port/xdp.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static bool
is_xdp_socket(int fd)
{
	int domain = 0;
	socklen_t length = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 &&
	       domain == AF_XDP;
}

static bool
contains(const struct xdp_sockets *sockets, int fd)
{
	uint32_t i;

	for (i = 0; i < sockets->count; i++)
		if (sockets->fds[i] == fd)
			return true;
	return false;
}

void
xdp_sockets_list(struct xdp_sockets *sockets, const struct xdp_sockets *without)
{
	DIR *folder = opendir("/proc/self/fd");
	const struct dirent *each;
	int fd;

	sockets->count = 0;
	if (folder == NULL)
		return;
	while ((each = readdir(folder)) != NULL &&
		sockets->count < XDP_SOCKETS_MAX) {
		if (each->d_name[0] == '.')
			continue;
		fd = atoi(each->d_name);
		if (is_xdp_socket(fd) && !contains(without, fd))
			sockets->fds[sockets->count++] = fd;
	}
	closedir(folder);
}

void
xdp_sockets_close(const struct xdp_sockets *sockets)
{
	uint32_t i;

	for (i = 0; i < sockets->count; i++)
		if (is_xdp_socket(sockets->fds[i]))
			close(sockets->fds[i]);
}
