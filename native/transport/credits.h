/* SPDX-License-Identifier: MIT */
/* Who may fill the RX queue. */
#ifndef TRANSPORT_CREDITS_H
#define TRANSPORT_CREDITS_H

#include "transport/flow.h"

void credits_init(struct transport *t);
/** A packet came: give the flow its share of the RX queue. */
void credits_share(struct transport *t, struct flow *f);
/** How many packets the peer may have in flight, for an ACK. */
uint16_t credits_told(const struct flow *f);
/** Take back what connections that fell silent hold. */
void credits_reclaim(struct transport *t, uint64_t now);
/** Take back what a connection that ends holds. */
void credits_return(struct transport *t, struct flow *f);

#endif
