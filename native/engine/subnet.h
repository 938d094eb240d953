/* SPDX-License-Identifier: MIT */
/* Our subnet: which addresses are on our own link, and which a host can have.
 * Host byte order. */
#ifndef ENGINE_SUBNET_H
#define ENGINE_SUBNET_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/neighbors.h"

struct subnet {
	uint32_t address; /* of a host in it */
	uint32_t prefix_length;
};

static inline uint32_t
subnet_mask(const struct subnet *subnet)
{
	return subnet->prefix_length == 0
		       ? 0
		       : UINT32_MAX << (32 - subnet->prefix_length);
}

static inline bool
subnet_contains(const struct subnet *subnet, uint32_t address)
{
	return ((address ^ subnet->address) & subnet_mask(subnet)) == 0;
}

/** Can a host have it: one host, and neither the subnet's own address nor its
 * broadcast address, which there are where the prefix leaves room (RFC 3021)?
 */
static inline bool
subnet_host(const struct subnet *subnet, uint32_t address)
{
	uint32_t hosts = ~subnet_mask(subnet);

	return neighbors_addressable(address) &&
	       (subnet->prefix_length > 30 ||
		       !subnet_contains(subnet, address) ||
		       ((address & hosts) != 0 && (address & hosts) != hosts));
}

#endif
