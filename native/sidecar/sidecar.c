// SPDX-License-Identifier: MIT
/*
 * The sidecar of this process: one at a time. A control thread starts the
 * device and the engine, serves the control socket, and ends them; the calls of
 * engine.h only talk to it.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "engine/engine.h"
#include "machnet/engine.h"
#include "port/port.h"
#include "sidecar/configuration.h"
#include "sidecar/control.h"
#include "wire/ethernet.h"

/* How often links and slow clients are looked after. */
#define PERIOD_MS 100

struct sidecar {
	struct configuration configuration;
	struct port port;
	struct services *services;
	struct engine *engine;
	struct control control;
	int epoll;
	int stop_fd;  /* eventfd */
	int ready_fd; /* our end of the caller's stream */
	bool engine_stopped;
	pthread_t thread;
};

/* Guards what follows, not the sidecar itself, which is its thread's. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sidecar *current;
static bool ended; /* current's thread is about to return */
static struct machnet_error result = {.status = MACHNET_ENGINE_NOT_RUNNING};

static void
result_set(const struct machnet_error *error)
{
	pthread_mutex_lock(&lock);
	result = *error;
	pthread_mutex_unlock(&lock);
}

static int32_t
engine_open(struct sidecar *sidecar, struct machnet_error *error)
{
	const struct configuration *configuration = &sidecar->configuration;
	struct engine_options options = {
		.port = &sidecar->port,
		.address = configuration->address,
		.prefix_length = configuration->prefix_length,
		.gateway = configuration->gateway,
		.poll = configuration->poll,
		.engines = 1,
		.services = sidecar->services,
	};
	struct mac other;
	char ip[16];

	if (getrandom(&options.instance, sizeof(options.instance), 0) < 0 ||
		getrandom(options.secret, sizeof(options.secret), 0) < 0)
		return error_set_errno(error, MACHNET_SYSTEM_ERROR, errno,
			"Cannot get random bytes");
	if (engine_address_in_use(&options, &other))
		return error_set(error, MACHNET_ADDRESS_IN_USE,
			"Cannot use address %s: the host "
			"%02x:%02x:%02x:%02x:%02x:%02x on this link has it",
			ipv4_format(ip, options.address), other.bytes[0],
			other.bytes[1], other.bytes[2], other.bytes[3],
			other.bytes[4], other.bytes[5]);
	options.instance |= 1; /* never 0 */
	return engine_start(&sidecar->engine, &options, error);
}

static int32_t
port_start(struct sidecar *sidecar, struct machnet_error *error)
{
	struct port_options options = {
		.device = sidecar->configuration.device,
		.mtu = sidecar->configuration.mtu,
	};

	return port_open(&sidecar->port, &options, error);
}

static void
serve(struct sidecar *sidecar)
{
	struct epoll_event interest = {.events = EPOLLIN};
	struct epoll_event events[16];
	struct engine_notice notice;
	bool stopping = false, ordered = false;
	eventfd_t ignored;

	epoll_ctl(sidecar->epoll, EPOLL_CTL_ADD,
		engine_notice_fd(sidecar->engine), &interest);
	while (!sidecar->engine_stopped) {
		epoll_wait(sidecar->epoll, events, ARRAY_LENGTH(events),
			PERIOD_MS);
		port_link_up(&sidecar->port);
		control_serve(&sidecar->control);
		while (engine_notice(sidecar->engine, &notice)) {
			control_notice(&sidecar->control, &notice);
			sidecar->engine_stopped |=
				notice.kind == ENGINE_STOPPED;
		}
		stopping |= eventfd_read(sidecar->stop_fd, &ignored) == 0;
		if (stopping && control_stop(&sidecar->control) && !ordered) {
			struct engine_order stop = {.kind = ENGINE_STOP};

			engine_order(sidecar->engine, &stop);
			ordered = true;
		}
	}
}

static int32_t
live(struct sidecar *sidecar, struct machnet_error *error)
{
	int32_t status;

	status = control_open(&sidecar->control, sidecar->configuration.socket,
		sidecar->epoll, error);
	if (status != MACHNET_OK)
		return status;
	sidecar->control.address = sidecar->configuration.address;
	status = port_start(sidecar, error);
	if (status != MACHNET_OK)
		goto no_port;
	status = engine_open(sidecar, error);
	if (status != MACHNET_OK)
		goto no_engine;
	sidecar->control.engine = sidecar->engine;
	error_set(error, MACHNET_OK, "running");
	result_set(error);
	send(sidecar->ready_fd, "R", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	serve(sidecar);
	engine_destroy(sidecar->engine);
no_engine:
	port_close(&sidecar->port);
no_port:
	control_close(&sidecar->control);
	return status;
}

static void
sidecar_free(struct sidecar *sidecar)
{
	services_destroy(sidecar->services);
	if (sidecar->epoll >= 0)
		close(sidecar->epoll);
	if (sidecar->stop_fd >= 0)
		close(sidecar->stop_fd);
	free(sidecar);
}

static void *
run(void *argument)
{
	struct sidecar *sidecar = argument;
	struct machnet_error error = {.status = MACHNET_OK};
	int ready_fd = sidecar->ready_fd;

	if (live(sidecar, &error) == MACHNET_OK)
		error_set(&error, MACHNET_OK, "stopped");
	pthread_mutex_lock(&lock);
	result = error;
	ended = true;
	pthread_mutex_unlock(&lock);
	close(ready_fd);
	return NULL;
}

/* Called with the lock held. */
static void
reap(void)
{
	if (current == NULL || !ended)
		return;
	pthread_join(current->thread, NULL);
	sidecar_free(current);
	current = NULL;
	ended = false;
}

/* @return NULL and the error's status, or a sidecar */
static struct sidecar *
sidecar_make(const struct machnet_engine_options *options, int fds[2],
	struct machnet_error *error)
{
	struct sidecar *sidecar = calloc(1, sizeof(*sidecar));
	struct epoll_event interest = {.events = EPOLLIN};

	error_set(error, MACHNET_OUT_OF_MEMORY,
		"Cannot start an engine: out of memory or descriptors");
	if (sidecar == NULL)
		return NULL;
	sidecar->epoll = epoll_create1(EPOLL_CLOEXEC);
	sidecar->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	sidecar->services = services_create();
	if (configuration_read(&sidecar->configuration, options, error) !=
			MACHNET_OK ||
		sidecar->services == NULL || sidecar->epoll < 0 ||
		sidecar->stop_fd < 0 ||
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
		sidecar_free(sidecar);
		return NULL;
	}
	sidecar->ready_fd = fds[1];
	epoll_ctl(sidecar->epoll, EPOLL_CTL_ADD, sidecar->stop_fd, &interest);
	return sidecar;
}

static int32_t
start_locked(const struct machnet_engine_options *options, int32_t *fd,
	struct machnet_error *error)
{
	struct sidecar *sidecar;
	sigset_t all, before;
	int fds[2], failure;

	reap();
	if (current != NULL)
		return error_set(error, MACHNET_ENGINE_ALREADY_RUNNING,
			"Cannot start an engine: this process runs one; stop "
			"it first");
	sidecar = sidecar_make(options, fds, error);
	if (sidecar == NULL)
		return error->status;
	result.status = MACHNET_AGAIN;
	/* Signals are for the threads of the application. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	failure = pthread_create(&sidecar->thread, NULL, run, sidecar);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failure != 0) {
		close(fds[0]);
		close(fds[1]);
		sidecar_free(sidecar);
		return error_set_errno(error, MACHNET_SYSTEM_ERROR, failure,
			"Cannot start an engine: no thread");
	}
	current = sidecar;
	*fd = fds[0];
	return MACHNET_OK;
}

int32_t
machnet_engine_start(const struct machnet_engine_options *options, int32_t *fd,
	struct machnet_error *error)
{
	struct machnet_error ignored;
	int32_t status;

	pthread_mutex_lock(&lock);
	status = start_locked(options, fd, error == NULL ? &ignored : error);
	pthread_mutex_unlock(&lock);
	return status;
}

int32_t
machnet_engine_result(struct machnet_error *error)
{
	int32_t status;

	pthread_mutex_lock(&lock);
	status = result.status;
	if (error != NULL)
		*error = result;
	reap();
	pthread_mutex_unlock(&lock);
	return status;
}

int32_t
machnet_engine_stop(void)
{
	int32_t status = MACHNET_ENGINE_NOT_RUNNING;

	pthread_mutex_lock(&lock);
	if (current != NULL) {
		eventfd_write(current->stop_fd, 1);
		status = MACHNET_OK;
	}
	pthread_mutex_unlock(&lock);
	return status;
}

int32_t
machnet_engine_socket(char *path, uint32_t capacity)
{
	int32_t length = MACHNET_ENGINE_NOT_RUNNING;

	pthread_mutex_lock(&lock);
	if (current != NULL && !ended) {
		length = (int32_t)strlen(current->configuration.socket);
		if ((uint32_t)length < capacity)
			memcpy(path, current->configuration.socket,
				(size_t)length + 1);
		else
			length = MACHNET_INVALID_ARGUMENT;
	}
	pthread_mutex_unlock(&lock);
	return length;
}
