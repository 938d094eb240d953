/* SPDX-License-Identifier: MIT */
/* Messages to packets. */
#ifndef TRANSPORT_SEND_H
#define TRANSPORT_SEND_H

#include "transport/flow.h"

void send_open(struct flow *f, uint64_t first_number);
void send_queue(struct transport *t, uint64_t now, struct flow *f,
	struct tx_message *message);
/** As much as the deficits of the flow and its endpoint allow.
 * @return false if the device took no more */
bool send_turn(struct transport *t, uint64_t now, struct flow *f);
/** Put the flow in line if it may send something. */
void send_ready(struct transport *t, uint64_t now, struct flow *f);
/** Once per poll: put those in line that waited for company long enough. */
void send_held(struct transport *t, uint64_t now);
/** When the first of those that are held goes on; there is one. */
uint64_t send_held_until(const struct transport *t);
/** Give all messages back. */
void send_discard(struct transport *t, struct flow *f);
bool send_idle(const struct flow *f);
/** Where a message is kept that was passed. */
struct tx_message **send_message_passed(const struct flow *f, uint32_t id);
/** Move message_first over what is acknowledged, or may be passed. */
void send_pass(struct flow *f);
/** May a packet go out now? */
bool send_possible(const struct flow *f, uint64_t now);
void send_window_return(struct transport *t, struct flow *f);

/** Where a message is kept of which something may be in flight. */
static inline struct tx_message **
send_message(const struct flow *f, uint32_t id)
{
	if (serial_before(id, f->message_first))
		return send_message_passed(f, id);
	return &f->sent->messages[id & MESSAGE_MASK];
}

/** No packet before. */
static inline uint64_t
pace_ns(const struct flow *f)
{
	return f->sent_ns + congestion_pace_ns(&f->congestion, f->srtt_ns);
}

#endif
