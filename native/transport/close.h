/* SPDX-License-Identifier: MIT */
/* The ways in which a connection ends. */
#ifndef TRANSPORT_CLOSE_H
#define TRANSPORT_CLOSE_H

#include "transport/flow.h"

/** Tell the application, when it has room, that the connection is over. */
void flow_end(
	struct transport *t, uint64_t now, struct flow *f, int32_t status);
/** The application knows; the peer may yet have to be told. */
void flow_told(struct transport *t, uint64_t now, struct flow *f);
/** The application took it, or never will: its listener has room again. */
void backlog_leave(struct transport *t, struct flow *f);
/** Over on both sides: answer repeats for a while, then be free. */
void flow_linger(struct transport *t, uint64_t now, struct flow *f);
/** No application any more: tell the peer until it says that it knows. */
void flow_abandon(struct transport *t, uint64_t now, struct flow *f,
	const uint8_t *reason, uint32_t reason_length);
/** The flow's, made if need be; NULL: out of memory. */
struct ending *ending_take(struct transport *t, struct flow *f);
void ending_return(struct transport *t, struct flow *f);
void reset_send(struct transport *t, struct flow *f);
void reset_receive(struct transport *t, uint64_t now,
	const struct transport_path *path, const struct wire_header *header,
	const uint8_t *bytes, uint32_t length);
/** Refuse a packet for a connection that is not known here. */
void reset_unknown(struct transport *t, uint64_t now,
	const struct transport_path *path, const struct wire_header *header);
/** FIN is acknowledged? Then the connection is closed. */
void close_progress(struct transport *t, uint64_t now, struct flow *f);

#endif
