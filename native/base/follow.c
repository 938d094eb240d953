/* SPDX-License-Identifier: MIT */
#include "base/follow.h"

#include <sched.h>

bool
follow_move(uint32_t cpu)
{
	cpu_set_t allowed, there;

	if (cpu >= CPU_SETSIZE ||
		sched_getaffinity(0, sizeof(allowed), &allowed) != 0 ||
		!CPU_ISSET(cpu, &allowed))
		return false;
	CPU_ZERO(&there);
	CPU_SET(cpu, &there);
	return sched_setaffinity(0, sizeof(there), &there) == 0 &&
	       sched_setaffinity(0, sizeof(allowed), &allowed) == 0;
}
