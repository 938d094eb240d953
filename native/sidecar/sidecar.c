// SPDX-License-Identifier: MIT
/*
 * The sidecar of this process: one at a time. A control thread starts the
 * device and the engines, serves the control socket, and ends them; the calls
 * of engine.h only talk to it.
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
#include "base/clock.h"
#include "engine/drive.h"
#include "engine/engine.h"
#include "engine/exchange.h"
#include "machnet/engine.h"
#include "port/port.h"
#include "sidecar/configuration.h"
#include "sidecar/control.h"
#include "wire/ethernet.h"

/* How often the link and slow clients are looked after. No driver tells that a
 * link came up: after a change the next looks come sooner, each of them twice
 * as long after the one before. While it is up, and no client is slow, they are
 * rare: each takes some 50 us of a processor on which somebody may be waiting
 * for a reply. */
#define PERIOD_MIN_MS 5u
#define PERIOD_MS 100u
#define PERIOD_QUIET_MS 500u

struct sidecar {
	struct configuration configuration;
	struct port port;
	struct services *services;
	struct exchange *exchange; /* NULL: there is one engine */
	struct engine *engines[CONNECTION_ENGINES];
	uint32_t engines_length;
	uint32_t engines_stopped;
	struct control control;
	int epoll;
	bool link_up;
	uint32_t period_ms; /* until the link is looked at again */
	int stop_fd;	    /* eventfd */
	int news_fd;	    /* our end of the caller's stream */
	pthread_t thread;
};

/* Of the engine that the application runs, if one does. */
static struct drive drive = {.closed = 1};

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
address_check(const struct engine_options *options, struct machnet_error *error)
{
	struct mac other;
	char ip[16];

	if (!engine_address_in_use(options, &other))
		return MACHNET_OK;
	return error_set(error, MACHNET_ADDRESS_IN_USE,
		"Cannot use address %s: the host "
		"%02x:%02x:%02x:%02x:%02x:%02x on this link has it",
		ipv4_format(ip, options->address), other.bytes[0],
		other.bytes[1], other.bytes[2], other.bytes[3], other.bytes[4],
		other.bytes[5]);
}

static void
notices_take(struct sidecar *sidecar)
{
	struct engine_notice notice;

	for (uint32_t i = 0; i < sidecar->engines_length; i++)
		while (engine_notice(sidecar->engines[i], &notice)) {
			control_notice(&sidecar->control, &notice);
			sidecar->engines_stopped +=
				notice.kind == ENGINE_STOPPED;
		}
}

static void
engines_stop(struct sidecar *sidecar)
{
	const struct engine_order stop = {.kind = ENGINE_STOP};

	for (uint32_t i = 0; i < sidecar->engines_length; i++)
		engine_order(sidecar->engines[i], &stop);
}

/* Those that were started, when they have been told to stop. */
static void
engines_close(struct sidecar *sidecar)
{
	while (sidecar->engines_stopped < sidecar->engines_length) {
		struct epoll_event events[16];

		epoll_wait(sidecar->epoll, events, ARRAY_LENGTH(events),
			PERIOD_MS);
		notices_take(sidecar);
	}
	for (uint32_t i = 0; i < sidecar->engines_length; i++)
		engine_destroy(sidecar->engines[i]);
	exchange_destroy(sidecar->exchange);
}

static int32_t
engines_start(struct sidecar *sidecar, struct engine_options *options,
	struct machnet_error *error)
{
	struct epoll_event interest = {.events = EPOLLIN};
	int32_t status = MACHNET_OK;

	if (options->engines > 1) {
		sidecar->exchange = exchange_create(options->engines);
		if (sidecar->exchange == NULL)
			return error_set(error, MACHNET_OUT_OF_MEMORY,
				"Cannot start %u engines: out of memory or "
				"descriptors",
				options->engines);
	}
	options->exchange = sidecar->exchange;
	while (status == MACHNET_OK &&
		sidecar->engines_length < options->engines) {
		struct engine **engine =
			&sidecar->engines[sidecar->engines_length];

		options->queue = (uint16_t)sidecar->engines_length;
		options->core = sidecar->configuration.cores[options->queue];
		status = engine_start(engine, options, error);
		if (status != MACHNET_OK)
			break;
		epoll_ctl(sidecar->epoll, EPOLL_CTL_ADD,
			engine_notice_fd(*engine), &interest);
		sidecar->engines_length++;
	}
	if (status != MACHNET_OK) {
		engines_stop(sidecar);
		engines_close(sidecar);
	}
	return status;
}

static int32_t
engines_open(struct sidecar *sidecar, struct machnet_error *error)
{
	const struct configuration *configuration = &sidecar->configuration;
	struct engine_options options = {
		.port = &sidecar->port,
		.address = configuration->address,
		.prefix_length = configuration->prefix_length,
		.gateway = configuration->gateway,
		.poll = configuration->poll,
		.peer_timeout_ms = configuration->peer_timeout_ms,
		.engines = (uint16_t)configuration->engines,
		.services = sidecar->services,
	};
	int32_t status;

	if (configuration->drive == MACHNET_DRIVE_INLINE) {
		if (!drive_init(&drive))
			return error_set(error, MACHNET_SYSTEM_ERROR,
				"Cannot start an engine: out of descriptors");
		options.drive = &drive;
	}
	if (getrandom(&options.instance, sizeof(options.instance), 0) < 0 ||
		getrandom(options.secret, sizeof(options.secret), 0) < 0)
		return error_set_errno(error, MACHNET_SYSTEM_ERROR, errno,
			"Cannot get random bytes");
	options.instance |= 1; /* never 0 */
	status = address_check(&options, error);
	if (status == MACHNET_OK)
		status = port_queues_check(&sidecar->port, error);
	if (status != MACHNET_OK)
		return status;
	return engines_start(sidecar, &options, error);
}

static int32_t
port_start(struct sidecar *sidecar, struct machnet_error *error)
{
	struct port_options options = {
		.device = sidecar->configuration.device,
		.mtu = sidecar->configuration.mtu,
		.queues = sidecar->configuration.engines,
	};

	return port_open(&sidecar->port, &options, error);
}

static void
tell(struct sidecar *sidecar, char news)
{
	send(sidecar->news_fd, &news, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* @param awaited a client is slow */
static void
link_look(struct sidecar *sidecar, bool awaited)
{
	bool up = port_link_up(&sidecar->port);

	sidecar->period_ms = u32_min(2 * sidecar->period_ms,
		up && !awaited ? PERIOD_QUIET_MS : PERIOD_MS);
	if (up == sidecar->link_up)
		return;
	sidecar->link_up = up;
	sidecar->period_ms = PERIOD_MIN_MS;
	tell(sidecar, up ? MACHNET_ENGINE_LINK_UP : MACHNET_ENGINE_LINK_DOWN);
}

/* @return why it ended, if it was not told to */
static int32_t
serve(struct sidecar *sidecar, struct machnet_error *error)
{
	struct epoll_event events[16];
	int32_t status = MACHNET_OK;
	bool awaited = false, stopping = false;
	eventfd_t ignored;

	sidecar->period_ms = PERIOD_MIN_MS;
	while (sidecar->engines_stopped < sidecar->engines_length) {
		link_look(sidecar, awaited);
		epoll_wait(sidecar->epoll, events, ARRAY_LENGTH(events),
			(int)sidecar->period_ms);
		awaited = control_serve(&sidecar->control);
		notices_take(sidecar);
		if (stopping)
			continue;
		status = port_queues_check(&sidecar->port, error);
		if (status != MACHNET_OK ||
			eventfd_read(sidecar->stop_fd, &ignored) == 0) {
			stopping = true;
			control_stop(&sidecar->control);
			engines_stop(sidecar);
		}
	}
	return status;
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
	status = engines_open(sidecar, error);
	if (status != MACHNET_OK)
		goto no_engine;
	sidecar->control.port = &sidecar->port;
	sidecar->control.engines = sidecar->engines;
	sidecar->control.engines_length = sidecar->engines_length;
	error_set(error, MACHNET_OK, "running");
	result_set(error);
	tell(sidecar, MACHNET_ENGINE_READY);
	status = serve(sidecar, error);
	engines_close(sidecar);
no_engine:
	port_stop(&sidecar->port);
	control_clients_end(&sidecar->control);
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
	int news_fd = sidecar->news_fd;

	if (live(sidecar, &error) == MACHNET_OK)
		error_set(&error, MACHNET_OK, "stopped");
	pthread_mutex_lock(&lock);
	result = error;
	ended = true;
	pthread_mutex_unlock(&lock);
	close(news_fd);
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
	sidecar->news_fd = fds[1];
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

static uint64_t
driver(uint32_t leaves)
{
	uint64_t now_ns = clock_now_ns();

	if (leaves != 0) {
		drive_leave(&drive);
		return now_ns;
	}
	if (!drive_enter(&drive, now_ns) || !drive_take(&drive))
		return now_ns;
	if (drive.engine != NULL)
		engine_drive(drive.engine, now_ns);
	drive_give(&drive);
	return now_ns;
}

void *
machnet_engine_driver(void)
{
	return (void *)driver;
}
