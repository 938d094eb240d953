/* SPDX-License-Identifier: MIT */
/*
 * What handing over costs: the floor for request-reply over sidecars. Four
 * processes, two ends and an engine beside each, pass tokens on in shared
 * memory, along the way of requests and replies, and wait as channels and
 * engines do. Nothing is copied, no packet is made, no memory allocated.
 *
 *     handover server FILE
 *     handover server-engine FILE
 *     handover client-engine FILE
 *     handover client FILE <<<"SIZE WINDOW SECONDS"
 *
 * FILE is made by whichever comes first; the size means nothing.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/clock.h"
#include "base/idle.h"
#include "bench/load.h"

/* The way of a token: who writes there has passed so many on until now. */
enum place {
	REQUESTED,     /* by the client */
	REQUEST_SENT,  /* by its engine */
	REQUEST_THERE, /* by the server's engine */
	REPLIED,       /* by the server */
	REPLY_SENT,    /* by its engine */
	REPLY_THERE,   /* by the client's engine */
	PLACES,
};

struct way {
	struct {
		_Alignas(CACHE_LINE_BYTES) _Atomic uint64_t tokens;
	} places[PLACES];
};

static struct way *
way_open(const char *path)
{
	struct way *way;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, sizeof(*way)) < 0)
		load_fail("Cannot open", path);
	way = mmap(
		NULL, sizeof(*way), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (way == MAP_FAILED)
		load_fail("Cannot map", path);
	close(fd);
	return way;
}

static uint64_t
tokens(struct way *way, enum place place)
{
	return atomic_load_explicit(
		&way->places[place].tokens, memory_order_acquire);
}

static void
put(struct way *way, enum place place, uint64_t tokens)
{
	atomic_store_explicit(
		&way->places[place].tokens, tokens, memory_order_release);
}

/* Pass on what has come to a place. @return whether there was anything */
static bool
pass(struct way *way, enum place from, enum place to)
{
	uint64_t there = tokens(way, from);

	if (there == tokens(way, to))
		return false;
	put(way, to, there);
	return true;
}

/* What the one does who only passes on; in an engine first what came over the
 * network, then what its application wants. */
struct role {
	const char *name;
	uint32_t hops_length;
	struct {
		enum place from, to;
	} hops[2];
};

static const struct role roles[] = {
	{"server", 1, {{REQUEST_THERE, REPLIED}}},
	{"server-engine", 2,
		{{REQUEST_SENT, REQUEST_THERE}, {REPLIED, REPLY_SENT}}},
	{"client-engine", 2,
		{{REPLY_SENT, REPLY_THERE}, {REQUESTED, REQUEST_SENT}}},
};

static _Noreturn void
play(struct way *way, const struct role *role)
{
	uint64_t yield_ns = 0;
	uint32_t i;
	bool passed;

	for (;;) {
		passed = false;
		for (i = 0; i < role->hops_length; i++)
			passed |=
				pass(way, role->hops[i].from, role->hops[i].to);
		if (passed)
			yield_ns = 0;
		else
			idle_yield(&yield_ns, clock_now_ns());
	}
}

/* Send as many requests as fit the window, and each again when its reply is
 * there; what comes together shares a look at the clock. */
static void
measure(struct load *load, struct way *way)
{
	uint64_t sent = tokens(way, REQUESTED), taken = sent, there;
	uint64_t begin = sent, now = clock_now_ns(), yield_ns = 0;

	load_begin(load);
	while (sent < begin + load->window)
		load_request_at(load, (uint32_t)(sent++ - begin), now);
	put(way, REQUESTED, sent);
	while (!load_finished(load)) {
		there = tokens(way, REPLY_THERE);
		if (there == taken) {
			idle_yield(&yield_ns, clock_now_ns());
			continue;
		}
		yield_ns = 0;
		now = clock_now_ns();
		for (; taken < there; taken++) {
			uint32_t request =
				(uint32_t)((taken - begin) % load->window);

			if (!load_reply_at(load, request, now))
				continue;
			load_request_at(load, request, now);
			sent++;
		}
		put(way, REQUESTED, sent);
	}
}

int
main(int argc, char **argv)
{
	static struct load load;
	struct way *way;

	if (argc != 3)
		load_fail("Cannot start", "handover ROLE FILE");
	way = way_open(argv[2]);
	for (uint32_t i = 0; i < ARRAY_LENGTH(roles); i++) {
		if (strcmp(argv[1], roles[i].name) != 0)
			continue;
		/* As other servers, for whoever starts the client. */
		printf("listening on %s:0\n", argv[2]);
		fflush(stdout);
		play(way, &roles[i]);
	}
	if (strcmp(argv[1], "client") != 0)
		load_fail("Cannot start", argv[1]);
	while (load_read(&load)) {
		measure(&load, way);
		load_print(&load);
	}
	return 0;
}
