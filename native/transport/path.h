/* SPDX-License-Identifier: MIT */
/* What applications are told of the way that their packets take. */
#ifndef TRANSPORT_PATH_H
#define TRANSPORT_PATH_H

#include "transport/flow.h"

void path_count(struct transport *t, uint32_t method);
/** Note how the flow, which has its route, was opened. */
void path_opened(struct flow *f, uint32_t method, uint32_t probes,
	uint32_t rounds, uint64_t setup_ns);
/** Deliver a PATH event. @return false: no room now */
bool path_tell(struct transport *t, struct flow *f);

#endif
