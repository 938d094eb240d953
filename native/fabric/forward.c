/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/bits.h"
#include "fabric/flow.h"
#include "fabric/switch_private.h"

/* The upper half of a throw decides, the lower half says how much. */
static bool
hits(uint64_t thrown, uint64_t odds)
{
	return thrown >> 32 < odds;
}

bool
switch_accepts(
	const struct fabric_switch *fabric, uint32_t port, uint64_t now_ns)
{
	return cap_full(&fabric->ports[port].out, &fabric->options.cap,
		       now_ns) == CAP_ROOM;
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

/* Do more frames wait before a cap than the threshold? */
static bool
cap_congested(const struct fabric_switch *fabric, const struct cap *cap,
	uint64_t now_ns)
{
	const struct switch_options *options = &fabric->options;

	return options->ecn_threshold != 0 &&
	       cap_waiting(cap, &options->cap, options->mtu + ETHERNET_BYTES,
		       now_ns) > options->ecn_threshold;
}

/* Through the cap of the receiving host, and out of order, if it must be. */
static void
deliver(struct fabric_switch *fabric, struct delayed *delayed,
	uint64_t arrives_ns, uint64_t late_ns)
{
	const struct cap_rates *rates = &fabric->options.cap;
	struct switch_port *to = &fabric->ports[delayed->to];
	enum cap_full full = cap_full(&to->in, rates, arrives_ns);

	if (full != CAP_ROOM) {
		if (full == CAP_BITS_FULL)
			to->counters.drop_bandwidth++;
		else
			to->counters.drop_packet_rate++;
		fabric->operations.release(delayed->frame);
		return;
	}
	if (cap_congested(fabric, &to->in, arrives_ns))
		switch_mark(fabric, delayed);
	delayed->due_ns =
		cap_pass(&to->in, rates, delayed->length, arrives_ns) + late_ns;
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

/* Forward, to one or to all. */
static void
forward(struct fabric_switch *fabric, struct delayed *delayed,
	const uint8_t *bytes, uint64_t now_ns)
{
	struct switch_port *from = &fabric->ports[delayed->from];
	struct mac destination, source;
	uint64_t leaves_ns;
	uint32_t to;

	memcpy(&destination, bytes, sizeof(destination));
	memcpy(&source, bytes + sizeof(destination), sizeof(source));
	addresses_learn(&fabric->addresses, &source, delayed->from, now_ns);
	leaves_ns = cap_pass(
		&from->out, &fabric->options.cap, delayed->length, now_ns);
	to = addresses_find(&fabric->addresses, &destination);
	if (to == ADDRESSES_UNKNOWN) {
		flood(fabric, delayed, leaves_ns);
	} else if (to == delayed->from) {
		from->counters.drop_same_port++;
		fabric->operations.release(delayed->frame);
	} else {
		delayed->to = (uint16_t)to;
		send_to(fabric, delayed, leaves_ns);
	}
}

void
switch_receive(struct fabric_switch *fabric, uint32_t port, void *frame,
	uint32_t length, uint64_t now_ns)
{
	struct switch_port *from = &fabric->ports[port];
	struct switch_counters *counters = &from->counters;
	struct delayed delayed = {
		.frame = frame,
		.length = length,
		.from = (uint16_t)port,
	};
	uint32_t bytes_length;
	const uint8_t *bytes = fabric->operations.bytes(frame, &bytes_length);

	counters->packets_sent++;
	counters->bytes_sent += length;
	counters->syns_sent += frame_is_syn(bytes, bytes_length);
	if (bytes_length < ETHERNET_BYTES) {
		counters->drop_malformed++;
	} else if (length > fabric->options.mtu + ETHERNET_BYTES) {
		counters->drop_mtu++;
	} else if (now_ns < from->cut_until_ns) {
		counters->drop_link_down++;
	} else {
		classifier_sent(from->classifier, bytes, bytes_length, now_ns);
		forward(fabric, &delayed, bytes, now_ns);
		return;
	}
	fabric->operations.release(frame);
}

uint64_t
switch_next_ns(const struct fabric_switch *fabric, uint64_t now_ns)
{
	const struct delayed *first = delay_line_first(&fabric->line);
	uint64_t next_ns = first == NULL ? UINT64_MAX : first->due_ns;

	for (uint32_t i = 0; i < fabric->options.ports; i++) {
		uint64_t room_ns = cap_room_ns(
			&fabric->ports[i].out, &fabric->options.cap, now_ns);

		if (room_ns > now_ns)
			next_ns = u64_min(next_ns, room_ns);
	}
	return next_ns;
}
