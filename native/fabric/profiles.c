/* SPDX-License-Identifier: MIT */
#include "fabric/profiles.h"

#include <string.h>

#include "base/bits.h"
#include "base/clock.h"

#define GBPS UINT64_C(1000000000)

static const struct profile {
	const char *name;
	uint32_t queues;
	uint32_t depth;
	uint32_t mtu;
	uint64_t latency_ns;
	struct cap_rates cap;
	bool synthetic_first;
} profiles[] = {
	{"lcd", 1, 256, 1500, 0, {0, 0}, false},
	{"azure", 4, 256, 1500, 8 * NS_PER_US, {25 * GBPS / 2, 0}, true},
	{"ec2", 4, 1024, 9001, 19 * NS_PER_US, {10 * GBPS, 1000000}, false},
	{"gcp", 4, 1024, 1460, 27 * NS_PER_US, {16 * GBPS, 0}, false},
	{"ideal", 1, 4096, 9000, 0, {0, 0}, false},
};

bool
profile_apply(struct switch_options *options, const char *name)
{
	for (uint32_t i = 0; i < ARRAY_LENGTH(profiles); i++) {
		const struct profile *profile = &profiles[i];

		if (strcmp(profile->name, name) != 0)
			continue;
		for (uint32_t host = 0; host < SWITCH_PORTS_MAX; host++)
			options->hosts[host].queues = profile->queues;
		options->depth = profile->depth;
		options->mtu = profile->mtu;
		options->latency_ns = profile->latency_ns;
		options->cap = profile->cap;
		options->synthetic_first = profile->synthetic_first;
		return true;
	}
	return false;
}
