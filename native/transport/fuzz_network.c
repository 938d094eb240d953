// SPDX-License-Identifier: MIT
/* Packets of the fuzzer's world: from the hosts to where they wait, and in. */
#include "transport/fuzz_world.h"

#include <string.h>

#include "base/bits.h"
#include "transport/peers.h"

uint8_t *
packet_room(void *context)
{
	struct host *host = context;

	if (host->device_room == 0)
		return NULL;
	free(host->device);
	host->device = fuzz_memory(host->options.mtu - 28u);
	return host->device;
}

static void
packet_put(struct world *world, struct packet *packet)
{
	if (world->packets_length == PACKETS_MAX)
		free(world_take(world, 0));
	world->packets[world->packets_length++] = packet;
}

/* A stranger keeps nothing but the cookie. */
static void
stranger_receive(struct host *from, uint32_t length)
{
	struct wire_answer answer;

	if (wire_answer_read(&answer, from->device, length))
		from->world->cookie = answer.cookie;
}

/* Every other fragment, so that packets of both kinds are retransmitted. */
bool
packet_attach(void *context, struct endpoint *endpoint,
	struct tx_message *message, uint32_t offset, uint32_t length)
{
	struct host *host = context;

	FUZZ_CHECK(endpoint == &host->application.endpoint);
	FUZZ_CHECK(host->device != NULL && host->attached_length == 0);
	FUZZ_CHECK((uint64_t)offset + length <= message->length);
	if (offset / length % 2 == 0)
		return false;
	host->attached = message->bytes + offset;
	host->attached_length = length;
	return true;
}

void
packet_transmit(
	void *context, const struct transport_path *path, uint32_t length)
{
	struct host *host = context;
	uint32_t to = path->address - HOST_ADDRESS;
	struct packet *packet;

	FUZZ_CHECK(host->device != NULL);
	FUZZ_CHECK(length <= host->options.mtu - 28u);
	host->device_room--;
	host->packets_sent++;
	host->bytes_sent += length;
	if (to < HOSTS) {
		packet = malloc(sizeof(*packet) + length);
		FUZZ_CHECK(packet != NULL);
		*packet = (struct packet){
			.path = {.address = host->options.address,
				.local_port = path->remote_port,
				.remote_port = path->local_port},
			.to = to,
			.length = length,
		};
		length -= host->attached_length;
		memcpy(packet->bytes, host->device, length);
		if (host->attached_length != 0)
			memcpy(packet->bytes + length, host->attached,
				host->attached_length);
		packet_put(host->world, packet);
	} else {
		stranger_receive(host, length);
	}
	host->attached_length = 0;
	free(host->device);
	host->device = NULL;
}

struct packet *
world_take(struct world *world, uint32_t index)
{
	struct packet *packet = world->packets[index];

	world->packets_length--;
	memmove(&world->packets[index], &world->packets[index + 1],
		(world->packets_length - index) * sizeof(struct packet *));
	return packet;
}

/* In. */

/* Does it answer a SYN that opens nothing? Those have numbers in a row. */
static bool
answer_asked_for(
	const struct host *host, uint32_t address, const uint8_t *bytes)
{
	const struct peer *peer = peer_find(host->transport, address);
	uint64_t number = load_le64(bytes + 8);

	if (peer == NULL || bytes[1] != WIRE_ANSWER)
		return false;
	for (const struct route *r = peer->routes; r != NULL; r = r->next)
		if (number - r->search.number < UINT64_C(2) * RSS_BURST_MAX)
			return true;
	return false;
}

/* Is it for a connection that is, or was, the sender's? */
static bool
packet_known(const struct host *host, uint32_t address, const uint8_t *bytes,
	uint32_t length)
{
	return length >= WIRE_HEADER_BYTES &&
	       (flow_get(host->transport, load_le32(bytes + 4)) != NULL ||
		       answer_asked_for(host, address, bytes));
}

/* A stranger gets no more than it sent, but for a RESET, which is small. */
void
host_receive(struct host *host, const struct transport_path *path,
	const uint8_t *bytes, uint32_t length, bool marked)
{
	uint64_t packets = host->packets_sent;
	uint64_t sent = host->bytes_sent;
	bool known = packet_known(host, path->address, bytes, length);
	uint8_t *copy = fuzz_memory(length);

	if (length != 0)
		memcpy(copy, bytes, length);
	transport_receive(host->transport, host->world->now_ns, path, 0, copy,
		length, marked);
	FUZZ_CHECK(host->packets_sent - packets <= 1);
	FUZZ_CHECK(known || host->bytes_sent - sent <=
				    u32_max(length, WIRE_RESET_BYTES));
	free(copy);
}
