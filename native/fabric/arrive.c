/* SPDX-License-Identifier: MIT */
#include <assert.h>

#include "base/bits.h"
#include "fabric/flow.h"
#include "fabric/switch_private.h"

static void
release_queued(struct fabric_switch *fabric, const struct queued *queued)
{
	fabric->ports[queued->from].in_flight--;
	fabric->operations.release(queued->frame);
}

uint64_t
switch_queue_empty(
	struct fabric_switch *fabric, struct switch_port *port, uint32_t i)
{
	struct rx_queue *queue = &port->queues[i];
	uint64_t count = rx_queue_length(queue);

	while (rx_queue_length(queue) > 0) {
		struct queued queued = rx_queue_pop_oldest(queue);

		release_queued(fabric, &queued);
	}
	port->pending &= ~(UINT64_C(1) << i);
	return count;
}

/* Room for a frame, whatever queue it goes to? */
static bool
has_room(const struct switch_port *to)
{
	for (uint64_t left = to->pending; left != 0; left &= left - 1)
		if (rx_queue_full(&to->queues[__builtin_ctzll(left)]))
			return false;
	return true;
}

/* The RX queue that the host's vNIC chooses, or CLASSIFIER_REFUSED. */
static uint32_t
choose_queue(const struct fabric_switch *fabric, struct switch_port *to,
	const void *frame, uint64_t now_ns)
{
	uint32_t length;
	const uint8_t *bytes = fabric->operations.bytes(frame, &length);

	if (now_ns >= to->cut_until_ns)
		return classifier_queue(to->classifier, bytes, length, now_ns);
	to->counters.drop_link_down++;
	return CLASSIFIER_REFUSED;
}

static void
enter(struct fabric_switch *fabric, struct delayed *delayed, uint64_t now_ns)
{
	struct switch_port *to = &fabric->ports[delayed->to];
	uint32_t threshold = fabric->options.ecn_threshold;
	uint32_t index = choose_queue(fabric, to, delayed->frame, now_ns);

	if (index == CLASSIFIER_REFUSED) {
		fabric->ports[delayed->from].in_flight--;
		fabric->operations.release(delayed->frame);
		return;
	}
	if (threshold != 0 && rx_queue_length(&to->queues[index]) > threshold)
		switch_mark(fabric, delayed);
	rx_queue_push(&to->queues[index], &(struct queued){
						  .frame = delayed->frame,
						  .length = delayed->length,
						  .from = delayed->from,
					  });
	to->pending |= UINT64_C(1) << index;
}

/* One frame that is due, to its host. @return false if there is none */
static bool
arrive(struct fabric_switch *fabric, uint64_t now_ns)
{
	const struct delayed *first = delay_line_first(&fabric->line);
	struct delayed delayed;

	if (first == NULL || first->due_ns > now_ns ||
		!has_room(&fabric->ports[first->to]))
		return false;
	delayed = delay_line_pop(&fabric->line);
	enter(fabric, &delayed, now_ns);
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
		if (fabric->ports[i].pending != 0)
			ports |= 1u << i;
	return ports;
}

uint64_t
switch_pending(const struct fabric_switch *fabric, uint32_t port)
{
	return fabric->ports[port].pending;
}

uint32_t
switch_offer(const struct fabric_switch *fabric, uint32_t port, uint32_t queue,
	void **frames, uint32_t capacity)
{
	const struct rx_queue *to = &fabric->ports[port].queues[queue];
	uint32_t count = u32_min(rx_queue_length(to), capacity);

	for (uint32_t i = 0; i < count; i++)
		frames[i] = rx_queue_at(to, i)->frame;
	return count;
}

static void
drop_newest(struct fabric_switch *fabric, struct rx_queue *queue)
{
	struct queued queued = rx_queue_pop_newest(queue);
	uint32_t length;
	const uint8_t *bytes = fabric->operations.bytes(queued.frame, &length);

	queue->counters.drop_depth++;
	queue->counters.drop_depth_syn += frame_is_syn(bytes, length);
	release_queued(fabric, &queued);
}

void
switch_taken(struct fabric_switch *fabric, uint32_t port, uint32_t queue,
	uint32_t offered, uint32_t taken)
{
	struct switch_port *to = &fabric->ports[port];
	struct rx_queue *from = &to->queues[queue];

	assert(taken <= offered && offered <= rx_queue_length(from));
	for (uint32_t i = 0; i < taken; i++) {
		struct queued queued = rx_queue_pop_oldest(from);

		fabric->ports[queued.from].in_flight--;
		from->counters.packets_received++;
		from->counters.bytes_received += queued.length;
	}
	if (taken < offered)
		while (rx_queue_length(from) > fabric->options.depth)
			drop_newest(fabric, from);
	if (rx_queue_length(from) == 0)
		to->pending &= ~(UINT64_C(1) << queue);
}

void
switch_link_down(struct fabric_switch *fabric, uint32_t port)
{
	struct switch_port *to = &fabric->ports[port];

	for (uint64_t left = to->pending; left != 0; left &= left - 1)
		to->counters.drop_link_down += switch_queue_empty(
			fabric, to, (uint32_t)__builtin_ctzll(left));
}

void
switch_open_queues(struct fabric_switch *fabric, uint32_t port, uint32_t queues)
{
	struct switch_port *to = &fabric->ports[port];

	classifier_set_queues(to->classifier, queues);
	for (uint32_t i = queues; i < fabric->options.hosts[port].queues; i++)
		to->counters.drop_link_down +=
			switch_queue_empty(fabric, to, i);
}
