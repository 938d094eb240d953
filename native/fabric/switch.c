/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <stdlib.h>

#include "fabric/switch_private.h"

static uint64_t
odds_of(double probability)
{
	return (uint64_t)(probability * 4294967296.0);
}

static bool
port_init(struct fabric_switch *fabric, uint32_t index)
{
	const struct switch_options *options = &fabric->options;
	const struct switch_host *host = &options->hosts[index];
	const struct classifier_options classifier = {
		.seed = options->seed,
		.host = index,
		.queues = host->queues,
		.hash = options->hash,
		.table = options->table,
		.firewall = host->firewall,
		.synthetic_first = options->synthetic_first,
	};
	struct switch_port *port = &fabric->ports[index];

	dice_init(&port->dice, options->seed, index);
	port->classifier = classifier_create(&classifier);
	port->queues = calloc(host->queues, sizeof(*port->queues));
	if (port->classifier == NULL || port->queues == NULL)
		return false;
	for (uint32_t i = 0; i < host->queues; i++)
		if (!rx_queue_init(
			    &port->queues[i], options->depth + SWITCH_BURST))
			return false;
	return true;
}

struct fabric_switch *
switch_create(const struct switch_options *options,
	const struct switch_operations *operations)
{
	struct fabric_switch *fabric = calloc(1, sizeof(*fabric));

	assert(options->ports >= 1 && options->ports <= SWITCH_PORTS_MAX);
	if (fabric == NULL)
		return NULL;
	fabric->options = *options;
	fabric->operations = *operations;
	fabric->odds = (struct odds){
		.loss = odds_of(options->loss),
		.duplicate = odds_of(options->duplicate),
		.reorder = odds_of(options->reorder),
		.corrupt = odds_of(options->corrupt),
	};
	if (!delay_line_init(
		    &fabric->line, options->ports * SWITCH_IN_FLIGHT_MAX))
		goto fail;
	for (uint32_t i = 0; i < options->ports; i++)
		if (!port_init(fabric, i))
			goto fail;
	return fabric;
fail:
	switch_destroy(fabric);
	return NULL;
}

static void
port_free(struct fabric_switch *fabric, uint32_t index)
{
	struct switch_port *port = &fabric->ports[index];

	for (uint32_t i = 0;
		port->queues != NULL && i < fabric->options.hosts[index].queues;
		i++) {
		switch_queue_empty(fabric, port, i);
		rx_queue_free(&port->queues[i]);
	}
	free(port->queues);
	classifier_destroy(port->classifier);
}

void
switch_destroy(struct fabric_switch *fabric)
{
	for (uint32_t i = 0; i < fabric->options.ports; i++)
		port_free(fabric, i);
	while (delay_line_first(&fabric->line) != NULL)
		fabric->operations.release(delay_line_pop(&fabric->line).frame);
	delay_line_free(&fabric->line);
	free(fabric);
}

void
switch_cut_until(struct fabric_switch *fabric, uint32_t port, uint64_t ns)
{
	fabric->ports[port].cut_until_ns = ns;
}

struct classifier *
switch_classifier(struct fabric_switch *fabric, uint32_t port)
{
	return fabric->ports[port].classifier;
}

const struct switch_options *
switch_options(const struct fabric_switch *fabric)
{
	return &fabric->options;
}

const struct switch_counters *
switch_port_counters(const struct fabric_switch *fabric, uint32_t port)
{
	return &fabric->ports[port].counters;
}

const struct rx_queue_counters *
switch_queue_counters(
	const struct fabric_switch *fabric, uint32_t port, uint32_t queue)
{
	return &fabric->ports[port].queues[queue].counters;
}
