// SPDX-License-Identifier: MIT
/*
 * What is between the hosts of a simulation: wires that lose, double, spoil,
 * delay and reorder packets, a port to each machine of a switch that takes its
 * time for each packet, and the RX queues of the machines.
 */
#include "base/bits.h"
#include "transport/simulation.h"
#include "wire/ethernet.h"

#define FRAME_BYTES_MAX (UDP_PAYLOAD_OFFSET + 9216u)

/* Packets under way: a heap. */

static bool
earlier(const struct packet *a, const struct packet *b)
{
	return a->arrival_ns != b->arrival_ns ? a->arrival_ns < b->arrival_ns
					      : a->order < b->order;
}

static void
heap_push(struct simulation *s, struct packet *packet)
{
	uint32_t at = s->packets_length++;

	if (at == s->packets_capacity) {
		s->packets_capacity = s->packets_capacity * 2 + 64;
		s->packets = realloc(s->packets,
			s->packets_capacity * sizeof(struct packet *));
		assert_non_null(s->packets);
	}
	while (at != 0 && earlier(packet, s->packets[(at - 1) / 2])) {
		s->packets[at] = s->packets[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	s->packets[at] = packet;
}

static struct packet *
heap_pop(struct simulation *s)
{
	struct packet *top = s->packets[0];
	struct packet *last = s->packets[--s->packets_length];
	uint32_t at = 0;

	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child + 1 < s->packets_length &&
			earlier(s->packets[child + 1], s->packets[child]))
			child++;
		if (child >= s->packets_length ||
			!earlier(s->packets[child], last))
			break;
		s->packets[at] = s->packets[child];
		at = child;
	}
	if (s->packets_length != 0)
		s->packets[at] = last;
	return top;
}

/* What a vNIC sees of the packet. @return its length */
static uint32_t
frame_of(const struct packet *packet, uint8_t *frame, unsigned offload)
{
	struct udp_address address = {
		.source_ip = packet->path.address,
		.destination_ip = packet->to,
		.source_port = packet->path.remote_port,
		.destination_port = packet->path.local_port,
	};

	memcpy(frame + UDP_PAYLOAD_OFFSET, packet->bytes, packet->length);
	return udp_frame_write(frame, &address, packet->length, offload);
}

/* The wire. */

/* One byte of the frame is another. @return whether the checksums let it pass:
 * if it was padding, or the UDP checksum and left none */
static bool
corrupted_passes(struct simulation *s, const struct packet *packet)
{
	uint8_t bytes[FRAME_BYTES_MAX];
	uint32_t length = frame_of(packet, bytes, 0);
	uint64_t at =
		ETHERNET_BYTES + simulation_random(s, length - ETHERNET_BYTES);
	struct frame frame;

	bytes[at] ^= 1 + simulation_random(s, 255);
	frame_parse(&frame, bytes, length, 0);
	if (frame.kind != FRAME_UDP)
		return false;
	CHECK(s, frame.source_ip == packet->path.address &&
			 frame.destination_ip == packet->to &&
			 frame.source_port == packet->path.remote_port &&
			 frame.destination_port == packet->path.local_port);
	CHECK(s, frame.payload_length == packet->length &&
			 memcmp(frame.payload, packet->bytes, packet->length) ==
				 0);
	return true;
}

static bool
lost(struct simulation *s, const struct packet *packet)
{
	const struct network *network = &s->network;

	if (s->burst_left == 0 && simulation_chance(s, network->burst)) {
		s->faults.bursts++;
		s->burst_left =
			1 + simulation_random(s, 2 * network->burst_packets);
	}
	if (s->burst_left != 0) {
		s->burst_left--;
		return true;
	}
	if (simulation_chance(s, network->loss)) {
		s->faults.lost++;
		return true;
	}
	if (!simulation_chance(s, network->corrupt))
		return false;
	s->faults.corrupted++;
	return !corrupted_passes(s, packet);
}

/* Through the port to the machine. @return false: it waits behind too many */
static bool
port_pass(struct simulation *s, struct packet *packet)
{
	const struct network *network = &s->network;
	struct host *to = simulation_host(s, packet->to);
	uint64_t free_ns, waiting;

	if (network->packet_ns == 0 || to == NULL)
		return true;
	free_ns = u64_max(to->machine->port_free_ns, s->now_ns);
	waiting = (free_ns - s->now_ns) / network->packet_ns;
	if (waiting >= network->queue_packets) {
		s->faults.queues_full++;
		return false;
	}
	if (network->mark_packets != 0 && waiting > network->mark_packets) {
		s->faults.marked++;
		packet->marked = true;
	}
	to->machine->port_free_ns = free_ns + network->packet_ns;
	packet->arrival_ns += to->machine->port_free_ns - s->now_ns;
	return true;
}

static void
packet_put(struct simulation *s, struct packet *packet)
{
	const struct network *network = &s->network;

	packet->order = s->order++;
	packet->arrival_ns = s->now_ns + network->delay_ns;
	if (network->jitter_ns != 0) {
		s->faults.delayed++;
		packet->arrival_ns += simulation_random(s, network->jitter_ns);
	}
	if (simulation_chance(s, network->reorder)) {
		s->faults.reordered++;
		packet->arrival_ns +=
			simulation_random(s, 10 * network->delay_ns);
	}
	if (port_pass(s, packet))
		heap_push(s, packet);
	else
		free(packet);
}

static struct packet *
packet_copy(const struct packet *packet)
{
	size_t bytes = sizeof(*packet) + packet->length;
	struct packet *copy = malloc(bytes);

	assert_non_null(copy);
	memcpy(copy, packet, bytes);
	return copy;
}

uint8_t *
packet_room(struct host *host)
{
	if (host->device_used >= host->device_room)
		return NULL;
	return host->device;
}

bool
packet_append(struct host *host, const uint8_t *bytes, uint32_t length)
{
	CHECK(host->simulation, host->attached_length == 0);
	host->attached = bytes;
	host->attached_length = length;
	return true;
}

void
packet_transmit(
	struct host *from, const struct transport_path *path, uint32_t length)
{
	struct simulation *s = from->simulation;
	struct packet *packet = malloc(sizeof(*packet) + length);
	uint8_t frame[FRAME_BYTES_MAX];

	assert_non_null(packet);
	CHECK(s, length <= from->options.mtu - 28u);
	*packet = (struct packet){
		.to = path->address,
		.length = length,
		.path =
			{
				.address = from->address,
				.local_port = path->remote_port,
				.remote_port = path->local_port,
			},
	};
	length -= from->attached_length;
	memcpy(packet->bytes, from->device, length);
	if (from->attached_length != 0)
		memcpy(packet->bytes + length, from->attached,
			from->attached_length);
	from->attached_length = 0;
	if (from->machine->vnic != NULL)
		classifier_sent(from->machine->vnic, frame,
			frame_of(packet, frame,
				FRAME_VERIFIED_IPV4 | FRAME_VERIFIED_UDP),
			s->now_ns);
	from->device_used++;
	from->sent[packet->bytes[1] & 15]++;
	s->packets_sent++;
	if (s->stranger != NULL && s->stranger->address == packet->to)
		stranger_receive(s->stranger, packet);
	if (!from->up || (s->filter != NULL && !s->filter(s, packet)) ||
		lost(s, packet)) {
		free(packet);
		return;
	}
	if (simulation_chance(s, s->network.duplicate)) {
		s->faults.duplicated++;
		packet_put(s, packet_copy(packet));
	}
	packet_put(s, packet);
}

/* RX queues. */

/* The queue is full: it is lost. */
static void
rx_push(struct host *host, struct packet *packet)
{
	if (host->rx_length == host->options.descriptors) {
		host->rx_overflows++;
		free(packet);
		return;
	}
	host->rx[(host->rx_first + host->rx_length++) %
		 host->options.descriptors] = packet;
	host->rx_length_max = u32_max(host->rx_length_max, host->rx_length);
}

static void
packet_deliver(struct simulation *s, struct packet *packet)
{
	struct host *to = simulation_host(s, packet->to);
	uint8_t frame[FRAME_BYTES_MAX];

	if (to == NULL || !to->up) {
		free(packet);
		return;
	}
	packet->queue = to->options.engine;
	if (to->machine->vnic != NULL) {
		packet->queue = classifier_queue(to->machine->vnic, frame,
			frame_of(packet, frame,
				FRAME_VERIFIED_IPV4 | FRAME_VERIFIED_UDP),
			s->now_ns);
		if (packet->queue == CLASSIFIER_REFUSED) {
			free(packet);
			return;
		}
		to = &to->machine->engines[packet->queue];
	}
	rx_push(to, packet);
}

void
network_step(struct simulation *s)
{
	while (s->packets_length != 0 && s->packets[0]->arrival_ns <= s->now_ns)
		packet_deliver(s, heap_pop(s));
}

struct packet *
rx_pop(struct host *host)
{
	struct packet *packet = host->rx[host->rx_first];

	host->rx_first = (host->rx_first + 1) % host->options.descriptors;
	host->rx_length--;
	return packet;
}

static void
hand_over(struct host *from, uint32_t engine, struct packet *packet)
{
	if (engine == from->options.engine)
		return;
	from->machine->handovers++;
	rx_push(&from->machine->engines[engine], packet_copy(packet));
}

bool
rx_hand_over(struct host *host, struct packet *packet)
{
	uint32_t engine = transport_engine_of(packet->bytes, packet->length);

	if (packet->queue != host->options.engine)
		return false; /* to us, by another engine */
	if (engine < host->options.engines) {
		hand_over(host, engine, packet);
		return engine != host->options.engine;
	}
	if (engine == TRANSPORT_ENGINE_ALL)
		for (uint32_t i = 0; i < host->options.engines; i++)
			hand_over(host, i, packet);
	return false;
}

void
network_free(struct simulation *s)
{
	while (s->packets_length != 0)
		free(heap_pop(s));
	free(s->packets);
}
