/* SPDX-License-Identifier: MIT */
#include "fabric/control.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"

/* All of it, for SWITCH_PORTS_MAX; less than what a socket buffers. */
#define TEXT_BYTES 65536

void
control_serve(struct control *control, const struct fabric_switch *network)
{
	char text[TEXT_BYTES];
	int fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	send(fd, text, switch_counters_format(network, text, sizeof(text)),
		MSG_NOSIGNAL);
	/*
	 * The end of the text, but not yet of the connection: Bun takes one
	 * that is closed before it looked for one that never was.
	 */
	shutdown(fd, SHUT_WR);
	if (control->last >= 0)
		close(control->last);
	control->last = fd;
}

static bool
is_listening(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int result =
		connect(fd, (const struct sockaddr *)address, sizeof(*address));

	if (fd >= 0)
		close(fd);
	return result == 0;
}

static int32_t
listen_on(struct control *control, struct machnet_error *error)
{
	const struct sockaddr_un *address = &control->address;
	int type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;

	if (is_listening(address))
		return error_set(error, MACHNET_ADDRESS_IN_USE,
			"Cannot listen on \"%s\": another fabric does",
			address->sun_path);
	unlink(address->sun_path);
	control->fd = socket(AF_UNIX, type, 0);
	if (control->fd >= 0 &&
		bind(control->fd, (const struct sockaddr *)address,
			sizeof(*address)) == 0 &&
		listen(control->fd, 16) == 0)
		return MACHNET_OK;
	error_set_errno(error, MACHNET_SYSTEM_ERROR, errno,
		"Cannot listen on \"%s\"", address->sun_path);
	if (control->fd >= 0)
		close(control->fd);
	return MACHNET_SYSTEM_ERROR;
}

int32_t
control_open(struct control *control, const char *directory,
	struct machnet_error *error)
{
	const size_t capacity = sizeof(control->address.sun_path);

	*control = (struct control){
		.address.sun_family = AF_UNIX,
		.last = -1,
	};
	if (snprintf(control->address.sun_path, capacity, "%s/fabric.sock",
		    directory) >= (int)capacity)
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot use directory \"%s\": too long", directory);
	return listen_on(control, error);
}

void
control_close(struct control *control)
{
	if (control->last >= 0)
		close(control->last);
	close(control->fd);
	unlink(control->address.sun_path);
}
