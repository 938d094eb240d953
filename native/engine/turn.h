/* SPDX-License-Identifier: MIT */
/*
 * What an engine does in a turn, whichever thread drives it: packets, orders,
 * channels and timers. When there is one, and by whom, is in engine.c.
 */
#ifndef ENGINE_TURN_H
#define ENGINE_TURN_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/follow.h"
#include "engine/channel.h"
#include "engine/engine.h"
#include "engine/hold.h"
#include "engine/mail.h"
#include "engine/network.h"

struct engine {
	struct engine_options options;
	struct engine_counters counters;
	struct listeners *listeners;
	struct transport *transport;
	struct network network;
	struct channel *channels[ENGINE_CHANNELS_MAX];
	uint32_t channels_length;
	/* Those of applications that are gone, of which there are packets. */
	struct channel *ended[ENGINE_CHANNELS_MAX];
	uint32_t ended_length;
	struct mail orders;
	struct mail notices;
	int epoll;
	uint64_t worked_ns; /* when there was work last */
	bool idle;	    /* there was none in the last turn */
	/* Of its thread: */
	uint64_t yield_ns; /* see idle_yield */
	bool crowded;	   /* others ran when it yielded last */
	struct hold hold;
	struct follow follow;

	bool asleep; /* those who have work for it ring */
	bool stopping;
	uint64_t stop_ns;
	unsigned lcore; /* of its thread, and of who drives it instead */
	pthread_t thread;
};

/** What the transport of an engine asks for; the context is the engine. */
extern const struct transport_ops turn_transport_ops;

/** Tell the control thread. */
void turn_notify(struct engine *engine, enum engine_notice_kind kind,
	struct channel *channel, void *cookie);

/** Run one, at a time. @return whether anything could be done */
bool turn_run(struct engine *engine, uint64_t now);

#endif
