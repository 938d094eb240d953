/* SPDX-License-Identifier: MIT */
#include "fabric/options.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "fabric/fabric.h"

enum option_key {
	OPTION_BANDWIDTH = 256,
	OPTION_CORRUPT,
	OPTION_DEPTH,
	OPTION_DIRECTORY,
	OPTION_DUPLICATE,
	OPTION_ECN_THRESHOLD,
	OPTION_EXIT_WITH_PARENT,
	OPTION_HOSTS,
	OPTION_LATENCY,
	OPTION_LOSS,
	OPTION_MTU,
	OPTION_POLL,
	OPTION_REORDER,
	OPTION_SEED,
};

static const struct argp_option argp_options[] = {
	{"directory", OPTION_DIRECTORY, "DIR", 0,
		"where the sockets are: host0.memif, host1.memif, ..., and "
		"fabric.sock, which writes the counters to whoever connects",
		0},
	{"hosts", OPTION_HOSTS, "N", 0, "1 to 32", 0},
	{"seed", OPTION_SEED, "N", 0, "of the random numbers; 0", 0},
	{"depth", OPTION_DEPTH, "N", 0,
		"frames that wait for a host, with the 256 of its ring; 256",
		0},
	{"mtu", OPTION_MTU, "BYTES", 0, "of IP; 1500", 0},
	{"loss", OPTION_LOSS, "P", 0, "share of frames that get lost, 0 to 1",
		0},
	{"duplicate", OPTION_DUPLICATE, "P", 0, "... that arrive twice", 0},
	{"reorder", OPTION_REORDER, "P", 0,
		"... that arrive up to 100 us after their turn", 0},
	{"corrupt", OPTION_CORRUPT, "P", 0, "... in which a bit flips", 0},
	{"latency-us", OPTION_LATENCY, "N", 0, "from host to host; 0", 0},
	{"bandwidth-mbps", OPTION_BANDWIDTH, "N", 0,
		"of a host, each way; no limit", 0},
	{"ecn-threshold", OPTION_ECN_THRESHOLD, "N", 0,
		"mark frames that find more than so many waiting for their "
		"host, those in its ring not counted; never",
		0},
	{"poll", OPTION_POLL, "busy|adaptive", 0,
		"busy: for a dedicated core; adaptive: sleep when idle", 0},
	{"exit-with-parent", OPTION_EXIT_WITH_PARENT, NULL, 0,
		"stop when the process that started this one ends", 0},
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

static bool
is_busy(const char *text, struct argp_state *state)
{
	if (strcmp(text, "busy") != 0 && strcmp(text, "adaptive") != 0)
		argp_error(state, "--poll is busy or adaptive");
	return strcmp(text, "busy") == 0;
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
	case OPTION_DEPTH:
		network->depth = (uint32_t)integer(text, FABRIC_RING_FRAMES,
					 FABRIC_DEPTH_MAX, state) -
				 FABRIC_RING_FRAMES;
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
		network->bandwidth_bps =
			(uint64_t)(number(text, 1e-3, 1e6, state) * 1e6);
		return 0;
	case OPTION_ECN_THRESHOLD:
		network->ecn_threshold =
			(uint32_t)integer(text, 1, FABRIC_DEPTH_MAX, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t
parse_option(int key, char *text, struct argp_state *state)
{
	struct fabric_options *options = state->input;

	switch (key) {
	case OPTION_DIRECTORY:
		options->directory = text;
		return 0;
	case OPTION_POLL:
		options->busy = is_busy(text, state);
		return 0;
	case OPTION_EXIT_WITH_PARENT:
		options->exit_with_parent = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "\"%s\" is not an option", text);
		return 0;
	case ARGP_KEY_END:
		if (options->directory == NULL || options->network.ports == 0)
			argp_error(state, "--directory and --hosts are needed");
		return 0;
	default:
		return parse_network(key, text, state, &options->network);
	}
}

void
fabric_options_parse(struct fabric_options *options, int argc, char **argv)
{
	static const struct argp argp = {
		.options = argp_options,
		.parser = parse_option,
		.doc = "A switch for hosts on one machine: each machnetd gets "
		       "--device memif:DIR/hostN.memif.",
	};

	*options = (struct fabric_options){.network.mtu = 1500};
	argp_parse(&argp, argc, argv, 0, NULL, options);
}
