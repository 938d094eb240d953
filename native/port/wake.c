/* SPDX-License-Identifier: MIT */
#include "port/wake.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "port/port.h"

#define BELL_SUFFIX ".bell0"
/* A peer rings once per silence. More does not keep us from our work. */
#define BELLS_MAX 16u

/* The server's bell or the client's. @return false: the path is too long */
static bool
bell_address(struct sockaddr_un *address, const struct port *port, bool server)
{
	size_t length = strlen(port->device.target);

	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (length + sizeof(BELL_SUFFIX) > sizeof(address->sun_path))
		return false;
	memcpy(address->sun_path, port->device.target, length);
	memcpy(address->sun_path + length, BELL_SUFFIX, sizeof(BELL_SUFFIX));
	address->sun_path[length + sizeof(BELL_SUFFIX) - 2] += !server;
	return true;
}

static void
bell_file_remove(const struct sockaddr_un *address)
{
	struct stat status;

	if (lstat(address->sun_path, &status) == 0 && S_ISSOCK(status.st_mode))
		unlink(address->sun_path);
}

void
bell_open(struct port *port)
{
	struct sockaddr_un address;
	int fd;

	if (!bell_address(&address, port, port->device.server))
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	/* What somebody left behind who was killed. */
	bell_file_remove(&address);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		port->bell_fd = fd;
	else
		close(fd);
}

void
bell_close(struct port *port)
{
	struct sockaddr_un address;

	if (port->bell_fd < 0)
		return;
	if (bell_address(&address, port, port->device.server))
		bell_file_remove(&address);
	close(port->bell_fd);
}

int
port_wake_fd(const struct port *port, uint16_t queue)
{
	if (port->device.kind == DEVICE_MEMIF)
		return queue == 0 ? port->bell_fd : -1;
	/* In the order in which they were opened. */
	return port->sockets.count == port->queues ? port->sockets.fds[queue]
						   : -1;
}

void
port_wake_take(struct port *port)
{
	uint8_t bytes[1];

	if (port->bell_fd < 0)
		return;
	for (uint32_t i = 0; i < BELLS_MAX; i++) {
		if (recv(port->bell_fd, bytes, sizeof(bytes), 0) < 0)
			break;
		atomic_store(&port->rung, true);
	}
}

bool
port_wakes(const struct port *port)
{
	return port_wake_fd(port, 0) >= 0 &&
	       (port->device.kind != DEVICE_MEMIF || atomic_load(&port->rung));
}

void
port_ring(const struct port *port)
{
	struct sockaddr_un address;

	if (port->bell_fd < 0 ||
		!bell_address(&address, port, !port->device.server))
		return;
	/* Nobody there, or with enough in the queue to wake. */
	sendto(port->bell_fd, "", 1, MSG_NOSIGNAL, (struct sockaddr *)&address,
		sizeof(address));
}
