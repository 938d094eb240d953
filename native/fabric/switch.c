/* SPDX-License-Identifier: MIT */
#include "fabric/switch.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/clock.h"
#include "fabric/delay_line.h"
#include "fabric/dice.h"
#include "wire/ethernet.h"

#define ADDRESS_SETS 128u
#define ADDRESS_WAYS 8u

struct address {
	struct mac mac;
	bool known;
	uint8_t port;
	uint64_t heard_ns;
};

struct queued {
	void *frame;
	uint32_t length;
	uint16_t from;
};

struct switch_port {
	struct dice dice;
	uint64_t out_ns; /* when what the host sent is through its cap */
	uint64_t in_ns;	 /* when what was sent to it is */
	uint32_t in_flight;
	/* RX queue: a ring, positions count on */
	struct queued *queue;
	uint32_t head;
	uint32_t tail;
	struct switch_counters counters;
};

/* Probabilities as a share of 2^32. */
struct odds {
	uint64_t loss;
	uint64_t duplicate;
	uint64_t reorder;
	uint64_t corrupt;
};

struct fabric_switch {
	struct switch_options options;
	struct switch_operations operations;
	struct odds odds;
	uint32_t queue_mask;
	struct delay_line line;
	/* By hash. A full set forgets whom it has not heard for longest. */
	struct address addresses[ADDRESS_SETS][ADDRESS_WAYS];
	struct switch_port ports[SWITCH_PORTS_MAX];
};

/* The upper half of a throw decides, the lower half says how much. */
static bool
hits(uint64_t thrown, uint64_t odds)
{
	return thrown >> 32 < odds;
}

static uint64_t
odds_of(double probability)
{
	return (uint64_t)(probability * 4294967296.0);
}

struct fabric_switch *
switch_create(const struct switch_options *options,
	const struct switch_operations *operations)
{
	struct fabric_switch *fabric = calloc(1, sizeof(*fabric));
	uint32_t capacity = 1u << log2_ceil(options->depth + SWITCH_BURST);

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
	fabric->queue_mask = capacity - 1;
	if (!delay_line_init(
		    &fabric->line, options->ports * SWITCH_IN_FLIGHT_MAX))
		goto fail;
	for (uint32_t i = 0; i < options->ports; i++) {
		struct switch_port *port = &fabric->ports[i];

		dice_init(&port->dice, options->seed, i);
		port->queue = calloc(capacity, sizeof(*port->queue));
		if (port->queue == NULL)
			goto fail;
	}
	return fabric;
fail:
	switch_destroy(fabric);
	return NULL;
}

static uint32_t
queue_length(const struct switch_port *port)
{
	return port->tail - port->head;
}

static struct queued *
queue_at(const struct fabric_switch *fabric, const struct switch_port *port,
	uint32_t position)
{
	return &port->queue[position & fabric->queue_mask];
}

static void
release_queued(struct fabric_switch *fabric, const struct queued *queued)
{
	fabric->ports[queued->from].in_flight--;
	fabric->operations.release(queued->frame);
}

void
switch_destroy(struct fabric_switch *fabric)
{
	for (uint32_t i = 0; i < fabric->options.ports; i++) {
		struct switch_port *port = &fabric->ports[i];

		while (queue_length(port) > 0)
			release_queued(
				fabric, queue_at(fabric, port, port->head++));
		free(port->queue);
	}
	while (delay_line_first(&fabric->line) != NULL)
		fabric->operations.release(delay_line_pop(&fabric->line).frame);
	delay_line_free(&fabric->line);
	free(fabric);
}

static uint64_t
duration_ns(const struct fabric_switch *fabric, uint32_t length)
{
	if (fabric->options.bandwidth_bps == 0)
		return 0;
	return (uint64_t)length * 8 * NS_PER_S / fabric->options.bandwidth_bps;
}

bool
switch_accepts(
	const struct fabric_switch *fabric, uint32_t port, uint64_t now_ns)
{
	return fabric->ports[port].out_ns <=
	       now_ns + duration_ns(fabric, SWITCH_BUFFER_BYTES);
}

/* The entry of an address, or the one to replace by it. */
static struct address *
address_find(struct fabric_switch *fabric, const struct mac *mac)
{
	struct address *set, *oldest;
	uint64_t state = 0;

	memcpy(&state, mac->bytes, sizeof(mac->bytes));
	set = fabric->addresses[splitmix64(&state) % ADDRESS_SETS];
	oldest = set;
	for (uint32_t i = 0; i < ADDRESS_WAYS; i++) {
		if (set[i].known && memcmp(&set[i].mac, mac, sizeof(*mac)) == 0)
			return &set[i];
		if (set[i].heard_ns < oldest->heard_ns)
			oldest = &set[i];
	}
	return oldest;
}

static void
learn(struct fabric_switch *fabric, const struct mac *source, uint32_t port,
	uint64_t now_ns)
{
	*address_find(fabric, source) = (struct address){
		.mac = *source,
		.known = true,
		.port = (uint8_t)port,
		.heard_ns = now_ns,
	};
}

/* The port behind an address, or SWITCH_PORTS_MAX for all. */
static uint32_t
look_up(struct fabric_switch *fabric, const struct mac *destination)
{
	const struct address *address = address_find(fabric, destination);

	if ((destination->bytes[0] & 1) != 0 || !address->known ||
		memcmp(&address->mac, destination, sizeof(*destination)) != 0)
		return SWITCH_PORTS_MAX;
	return address->port;
}

static void
push(struct fabric_switch *fabric, const struct delayed *delayed)
{
	struct switch_port *from = &fabric->ports[delayed->from];

	if (from->in_flight == SWITCH_IN_FLIGHT_MAX ||
		!delay_line_push(&fabric->line, delayed)) {
		from->counters.drop_in_flight++;
		fabric->operations.release(delayed->frame);
		return;
	}
	from->in_flight++;
}

static void
mark(struct fabric_switch *fabric, struct delayed *delayed)
{
	if (fabric->operations.mark(&delayed->frame))
		fabric->ports[delayed->to].counters.ecn_marked++;
}

/* Is what waits so long before a cap more than the threshold? */
static bool
cap_congested(const struct fabric_switch *fabric, uint64_t waits_ns)
{
	uint32_t frames = fabric->options.ecn_threshold;
	uint32_t full = fabric->options.mtu + ETHERNET_BYTES;

	return frames != 0 && waits_ns > frames * duration_ns(fabric, full);
}

/* Through the cap of the receiving host, and out of order, if it must be. */
static void
deliver(struct fabric_switch *fabric, struct delayed *delayed,
	uint64_t arrives_ns, uint64_t late_ns)
{
	struct switch_port *to = &fabric->ports[delayed->to];
	uint64_t free_ns = u64_max(to->in_ns, arrives_ns);

	if (free_ns - arrives_ns > duration_ns(fabric, SWITCH_BUFFER_BYTES)) {
		to->counters.drop_bandwidth++;
		fabric->operations.release(delayed->frame);
		return;
	}
	if (cap_congested(fabric, free_ns - arrives_ns))
		mark(fabric, delayed);
	to->in_ns = free_ns + duration_ns(fabric, delayed->length);
	delayed->due_ns = to->in_ns + late_ns;
	push(fabric, delayed);
}

static void
send_to(struct fabric_switch *fabric, struct delayed *delayed,
	uint64_t leaves_ns)
{
	const struct odds *odds = &fabric->odds;
	struct switch_port *to = &fabric->ports[delayed->to];
	uint64_t arrives_ns = leaves_ns + fabric->options.latency_ns;
	uint64_t late_ns = 0;
	/* As many for every frame: one fault does not move the others. */
	uint64_t loss = dice_throw(&to->dice);
	uint64_t duplicate = dice_throw(&to->dice);
	uint64_t reorder = dice_throw(&to->dice);
	uint64_t corrupt = dice_throw(&to->dice);

	if (hits(loss, odds->loss)) {
		to->counters.drop_loss++;
		fabric->operations.release(delayed->frame);
		return;
	}
	if (hits(corrupt, odds->corrupt)) {
		delayed->frame = fabric->operations.corrupt(delayed->frame,
			dice_amount(corrupt, 8 * delayed->length));
		if (delayed->frame == NULL) {
			fabric->ports[delayed->from].counters.drop_in_flight++;
			return;
		}
		to->counters.corrupted++;
	}
	if (hits(reorder, odds->reorder)) {
		late_ns = 1 + dice_amount(reorder, SWITCH_REORDER_NS);
		to->counters.reordered++;
	}
	if (hits(duplicate, odds->duplicate)) {
		struct delayed copy = *delayed;

		fabric->operations.retain(copy.frame);
		to->counters.duplicated++;
		deliver(fabric, &copy, arrives_ns, 0);
	}
	deliver(fabric, delayed, arrives_ns, late_ns);
}

static void
flood(struct fabric_switch *fabric, struct delayed *delayed, uint64_t leaves_ns)
{
	fabric->ports[delayed->from].counters.flooded++;
	for (uint32_t i = 0; i < fabric->options.ports; i++) {
		struct delayed copy = *delayed;

		if (i == delayed->from)
			continue;
		fabric->operations.retain(copy.frame);
		copy.to = (uint16_t)i;
		send_to(fabric, &copy, leaves_ns);
	}
	fabric->operations.release(delayed->frame);
}

void
switch_receive(struct fabric_switch *fabric, uint32_t port, void *frame,
	const uint8_t *bytes, uint32_t length, uint64_t now_ns)
{
	struct switch_port *from = &fabric->ports[port];
	struct delayed delayed = {
		.frame = frame,
		.length = length,
		.from = (uint16_t)port,
	};
	struct mac destination, source;
	uint32_t to;

	from->counters.rx_packets++;
	from->counters.rx_bytes += length;
	if (length < ETHERNET_BYTES) {
		from->counters.drop_malformed++;
		fabric->operations.release(frame);
		return;
	}
	if (length > fabric->options.mtu + ETHERNET_BYTES) {
		from->counters.drop_mtu++;
		fabric->operations.release(frame);
		return;
	}
	memcpy(&destination, bytes, sizeof(destination));
	memcpy(&source, bytes + sizeof(destination), sizeof(source));
	learn(fabric, &source, port, now_ns);
	from->out_ns =
		u64_max(from->out_ns, now_ns) + duration_ns(fabric, length);
	to = look_up(fabric, &destination);
	if (to == SWITCH_PORTS_MAX) {
		flood(fabric, &delayed, from->out_ns);
	} else if (to == port) {
		from->counters.drop_same_port++;
		fabric->operations.release(frame);
	} else {
		delayed.to = (uint16_t)to;
		send_to(fabric, &delayed, from->out_ns);
	}
}

/* One frame that is due, into its RX queue. @return false if there is none */
static bool
arrive(struct fabric_switch *fabric, uint64_t now_ns)
{
	const struct delayed *first = delay_line_first(&fabric->line);
	uint32_t threshold = fabric->options.ecn_threshold;
	struct delayed delayed;
	struct switch_port *to;

	if (first == NULL || first->due_ns > now_ns)
		return false;
	to = &fabric->ports[first->to];
	if (queue_length(to) > fabric->queue_mask)
		return false;
	delayed = delay_line_pop(&fabric->line);
	if (threshold != 0 && queue_length(to) > threshold)
		mark(fabric, &delayed);
	*queue_at(fabric, to, to->tail++) = (struct queued){
		.frame = delayed.frame,
		.length = delayed.length,
		.from = delayed.from,
	};
	return true;
}

uint32_t
switch_advance(struct fabric_switch *fabric, uint64_t now_ns, bool *more)
{
	uint32_t ports = 0;
	uint32_t arrived = 0;

	while (arrived < SWITCH_BURST && arrive(fabric, now_ns))
		arrived++;
	*more = arrived == SWITCH_BURST;
	for (uint32_t i = 0; i < fabric->options.ports; i++)
		if (queue_length(&fabric->ports[i]) > 0)
			ports |= 1u << i;
	return ports;
}

uint32_t
switch_offer(const struct fabric_switch *fabric, uint32_t port, void **frames,
	uint32_t capacity)
{
	const struct switch_port *to = &fabric->ports[port];
	uint32_t count = u32_min(queue_length(to), capacity);

	for (uint32_t i = 0; i < count; i++)
		frames[i] = queue_at(fabric, to, to->head + i)->frame;
	return count;
}

void
switch_taken(struct fabric_switch *fabric, uint32_t port, uint32_t offered,
	uint32_t taken)
{
	struct switch_port *to = &fabric->ports[port];

	assert(taken <= offered && offered <= queue_length(to));
	for (uint32_t i = 0; i < taken; i++) {
		const struct queued *queued = queue_at(fabric, to, to->head++);

		fabric->ports[queued->from].in_flight--;
		to->counters.tx_packets++;
		to->counters.tx_bytes += queued->length;
	}
	if (taken == offered)
		return;
	while (queue_length(to) > fabric->options.depth) {
		release_queued(fabric, queue_at(fabric, to, --to->tail));
		to->counters.drop_depth++;
	}
}

void
switch_link_down(struct fabric_switch *fabric, uint32_t port)
{
	struct switch_port *to = &fabric->ports[port];

	while (queue_length(to) > 0) {
		release_queued(fabric, queue_at(fabric, to, to->head++));
		to->counters.drop_link_down++;
	}
}

uint64_t
switch_next_ns(const struct fabric_switch *fabric, uint64_t now_ns)
{
	const struct delayed *first = delay_line_first(&fabric->line);
	uint64_t buffer_ns = duration_ns(fabric, SWITCH_BUFFER_BYTES);
	uint64_t next_ns = first == NULL ? UINT64_MAX : first->due_ns;

	for (uint32_t i = 0; i < fabric->options.ports; i++) {
		const struct switch_port *port = &fabric->ports[i];

		if (port->out_ns > now_ns + buffer_ns)
			next_ns = u64_min(next_ns, port->out_ns - buffer_ns);
	}
	return next_ns;
}

const struct switch_counters *
switch_port_counters(const struct fabric_switch *fabric, uint32_t port)
{
	return &fabric->ports[port].counters;
}

static size_t
counter_format(char *text, size_t capacity, uint32_t port, const char *name,
	uint64_t value)
{
	int length = snprintf(text, capacity, "port%u_%s %llu\n", port, name,
		(unsigned long long)value);

	return (size_t)length < capacity ? (size_t)length : capacity - 1;
}

uint32_t
switch_counters_format(
	const struct fabric_switch *fabric, char *text, size_t capacity)
{
	size_t used = 0;

	for (uint32_t i = 0; i < fabric->options.ports; i++) {
		const struct switch_counters *counters =
			&fabric->ports[i].counters;

#define SWITCH_COUNTER(name)                                                   \
	used += counter_format(                                                \
		text + used, capacity - used, i, #name, counters->name);
		SWITCH_COUNTERS(SWITCH_COUNTER)
#undef SWITCH_COUNTER
	}
	return (uint32_t)used;
}
