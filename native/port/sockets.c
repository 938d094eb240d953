/* SPDX-License-Identifier: MIT */
#include "port/sockets.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>

void
sockets_list(struct sockets *sockets,
	bool (*wanted)(int fd, const void *context), const void *context)
{
	DIR *folder = opendir("/proc/self/fd");
	const struct dirent *each;
	int fd;

	sockets->count = 0;
	if (folder == NULL)
		return;
	while ((each = readdir(folder)) != NULL &&
		sockets->count < SOCKETS_MAX) {
		fd = each->d_name[0] == '.' ? -1 : atoi(each->d_name);
		if (fd >= 0 && wanted(fd, context))
			sockets->fds[sockets->count++] = fd;
	}
	closedir(folder);
}

bool
sockets_contain(const struct sockets *sockets, int fd)
{
	uint32_t i;

	for (i = 0; i < sockets->count; i++)
		if (sockets->fds[i] == fd)
			return true;
	return false;
}

static int
option(int fd, int name)
{
	int value = -1;
	socklen_t length = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, name, &value, &length) == 0 ? value
								      : -1;
}

int
socket_domain(int fd)
{
	return option(fd, SO_DOMAIN);
}

int
socket_type(int fd)
{
	return option(fd, SO_TYPE);
}

uint64_t
socket_number(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode)
		       ? status.st_ino
		       : 0;
}
