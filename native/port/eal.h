/* SPDX-License-Identifier: MIT */
/* What the port layer shares with itself about EAL. */
#ifndef PORT_EAL_H
#define PORT_EAL_H

/** Forget what was logged. */
void eal_log_reset(void);

/**
 * The first error that EAL or a driver logged since the reset, without a line
 * end, or "". What is logged after it is mostly its consequence. Valid until
 * the next reset.
 */
const char *eal_log_first(void);

#endif
