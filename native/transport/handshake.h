/* SPDX-License-Identifier: MIT */
/*
 * SYN, ANSWER, CONFIRM, ACCEPT: what both ends of a handshake have in common,
 * and the packets that each of them gets.
 */
#ifndef TRANSPORT_HANDSHAKE_H
#define TRANSPORT_HANDSHAKE_H

#include "transport/flow.h"

/** Of the packets that we send. Halved, so that it never gets to the end; not
 * 0, which means none. */
static inline uint64_t
number_first(struct transport *t)
{
	return random_u64(&t->random) >> 1 | 1;
}

/** The way by which a connection was opened. Pairs that were given up, or that
 * a CONFIRM makes up, and lead where they should none the less, do so by
 * chance. */
static inline uint32_t
found_by(uint32_t method)
{
	return u32_min(method, RSS_SPRAYED);
}

/** What is left of a packet for the bytes of a message. */
static inline uint32_t
fragment_bytes_of(uint32_t mtu)
{
	return mtu - 28 - WIRE_HEADER_BYTES - WIRE_ACK_BYTES_MAX -
	       WIRE_FRAME_BYTES - WIRE_TAG_BYTES;
}

/* handshake.c */
void handshake_receive(struct transport *t, uint64_t now,
	const struct transport_path *path, const struct wire_header *header,
	const uint8_t *bytes, uint32_t length);

/* handshake_client.c */
/** SYN or CONFIRM again. */
void handshake_retry(struct transport *t, uint64_t now, struct flow *f);
/** Did the last burst of SYNs, or the last CONFIRM, use the pair? */
bool handshake_sent(const struct flow *f, uint32_t pair_out);
/** The application knows how it went. */
void setup_return(struct transport *t, struct flow *f);
void answer_receive(struct transport *t, uint64_t now, struct flow *f,
	const struct transport_path *path, uint64_t number,
	const struct wire_answer *answer);
void accept_receive(struct transport *t, uint64_t now, struct flow *f,
	const struct transport_path *path, const struct wire_accept *accept);

/* handshake_server.c */
void syn_receive(struct transport *t, uint64_t now,
	const struct transport_path *path, uint64_t number,
	const struct wire_syn *syn);
void confirm_receive(struct transport *t, uint64_t now,
	const struct transport_path *path, uint64_t number,
	const struct wire_confirm *confirm);

#endif
