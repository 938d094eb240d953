// SPDX-License-Identifier: MIT
#include "engine/engine.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/error.h"
#include "base/idle.h"
#include "engine/drive.h"
#include "engine/exchange.h"
#include "engine/handover.h"
#include "engine/turn.h"

/* Sleep. */

/* How long there is nothing to do but to look for packets. */
static uint64_t
pause_ns(const struct engine *engine, uint64_t now)
{
	uint64_t deadline = transport_deadline_ns(engine->transport);
	uint64_t pause = idle_nap_ns(
		now - engine->worked_ns, port_wakes(engine->options.port));

	/* Of what is due there is nothing that could be sent. */
	if (engine->network.stuck)
		return pause;
	return deadline <= now ? 0 : u64_min(pause, deadline - now);
}

/* Let everybody ring who has work. @return false: there is some */
static bool
fall_asleep(struct engine *engine)
{
	const struct engine_options *options = &engine->options;
	bool quiet = true;

	engine->asleep = true;
	if (options->exchange != NULL)
		quiet &= exchange_sleep(options->exchange, options->queue);
	for (uint32_t i = 0; i < engine->channels_length; i++)
		quiet &= channel_sleep(engine->channels[i]);
	return quiet && !mail_waiting(&engine->orders);
}

static void
wake_up(struct engine *engine)
{
	const struct engine_options *options = &engine->options;

	engine->asleep = false;
	for (uint32_t i = 0; i < engine->channels_length; i++)
		channel_wake(engine->channels[i]);
	if (options->exchange != NULL)
		exchange_wake(options->exchange, options->queue);
}

/* Which is what the drive is taken for, but for a look at the clock. */
static void
turn(struct engine *engine, uint64_t now)
{
	if (engine->asleep)
		wake_up(engine);
	engine->idle = !turn_run(engine, now);
	if (engine->idle)
		return;
	engine->worked_ns = now;
	hold_worked(&engine->hold);
}

void
engine_drive(struct engine *engine, uint64_t now)
{
	unsigned lcore = port_lcore_enter(engine->lcore);

	turn(engine, now);
	port_lcore_enter(lcore);
}

/* The thread. */

/* @return false: another thread drives the engine, or did meanwhile */
static bool
take(struct engine *engine, uint64_t now)
{
	struct drive *drive = engine->options.drive;

	if (drive == NULL)
		return true;
	if (!drive_away(drive, now)) {
		drive_watch(drive, now);
		return false;
	}
	if (drive_take(drive))
		return true;
	sched_yield();
	return false;
}

static void
give(struct engine *engine)
{
	if (engine->options.drive != NULL)
		drive_give(engine->options.drive);
}

/* What ended a rest. */
enum waking {
	WAKING_NONE, /* it was over */
	WAKING_BELL, /* somebody has work for this engine */
	WAKING_PORT, /* packets came, perhaps for another engine */
};

/* Without the drive, though with what fall_asleep did. */
static enum waking
sleep_for(struct engine *engine, uint64_t pause)
{
	const struct engine_options *options = &engine->options;
	struct pollfd fds[] = {
		{.fd = engine->epoll, .events = POLLIN},
		{.fd = port_wake_fd(options->port, options->queue),
			.events = POLLIN},
	};
	struct timespec timeout = {.tv_nsec = (long)pause};
	struct epoll_event events[16];

	if (ppoll(fds, ARRAY_LENGTH(fds), &timeout, NULL) <= 0)
		return WAKING_NONE;
	if (fds[0].revents != 0)
		epoll_wait(engine->epoll, events, ARRAY_LENGTH(events), 0);
	if (fds[1].revents == 0)
		return WAKING_BELL;
	port_wake_take(options->port);
	return WAKING_PORT;
}

/* Gives the drive back. */
static enum waking
sleep_until(struct engine *engine, uint64_t now)
{
	struct drive *drive = engine->options.drive;
	uint64_t pause = pause_ns(engine, now);
	enum waking waking = WAKING_NONE;
	bool quiet;

	if (drive != NULL)
		drive_block(drive);
	quiet = pause != 0 && fall_asleep(engine);
	engine->counters.sleeps += quiet;
	give(engine);
	if (quiet)
		waking = sleep_for(engine, pause);
	if (drive != NULL)
		drive_unblock(drive);
	return waking;
}

/* The applications that are awake. */
struct company {
	bool waits;   /* there are some, and they all wait for the engine */
	uint32_t cpu; /* of them all, or PROCESSOR_NONE */
};

/* @param welcome where the engine is alone, for the applications to know, or
 * PROCESSOR_NONE */
static struct company
company_meet(const struct engine *engine, uint32_t welcome)
{
	struct company company = {.cpu = PROCESSOR_NONE};
	enum channel_application application;
	bool found = false;
	uint32_t cpu;

	for (uint32_t i = 0; i < engine->channels_length; i++) {
		channel_tell_cpu(engine->channels[i], welcome);
		application = channel_application(engine->channels[i], &cpu);
		if (application == APPLICATION_ASLEEP)
			continue;
		if (!found) {
			company.cpu = cpu;
			company.waits = true;
			found = true;
		}
		if (cpu != company.cpu)
			company.cpu = PROCESSOR_NONE;
		company.waits &= application == APPLICATION_WAITS;
	}
	return company;
}

/* Keep the processor for those who wait here, or go where they are, or let
 * others run. Gives the drive back. @return the time, or 0: it was not read */
static uint64_t
stand_by(struct engine *engine, uint64_t now)
{
	uint32_t cpu = (uint32_t)sched_getcpu();
	/* A core that it was given is not for others to come to. */
	bool welcomes = !engine->crowded && engine->options.core < 0;
	/* Who has the drive next changes channels. */
	struct company company =
		company_meet(engine, welcomes ? cpu : PROCESSOR_NONE);
	bool holds = hold_on(&engine->hold, company.waits && company.cpu == cpu,
		now - engine->worked_ns, now);
	uint64_t after;

	if (follow_now(
		    &engine->follow, cpu, company.cpu, engine->crowded, now) &&
		follow_move(company.cpu))
		engine->counters.moves++;
	give(engine);
	if (holds)
		return 0;
	after = idle_yield(&engine->yield_ns, now);
	if (after != 0)
		engine->crowded = engine->yield_ns == 0;
	return after;
}

/* Gives the drive back, and brings the time up to date. */
static enum waking
rest(struct engine *engine, uint64_t *now)
{
	bool yields = *now - engine->worked_ns < IDLE_AWAKE_NS;
	enum waking waking = WAKING_NONE;
	uint64_t after = 0;

	if (!engine->idle || engine->options.poll == MACHNET_POLL_BUSY) {
		engine->yield_ns = 0;
		give(engine);
	} else if (!yields) {
		waking = sleep_until(engine, *now);
	} else {
		after = stand_by(engine, *now);
	}
	*now = after != 0 ? after : clock_now_ns();
	return waking;
}

/* Stay awake: more will come. */
static void
woken(struct engine *engine, uint64_t now, enum waking waking)
{
	engine->worked_ns = now;
	if (waking != WAKING_PORT)
		return;
	handover_attention(&engine->network);
	handover_flush(&engine->network);
}

static bool
stopped(struct engine *engine, uint64_t now)
{
	if (!engine->stopping)
		return false;
	return (transport_settled(engine->transport) &&
		       engine->ended_length == 0) ||
	       now >= engine->stop_ns;
}

/* Turns, until it has stopped; then the drive stays taken. */
static void
turns_run(struct engine *engine)
{
	enum waking waking = WAKING_BELL;
	uint64_t now = clock_now_ns();

	for (;;) {
		if (!take(engine, now)) {
			now = clock_now_ns();
			continue;
		}
		if (stopped(engine, now))
			return;
		if (waking != WAKING_NONE)
			woken(engine, now, waking);
		turn(engine, now);
		waking = rest(engine, &now);
	}
}

static void *
run(void *argument)
{
	struct engine *engine = argument;

	port_thread_begin(NULL);
	prctl(PR_SET_TIMERSLACK, IDLE_TIMER_SLACK_NS);
	engine->lcore = port_lcore();
	if (engine->options.queue == 0)
		network_announce(&engine->network);
	if (engine->options.drive != NULL)
		drive_open(engine->options.drive, engine);
	turns_run(engine);
	network_end(&engine->network);
	if (engine->options.drive != NULL) {
		engine->options.drive->engine = NULL;
		drive_give(engine->options.drive);
	}
	port_thread_end();
	turn_notify(engine, ENGINE_STOPPED, NULL, NULL);
	return NULL;
}

/* Life. */

static int32_t
transport_start(struct engine *engine, struct machnet_error *error)
{
	const struct engine_options *options = &engine->options;
	struct transport_options transport = {
		.address = options->address,
		.mtu = (uint16_t)options->port->mtu,
		.engine = options->queue,
		.engines = options->engines,
		.descriptors = options->port->rx_descriptors,
		.flows_max = TRANSPORT_FLOWS_MAX,
		.instance = options->instance,
		.nic_key = options->port->nic_key,
		.peer_timeout_ms = options->peer_timeout_ms,
	};

	memcpy(transport.secret, options->secret, sizeof(transport.secret));
	if (getrandom(transport.seed, sizeof(transport.seed), 0) !=
		sizeof(transport.seed))
		return error_set_errno(error, MACHNET_SYSTEM_ERROR, errno,
			"Cannot get random bytes");
	engine->listeners = transport.listeners =
		listeners_create(options->services, options->queue);
	if (engine->listeners != NULL)
		engine->transport = transport_create(
			&transport, &turn_transport_ops, engine);
	if (engine->transport == NULL)
		return error_set(error, MACHNET_OUT_OF_MEMORY,
			"Cannot start an engine: out of memory");
	return MACHNET_OK;
}

/* @return 0 or an errno */
static int
thread_create(struct engine *engine)
{
	int32_t core = engine->options.core;
	sigset_t all, before;
	pthread_attr_t attributes;
	cpu_set_t cores;
	char name[16];
	int result;

	pthread_attr_init(&attributes);
	CPU_ZERO(&cores);
	if (core >= 0) {
		CPU_SET((unsigned)core, &cores);
		pthread_attr_setaffinity_np(&attributes, sizeof(cores), &cores);
	}
	/* Signals are the application's, or main's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	result = pthread_create(&engine->thread, &attributes, run, engine);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	if (result == 0) {
		snprintf(name, sizeof(name), "machnet/%u",
			engine->options.queue);
		pthread_setname_np(engine->thread, name);
	}
	return result;
}

static int32_t
thread_start(struct engine *engine, struct machnet_error *error)
{
	struct epoll_event interest = {.events = EPOLLIN | EPOLLET};
	const struct engine_options *options = &engine->options;
	int result;

	epoll_ctl(engine->epoll, EPOLL_CTL_ADD, engine->orders.fd, &interest);
	if (options->exchange != NULL)
		epoll_ctl(engine->epoll, EPOLL_CTL_ADD,
			exchange_fd(options->exchange, options->queue),
			&interest);
	if (options->drive != NULL)
		epoll_ctl(engine->epoll, EPOLL_CTL_ADD, options->drive->fd,
			&interest);
	result = thread_create(engine);
	if (result == 0)
		return MACHNET_OK;
	if (result == EINVAL && options->core >= 0)
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot run engine %u on core %d: this process may not "
			"use it, or there is none",
			options->queue, options->core);
	return error_set_errno(error, MACHNET_SYSTEM_ERROR, result,
		"Cannot start the thread of engine %u", options->queue);
}

int32_t
engine_start(struct engine **made, const struct engine_options *options,
	struct machnet_error *error)
{
	struct engine *engine = calloc(1, sizeof(*engine));
	int32_t status;

	if (engine == NULL)
		return error_set(error, MACHNET_OUT_OF_MEMORY,
			"Cannot start an engine: out of memory");
	engine->options = *options;
	follow_init(&engine->follow);
	status = transport_start(engine, error);
	if (status != MACHNET_OK)
		goto no_transport;
	network_init(&engine->network, &engine->options, &engine->counters,
		engine->transport);
	status = error_set(error, MACHNET_SYSTEM_ERROR,
		"Cannot start an engine: out of descriptors");
	engine->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (engine->epoll < 0)
		goto no_epoll;
	if (!mail_init(&engine->orders, sizeof(struct engine_order)))
		goto no_orders;
	if (!mail_init(&engine->notices, sizeof(struct engine_notice)))
		goto no_notices;
	status = thread_start(engine, error);
	if (status != MACHNET_OK)
		goto no_thread;
	*made = engine;
	return MACHNET_OK;

no_thread:
	mail_end(&engine->notices);
no_notices:
	mail_end(&engine->orders);
no_orders:
	close(engine->epoll);
no_epoll:
	transport_destroy(engine->transport);
no_transport:
	listeners_destroy(engine->listeners);
	free(engine);
	return status;
}

void
engine_destroy(struct engine *engine)
{
	pthread_join(engine->thread, NULL);
	handover_end(&engine->network);
	mail_end(&engine->notices);
	mail_end(&engine->orders);
	close(engine->epoll);
	transport_destroy(engine->transport);
	listeners_destroy(engine->listeners);
	free(engine);
}

int
engine_notice_fd(const struct engine *engine)
{
	return engine->notices.fd;
}

bool
engine_notice(struct engine *engine, struct engine_notice *notice)
{
	return mail_receive(&engine->notices, notice);
}

void
engine_order(struct engine *engine, const struct engine_order *order)
{
	mail_send(&engine->orders, order);
}
