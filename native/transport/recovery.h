/* SPDX-License-Identifier: MIT */
/* ACKs from the peer: what came through, what is lost, and when that is so
 * for want of an answer. */
#ifndef TRANSPORT_RECOVERY_H
#define TRANSPORT_RECOVERY_H

#include "transport/flow.h"

/** ACCEPT answers CONFIRM: the first sample of the round-trip time. */
void recovery_accepted(struct flow *f, uint64_t now);
void recovery_ack(struct transport *t, uint64_t now, struct flow *f,
	const struct wire_ack *ack);
/** The flow's rto_deadline_ns has come. */
void recovery_timeout(struct transport *t, uint64_t now, struct flow *f);
/** Set the timer for what may have to be done without an ACK. */
void recovery_arm(struct transport *t, uint64_t now, struct flow *f);
/** Move number_oldest over what is settled. */
void recovery_forget(struct flow *f);

#endif
