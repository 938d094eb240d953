/* SPDX-License-Identifier: MIT */
/*
 * Request-reply with the client library on both ends and no script: the floor
 * for what scripts can reach on the same sidecars, or with engines of their
 * own.
 *
 *     machnet-load server SOCKET PORT [ENGINE]
 *     machnet-load client SOCKET ADDRESS PORT [ENGINE] <<<"SIZE WINDOW SECONDS"
 *
 * ENGINE is DEVICE IP MTU, of an engine that this program runs inline.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "bench/load.h"
#include "machnet/engine.h"

#define SPIN_US 1000
#define EVENTS 64

static uint32_t channel;
static struct machnet_channel_info info;
static struct machnet_event events[EVENTS];

static void
check(int32_t status, const char *what)
{
	if (status < 0)
		load_fail(what, machnet_status_message(status));
}

/* Run an engine inline: DEVICE, IP, MTU. */
static void
engine_start(const char *socket, char **engine)
{
	struct machnet_engine_options options = {
		.drive = MACHNET_DRIVE_INLINE,
		.mtu = (uint32_t)atoi(engine[2]),
	};
	struct machnet_error error;
	int32_t fd;
	char state;

	snprintf(options.socket, sizeof(options.socket), "%s", socket);
	snprintf(options.device, sizeof(options.device), "%s", engine[0]);
	snprintf(options.ip, sizeof(options.ip), "%s", engine[1]);
	if (machnet_engine_start(&options, &fd, &error) != MACHNET_OK)
		load_fail("Cannot start engine", error.message);
	/* What comes later is told of the link, and may be dropped. */
	if (read(fd, &state, 1) != 1 || state != MACHNET_ENGINE_READY) {
		machnet_engine_result(&error);
		load_fail("Cannot start engine", error.message);
	}
}

/* To a sidecar, or to an engine of our own. */
static void
attach(const char *socket, char **engine)
{
	struct machnet_error error;

	if (engine != NULL)
		engine_start(socket, engine);
	if (machnet_attach(socket, NULL, &channel, &error) != MACHNET_OK)
		load_fail("Cannot attach", error.message);
	if (engine != NULL)
		check(machnet_channel_drive(channel, machnet_engine_driver()),
			"Cannot attach");
	check(machnet_channel_info(channel, &info), "Cannot attach");
}

/* At least one event. */
static uint32_t
take(void)
{
	struct pollfd doorbell = {.fd = info.doorbell_fd, .events = POLLIN};
	int32_t count, ready;

	for (;;) {
		count = machnet_poll(channel, events, EVENTS, SPIN_US);
		check(count, "Cannot poll");
		if (count > 0)
			return (uint32_t)count;
		ready = machnet_wait(channel, 0);
		check(ready, "Cannot wait");
		if (ready == 0)
			poll(&doorbell, 1, -1);
	}
}

static struct machnet_event
expect(uint16_t kind, const char *what)
{
	for (;;) {
		uint32_t count = take();

		for (uint32_t i = 0; i < count; i++) {
			if (events[i].kind != kind)
				continue;
			check(events[i].status, what);
			return events[i];
		}
	}
}

/* Send, waiting for room. */
static void
send_now(uint32_t connection, const void *bytes, uint32_t length)
{
	int32_t status;

	while ((status = machnet_send(channel, connection, bytes, length)) ==
		MACHNET_AGAIN) {
		status = machnet_wait(channel, 1);
		check(status, "Cannot wait");
		if (status == 0)
			poll(&(struct pollfd){.fd = info.doorbell_fd,
				     .events = POLLIN},
				1, -1);
	}
	check(status, "Cannot send");
}

static void
serve(uint32_t port)
{
	struct machnet_event *event;
	uint32_t i, count;

	check(machnet_listen(channel, 1, 0, port, 0, 0), "Cannot listen");
	port = expect(MACHNET_EVENT_LISTENING, "Cannot listen").port;
	printf("listening on %s:%u\n",
		inet_ntoa((struct in_addr){htonl(info.address)}), port);
	fflush(stdout);
	for (;;) {
		count = take();
		for (i = 0; i < count; i++) {
			event = &events[i];
			if (event->kind == MACHNET_EVENT_ACCEPTED)
				machnet_accept(channel, event->connection);
			if (event->kind != MACHNET_EVENT_MESSAGE)
				continue;
			send_now(event->connection,
				(uint8_t *)info.base + event->offset,
				event->length);
			machnet_release(channel, event->offset);
		}
	}
}

static void
measure(struct load *load, uint32_t connection)
{
	uint32_t i, count;
	bool again;

	load_begin(load);
	for (i = 0; i < load->window; i++)
		send_now(connection, load_request(load, i), load->size);
	while (!load_finished(load)) {
		count = take();
		for (i = 0; i < count; i++) {
			const uint8_t *bytes =
				(uint8_t *)info.base + events[i].offset;
			uint32_t request = bytes[0];

			if (events[i].kind == MACHNET_EVENT_PATH)
				continue;
			if (events[i].kind != MACHNET_EVENT_MESSAGE)
				load_fail("Cannot measure", "connection lost");
			again = load_reply(load, bytes, events[i].length);
			machnet_release(channel, events[i].offset);
			if (again)
				send_now(connection,
					load_request(load, request),
					load->size);
		}
	}
}

static void
ask(struct in_addr address, uint32_t port)
{
	static struct load load;
	uint32_t connection;

	while (load_read(&load)) {
		check(machnet_connect(
			      channel, 1, ntohl(address.s_addr), port, 0, 0),
			"Cannot connect");
		connection = expect(MACHNET_EVENT_CONNECTED, "Cannot connect")
				     .connection;
		measure(&load, connection);
		check(machnet_close(channel, connection, 0), "Cannot close");
		expect(MACHNET_EVENT_CLOSED, "Cannot close");
		/* Who reads this may stop us. */
		load_print(&load);
	}
}

#define ENGINE_ARGUMENTS 3

int
main(int argc, char **argv)
{
	bool server = argc > 1 && strcmp(argv[1], "server") == 0;
	bool client = argc > 1 && strcmp(argv[1], "client") == 0;
	int count = server ? 4 : 5; /* of what is not the engine */
	struct in_addr address;

	if ((!server && !client) ||
		(argc != count && argc != count + ENGINE_ARGUMENTS) ||
		(client && inet_aton(argv[3], &address) == 0))
		load_fail("Cannot start",
			"machnet-load server SOCKET PORT [DEVICE IP MTU] | "
			"client SOCKET ADDRESS PORT [DEVICE IP MTU]");
	attach(argv[2], argc > count ? argv + count : NULL);
	if (server)
		serve((uint32_t)atoi(argv[3]));
	else
		ask(address, (uint32_t)atoi(argv[4]));
	return 0;
}
