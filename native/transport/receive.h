/* SPDX-License-Identifier: MIT */
/* Packets to messages, ACKs to the peer. */
#ifndef TRANSPORT_RECEIVE_H
#define TRANSPORT_RECEIVE_H

#include "transport/flow.h"

void receive_open(struct flow *f, uint64_t now, uint64_t first_number);
void receive_data(struct transport *t, uint64_t now, struct flow *f,
	const struct wire_header *header, const uint8_t *bytes, uint32_t length,
	bool marked);
/** The state of our receiving side, for a packet of the flow. */
uint32_t receive_ack_write(
	struct transport *t, struct flow *f, uint64_t now, uint8_t *bytes);
/** Acknowledge at the end of this turn. */
void receive_want_ack(struct transport *t, struct flow *f);
/** The time of ACKs that found no data to ride on has come. */
void receive_acks_due(struct transport *t, uint64_t now);
/** There is memory again: tell the peers that were told to wait. */
void receive_unstarve(struct transport *t, struct endpoint *endpoint);
/** The application takes no more messages: drop what is here, and let the peer
 * go on to its FIN. */
void receive_close(struct transport *t, struct flow *f);
/** Free what was not delivered. */
void receive_discard(struct transport *t, struct flow *f);
/** The message is with the application, or nobody wants it any more. */
void receive_slot_clear(
	struct transport *t, struct flow *f, struct rx_message *slot);

static inline struct rx_message *
slot_of(struct flow *f, uint32_t message)
{
	return &f->received->messages[message & MESSAGE_MASK];
}

#endif
