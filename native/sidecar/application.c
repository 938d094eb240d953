// SPDX-License-Identifier: MIT
#include "sidecar/application.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SPIN_US 20

void
application_attach(struct application *application, const struct host *host)
{
	application_attach_to(application, host, -1);
}

void
application_attach_to(struct application *application, const struct host *host,
	int32_t engine)
{
	struct machnet_attach_options options = {
		.engine = engine,
		.arena_bytes = MACHNET_ARENA_BYTES_MIN,
		.timeout_ms = HOSTS_WAIT_MS,
	};
	struct machnet_error error;

	memset(application, 0, sizeof(*application));
	if (machnet_attach(host->socket, &options, &application->channel,
		    &error) != MACHNET_OK)
		fail_msg("%s", error.message);
	assert_int_equal(
		machnet_channel_info(application->channel, &application->info),
		MACHNET_OK);
}

void
applications_attach(struct application *applications, const struct host *host,
	uint32_t engines)
{
	for (uint32_t i = 0; i < engines; i++) {
		application_attach_to(&applications[i], host, (int32_t)i);
		assert_int_equal(applications[i].info.engine, i);
	}
}

void
application_end(struct application *application)
{
	machnet_channel_close(application->channel);
	machnet_mapping_release(application->info.base, NULL);
}

/* @return whether the sidecar hung up */
static bool
doorbell_wait(struct application *application, uint64_t end_ms, uint32_t room)
{
	struct pollfd pollfd = {
		.fd = application->info.doorbell_fd,
		.events = POLLIN,
	};
	uint64_t now_ms = hosts_now_ms();

	if (machnet_wait(application->channel, room) == 0 && now_ms < end_ms)
		poll(&pollfd, 1, (int)(end_ms - now_ms));
	return (pollfd.revents & POLLHUP) != 0;
}

bool
application_take(struct application *application, struct machnet_event *event,
	uint32_t timeout_ms)
{
	uint64_t end_ms = hosts_now_ms() + timeout_ms;
	int32_t count;

	do {
		count = machnet_poll(application->channel, event, 1, SPIN_US);
		if (count != 0 || !doorbell_wait(application, end_ms, 0))
			continue;
		/* What it said last may have come with the end. */
		count = machnet_poll(application->channel, event, 1, 0);
		if (count == 0)
			count = MACHNET_SIDECAR_GONE;
	} while (count == 0 && hosts_now_ms() < end_ms);
	if (count < 0)
		application->lost = machnet_channel_lost(application->channel);
	return count == 1;
}

struct machnet_event
application_event(struct application *application, uint16_t kind)
{
	struct machnet_event event = {0};

	do {
		if (!application_take(application, &event, HOSTS_WAIT_MS))
			fail_msg("no event of kind %u (channel: %s)", kind,
				machnet_status_name(application->lost));
	} while (event.kind == MACHNET_EVENT_PATH && kind != event.kind);
	if (event.kind != kind)
		fail_msg("an event of kind %u (%s), not %u", event.kind,
			machnet_status_name(event.status), kind);
	return event;
}

int32_t
application_loss(struct application *application)
{
	struct machnet_event event;

	while (application_take(application, &event, HOSTS_WAIT_MS))
		continue;
	if (application->lost == MACHNET_OK)
		fail_msg("the channel lives");
	return application->lost;
}

struct machnet_event
application_listen(
	struct application *application, uint32_t address, uint16_t port)
{
	assert_int_equal(
		machnet_listen(application->channel, 7, address, port, 0, 0),
		MACHNET_OK);
	return application_event(application, MACHNET_EVENT_LISTENING);
}

struct machnet_event
application_connect(struct application *application, uint32_t address,
	uint16_t port, uint32_t timeout_ms)
{
	assert_int_equal(
		machnet_connect(application->channel, APPLICATION_CONNECT_TOKEN,
			address, port, timeout_ms, 0),
		MACHNET_OK);
	return application_event(application, MACHNET_EVENT_CONNECTED);
}

void
application_pair(struct application *client, uint32_t *client_side,
	struct application *server, uint32_t *server_side, uint16_t port)
{
	struct machnet_event event = application_connect(
		client, server->info.address, port, HOSTS_WAIT_MS);

	if (event.status != MACHNET_OK)
		fail_msg("cannot connect: %s",
			machnet_status_name(event.status));
	*client_side = event.connection;
	event = application_event(server, MACHNET_EVENT_ACCEPTED);
	*server_side = event.connection;
	assert_int_equal(
		machnet_accept(server->channel, *server_side), MACHNET_OK);
}

void
application_send(struct application *application, uint32_t connection,
	const void *bytes, uint32_t length)
{
	uint64_t end_ms = hosts_now_ms() + HOSTS_WAIT_MS;
	int32_t status;

	while ((status = machnet_send(application->channel, connection, bytes,
			length)) == MACHNET_AGAIN) {
		assert_false(doorbell_wait(application, end_ms, 1));
		assert_true(hosts_now_ms() < end_ms);
	}
	assert_int_equal(status, MACHNET_OK);
}

void
application_receive(struct application *application, uint32_t connection,
	const void *bytes, uint32_t length)
{
	struct machnet_event event =
		application_event(application, MACHNET_EVENT_MESSAGE);

	assert_int_equal(event.connection, connection);
	assert_int_equal(event.length, length);
	if (length == 0)
		return;
	assert_memory_equal((uint8_t *)application->info.base + event.offset,
		bytes, length);
	machnet_release(application->channel, event.offset);
}

void
application_closed(struct application *application, uint32_t connection,
	int32_t status, const char *reason)
{
	struct machnet_event event =
		application_event(application, MACHNET_EVENT_CLOSED);

	assert_int_equal(event.connection, connection);
	assert_string_equal(
		machnet_status_name(event.status), machnet_status_name(status));
	if (reason == NULL)
		return;
	assert_int_equal(event.length, strlen(reason));
	assert_memory_equal((uint8_t *)application->info.base + event.offset,
		reason, event.length);
	machnet_release(application->channel, event.offset);
}

void
application_round_trip(struct application *client, uint32_t client_side,
	struct application *server, uint32_t server_side)
{
	const char there[] = "there", back[] = "and back";

	application_send(client, client_side, there, sizeof(there));
	application_receive(server, server_side, there, sizeof(there));
	application_send(server, server_side, back, sizeof(back));
	application_receive(client, client_side, back, sizeof(back));
}

static void
echo(struct application *application)
{
	for (;;) {
		struct machnet_event event;

		if (!application_take(application, &event, HOSTS_WAIT_MS))
			_exit(application->lost == MACHNET_OK ? 0 : 2);
		if (event.kind == MACHNET_EVENT_ACCEPTED)
			machnet_accept(application->channel, event.connection);
		if (event.kind != MACHNET_EVENT_MESSAGE)
			continue;
		application_send(application, event.connection,
			(uint8_t *)application->info.base + event.offset,
			event.length);
		machnet_release(application->channel, event.offset);
	}
}

pid_t
application_echo(const struct host *host, uint16_t port)
{
	struct application application;
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = hosts_fork();
	if (pid == 0) {
		application_attach(&application, host);
		if (application_listen(&application, 0, port).status ==
				MACHNET_OK &&
			write(ready[1], "", 1) == 1)
			echo(&application);
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}
