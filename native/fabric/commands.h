/* SPDX-License-Identifier: MIT */
/* What can be asked of a fabric while it runs. */
#ifndef FABRIC_COMMANDS_H
#define FABRIC_COMMANDS_H

#include <stdint.h>
#include <stdio.h>

#include "fabric/switch.h"

#define COMMANDS_HELP                                                          \
	"stats, rekey [HOST], cut HOST MS, synthetic HOST MS, "                \
	"hash HOST toeplitz|no-udp-ports|siphash, firewall HOST on|off"
#define COMMAND_MS_MAX 3600000u

/**
 * Do what a line asks for, and write the answer: the counters (see stats.h)
 * for "stats", else "ok", or "error: " and what is wrong.
 *
 *   stats
 *   rekey [HOST]       new keys: of one host's vNIC, or of all
 *   cut HOST MS        nothing passes its cable for so long; 0: it does again
 *   synthetic HOST MS  what comes in takes the synthetic path for so long
 *   hash HOST NAME     see classifier.h
 *   firewall HOST on|off
 *
 * @param line any bytes, without the newline, with a NUL; taken apart
 */
void command_run(struct fabric_switch *fabric, char *line, uint64_t now_ns,
	FILE *output);

/** @return whether it is the name of a hash */
bool hash_parse(enum classifier_hash *hash, const char *name);

#endif
