/* SPDX-License-Identifier: MIT */
/* Counters as text: a "name value" line each. */
#ifndef SIDECAR_STATS_H
#define SIDECAR_STATS_H

#include <stdint.h>

#include "engine/engine.h"

#define STATS_BYTES_MAX 8192u

/** @return bytes written, without the NUL */
uint32_t stats_write(
	char *text, uint32_t capacity, const struct engine_snapshot *snapshot);

#endif
