/* SPDX-License-Identifier: MIT */
/*
 * Counters as text, a "name value" line each: those of the port that no engine
 * sees, the sums over all engines, then those of each.
 */
#ifndef SIDECAR_STATS_H
#define SIDECAR_STATS_H

#include <stdint.h>

#include "engine/engine.h"

/** Room that is enough for so many engines. */
uint32_t stats_bytes_max(uint32_t engines);

/**
 * @param frames_missed see port_missed
 * @return bytes written, without the NUL
 */
uint32_t stats_write(char *text, uint32_t capacity, uint64_t frames_missed,
	const struct engine_snapshot *snapshots, uint32_t engines);

#endif
