/* SPDX-License-Identifier: MIT */
#include "rss/crowd.h"

#include <stdlib.h>

#include "base/bits.h"
#include "base/splitmix64.h"

#define SERVERS 2u
#define ADDRESS 0x0a000001u /* of the first server; clients follow */
/* From host to host, and what comes to it at random. */
#define LATENCY_NS 20000u
#define JITTER_NS 10000u
/* Of new peers at a server, on average: 10 000 in a second. */
#define INTERVAL_NS 100000u

enum event_kind {
	EVENT_BEGIN,
	EVENT_SYN,
	EVENT_ANSWER,
	EVENT_CONFIRM,
	EVENT_ACCEPT,
};

struct client {
	struct sim_host host;
	struct sim_host *server;
	struct strategy strategy;
	struct rss_probe probes[RSS_BURST_MAX];
	uint32_t length, unanswered; /* of the burst */
	uint32_t burst; /* counts them; answers of another are too late */
	uint32_t engine, server_engine;
	uint32_t connection; /* counts them */
	uint32_t packets, rounds;
	bool opened;
};

struct event {
	uint64_t time_ns;
	uint64_t order; /* that it was made in: nothing happens at once */
	uint32_t client;
	uint32_t burst;
	uint8_t kind;
	uint8_t probe;
	struct sim_answer answer;
};

struct world {
	const struct crowd_options *options;
	uint64_t random;
	uint64_t now_ns;
	uint64_t events_made;
	struct sim_host servers[SERVERS];
	struct client **clients; /* NULL before they begin, and after the end */
	struct event *heap;
	uint32_t heap_length, heap_capacity;
	struct crowd_cost *costs; /* by kind */
};

static void *
memory(size_t length, size_t bytes)
{
	void *block = calloc(length, bytes);

	if (block == NULL)
		abort();
	return block;
}

static bool
sooner(const struct event *a, const struct event *b)
{
	if (a->time_ns != b->time_ns)
		return a->time_ns < b->time_ns;
	return a->order < b->order;
}

static void
event_add(struct world *w, struct event event, uint64_t delay_ns)
{
	uint32_t at = w->heap_length++;

	event.time_ns = w->now_ns + delay_ns;
	event.order = w->events_made++;
	if (w->heap_length > w->heap_capacity) {
		w->heap_capacity = u32_max(1024, 2 * w->heap_capacity);
		w->heap = realloc(w->heap, w->heap_capacity * sizeof(*w->heap));
		if (w->heap == NULL)
			abort();
	}
	for (; at > 0 && sooner(&event, &w->heap[(at - 1) / 2]);
		at = (at - 1) / 2)
		w->heap[at] = w->heap[(at - 1) / 2];
	w->heap[at] = event;
}

static struct event
event_take(struct world *w)
{
	struct event first = w->heap[0];
	struct event last = w->heap[--w->heap_length];
	uint32_t at = 0, child;

	while ((child = 2 * at + 1) < w->heap_length) {
		if (child + 1 < w->heap_length &&
			sooner(&w->heap[child + 1], &w->heap[child]))
			child++;
		if (!sooner(&w->heap[child], &last))
			break;
		w->heap[at] = w->heap[child];
		at = child;
	}
	w->heap[at] = last;
	w->now_ns = first.time_ns;
	return first;
}

static void
packet_send(struct world *w, struct event event, enum event_kind kind)
{
	event.kind = (uint8_t)kind;
	event_add(w, event, LATENCY_NS + splitmix64(&w->random) % JITTER_NS);
}

/* The next SYNs, or the CONFIRM. */
static void
go_on(struct world *w, uint32_t index)
{
	struct client *client = w->clients[index];
	struct event event = {.client = index, .burst = ++client->burst};

	client->length = strategy_next(&client->strategy, &client->host,
		client->server->address, &w->random, client->probes);
	client->unanswered = client->length;
	if (client->length == 0) {
		packet_send(w, event, EVENT_CONFIRM);
		return;
	}
	client->rounds += !client->opened;
	client->packets += 2 * client->length;
	for (uint32_t i = 0; i < client->length; i++) {
		event.probe = (uint8_t)i;
		packet_send(w, event, EVENT_SYN);
	}
}

static enum crowd_kind
kind_of(const struct world *w, const struct client *client)
{
	if (client->connection == 0)
		return CROWD_FIRST;
	return client->connection <= w->options->later ? CROWD_LATER
						       : CROWD_SECOND;
}

static void
begin(struct world *w, uint32_t index)
{
	const struct crowd_options *options = w->options;
	struct client *client = w->clients[index];

	if (client == NULL) {
		client = w->clients[index] = memory(1, sizeof(*client));
		sim_host_init(&client->host, &w->random,
			ADDRESS + SERVERS + index, options->queues,
			options->hash);
	}
	client->server =
		&w->servers[kind_of(w, client) == CROWD_SECOND ? 1 : 0];
	client->engine = (uint32_t)(splitmix64(&w->random) % options->queues);
	client->server_engine =
		(uint32_t)(splitmix64(&w->random) % options->queues);
	client->packets = client->rounds = 0;
	client->opened = false;
	strategy_begin(&client->strategy, options->strategy, options->queues,
		client->engine);
	go_on(w, index);
}

static void
answer_arrives(struct world *w, const struct event *event)
{
	struct client *client = w->clients[event->client];
	struct rss_probe *probe = &client->probes[event->probe];
	uint32_t queues[RSS_WAYS] = {[RSS_OUT] = event->answer.queue};

	if (event->burst != client->burst)
		return;
	queues[RSS_IN] = sim_answered(
		&client->host, client->server, probe, &event->answer);
	client->unanswered--;
	if (strategy_answered(&client->strategy, &client->host,
		    client->server->address, probe, queues,
		    client->server_engine) ||
		client->unanswered == 0)
		go_on(w, event->client);
}

static void
cost_add(struct crowd_cost *cost, const struct client *client, bool hit)
{
	cost->packets[cost->length] = client->packets;
	cost->rounds[cost->length] = client->rounds;
	cost->length++;
	cost->lost += !hit;
}

static void
accept_arrives(struct world *w, const struct event *event)
{
	struct client *client = w->clients[event->client];
	struct crowd_cost *cost = &w->costs[kind_of(w, client)];
	uint32_t queues[RSS_WAYS] = {[RSS_OUT] = event->answer.queue};
	struct rss_probe opened = {0};
	bool hit, again;

	strategy_pairs(&client->strategy, opened.pairs);
	queues[RSS_IN] = sim_answered(
		&client->host, client->server, &opened, &event->answer);
	hit = queues[RSS_IN] == client->engine &&
	      queues[RSS_OUT] == client->server_engine;
	cost->off += !hit && !client->opened;
	client->opened = true;
	again = strategy_opened(&client->strategy, &client->host,
		client->server->address, queues);
	if (again) {
		go_on(w, event->client);
		return;
	}
	cost_add(cost, client, hit);
	if (client->connection++ <= w->options->later) {
		event_add(w, (struct event){.client = event->client},
			splitmix64(&w->random) % (2 * INTERVAL_NS));
		return;
	}
	sim_host_free(&client->host);
	free(client);
	w->clients[event->client] = NULL;
}

/* At the server. */
static void
syn_arrives(struct world *w, struct event event)
{
	struct client *client = w->clients[event.client];
	uint32_t pairs[RSS_WAYS];

	strategy_pairs(&client->strategy, pairs);
	event.answer = sim_syn(&client->host, client->server,
		event.kind == EVENT_SYN
			? client->probes[event.probe].pairs[RSS_OUT]
			: pairs[RSS_OUT]);
	packet_send(w, event,
		event.kind == EVENT_SYN ? EVENT_ANSWER : EVENT_ACCEPT);
}

static void
event_happen(struct world *w, const struct event *event)
{
	switch (event->kind) {
	case EVENT_BEGIN:
		begin(w, event->client);
		break;
	case EVENT_SYN:
	case EVENT_CONFIRM:
		syn_arrives(w, *event);
		break;
	case EVENT_ANSWER:
		answer_arrives(w, event);
		break;
	case EVENT_ACCEPT:
		accept_arrives(w, event);
		break;
	}
}

void
crowd_simulate(const struct crowd_options *options, uint64_t *random,
	struct crowd_cost costs[CROWD_KINDS])
{
	struct world w = {
		.options = options,
		.random = splitmix64(random),
		.clients = memory(options->peers, sizeof(*w.clients)),
		.costs = costs,
	};

	for (uint32_t i = 0; i < SERVERS; i++)
		sim_host_init(&w.servers[i], &w.random, ADDRESS + i,
			options->queues, options->hash);
	for (uint32_t i = 0; i < options->peers; i++)
		event_add(&w, (struct event){.client = i},
			splitmix64(&w.random) %
				((uint64_t)options->peers * INTERVAL_NS));
	while (w.heap_length != 0) {
		struct event event = event_take(&w);

		event_happen(&w, &event);
	}
	for (uint32_t i = 0; i < SERVERS; i++)
		sim_host_free(&w.servers[i]);
	free(w.heap);
	free(w.clients);
}
