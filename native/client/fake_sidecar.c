/* SPDX-License-Identifier: MIT */
#include "client/fake_sidecar.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "shm/futex.h"

#define ADDRESS 0x0a000001u

static void
must(bool good, const char *what)
{
	if (!good) {
		perror(what);
		abort();
	}
}

static void
memory_make(struct fake_sidecar *fake)
{
	uint32_t arena_bytes = fake->request.arena_bytes;
	uint64_t bytes;

	must(channel_layout_init(&fake->layout, arena_bytes), "layout");
	bytes = fake->layout.bytes;
	if (fake->fault == FAKE_WRONG_SIZE)
		bytes -= 4096;
	fake->memfd = memfd_create("fake", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	must(fake->memfd >= 0, "memfd_create");
	must(ftruncate(fake->memfd, (off_t)bytes) == 0, "ftruncate");
	if (fake->fault != FAKE_UNSEALED)
		must(fcntl(fake->memfd, F_ADD_SEALS,
			     F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0,
			"seals");
	fake->base = mmap(NULL, fake->layout.bytes, PROT_READ | PROT_WRITE,
		MAP_SHARED, fake->memfd, 0);
	must(fake->base != MAP_FAILED, "mmap");
	fake->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	must(fake->wake_fd >= 0, "eventfd");
}

static void
rings_init(struct fake_sidecar *fake)
{
	const struct channel_layout *layout = &fake->layout;
	struct channel_header *header = (struct channel_header *)fake->base;

	fake->header = header;
	ring_consumer_init(&fake->submissions, &header->submissions,
		fake->base + layout->submissions, sizeof(struct submission),
		CHANNEL_SUBMISSIONS);
	ring_producer_init(&fake->completions, &header->completions,
		fake->base + layout->completions, sizeof(struct machnet_event),
		CHANNEL_COMPLETIONS);
	ring_producer_init(&fake->sent, &header->sent,
		fake->base + layout->sent, sizeof(uint32_t),
		CHANNEL_BLOCKS_LENT_MAX);
	ring_consumer_init(&fake->released, &header->released,
		fake->base + layout->released, sizeof(uint32_t),
		CHANNEL_BLOCKS_LENT_MAX);
	fake->rx = arena_create(layout->arena_bytes, CHANNEL_BLOCKS_LENT_MAX);
	must(fake->rx != NULL, "arena");
}

static void
send_with(int fd, const void *bytes, size_t length, const int *fds,
	size_t fds_count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(3 * sizeof(int))];
	} ancillary = {0};
	struct iovec part = {(void *)(uintptr_t)bytes, length};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	if (fds_count > 0) {
		struct cmsghdr *header = &ancillary.align;

		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(fds_count * sizeof(int));
		memcpy(CMSG_DATA(header), fds, fds_count * sizeof(int));
		message.msg_control = &ancillary;
		message.msg_controllen = CMSG_SPACE(fds_count * sizeof(int));
	}
	sendmsg(fd, &message, MSG_NOSIGNAL);
}

/* Until the other end has all of it, so that what follows comes by itself. */
static void
wait_until_read(int fd)
{
	int unread;

	while (ioctl(fd, SIOCOUTQ, &unread) == 0 && unread > 0)
		sched_yield();
}

static struct control_reply
reply_make(struct fake_sidecar *fake)
{
	struct control_reply reply = {
		.magic = CONTROL_MAGIC,
		.abi_version = MACHNET_ABI_VERSION,
		.arena_bytes = fake->request.arena_bytes,
		.engine = 3,
		.address = ADDRESS,
	};

	switch (fake->fault) {
	case FAKE_BAD_MAGIC:
		reply.magic = 0x48545450;
		break;
	case FAKE_OTHER_ABI:
	case FAKE_OTHER_ABI_SHORT:
		reply.abi_version = 77;
		break;
	case FAKE_REFUSES:
		reply.status = MACHNET_TOO_MANY_CHANNELS;
		strcpy(reply.message, "64 channels are open");
		break;
	case FAKE_BAD_ARENA_BYTES:
		reply.arena_bytes = 12345;
		break;
	case FAKE_STATS:
		reply.text_bytes = 12;
		break;
	default:
		break;
	}
	return reply;
}

static void
answer(struct fake_sidecar *fake)
{
	struct control_reply reply = reply_make(fake);
	const char *bytes = (const char *)&reply;
	int fds[3] = {fake->memfd, fake->wake_fd, fake->wake_fd};
	int fd = fake->socket_fd;

	switch (fake->fault) {
	case FAKE_HANGS_UP:
		break;
	case FAKE_SILENT:
		return;
	case FAKE_HANGS_UP_HALFWAY:
		send_with(fd, bytes, 100, fds, 2);
		break;
	case FAKE_OTHER_ABI_SHORT:
		send_with(fd, bytes, 16, NULL, 0);
		break;
	case FAKE_NO_DESCRIPTORS:
		send_with(fd, bytes, sizeof(reply), NULL, 0);
		return;
	case FAKE_THREE_DESCRIPTORS:
		send_with(fd, bytes, sizeof(reply), fds, 3);
		return;
	case FAKE_FOUR_DESCRIPTORS:
		send_with(fd, bytes, 10, fds, 2);
		send_with(fd, bytes + 10, sizeof(reply) - 10, fds, 2);
		return;
	case FAKE_NOT_MEMORY:
		fds[0] = fd;
		send_with(fd, bytes, sizeof(reply), fds, 2);
		return;
	case FAKE_SPLIT:
		send_with(fd, bytes, 10, fds, 2);
		wait_until_read(fd);
		send_with(fd, bytes + 10, sizeof(reply) - 10, NULL, 0);
		return;
	case FAKE_STATS:
		send_with(fd, bytes, sizeof(reply), NULL, 0);
		wait_until_read(fd);
		send_with(fd, "frames 1234\n", 12, NULL, 0);
		break;
	default:
		send_with(fd, bytes, sizeof(reply), fds, 2);
		return;
	}
	shutdown(fd, SHUT_RDWR);
}

static void *
serve(void *context)
{
	struct fake_sidecar *fake = context;

	fake->socket_fd = accept(fake->listen_fd, NULL, NULL);
	if (fake->socket_fd < 0)
		return NULL;
	if (recv(fake->socket_fd, &fake->request, sizeof(fake->request),
		    MSG_WAITALL) != sizeof(fake->request))
		return NULL;
	if (fake->request.kind == CONTROL_ATTACH) {
		memory_make(fake);
		rings_init(fake);
	}
	answer(fake);
	return NULL;
}

void
fake_start(struct fake_sidecar *fake, enum fake_fault fault)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	*fake = (struct fake_sidecar){
		.fault = fault,
		.directory = "/tmp/machnet-test-XXXXXX",
		.socket_fd = -1,
		.memfd = -1,
		.wake_fd = -1,
	};
	must(mkdtemp(fake->directory) != NULL, "mkdtemp");
	snprintf(fake->path, sizeof(fake->path), "%s/socket", fake->directory);
	strcpy(address.sun_path, fake->path);
	fake->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(bind(fake->listen_fd, (struct sockaddr *)&address,
		     sizeof(address)) == 0,
		"bind");
	must(listen(fake->listen_fd, 1) == 0, "listen");
	must(pthread_create(&fake->thread, NULL, serve, fake) == 0, "thread");
}

void
fake_join(struct fake_sidecar *fake)
{
	if (fake->listen_fd < 0)
		return;
	pthread_join(fake->thread, NULL);
	close(fake->listen_fd);
	fake->listen_fd = -1;
}

void
fake_stop(struct fake_sidecar *fake)
{
	/* Ends an accept() that nobody came for. */
	if (fake->listen_fd >= 0)
		shutdown(fake->listen_fd, SHUT_RDWR);
	fake_join(fake);
	if (fake->socket_fd >= 0)
		close(fake->socket_fd);
	if (fake->base != NULL) {
		munmap(fake->base, fake->layout.bytes);
		close(fake->memfd);
		close(fake->wake_fd);
		arena_destroy(fake->rx);
	}
	unlink(fake->path);
	rmdir(fake->directory);
}

uint32_t
fake_attach(struct fake_sidecar *fake)
{
	struct machnet_attach_options options = {
		.arena_bytes = MACHNET_ARENA_BYTES_MIN,
		.engine = -1,
	};
	struct machnet_error error = {0};
	uint32_t channel = 0;

	fake_start(fake, FAKE_GOOD);
	if (machnet_attach(fake->path, &options, &channel, &error) !=
		MACHNET_OK) {
		fprintf(stderr, "%s\n", error.message);
		abort();
	}
	fake_join(fake);
	return channel;
}

int
attached_set_up(void **state)
{
	struct attached *attached = calloc(1, sizeof(*attached));

	must(attached != NULL, "calloc");
	attached->channel = fake_attach(&attached->fake);
	machnet_channel_info(attached->channel, &attached->info);
	attached->base = attached->info.base;
	*state = attached;
	return 0;
}

int
attached_tear_down(void **state)
{
	struct attached *attached = *state;

	machnet_channel_close(attached->channel);
	machnet_mapping_release(attached->base, NULL);
	fake_stop(&attached->fake);
	free(attached);
	return 0;
}

bool
fake_at_end(int fd)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};
	char byte;

	return poll(&pollfd, 1, FAKE_WAIT_MS) == 1 &&
	       recv(fd, &byte, 1, 0) == 0;
}

/* Wake the application if it waits; room: also if it waits for room only. */
static void
fake_ring(struct fake_sidecar *fake, bool room)
{
	_Atomic uint32_t *waits = &fake->header->application_waits;
	uint32_t wanted;

	atomic_thread_fence(memory_order_seq_cst);
	wanted = atomic_load_explicit(waits, memory_order_relaxed);
	if (wanted == CHANNEL_WAIT_NONE ||
		(room && (wanted & CHANNEL_WAIT_EVENTS_OR_ROOM) == 0))
		return;
	wanted = atomic_exchange(waits, CHANNEL_WAIT_NONE);
	if ((wanted & CHANNEL_WAIT_HERE) != 0)
		futex_wake(waits);
	else if (wanted != CHANNEL_WAIT_NONE)
		send(fake->socket_fd, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void
fake_post(struct fake_sidecar *fake, const struct machnet_event *event)
{
	must(ring_room(&fake->completions, 1) > 0, "room for an event");
	ring_push(&fake->completions, event);
	ring_publish(&fake->completions);
	fake_ring(fake, false);
}

uint32_t
fake_post_message(struct fake_sidecar *fake, uint32_t connection,
	const void *bytes, uint32_t length)
{
	return fake_post_kind(
		fake, connection, bytes, length, MACHNET_EVENT_MESSAGE, 0);
}

uint32_t
fake_post_kind(struct fake_sidecar *fake, uint32_t connection,
	const void *bytes, uint32_t length, uint16_t kind, uint32_t request)
{
	struct machnet_event event = {
		.kind = kind,
		.connection = connection,
		.length = length,
		.token = request,
	};

	if (length > 0) {
		uint32_t offset = arena_allocate(fake->rx, length);

		must(offset != ARENA_FULL, "a block");
		event.offset = fake->layout.rx_arena + offset;
		memcpy(fake->base + event.offset, bytes, length);
	}
	fake_post(fake, &event);
	return event.offset;
}

bool
fake_take(struct fake_sidecar *fake, struct submission *submission)
{
	int32_t available = ring_available(&fake->submissions);

	must(available >= 0, "submissions");
	if (available == 0)
		return false;
	ring_pop(&fake->submissions, submission);
	ring_consume(&fake->submissions);
	fake_ring(fake, true);
	return true;
}

void
fake_send_home(struct fake_sidecar *fake, uint32_t offset)
{
	must(ring_room(&fake->sent, 1) > 0, "room for a block");
	ring_push(&fake->sent, &offset);
	ring_publish(&fake->sent);
	fake_ring(fake, true);
}

uint32_t
fake_take_released(struct fake_sidecar *fake)
{
	int32_t available = ring_available(&fake->released);
	uint32_t offset;
	int32_t i;

	must(available >= 0, "released");
	for (i = 0; i < available; i++) {
		ring_pop(&fake->released, &offset);
		must(arena_free(fake->rx, offset - fake->layout.rx_arena),
			"a block that was lent");
	}
	ring_consume(&fake->released);
	return (uint32_t)available;
}

bool
fake_was_rung(struct fake_sidecar *fake)
{
	uint64_t count;

	return read(fake->wake_fd, &count, sizeof(count)) == sizeof(count);
}
