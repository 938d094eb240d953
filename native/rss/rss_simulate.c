/* SPDX-License-Identifier: MIT */
/*
 * What connections cost that must reach an engine on both sides, where nobody
 * can look into the NICs: a simulation of discrete events, see rss/crowd.h.
 * Prints one line of JSON, the same for the same arguments.
 *
 * So many --peers meet the servers; with other keys again and again, until
 * there were --connections first ones.
 */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/percentile.h"
#include "rss/crowd.h"

#define PEERS_MAX 1000000u
#define LATER_MAX 1000u
#define CONNECTIONS_MAX 1000000u

struct options {
	struct crowd_options crowd;
	uint32_t connections;
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

static const char *const kinds[] = {
	[CROWD_FIRST] = "first",
	[CROWD_LATER] = "later",
	[CROWD_SECOND] = "second",
};

static void
print_values(const char *name, uint32_t *values, uint32_t length)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < length; i++)
		sum += values[i];
	printf("\"%s\":{\"mean\":%.2f,\"p50\":%u,\"p95\":%u,\"max\":%u}", name,
		(double)sum / length, u32_percentile(values, length, 50),
		u32_percentile(values, length, 95),
		u32_percentile(values, length, 100));
}

static void
print_cost(const char *name, const struct crowd_cost *cost)
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
cost_init(struct crowd_cost *cost, size_t capacity)
{
	*cost = (struct crowd_cost){
		.packets = calloc(capacity + 1, sizeof(*cost->packets)),
		.rounds = calloc(capacity + 1, sizeof(*cost->rounds)),
	};
	if (cost->packets == NULL || cost->rounds == NULL)
		abort();
}

static void
cost_free(struct crowd_cost *cost)
{
	free(cost->packets);
	free(cost->rounds);
}

static void
run(const struct options *options)
{
	const struct crowd_options *crowd = &options->crowd;
	uint32_t crowds =
		(options->connections + crowd->peers - 1) / crowd->peers;
	size_t connections = (size_t)crowds * crowd->peers;
	uint64_t random = options->seed;
	struct crowd_cost costs[CROWD_KINDS];

	cost_init(&costs[CROWD_FIRST], connections);
	cost_init(&costs[CROWD_LATER], connections * crowd->later);
	cost_init(&costs[CROWD_SECOND], connections);
	for (uint32_t i = 0; i < crowds; i++)
		crowd_simulate(crowd, &random, costs);
	printf("{\"strategy\":\"%s\",\"hash\":\"%s\",\"queues\":%u,"
	       "\"peers\":%u",
		strategies[crowd->strategy], hashes[crowd->hash], crowd->queues,
		crowd->peers);
	for (unsigned k = 0; k < CROWD_KINDS; k++) {
		print_cost(kinds[k], &costs[k]);
		cost_free(&costs[k]);
	}
	printf("}\n");
}

enum option_key {
	OPTION_CONNECTIONS = 256,
	OPTION_HASH,
	OPTION_LATER,
	OPTION_PEERS,
	OPTION_QUEUES,
	OPTION_SEED,
	OPTION_STRATEGY,
};

static const struct argp_option argp_options[] = {
	{"strategy", OPTION_STRATEGY, "learn|flips|spray", 0,
		"how pairs of ports are found; learn", 0},
	{"hash", OPTION_HASH, "toeplitz|table|nonlinear|no-ports|crc", 0,
		"how NICs choose queues; toeplitz", 0},
	{"queues", OPTION_QUEUES, "N", 0, "of each host, 1 to 64; 8", 0},
	{"peers", OPTION_PEERS, "N", 0, "that the servers meet; 100", 0},
	{"later", OPTION_LATER, "N", 0,
		"connections between the same hosts after the first; 4", 0},
	{"connections", OPTION_CONNECTIONS, "N", 0,
		"first ones, with other keys after each crowd; 400", 0},
	{"seed", OPTION_SEED, "N", 0, "of all that is random; 1", 0},
	{0},
};

static uint64_t
number(struct argp_state *state, const char *text, uint64_t least,
	uint64_t most)
{
	char *end;
	uint64_t value = strtoull(text, &end, 10);

	if (end == text || *end != '\0' || value < least || value > most)
		argp_error(state, "%s is out of range", text);
	return value;
}

static unsigned
name(struct argp_state *state, const char *text, const char *const *names,
	unsigned length)
{
	unsigned i = 0;

	while (i < length && strcmp(text, names[i]) != 0)
		i++;
	if (i == length)
		argp_error(state, "%s is not known", text);
	return i;
}

static error_t
parse(int key, char *text, struct argp_state *state)
{
	struct options *options = state->input;
	struct crowd_options *crowd = &options->crowd;

	switch (key) {
	case OPTION_STRATEGY:
		crowd->strategy = name(state, text, strategies, STRATEGIES);
		return 0;
	case OPTION_HASH:
		crowd->hash = name(state, text, hashes, ARRAY_LENGTH(hashes));
		return 0;
	case OPTION_QUEUES:
		crowd->queues =
			(uint32_t)number(state, text, 1, RSS_QUEUES_MAX);
		return 0;
	case OPTION_PEERS:
		crowd->peers = (uint32_t)number(state, text, 1, PEERS_MAX);
		return 0;
	case OPTION_LATER:
		crowd->later = (uint32_t)number(state, text, 0, LATER_MAX);
		return 0;
	case OPTION_CONNECTIONS:
		options->connections =
			(uint32_t)number(state, text, 1, CONNECTIONS_MAX);
		return 0;
	case OPTION_SEED:
		options->seed = number(state, text, 0, UINT64_MAX);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = argp_options,
	.parser = parse,
	.doc = "What connections cost between hosts with opaque NICs, by "
	       "simulation: one line of JSON.",
};

int
main(int argc, char **argv)
{
	struct options options = {
		.crowd =
			{
				.strategy = STRATEGY_LEARN,
				.hash = SIM_TOEPLITZ,
				.queues = 8,
				.peers = 100,
				.later = 4,
			},
		.connections = 400,
		.seed = 1,
	};

	argp_parse(&argp, argc, argv, 0, NULL, &options);
	run(&options);
	return EXIT_SUCCESS;
}
