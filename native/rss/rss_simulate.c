/* SPDX-License-Identifier: MIT */
/*
 * What connections cost that must reach an engine on both sides, where nobody
 * can look into the NICs: a simulation of discrete events. Hosts that know
 * nothing connect to a server that knows nothing either, from an engine of
 * theirs to an engine of its; then --later times more; and at last to another
 * server. What packets teach is known when they arrive, not before, and to all
 * engines of the host. Prints one line of JSON. The same arguments give the
 * same line.
 *
 *     rss_simulate [--strategy learn|flips|spray] [--queues 8] [--peers 100]
 *                  [--hash toeplitz|table|nonlinear|no-ports|crc]
 *                  [--later 4] [--connections 400] [--seed 1]
 *
 * So many --peers meet the servers; with other keys again and again, until
 * there were --connections first ones.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "rss/strategy.h"

#define SERVERS 2u
#define ADDRESS 0x0a000001u /* of the first server; clients follow */
/* From host to host, and what comes to it at random. */
#define LATENCY_NS 20000u
#define JITTER_NS 10000u
/* Of new peers at the server, on average: 10 000 in a second. */
#define INTERVAL_NS 100000u

#define PEERS_MAX 1000000u
#define LATER_MAX 1000u
#define CONNECTIONS_MAX 1000000u

struct options {
	enum strategy_name strategy;
	enum sim_hash hash;
	uint32_t queues, peers, later, connections;
	uint64_t seed;
};

static const char *const strategies[] = {
	[STRATEGY_SPRAY] = "spray",
	[STRATEGY_FLIPS] = "flips",
	[STRATEGY_LEARN] = "learn",
};

static const char *const hashes[] = {
	[SIM_TOEPLITZ] = "toeplitz",
	[SIM_NONLINEAR] = "nonlinear",
	[SIM_IGNORES_PORTS] = "no-ports",
	[SIM_TABLE] = "table",
	[SIM_CRC] = "crc",
};

/* What connections cost, one number of each. */
struct cost {
	uint32_t *packets; /* SYNs and answers */
	uint32_t *rounds;
	uint32_t length;
	uint32_t off;  /* that were opened off their engines */
	uint32_t lost; /* that never came to be on them */
};

/* Connections, by what was known before. */
enum kind {
	KIND_FIRST,  /* of two NICs; the server may have met other clients */
	KIND_LATER,  /* between the same hosts */
	KIND_SECOND, /* first to another server, from a NIC that is known */
	KINDS,
};

static const char *const kinds[] = {"first", "later", "second"};

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
	const struct options *options;
	uint64_t random;
	uint64_t now_ns;
	uint64_t events_made;
	struct sim_host servers[SERVERS];
	struct client **clients; /* NULL before they begin, and after the end */
	struct event *heap;
	uint32_t heap_length, heap_capacity;
	struct cost *costs; /* by kind */
};

static void *
memory(size_t length, size_t bytes)
{
	void *block = calloc(length, bytes);

	if (block == NULL) {
		fprintf(stderr, "rss_simulate: out of memory\n");
		exit(EXIT_FAILURE);
	}
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
	event_add(w, event, LATENCY_NS + sim_random(&w->random) % JITTER_NS);
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

static enum kind
kind_of(const struct world *w, const struct client *client)
{
	if (client->connection == 0)
		return KIND_FIRST;
	return client->connection <= w->options->later ? KIND_LATER
						       : KIND_SECOND;
}

static void
begin(struct world *w, uint32_t index)
{
	const struct options *options = w->options;
	struct client *client = w->clients[index];

	if (client == NULL) {
		client = w->clients[index] = memory(1, sizeof(*client));
		sim_host_init(&client->host, &w->random,
			ADDRESS + SERVERS + index, options->queues,
			options->hash);
	}
	client->server = &w->servers[kind_of(w, client) == KIND_SECOND ? 1 : 0];
	client->engine = (uint32_t)(sim_random(&w->random) % options->queues);
	client->server_engine =
		(uint32_t)(sim_random(&w->random) % options->queues);
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
	const struct rss_probe *probe = &client->probes[event->probe];
	uint32_t queues[RSS_WAYS] = {[RSS_OUT] = event->answer.queue};

	if (event->burst != client->burst)
		return;
	queues[RSS_IN] = sim_answered(
		&client->host, client->server, probe->pairs, &event->answer);
	client->unanswered--;
	if (strategy_answered(&client->strategy, &client->host,
		    client->server->address, probe, queues,
		    client->server_engine) ||
		client->unanswered == 0)
		go_on(w, event->client);
}

static void
cost_add(struct cost *cost, const struct client *client, bool hit)
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
	struct cost *cost = &w->costs[kind_of(w, client)];
	uint32_t queues[RSS_WAYS] = {[RSS_OUT] = event->answer.queue};
	uint32_t pairs[RSS_WAYS];
	bool hit, again;

	strategy_pairs(&client->strategy, pairs);
	queues[RSS_IN] = sim_answered(
		&client->host, client->server, pairs, &event->answer);
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
			sim_random(&w->random) % (2 * INTERVAL_NS));
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

/* Two servers and all their peers. */
static void
simulate(const struct options *options, uint64_t *random, struct cost *costs)
{
	struct world w = {
		.options = options,
		.random = sim_random(random),
		.clients = memory(options->peers, sizeof(*w.clients)),
		.costs = costs,
	};

	for (uint32_t i = 0; i < SERVERS; i++)
		sim_host_init(&w.servers[i], &w.random, ADDRESS + i,
			options->queues, options->hash);
	for (uint32_t i = 0; i < options->peers; i++)
		event_add(&w, (struct event){.client = i},
			sim_random(&w.random) %
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

static int
ascending(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void
print_values(const char *name, uint32_t *values, uint32_t length)
{
	uint64_t sum = 0;

	qsort(values, length, sizeof(*values), ascending);
	for (uint32_t i = 0; i < length; i++)
		sum += values[i];
	printf("\"%s\":{\"mean\":%.2f,\"p50\":%u,\"p95\":%u,\"max\":%u}", name,
		(double)sum / length, values[length / 2],
		values[(uint64_t)length * 95 / 100], values[length - 1]);
}

static void
print_cost(const char *name, const struct cost *cost)
{
	printf(",\"%s\":", name);
	if (cost->length == 0) {
		printf("null");
		return;
	}
	printf("{\"connections\":%u,\"off\":%u,\"lost\":%u,", cost->length,
		cost->off, cost->lost);
	print_values("packets", cost->packets, cost->length);
	printf(",");
	print_values("rounds", cost->rounds, cost->length);
	printf("}");
}

static void
cost_init(struct cost *cost, size_t capacity)
{
	*cost = (struct cost){
		.packets = memory(capacity + 1, sizeof(*cost->packets)),
		.rounds = memory(capacity + 1, sizeof(*cost->rounds)),
	};
}

static void
cost_free(struct cost *cost)
{
	free(cost->packets);
	free(cost->rounds);
}

static void
run(const struct options *options)
{
	uint32_t worlds =
		(options->connections + options->peers - 1) / options->peers;
	size_t connections = (size_t)worlds * options->peers;
	uint64_t random = options->seed;
	struct cost costs[KINDS];

	for (unsigned k = 0; k < KINDS; k++)
		cost_init(&costs[k], k == KIND_LATER
					     ? connections * options->later
					     : connections);
	for (uint32_t i = 0; i < worlds; i++)
		simulate(options, &random, costs);
	printf("{\"strategy\":\"%s\",\"hash\":\"%s\",\"queues\":%u,"
	       "\"peers\":%u",
		strategies[options->strategy], hashes[options->hash],
		options->queues, options->peers);
	for (unsigned k = 0; k < KINDS; k++) {
		print_cost(kinds[k], &costs[k]);
		cost_free(&costs[k]);
	}
	printf("}\n");
}

static void
usage(const char *option)
{
	fprintf(stderr, "Cannot simulate: --%s has no such value\n", option);
	exit(EXIT_FAILURE);
}

static uint64_t
number(const char *option, uint64_t least, uint64_t most)
{
	char *end;
	uint64_t value = strtoull(optarg, &end, 10);

	if (end == optarg || *end != '\0' || value < least || value > most)
		usage(option);
	return value;
}

static unsigned
name(const char *option, const char *const *names, unsigned length)
{
	for (unsigned i = 0; i < length; i++)
		if (strcmp(optarg, names[i]) == 0)
			return i;
	usage(option);
	return 0;
}

int
main(int argc, char **argv)
{
	static const struct option known[] = {
		{"strategy", required_argument, NULL, 's'},
		{"hash", required_argument, NULL, 'h'},
		{"queues", required_argument, NULL, 'q'},
		{"peers", required_argument, NULL, 'p'},
		{"later", required_argument, NULL, 'l'},
		{"connections", required_argument, NULL, 'c'},
		{"seed", required_argument, NULL, 'r'},
		{0},
	};
	struct options options = {
		.strategy = STRATEGY_LEARN,
		.hash = SIM_TOEPLITZ,
		.queues = 8,
		.peers = 100,
		.later = 4,
		.connections = 400,
		.seed = 1,
	};
	int option, at;

	while ((option = getopt_long(argc, argv, "", known, &at)) != -1) {
		const char *of = option == '?' ? "" : known[at].name;

		switch (option) {
		case 's':
			options.strategy = name(of, strategies, STRATEGIES);
			break;
		case 'h':
			options.hash = name(of, hashes, ARRAY_LENGTH(hashes));
			break;
		case 'q':
			options.queues =
				(uint32_t)number(of, 1, RSS_QUEUES_MAX);
			break;
		case 'p':
			options.peers = (uint32_t)number(of, 1, PEERS_MAX);
			break;
		case 'l':
			options.later = (uint32_t)number(of, 0, LATER_MAX);
			break;
		case 'c':
			options.connections =
				(uint32_t)number(of, 1, CONNECTIONS_MAX);
			break;
		case 'r':
			options.seed = number(of, 0, UINT64_MAX);
			break;
		default:
			return EXIT_FAILURE;
		}
	}
	if (optind != argc)
		usage(argv[optind]);
	run(&options);
	return EXIT_SUCCESS;
}
