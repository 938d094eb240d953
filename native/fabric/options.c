/* SPDX-License-Identifier: MIT */
#include "fabric/options.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "fabric/commands.h"
#include "fabric/fabric.h"
#include "fabric/profiles.h"

#define DOC                                                                    \
	"A switch for hosts on one machine, and their vNICs: each machnetd "   \
	"gets --device memif:DIR/hostN.memif."

enum option_key {
	OPTION_BANDWIDTH = 256,
	OPTION_CORRUPT,
	OPTION_DEPTH,
	OPTION_DIRECTORY,
	OPTION_DUPLICATE,
	OPTION_ECN_THRESHOLD,
	OPTION_EXIT_WITH_PARENT,
	OPTION_FIREWALL,
	OPTION_HASH,
	OPTION_HOSTS,
	OPTION_LATENCY,
	OPTION_LOSS,
	OPTION_MTU,
	OPTION_PACKETS,
	OPTION_POLL,
	OPTION_PROFILE,
	OPTION_QUEUES,
	OPTION_REORDER,
	OPTION_SEED,
	OPTION_SYNTHETIC_FIRST,
	OPTION_TABLE,
};

static const struct argp_option argp_options[] = {
	{"directory", OPTION_DIRECTORY, "DIR", 0,
		"where the sockets are: host0.memif, host1.memif, ..., and "
		"fabric.sock, which takes one command a "
		"connection: " COMMANDS_HELP,
		0},
	{"hosts", OPTION_HOSTS, "N", 0, "1 to 32", 0},
	{"seed", OPTION_SEED, "N", 0,
		"of the random numbers, and of the keys of the hashes; 0", 0},
	{"profile", OPTION_PROFILE, PROFILES, 0,
		"what the network is like, as far as the other options do not "
		"say; " PROFILE_DEFAULT,
		0},
	{"queues", OPTION_QUEUES, "N[,N...]", 0,
		"RX queues of each host's vNIC, 1 to 64, as many as its driver "
		"opens; one number for all, or one for each host",
		0},
	{"hash", OPTION_HASH, "toeplitz|no-udp-ports|siphash", 0,
		"how a vNIC chooses the queue of a packet: with Toeplitz, "
		"without UDP ports, or with SipHash, which is not linear; "
		"toeplitz",
		0},
	{"table", OPTION_TABLE, "round-robin|shuffled", 0,
		"which queues the 128 hash values have; round-robin", 0},
	{"firewall", OPTION_FIREWALL, "HOST[,HOST...]", 0,
		"hosts that only answers come in to; none", 0},
	{"synthetic-first", OPTION_SYNTHETIC_FIRST, "yes|no", 0,
		"the first packet of a flow goes to another queue; no", 0},
	{"depth", OPTION_DEPTH, "N", 0,
		"frames that wait in an RX queue, with the 256 of its ring", 0},
	{"mtu", OPTION_MTU, "BYTES", 0, "of IP", 0},
	{"loss", OPTION_LOSS, "P", 0, "share of frames that get lost, 0 to 1",
		0},
	{"duplicate", OPTION_DUPLICATE, "P", 0, "... that arrive twice", 0},
	{"reorder", OPTION_REORDER, "P", 0,
		"... that arrive up to 100 us after their turn", 0},
	{"corrupt", OPTION_CORRUPT, "P", 0, "... in which a bit flips", 0},
	{"latency-us", OPTION_LATENCY, "N", 0, "from host to host", 0},
	{"bandwidth-mbps", OPTION_BANDWIDTH, "N", 0,
		"of a host, each way; 0: no limit", 0},
	{"packets-per-second", OPTION_PACKETS, "N", 0,
		"of a host, each way; 0: no limit", 0},
	{"ecn-threshold", OPTION_ECN_THRESHOLD, "N", 0,
		"mark frames that find more than so many waiting for their "
		"host, those in its ring not counted; never",
		0},
	{"poll", OPTION_POLL, "busy|adaptive", 0,
		"busy: for a dedicated core; adaptive: sleep when idle", 0},
	{"exit-with-parent", OPTION_EXIT_WITH_PARENT, NULL, 0,
		"stop when the process that started this one ends, and remove "
		"the directory if nothing is left in it",
		0},
	{0},
};

static double
number(const char *text, double min, double max, struct argp_state *state)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end != '\0' || !(value >= min && value <= max))
		argp_error(state, "\"%s\" is not a number from %g to %g", text,
			min, max);
	return value;
}

static uint64_t
integer(const char *text, uint64_t min, uint64_t max, struct argp_state *state)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 10);

	if (end == text || *end != '\0' || *text == '-' || value < min ||
		value > max)
		argp_error(state, "\"%s\" is not an integer from %llu to %llu",
			text, (unsigned long long)min, (unsigned long long)max);
	return value;
}

/* Is it the first of two words, or the second? */
static bool
is_first(const char *text, const char *first, const char *second,
	struct argp_state *state)
{
	if (strcmp(text, first) != 0 && strcmp(text, second) != 0)
		argp_error(
			state, "\"%s\" is not %s or %s", text, first, second);
	return strcmp(text, first) == 0;
}

/* The integers of a list. @return how many, at most SWITCH_PORTS_MAX */
static uint32_t
integers(uint32_t *values, char *text, uint64_t min, uint64_t max,
	struct argp_state *state)
{
	uint32_t length = 0;
	char *rest;

	for (char *word = strtok_r(text, ",", &rest); word != NULL;
		word = strtok_r(NULL, ",", &rest)) {
		if (length == SWITCH_PORTS_MAX)
			argp_error(state, "A list has at most %u numbers",
				SWITCH_PORTS_MAX);
		values[length++] = (uint32_t)integer(word, min, max, state);
	}
	return length;
}

static void
parse_queues(
	char *text, struct argp_state *state, struct fabric_options *options)
{
	uint32_t values[SWITCH_PORTS_MAX];

	options->queues_length =
		integers(values, text, 1, CLASSIFIER_QUEUES_MAX, state);
	for (uint32_t i = 0; i < SWITCH_PORTS_MAX; i++)
		options->network.hosts[i].queues =
			values[options->queues_length == 1 ? 0 : i];
}

static void
parse_firewall(
	char *text, struct argp_state *state, struct fabric_options *options)
{
	uint32_t values[SWITCH_PORTS_MAX];
	uint32_t length =
		integers(values, text, 0, SWITCH_PORTS_MAX - 1, state);

	for (uint32_t i = 0; i < length; i++)
		options->network.hosts[values[i]].firewall = true;
}

/* What vNICs are like. */
static error_t
parse_vnic(int key, char *text, struct argp_state *state,
	struct fabric_options *options)
{
	struct switch_options *network = &options->network;

	switch (key) {
	case OPTION_QUEUES:
		parse_queues(text, state, options);
		return 0;
	case OPTION_FIREWALL:
		parse_firewall(text, state, options);
		return 0;
	case OPTION_HASH:
		if (!hash_parse(&network->hash, text))
			argp_error(state, "\"%s\" is not a hash", text);
		return 0;
	case OPTION_TABLE:
		network->table =
			is_first(text, "shuffled", "round-robin", state)
				? CLASSIFIER_SHUFFLED
				: CLASSIFIER_ROUND_ROBIN;
		return 0;
	case OPTION_SYNTHETIC_FIRST:
		network->synthetic_first = is_first(text, "yes", "no", state);
		return 0;
	case OPTION_DEPTH:
		network->depth = (uint32_t)integer(
			text, HOST_RING_FRAMES, FABRIC_DEPTH_MAX, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t
parse_network(int key, const char *text, struct argp_state *state,
	struct switch_options *network)
{
	switch (key) {
	case OPTION_HOSTS:
		network->ports =
			(uint32_t)integer(text, 1, SWITCH_PORTS_MAX, state);
		return 0;
	case OPTION_SEED:
		network->seed = integer(text, 0, UINT64_MAX, state);
		return 0;
	case OPTION_MTU:
		network->mtu = (uint32_t)integer(
			text, PORT_MTU_MIN, PORT_MTU_MAX, state);
		return 0;
	case OPTION_LOSS:
		network->loss = number(text, 0, 1, state);
		return 0;
	case OPTION_DUPLICATE:
		network->duplicate = number(text, 0, 1, state);
		return 0;
	case OPTION_REORDER:
		network->reorder = number(text, 0, 1, state);
		return 0;
	case OPTION_CORRUPT:
		network->corrupt = number(text, 0, 1, state);
		return 0;
	case OPTION_LATENCY:
		network->latency_ns =
			(uint64_t)(number(text, 0, 1e7, state) * 1e3);
		return 0;
	case OPTION_BANDWIDTH:
		network->cap.bits_per_s =
			(uint64_t)(number(text, 0, 1e6, state) * 1e6);
		return 0;
	case OPTION_PACKETS:
		network->cap.packets_per_s = integer(text, 0, NS_PER_S, state);
		return 0;
	case OPTION_ECN_THRESHOLD:
		network->ecn_threshold =
			(uint32_t)integer(text, 1, FABRIC_DEPTH_MAX, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void
check(const struct fabric_options *options, struct argp_state *state)
{
	uint32_t hosts = options->network.ports;

	if (options->directory == NULL || hosts == 0)
		argp_error(state, "--directory and --hosts are needed");
	if (options->queues_length > 1 && options->queues_length != hosts)
		argp_error(state, "--queues has %u numbers for %u hosts",
			options->queues_length, hosts);
	for (uint32_t i = hosts; i < SWITCH_PORTS_MAX; i++)
		if (options->network.hosts[i].firewall)
			argp_error(state, "--firewall: there is no host %u", i);
}

static error_t
parse_option(int key, char *text, struct argp_state *state)
{
	struct fabric_options *options = state->input;
	error_t result;

	switch (key) {
	case OPTION_DIRECTORY:
		options->directory = text;
		return 0;
	case OPTION_POLL:
		options->busy = is_first(text, "busy", "adaptive", state);
		return 0;
	case OPTION_PROFILE:
		return 0; /* was applied before */
	case OPTION_EXIT_WITH_PARENT:
		options->exit_with_parent = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "\"%s\" is not an option", text);
		return 0;
	case ARGP_KEY_END:
		check(options, state);
		return 0;
	default:
		result = parse_vnic(key, text, state, options);
		return result == 0 ? 0
				   : parse_network(key, text, state,
					     &options->network);
	}
}

/* Of all options only the profile, which the others come before. */
static error_t
parse_profile(int key, char *text, struct argp_state *state)
{
	struct fabric_options *options = state->input;

	if (key == OPTION_PROFILE && !profile_apply(&options->network, text))
		argp_error(state, "\"%s\" is not one of " PROFILES, text);
	return 0;
}

void
fabric_options_parse(struct fabric_options *options, int argc, char **argv)
{
	/* Twice, so that the profile may stand behind the others. */
	static const struct argp passes[] = {
		{argp_options, parse_profile, NULL, DOC},
		{argp_options, parse_option, NULL, DOC},
	};

	*options = (struct fabric_options){0};
	profile_apply(&options->network, PROFILE_DEFAULT);
	for (uint32_t i = 0; i < ARRAY_LENGTH(passes); i++)
		argp_parse(&passes[i], argc, argv, 0, NULL, options);
	options->network.depth -= HOST_RING_FRAMES;
}
