/* SPDX-License-Identifier: MIT */
#include "port/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/error.h"
#include "port/port.h"
#include "port/sockets.h"

#include <rte_alarm.h>

/* Long enough not to be due before the interrupt thread has polled again. */
#define ROUND_US 20
/* The first may have begun before the event. */
#define ROUNDS_MIN 2
/* An event that nobody handles does not stop the queues for ever. */
#define ROUNDS_MAX 50
/* For events that are not on a socket we know. */
#define WAIT_MS_MAX 1000

static struct {
	pthread_mutex_t lock; /* the interrupt thread has it while let go */
	struct port *ports;   /* linked by next_guarded */
	bool running;	      /* the interrupt thread comes to us */
	unsigned rounds;      /* since it was let go; 0: it is here */
	int kick_fd;
	struct sockets sockets;
} guard = {.lock = PTHREAD_MUTEX_INITIALIZER, .kick_fd = -1};

void
guard_stop(struct port *port)
{
	uint16_t queue;

	atomic_store(&port->started, false);
	for (queue = 0; queue < port->queues; queue++)
		while (atomic_load(&port->bursts[queue].busy))
			sched_yield();
}

static const char *
file_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

/* Its folder may be spelled or mounted in another way at the other end. */
static bool
is_of_port(const char *path)
{
	const struct port *port;

	for (port = guard.ports; port != NULL; port = port->next_guarded)
		if (strcmp(file_name(path), file_name(port->device.target)) ==
			0)
			return true;
	return false;
}

/* One that listens, was accepted, or is connected. */
static bool
is_memif(int fd)
{
	struct sockaddr_un address = {0};
	socklen_t length = sizeof(address) - 1;

	if (socket_type(fd) != SOCK_SEQPACKET ||
		getsockname(fd, (struct sockaddr *)&address, &length) != 0 ||
		address.sun_family != AF_UNIX)
		return false;
	if (is_of_port(address.sun_path))
		return true;
	memset(&address, 0, sizeof(address));
	length = sizeof(address) - 1;
	return getpeername(fd, (struct sockaddr *)&address, &length) == 0 &&
	       is_of_port(address.sun_path);
}

/* A child that inherited it would keep our end alive when we die. */
static bool
is_memif_made_private(int fd, const void *context)
{
	(void)context;
	return is_memif(fd) && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

/* @return whether there is something for the interrupt thread to do */
static bool
events_wait(int timeout_ms)
{
	struct pollfd fds[SOCKETS_MAX + 1];
	bool found = false;
	eventfd_t ignored;
	uint32_t i;

	for (i = 0; i < guard.sockets.count; i++)
		fds[i] = (struct pollfd){
			.fd = guard.sockets.fds[i], .events = POLLIN};
	fds[i] = (struct pollfd){.fd = guard.kick_fd, .events = POLLIN};
	if (poll(fds, i + 1, timeout_ms) <= 0)
		return false;
	if (fds[i].revents != 0)
		found = eventfd_read(guard.kick_fd, &ignored) == 0;
	/* A closed one stays in the list until the last round, and its number
	 * may be something else's by then: a peer's memory is always readable.
	 */
	for (; i != 0; i--)
		found |= fds[i - 1].revents != 0 && is_memif(fds[i - 1].fd);
	return found;
}

static void
let_go(void)
{
	struct port *port;

	pthread_mutex_lock(&guard.lock);
	for (port = guard.ports; port != NULL; port = port->next_guarded)
		guard_stop(port);
	guard.rounds = 1;
}

/*
 * In every round: a peer may go and another one come while the interrupt thread
 * is let go, but not from one round to the next, since what that one says comes
 * in five messages or more, each of which waits for an answer.
 */
static void
absences_count(void)
{
	struct port *port;

	for (port = guard.ports; port != NULL; port = port->next_guarded) {
		struct rte_eth_link link = {0};

		if (rte_eth_link_get_nowait(port->id, &link) != 0 ||
			link.link_status == RTE_ETH_LINK_DOWN)
			atomic_fetch_add(&port->absences, 1);
	}
}

static void
take_back(void)
{
	bool stuck = guard.rounds > ROUNDS_MAX;
	struct port *port;

	for (port = guard.ports; port != NULL; port = port->next_guarded)
		atomic_store(&port->started, atomic_load(&port->running));
	sockets_list(&guard.sockets, is_memif_made_private, NULL);
	if (stuck)
		guard.sockets.count = 0;
	guard.rounds = 0;
	guard.running = guard.ports != NULL;
	pthread_mutex_unlock(&guard.lock);
}

/*
 * An alarm, which the interrupt thread calls. When this returns, that thread
 * handles what is pending and comes back.
 */
static void
guard_round(void *unused)
{
	if (guard.rounds > 0) {
		guard.rounds++;
		absences_count();
		if (guard.rounds > ROUNDS_MAX ||
			(guard.rounds > ROUNDS_MIN && !events_wait(0)))
			take_back();
	}
	if (guard.rounds == 0) {
		if (!guard.running)
			return;
		events_wait(WAIT_MS_MAX);
		let_go();
	}
	rte_eal_alarm_set(ROUND_US, guard_round, unused);
}

void
guard_hold(void)
{
	pthread_mutex_lock(&guard.lock);
}

void
guard_release(void)
{
	if (guard.running)
		eventfd_write(guard.kick_fd, 1);
	pthread_mutex_unlock(&guard.lock);
}

static int32_t
guard_start(struct machnet_error *error)
{
	if (guard.kick_fd < 0)
		guard.kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (guard.kick_fd < 0)
		return error_set_errno(error, MACHNET_SYSTEM_ERROR, errno,
			"Cannot guard a memif port");
	guard.running = true; /* the alarm may come at once */
	if (rte_eal_alarm_set(ROUND_US, guard_round, NULL) == 0)
		return MACHNET_OK;
	guard.running = false;
	return error_set(error, MACHNET_SYSTEM_ERROR,
		"Cannot guard a memif port: DPDK sets no alarm");
}

int32_t
guard_add(struct port *port, struct machnet_error *error)
{
	int32_t status = guard.running ? MACHNET_OK : guard_start(error);

	if (status == MACHNET_OK) {
		port->next_guarded = guard.ports;
		guard.ports = port;
	}
	return status;
}

void
guard_remove(struct port *port)
{
	struct port **each;

	atomic_store(&port->running, false);
	guard_stop(port);
	for (each = &guard.ports; *each != NULL; each = &(*each)->next_guarded)
		if (*each == port) {
			*each = port->next_guarded;
			return;
		}
}
