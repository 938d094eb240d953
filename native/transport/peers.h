/* SPDX-License-Identifier: MIT */
/* Liveness of the other host. */
#ifndef TRANSPORT_PEERS_H
#define TRANSPORT_PEERS_H

#include "transport/flow.h"

/** Enter a flow into the peer of that path, which is made if need be. @return
 * false: out of memory */
bool peer_join(struct transport *t, uint64_t now, struct flow *f,
	const struct transport_path *path);
/** The connection is over; the flow goes on to answer its repeats. */
void peer_leave(struct flow *f);
/** The flow ends. */
void peer_release(struct flow *f);
/** All of them; no flow is left. */
void peers_free(struct transport *t);
struct peer *peer_find(struct transport *t, uint32_t address);
/** The instance that a packet told: another one than before means that the
 * host was restarted, and its old connections are gone. @return false: the
 * packet is from before the restart, and was late */
bool peer_instance(struct transport *t, uint64_t now, struct peer *peer,
	uint64_t instance, const struct flow *keep);
void peer_timeout(struct transport *t, uint64_t now, struct peer *peer);
void ping_receive(struct transport *t, uint64_t now,
	const struct transport_path *path, const struct wire_header *header,
	const uint8_t *bytes, uint32_t length);

#endif
