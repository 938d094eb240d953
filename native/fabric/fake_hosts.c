/* SPDX-License-Identifier: MIT */
#include "fabric/fake_hosts.h"

#include <stdlib.h>
#include <string.h>

#include "wire/packet.h"

struct lab lab;

static void
retain(void *frame)
{
	((struct packet *)frame)->references++;
}

static void
release(void *frame)
{
	struct packet *packet = frame;

	assert_true(packet->references > 0);
	if (--packet->references > 0)
		return;
	lab.living--;
	free(packet);
}

static struct packet *
packet_create(uint32_t number, const uint8_t *bytes, uint32_t length)
{
	struct packet *packet = calloc(1, sizeof(*packet));

	assert_non_null(packet);
	*packet = (struct packet){
		.length = length,
		.number = number,
		.references = 1,
		.capable = lab.capable,
	};
	memcpy(packet->bytes, bytes, u32_min(length, CONTENT_BYTES));
	lab.living++;
	return packet;
}

static struct packet *
packet_copy(struct packet *packet)
{
	struct packet *copy =
		packet_create(packet->number, packet->bytes, packet->length);

	release(packet);
	return copy;
}

static void *
corrupt(void *frame, uint32_t bit)
{
	struct packet *packet = frame;
	struct packet *copy = packet;

	assert_true(bit < 8 * FRAME_BYTES);
	if (packet->references > 1)
		copy = packet_copy(packet);
	copy->corrupt = true;
	copy->bit = bit;
	return copy;
}

static bool
mark(void **frame)
{
	struct packet *packet = *frame;

	if (!packet->capable || packet->marked)
		return false;
	if (packet->references > 1)
		*frame = packet = packet_copy(packet);
	packet->marked = true;
	return true;
}

static const uint8_t *
bytes_of(const void *frame, uint32_t *length)
{
	const struct packet *packet = frame;

	*length = u32_min(packet->length, CONTENT_BYTES);
	return packet->bytes;
}

static const struct switch_operations operations = {
	.retain = retain,
	.release = release,
	.corrupt = corrupt,
	.mark = mark,
	.bytes = bytes_of,
};

void
start(const struct switch_options *options)
{
	memset(&lab, 0, sizeof(lab));
	lab.now_ns = NS_PER_S;
	for (uint32_t i = 0; i < SWITCH_PORTS_MAX; i++)
		lab.room[i] = UINT32_MAX;
	lab.fabric = switch_create(options, &operations);
	assert_non_null(lab.fabric);
}

int
stop(void **state)
{
	(void)state;
	if (lab.fabric != NULL)
		switch_destroy(lab.fabric);
	lab.fabric = NULL;
	assert_int_equal(lab.living, 0);
	return 0;
}

const struct switch_options plain = {
	.ports = 3,
	.hosts = {{.queues = 1}, {.queues = 1}, {.queues = 1}},
	.seed = 1,
	.depth = 256,
	.mtu = 1500,
};

void
address_of(uint8_t *bytes, uint32_t port)
{
	const uint8_t mac[6] = {2, 0, 0, 0, 0, (uint8_t)port};

	memcpy(bytes, mac, sizeof(mac));
}

void
send_bytes(uint32_t from, const uint8_t *bytes, uint32_t length)
{
	switch_receive(lab.fabric, from,
		packet_create(lab.sent++, bytes, length), length, lab.now_ns);
}

void
send_length(uint32_t from, uint32_t to, uint32_t length)
{
	uint8_t bytes[CONTENT_BYTES] = {0};

	address_of(bytes, to);
	if (to == EVERYBODY)
		memset(bytes, 0xff, 6);
	address_of(bytes + 6, from);
	send_bytes(from, bytes, length);
}

void
send_udp(uint32_t from, uint32_t to, uint16_t source_port,
	uint16_t destination_port, uint8_t payload)
{
	uint8_t bytes[FRAME_BYTES] = {0};
	struct udp_address address = {
		.source_ip = 0x0a5a0001 + from,
		.destination_ip = 0x0a5a0001 + to,
		.source_port = source_port,
		.destination_port = destination_port,
	};

	address_of(address.source_mac.bytes, from);
	address_of(address.destination_mac.bytes, to);
	bytes[UDP_PAYLOAD_OFFSET] = WIRE_VERSION;
	bytes[UDP_PAYLOAD_OFFSET + 1] = payload;
	udp_frame_write(bytes, &address, FRAME_BYTES - UDP_PAYLOAD_OFFSET, 0);
	send_bytes(from, bytes, FRAME_BYTES);
}

void
send_frame(uint32_t from, uint32_t to)
{
	send_length(from, to, FRAME_BYTES);
}

/* A queue of a host takes what it has room for, as a memif ring does. */
static void
take(uint32_t port, uint32_t queue)
{
	void *frames[8];
	uint32_t offered, taken;

	do {
		offered = switch_offer(
			lab.fabric, port, queue, frames, ARRAY_LENGTH(frames));
		taken = u32_min(offered, lab.room[port]);
		lab.room[port] -= taken;
		for (uint32_t i = 0; i < taken; i++) {
			const struct packet *packet = frames[i];

			assert_true(lab.arrived < ARRIVALS_MAX);
			lab.arrivals[lab.arrived++] = (struct arrival){
				.at_ns = lab.now_ns,
				.port = port,
				.queue = queue,
				.number = packet->number,
				.corrupt = packet->corrupt,
				.marked = packet->marked,
			};
			release(frames[i]);
		}
		switch_taken(lab.fabric, port, queue, offered, taken);
	} while (taken == ARRAY_LENGTH(frames));
}

static void
take_all(uint32_t port)
{
	uint64_t queues = switch_pending(lab.fabric, port);

	for (; queues != 0; queues &= queues - 1)
		take(port, (uint32_t)__builtin_ctzll(queues));
}

void
run_for(uint64_t ns)
{
	uint64_t until_ns = lab.now_ns + ns;

	for (;;) {
		uint64_t next_ns = switch_next_ns(lab.fabric, lab.now_ns);
		bool more = true;

		if (next_ns > until_ns)
			break;
		lab.now_ns = u64_max(lab.now_ns, next_ns);
		while (more) {
			uint32_t ports =
				switch_advance(lab.fabric, lab.now_ns, &more);

			for (; ports != 0; ports &= ports - 1)
				take_all((uint32_t)__builtin_ctz(ports));
		}
	}
	lab.now_ns = u64_max(lab.now_ns, until_ns);
}

void
teach_addresses(uint32_t ports)
{
	for (uint32_t i = 0; i < ports; i++)
		send_frame(i, EVERYBODY);
	run_for(NS_PER_S);
	lab.arrived = 0;
	lab.sent = 0;
}

const struct switch_counters *
counters(uint32_t port)
{
	return switch_port_counters(lab.fabric, port);
}

const struct rx_queue_counters *
queue_counters(uint32_t port, uint32_t queue)
{
	return switch_queue_counters(lab.fabric, port, queue);
}
