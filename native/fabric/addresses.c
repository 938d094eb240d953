/* SPDX-License-Identifier: MIT */
#include "fabric/addresses.h"

#include <string.h>

#include "base/splitmix64.h"

/* The entry of an address, or the one to replace by it. */
static struct address *
look_up(struct addresses *addresses, const struct mac *mac)
{
	struct address *set, *oldest;
	uint64_t state = 0;

	memcpy(&state, mac->bytes, sizeof(mac->bytes));
	set = addresses->sets[splitmix64(&state) % ADDRESSES_SETS];
	oldest = set;
	for (uint32_t i = 0; i < ADDRESSES_WAYS; i++) {
		if (set[i].known && memcmp(&set[i].mac, mac, sizeof(*mac)) == 0)
			return &set[i];
		if (set[i].heard_ns < oldest->heard_ns)
			oldest = &set[i];
	}
	return oldest;
}

void
addresses_learn(struct addresses *addresses, const struct mac *source,
	uint32_t port, uint64_t now_ns)
{
	*look_up(addresses, source) = (struct address){
		.mac = *source,
		.known = true,
		.port = (uint8_t)port,
		.heard_ns = now_ns,
	};
}

uint32_t
addresses_find(struct addresses *addresses, const struct mac *destination)
{
	const struct address *address = look_up(addresses, destination);

	if ((destination->bytes[0] & 1) != 0 || !address->known ||
		memcmp(&address->mac, destination, sizeof(*destination)) != 0)
		return ADDRESSES_UNKNOWN;
	return address->port;
}
