/* SPDX-License-Identifier: MIT */
#include "fabric/stats.h"

#include <inttypes.h>

static void
queue_write(FILE *output, const char *prefix,
	const struct rx_queue_counters *counters)
{
#define RX_QUEUE_COUNTER(name)                                                 \
	fprintf(output, "%s" #name " %" PRIu64 "\n", prefix, counters->name);
	RX_QUEUE_COUNTERS(RX_QUEUE_COUNTER)
#undef RX_QUEUE_COUNTER
}

static void
queues_write(struct fabric_switch *fabric, uint32_t port, FILE *output)
{
	uint32_t queues = switch_options(fabric)->hosts[port].queues;
	struct rx_queue_counters sum = {0};
	char prefix[32];

	for (uint32_t i = 0; i < queues; i++) {
		const struct rx_queue_counters *counters =
			switch_queue_counters(fabric, port, i);

#define RX_QUEUE_COUNTER(name) sum.name += counters->name;
		RX_QUEUE_COUNTERS(RX_QUEUE_COUNTER)
#undef RX_QUEUE_COUNTER
		snprintf(prefix, sizeof(prefix), "port%u_queue%u_", port, i);
		queue_write(output, prefix, counters);
	}
	snprintf(prefix, sizeof(prefix), "port%u_", port);
	queue_write(output, prefix, &sum);
}

static void
port_write(struct fabric_switch *fabric, uint32_t port, FILE *output)
{
	const struct switch_counters *counters =
		switch_port_counters(fabric, port);
	const struct classifier_counters *classified =
		classifier_counters(switch_classifier(fabric, port));

#define SWITCH_COUNTER(name)                                                   \
	fprintf(output, "port%u_" #name " %" PRIu64 "\n", port, counters->name);
	SWITCH_COUNTERS(SWITCH_COUNTER)
#undef SWITCH_COUNTER
#define CLASSIFIER_COUNTER(name)                                               \
	fprintf(output, "port%u_" #name " %" PRIu64 "\n", port,                \
		classified->name);
	CLASSIFIER_COUNTERS(CLASSIFIER_COUNTER)
#undef CLASSIFIER_COUNTER
	queues_write(fabric, port, output);
}

void
stats_write(struct fabric_switch *fabric, FILE *output)
{
	fprintf(output, "mtu %u\n", switch_options(fabric)->mtu);
	for (uint32_t i = 0; i < switch_options(fabric)->ports; i++)
		port_write(fabric, i, output);
}
