/* SPDX-License-Identifier: MIT */
/* Which port a MAC address was last heard on. */
#ifndef FABRIC_ADDRESSES_H
#define FABRIC_ADDRESSES_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/ethernet.h"

#define ADDRESSES_SETS 128u
#define ADDRESSES_WAYS 8u
/* Nobody was heard with it, or it is a group's. */
#define ADDRESSES_UNKNOWN UINT32_MAX

struct address {
	struct mac mac;
	bool known;
	uint8_t port;
	uint64_t heard_ns;
};

/* By hash. A full set forgets whom it has not heard for longest. Begins as
 * zeros. */
struct addresses {
	struct address sets[ADDRESSES_SETS][ADDRESSES_WAYS];
};

/** A frame came from there. O(1). */
void addresses_learn(struct addresses *addresses, const struct mac *source,
	uint32_t port, uint64_t now_ns);

/** O(1). @return the port, or ADDRESSES_UNKNOWN */
uint32_t addresses_find(
	struct addresses *addresses, const struct mac *destination);

#endif
