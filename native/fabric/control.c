/* SPDX-License-Identifier: MIT */
#include "fabric/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "fabric/commands.h"

static void
client_close(struct control_client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	free(client->answer);
	*client = (struct control_client){.fd = -1};
}

static void
client_accept(struct control *control)
{
	struct control_client *client = &control->clients[0];
	int fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	/* A free one has waited since 0. */
	for (uint32_t i = 1; i < CONTROL_CLIENTS_MAX; i++)
		if (control->clients[i].since < client->since)
			client = &control->clients[i];
	client_close(client);
	client->fd = fd;
	client->since = ++control->accepted;
}

static void
client_answer(struct control_client *client, struct fabric_switch *network,
	uint64_t now_ns)
{
	FILE *output = open_memstream(&client->answer, &client->answer_length);

	if (output == NULL) {
		client_close(client);
		return;
	}
	command_run(network, client->line, now_ns, output);
	if (fclose(output) != 0)
		client_close(client);
}

/* A line that breaks off is none. */
static void
client_read(struct control_client *client, struct fabric_switch *network,
	uint64_t now_ns)
{
	char *free_bytes = client->line + client->line_length;
	size_t capacity = sizeof(client->line) - client->line_length;
	ssize_t got = recv(client->fd, free_bytes, capacity, 0);
	char *end;

	if (got < 0 && errno == EAGAIN)
		return;
	/* It has gone, says more than a line, or one that is too long. */
	if (got <= 0 || client->answer != NULL) {
		client_close(client);
		return;
	}
	client->line_length += (size_t)got;
	end = memchr(client->line, '\n', client->line_length);
	if (end == NULL)
		return;
	*end = '\0';
	client_answer(client, network, now_ns);
}

static void
client_write(struct control_client *client)
{
	ssize_t sent = send(client->fd, client->answer + client->sent,
		client->answer_length - client->sent, MSG_NOSIGNAL);

	if (sent < 0 && errno != EAGAIN) {
		client_close(client);
		return;
	}
	client->sent += sent < 0 ? 0 : (size_t)sent;
	/*
	 * The end of the answer, but not yet of the connection: Bun takes one
	 * that is closed before it looked for one that never was.
	 */
	if (client->sent == client->answer_length)
		shutdown(client->fd, SHUT_WR);
}

static bool
has_more(const struct control_client *client)
{
	return client->answer != NULL && client->sent < client->answer_length;
}

void
control_poll_fds(const struct control *control, struct pollfd *fds)
{
	fds[0] = (struct pollfd){.fd = control->fd, .events = POLLIN};
	for (uint32_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		const struct control_client *client = &control->clients[i];

		fds[1 + i] = (struct pollfd){
			.fd = client->fd,
			.events = has_more(client) ? POLLOUT : POLLIN,
		};
	}
}

void
control_serve(struct control *control, const struct pollfd *fds,
	struct fabric_switch *network, uint64_t now_ns)
{
	for (uint32_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		struct control_client *client = &control->clients[i];

		if (client->fd < 0 || fds[1 + i].revents == 0)
			continue;
		if (!has_more(client))
			client_read(client, network, now_ns);
		if (has_more(client))
			client_write(client);
	}
	if (fds[0].revents != 0)
		client_accept(control);
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
	};
	for (uint32_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		control->clients[i].fd = -1;
	if (snprintf(control->address.sun_path, capacity, "%s/fabric.sock",
		    directory) >= (int)capacity)
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot use directory \"%s\": too long", directory);
	return listen_on(control, error);
}

void
control_close(struct control *control)
{
	for (uint32_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		client_close(&control->clients[i]);
	close(control->fd);
	unlink(control->address.sun_path);
}
