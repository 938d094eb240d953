/* SPDX-License-Identifier: MIT */
/* The command line of machnet-fabric. */
#ifndef FABRIC_OPTIONS_H
#define FABRIC_OPTIONS_H

#include <stdbool.h>

#include "fabric/switch.h"

struct fabric_options {
	const char *directory; /* of all sockets */
	struct switch_options network;
	uint32_t queues_length; /* numbers in --queues */
	bool busy;
	bool exit_with_parent;
};

/** Exits, with a message, if they are wrong or ask for help. */
void fabric_options_parse(
	struct fabric_options *options, int argc, char **argv);

#endif
