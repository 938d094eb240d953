/* SPDX-License-Identifier: MIT */
/* Everything that a switch can tell about itself, as text. */
#ifndef FABRIC_STATS_H
#define FABRIC_STATS_H

#include <stdint.h>
#include <stdio.h>

#include "fabric/switch.h"

/**
 * A "name value" line for each number: "mtu", and of each host N "portN_" and
 * each of SWITCH_COUNTERS, CLASSIFIER_COUNTERS and, of all its RX queues
 * together, RX_QUEUE_COUNTERS; of each of its queues M "portN_queueM_" and each
 * of the latter. No keys.
 */
void stats_write(struct fabric_switch *fabric, FILE *output);

#endif
