// SPDX-License-Identifier: MIT
#include "sidecar/control.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "engine/channel.h"
#include "port/memory.h"
#include "shm/control.h"
#include "sidecar/control_socket.h"
#include "sidecar/stats.h"

/* Besides those with a channel. */
#define CLIENTS_WAITING_MAX 128u
#define REQUEST_TIMEOUT_NS NS_PER_S

enum client_state {
	CLIENT_NEW,	 /* its request is not complete */
	CLIENT_ATTACHED, /* has a channel */
	CLIENT_DROPPING, /* the engine is letting go of the channel */
	CLIENT_COUNTING, /* engines are copying their counters */
};

struct client {
	struct list node;
	enum client_state state;
	int fd;
	uint64_t deadline_ns;
	struct control_request request;
	uint32_t request_bytes;
	struct channel *channel;	   /* owns fd if there is one */
	uint32_t engine;		   /* that serves it */
	struct engine_snapshot *snapshots; /* one of each engine */
	uint32_t snapshots_awaited;
};

int32_t
control_open(struct control *control, const char *path, int epoll,
	struct machnet_error *error)
{
	/* Edge triggered: out of descriptors, an application that cannot be
	 * taken in must not keep us awake. control_serve asks for a look. */
	struct epoll_event interest = {.events = EPOLLIN | EPOLLET};
	int32_t status;

	memset(control, 0, sizeof(*control));
	list_init(&control->clients);
	control->epoll = epoll;
	strcpy(control->path, path);
	status = control_socket_listen(&control->fd, path, error);
	if (status == MACHNET_OK)
		epoll_ctl(epoll, EPOLL_CTL_ADD, control->fd, &interest);
	return status;
}

void
control_close(struct control *control)
{
	if (control->fd < 0)
		return;
	unlink(control->path);
	close(control->fd);
	control->fd = -1;
}

static void
client_end(struct control *control, struct client *client)
{
	struct channel *channel = client->channel;

	if (channel != NULL) {
		control->channels[client->engine]--;
		if (channel->mapped)
			port_memory_unmap(control->port,
				channel_tx_arena(channel),
				channel->layout.arena_bytes);
		channel_destroy(channel);
	} else {
		close(client->fd);
	}
	free(client->snapshots);
	list_leave(&client->node);
	control->clients_length--;
	free(client);
}

static void
reply_send(struct client *client, struct control_reply *reply,
	const struct channel *channel)
{
	struct iovec bytes = {.iov_base = reply, .iov_len = sizeof(*reply)};
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(2 * sizeof(int))];
	} rights;
	struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};

	reply->magic = CONTROL_MAGIC;
	reply->abi_version = MACHNET_ABI_VERSION;
	if (channel != NULL) {
		int fds[2] = {channel->memfd, channel->eventfd};

		memset(&rights, 0, sizeof(rights));
		message.msg_control = &rights;
		message.msg_controllen = sizeof(rights.room);
		rights.header.cmsg_level = SOL_SOCKET;
		rights.header.cmsg_type = SCM_RIGHTS;
		rights.header.cmsg_len = CMSG_LEN(sizeof(fds));
		memcpy(CMSG_DATA(&rights.header), fds, sizeof(fds));
	}
	/* An empty socket has room; a client that is gone is seen by its end
	 * of stream. */
	sendmsg(client->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void
refuse(struct control *control, struct client *client, int32_t status,
	const char *message)
{
	struct control_reply reply = {.status = status};

	memccpy(reply.message, message, '\0', sizeof(reply.message) - 1);
	reply_send(client, &reply, NULL);
	client_end(control, client);
}

static uint32_t
least_loaded(const struct control *control)
{
	uint32_t least = 0;

	for (uint32_t i = 1; i < control->engines_length; i++)
		if (control->channels[i] < control->channels[least])
			least = i;
	return least;
}

static int32_t
engine_choose(const struct control *control, struct client *client,
	struct machnet_error *error)
{
	int32_t wanted = client->request.engine;

	if (wanted >= (int32_t)control->engines_length)
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"no engine is number %d, the last is %u", wanted,
			control->engines_length - 1);
	client->engine = wanted < 0 ? least_loaded(control) : (uint32_t)wanted;
	if (control->channels[client->engine] == ENGINE_CHANNELS_MAX)
		return error_set(error, MACHNET_TOO_MANY_CHANNELS,
			wanted < 0 ? "all channels of its engines are in use"
				   : "all channels of the engine are in use");
	return MACHNET_OK;
}

static void
attach(struct control *control, struct client *client)
{
	uint32_t arena_bytes = client->request.arena_bytes;
	struct engine_order order = {.kind = ENGINE_ADOPT};
	struct control_reply reply = {.address = control->address};
	struct machnet_error error;
	int32_t status;

	status = engine_choose(control, client, &error);
	if (status != MACHNET_OK) {
		refuse(control, client, status, error.message);
		return;
	}
	if (arena_bytes == 0)
		arena_bytes = MACHNET_ARENA_BYTES_DEFAULT;
	status = channel_create(
		&client->channel, arena_bytes, client->fd, &error);
	if (status != MACHNET_OK) {
		client->channel = NULL;
		refuse(control, client, status, error.message);
		return;
	}
	client->channel->mapped = port_memory_map(
		control->port, channel_tx_arena(client->channel), arena_bytes);
	client->state = CLIENT_ATTACHED;
	control->channels[client->engine]++;
	order.channel = client->channel;
	engine_order(control->engines[client->engine], &order);
	reply.arena_bytes = arena_bytes;
	reply.engine = client->engine;
	reply_send(client, &reply, client->channel);
}

static void
count(struct control *control, struct client *client)
{
	client->snapshots =
		calloc(control->engines_length, sizeof(*client->snapshots));
	if (client->snapshots == NULL) {
		refuse(control, client, MACHNET_OUT_OF_MEMORY, "out of memory");
		return;
	}
	client->state = CLIENT_COUNTING;
	client->snapshots_awaited = control->engines_length;
	for (uint32_t i = 0; i < control->engines_length; i++) {
		const struct engine_order order = {
			.kind = ENGINE_SNAPSHOT,
			.snapshot = &client->snapshots[i],
			.cookie = client,
		};

		engine_order(control->engines[i], &order);
	}
}

static void
request_complete(struct control *control, struct client *client)
{
	const struct control_request *request = &client->request;

	if (request->magic != CONTROL_MAGIC) {
		client_end(control, client);
		return;
	}
	if (request->abi_version != MACHNET_ABI_VERSION) {
		/* The reply carries our version. */
		refuse(control, client, MACHNET_ABI_MISMATCH, "");
		return;
	}
	if (control->stopping) {
		refuse(control, client, MACHNET_SIDECAR_STOPPED,
			"the sidecar is stopping");
		return;
	}
	switch (request->kind) {
	case CONTROL_ATTACH:
		attach(control, client);
		break;
	case CONTROL_STATS:
		count(control, client);
		break;
	default:
		refuse(control, client, MACHNET_INVALID_ARGUMENT,
			"unknown request");
		break;
	}
}

static void
channel_drop(struct control *control, struct client *client, int32_t status)
{
	struct engine_order order = {
		.kind = ENGINE_DROP,
		.status = status,
		.channel = client->channel,
	};

	/* Level triggered: it would tell the same until the engine is done. */
	epoll_ctl(control->epoll, EPOLL_CTL_DEL, client->fd, NULL);
	client->state = CLIENT_DROPPING;
	engine_order(control->engines[client->engine], &order);
}

static void
client_read(struct control *control, struct client *client, uint64_t now)
{
	uint8_t *into = (uint8_t *)&client->request + client->request_bytes;
	uint32_t room = sizeof(client->request) - client->request_bytes;
	uint8_t unexpected;
	ssize_t length;

	switch (client->state) {
	case CLIENT_NEW:
		length = recv(client->fd, into, room, MSG_DONTWAIT);
		if (length > 0)
			client->request_bytes += (uint32_t)length;
		if (client->request_bytes == sizeof(client->request))
			request_complete(control, client);
		else if (length == 0 || (length < 0 && errno != EAGAIN) ||
			 now > client->deadline_ns)
			client_end(control, client);
		break;
	case CLIENT_ATTACHED:
		length = recv(client->fd, &unexpected, 1, MSG_DONTWAIT);
		if (length > 0)
			channel_drop(control, client, MACHNET_CHANNEL_CORRUPT);
		else if (length == 0 || errno != EAGAIN)
			channel_drop(control, client, MACHNET_CLOSED);
		break;
	case CLIENT_DROPPING:
	case CLIENT_COUNTING:
		break;
	}
}

static uint32_t
clients_max(const struct control *control)
{
	return control->engines_length * ENGINE_CHANNELS_MAX +
	       CLIENTS_WAITING_MAX;
}

/* Who has said nothing for longest makes room: applications say what they want
 * as soon as they are here. */
static void
room_make(struct control *control)
{
	struct list *node;

	if (control->clients_length < clients_max(control))
		return;
	for (node = control->clients.next; node != &control->clients;
		node = node->next) {
		struct client *client = container_of(node, struct client, node);

		if (client->state == CLIENT_NEW) {
			client_end(control, client);
			return;
		}
	}
}

/* @return false: there is one that cannot be taken in */
static bool
clients_accept(struct control *control, uint64_t now)
{
	struct epoll_event interest = {.events = EPOLLIN | EPOLLRDHUP};
	int fd;

	while ((fd = accept4(control->fd, NULL, NULL,
			SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		struct client *client = NULL;

		room_make(control);
		if (control->clients_length < clients_max(control))
			client = calloc(1, sizeof(*client));
		if (client == NULL) {
			close(fd);
			continue;
		}
		client->fd = fd;
		client->deadline_ns = now + REQUEST_TIMEOUT_NS;
		list_append(&control->clients, &client->node);
		control->clients_length++;
		epoll_ctl(control->epoll, EPOLL_CTL_ADD, fd, &interest);
		client_read(control, client, now);
	}
	return errno == EAGAIN;
}

bool
control_serve(struct control *control)
{
	uint64_t now = clock_now_ns();
	bool again = !clients_accept(control, now);
	struct list *node, *next;

	for (node = control->clients.next; node != &control->clients;
		node = next) {
		struct client *client = container_of(node, struct client, node);

		next = node->next;
		again |= client->state == CLIENT_NEW;
		client_read(control, client, now);
	}
	return again;
}

/* The engine tells of a channel only until it has told that it was dropped, and
 * the client lives until then. */
static struct client *
client_of(struct control *control, const struct channel *channel)
{
	struct list *node = control->clients.next;

	while (container_of(node, struct client, node)->channel != channel) {
		node = node->next;
		assert(node != &control->clients);
	}
	return container_of(node, struct client, node);
}

static void
stats_send(struct control *control, struct client *client, char *text,
	uint32_t capacity)
{
	struct control_reply reply = {
		.text_bytes =
			stats_write(text, capacity, port_missed(control->port),
				client->snapshots, control->engines_length),
	};
	int bytes = (int)capacity;

	/* Room for all of it at once. */
	setsockopt(client->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	reply_send(client, &reply, NULL);
	send(client->fd, text, reply.text_bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void
snapshot_taken(struct control *control, struct client *client)
{
	uint32_t capacity = stats_bytes_max(control->engines_length);
	char *text;

	if (--client->snapshots_awaited != 0)
		return;
	text = malloc(capacity);
	if (text != NULL)
		stats_send(control, client, text, capacity);
	free(text);
	client_end(control, client);
}

void
control_notice(struct control *control, const struct engine_notice *notice)
{
	struct client *client;

	switch (notice->kind) {
	case ENGINE_CORRUPT:
		client = client_of(control, notice->channel);
		if (client->state == CLIENT_ATTACHED)
			channel_drop(control, client, MACHNET_CHANNEL_CORRUPT);
		break;
	case ENGINE_DROPPED:
		client_end(control, client_of(control, notice->channel));
		break;
	case ENGINE_SNAPSHOT_TAKEN:
		snapshot_taken(control, notice->cookie);
		break;
	case ENGINE_STOPPED:
		break;
	}
}

void
control_stop(struct control *control)
{
	struct list *node, *next;

	control->stopping = true;
	for (node = control->clients.next; node != &control->clients;
		node = next) {
		struct client *client = container_of(node, struct client, node);

		next = node->next;
		if (client->state == CLIENT_ATTACHED)
			channel_drop(control, client, MACHNET_SIDECAR_STOPPED);
		else if (client->state == CLIENT_NEW)
			client_end(control, client);
	}
}

void
control_clients_end(struct control *control)
{
	while (!list_empty(&control->clients))
		client_end(control, container_of(control->clients.next,
					    struct client, node));
}
