// SPDX-License-Identifier: MIT
/*
 * An input is a script: a byte that chooses the options, then steps of a byte
 * for what is done and to which host, and what else that step takes. It begins
 * with a connection that is open and another of which the SYN is under way.
 */
#include <string.h>

#include "base/bits.h"
#include "transport/fuzz_world.h"
#include "transport/peers.h"

#define PACKET_BYTES_MAX 2048u
#define STEPS_MAX 2000u
/* Of a step: enough for fragments that need a map. */
#define SEND_BYTES_MAX (1u << 17)

struct script {
	struct fuzz_input input;
	struct world *world;
	struct host *host; /* of this step */
	struct host *other;
};

static uint8_t
u8(struct script *s)
{
	return fuzz_u8(&s->input);
}

/* A small number, often a very small one. */
static uint32_t
small(struct script *s)
{
	uint8_t code = u8(s);

	return code < 128 ? code % 4 : code;
}

/* The same of either sign. */
static uint64_t
delta(struct script *s)
{
	static const int8_t near[] = {0, 1, 2, -1};
	int8_t code = (int8_t)u8(s);

	return (uint64_t)(code < 0 ? code : near[code % 4]);
}

/* Up to a year, most of them short. */
static uint64_t
duration_ns(struct script *s)
{
	uint8_t code = u8(s);

	return (UINT64_C(1) + (code & 7)) << (10 + (code >> 3) % 24);
}

/* What the network does. */

static struct packet *
packet_pick(struct script *s)
{
	uint32_t index = u8(s);

	if (s->world->packets_length == 0)
		return NULL;
	return s->world->packets[index % s->world->packets_length];
}

static void
packet_deliver(struct script *s, const struct packet *packet)
{
	host_receive(&s->world->hosts[packet->to], &packet->path, packet->bytes,
		packet->length, (u8(s) & 1) != 0);
}

static void
step_deliver(struct script *s)
{
	uint32_t index = u8(s);
	struct packet *packet;

	if (s->world->packets_length == 0)
		return;
	packet = world_take(s->world, index % s->world->packets_length);
	packet_deliver(s, packet);
	free(packet);
}

static void
step_duplicate(struct script *s)
{
	const struct packet *packet = packet_pick(s);

	if (packet != NULL)
		packet_deliver(s, packet);
}

/* Some of those that wait, the oldest first. */
static void
step_drop(struct script *s)
{
	uint32_t count = 1 + u8(s) % 16;

	while (count-- != 0 && s->world->packets_length != 0)
		free(world_take(s->world, 0));
}

static void
step_corrupt(struct script *s)
{
	struct packet *packet = packet_pick(s);
	uint32_t changes = 1 + u8(s) % 4;

	if (packet == NULL)
		return;
	s->world->forged = true;
	while (changes-- != 0)
		packet->bytes[fuzz_u16(&s->input) % packet->length] = u8(s);
	packet->length -= u8(s) % packet->length;
	packet_deliver(s, packet);
}

static void
step_notice(struct script *s)
{
	uint8_t what = u8(s);
	struct transport_path path = {
		.address = (what & 2) != 0 ? s->other->options.address
					   : STRANGER_ADDRESS,
		.local_port = TRANSPORT_UDP_PORT,
		.remote_port = (uint16_t)(TRANSPORT_UDP_PORT + (what >> 7)),
	};

	if ((what & 1) != 0)
		transport_host_unreachable(
			s->host->transport, s->world->now_ns, path.address);
	else
		transport_port_unreachable(
			s->host->transport, s->world->now_ns, &path);
}

/* What the clock and the engine do. */

static void
step_jump(struct script *s)
{
	s->world->now_ns += duration_ns(s);
	world_poll(s->world);
}

static void
step_run(struct script *s)
{
	world_run(s->world, u64_min(duration_ns(s), NS_PER_S));
}

static void
step_poll(struct script *s)
{
	(void)s;
	world_poll(s->world);
}

static void
step_shortage(struct script *s)
{
	struct application *application = &s->host->application;
	uint8_t what = u8(s);
	uint8_t value = u8(s);

	switch (what % 4) {
	case 0:
		s->host->device_room = value == 255 ? UINT32_MAX : value;
		break;
	case 1:
		application->event_room = value % (EVENTS_MAX + 1);
		break;
	case 2:
		application->memory_bytes = value * (MEMORY_BYTES / 64);
		break;
	case 3:
		transport_occupancy(s->host->transport, value, value % 2 == 0);
		break;
	}
}

static void
step_restart(struct script *s)
{
	if ((u8(s) & 1) != 0) {
		host_restart(s->host);
		return;
	}
	application_kill(s->host);
	application_open(s->host);
}

/* What the application does. */

static struct connection *
connection_pick(struct script *s)
{
	struct application *application = &s->host->application;
	uint32_t index = u8(s);

	if (application->connections_length == 0)
		return NULL;
	return &application
			->connections[index % application->connections_length];
}

static void
step_connect(struct script *s)
{
	uint8_t what = u8(s);

	application_connect(s->host,
		(what & 1) != 0 ? STRANGER_ADDRESS : s->other->options.address,
		(what & 2) != 0 ? PORT + 1 : PORT, 5u * u8(s),
		(what & 4) != 0 ? TRANSPORT_UNORDERED : 0);
}

static void
step_send(struct script *s)
{
	struct connection *connection = connection_pick(s);
	uint8_t how = u8(s);
	uint32_t count = 1 + how % 64;
	uint8_t size = u8(s);
	/* 0 .. 7, then powers of two, and one less. */
	uint32_t length = size < 8 ? size : (1u << size % 18) - size / 128;

	count = u32_min(count, 1 + SEND_BYTES_MAX / (length + 1));
	for (; connection != NULL && count != 0; count--)
		application_send(s->host, connection, length,
			(enum machnet_message_kind)(how >> 6));
}

static void
step_read(struct script *s)
{
	application_read(s->host, 1u + u8(s));
}

static void
step_end(struct script *s)
{
	struct connection *connection = connection_pick(s);
	uint8_t how = u8(s);

	if (connection == NULL)
		return;
	if ((how & 1) != 0)
		application_reset(
			s->host, connection->id, (how & 2) != 0 ? "why" : "");
	else
		application_close(s->host, connection, 1 + how * 2u);
}

/* What nobody ought to send. Connections of the host are known by heart. */

static struct flow *
flow_pick(struct script *s)
{
	struct transport *t = s->host->transport;
	uint32_t index = 1 + u8(s);
	struct flow *f;

	if (t->flows_touched == 1)
		return NULL;
	f = &t->flows[1 + index % (t->flows_touched - 1)];
	return f->state != FLOW_FREE ? f : NULL;
}

static void
forge(struct script *s, uint32_t address, const uint8_t *bytes, uint32_t length)
{
	const struct transport_path path = {
		.address = address,
		.local_port = TRANSPORT_UDP_PORT,
		.remote_port = TRANSPORT_UDP_PORT,
	};

	s->world->forged = true;
	host_receive(s->host, &path, bytes, length, false);
}

static uint32_t
address_pick(struct script *s)
{
	return (u8(s) & 1) != 0 ? STRANGER_ADDRESS : s->other->options.address;
}

static void
step_raw(struct script *s)
{
	uint32_t address = address_pick(s);
	uint32_t length = u32_min(u8(s) * 2u, fuzz_left(&s->input));
	const uint8_t *bytes = s->input.next;

	s->input.next += length;
	forge(s, address, bytes, length);
}

static uint32_t
ack_forge(struct script *s, const struct flow *f, uint8_t *bytes)
{
	struct wire_ack ack = {
		.largest = f->number_next - 1 - delta(s),
		.words_length = u8(s) % (WIRE_ACK_WORDS_MAX + 1),
		.message_limit = f->message_first + fuzz_u16(&s->input) % 512,
		.credit = u8(s),
		.occupancy = u8(s),
		.marked = u8(s),
		.hold_ns = fuzz_u16(&s->input) * 64u,
	};

	for (uint32_t i = 0; i < ack.words_length; i++)
		ack.words[i] = fuzz_u64(&s->input);
	return wire_ack_write(bytes, &ack);
}

/* A fragment as it should be, unless the script wants it otherwise. */
static uint32_t
frame_forge(struct script *s, const struct flow *f, uint8_t *bytes)
{
	uint8_t how = u8(s);
	struct wire_frame frame = {
		.kind = (how & 1) != 0 ? WIRE_FRAME_FIN : WIRE_FRAME_MESSAGE,
		.message = f->deliver_next + (uint32_t)delta(s),
		.request = how % 2,
	};
	uint32_t fragment;

	if ((how & 128) != 0)
		frame.kind = WIRE_FRAME_REQUEST + how % 4;
	/* Before ACCEPT there is no size yet. */
	fragment =
		f->fragment_bytes == 0 ? 0 : flow_fragment_bytes(f, frame.kind);

	if ((how & 3) != 1) {
		frame.total = (uint32_t)u8(s) << (how >> 3) % 16;
		frame.offset = fragment * small(s);
	}
	if ((how & 4) != 0)
		frame.length = fuzz_u16(&s->input) % 1024;
	else if (frame.offset < frame.total)
		frame.length =
			(uint16_t)u32_min(fragment, frame.total - frame.offset);
	memset(bytes + wire_frame_bytes(frame.kind), how, frame.length);
	return wire_frame_write(bytes, &frame) + frame.length;
}

static void
step_data(struct script *s)
{
	const struct flow *f = flow_pick(s);
	uint8_t how = u8(s);
	struct wire_header header = {
		.type = (how & 1) != 0 ? WIRE_ACK : WIRE_DATA,
		.flags = how & WIRE_FLAG_ASK,
	};
	uint8_t bytes[4 * PACKET_BYTES_MAX];
	uint32_t length;

	if (f == NULL)
		return;
	if ((how & 3) != 0)
		header.flags |= WIRE_FLAG_ACK;
	header.connection = f->id;
	header.number = f->largest + 1 + delta(s);
	length = wire_header_write(bytes, &header);
	if ((how & 3) != 0)
		length += ack_forge(s, f, bytes + length);
	for (uint32_t i = 0; i < (how >> 4) % 4u; i++)
		length += frame_forge(s, f, bytes + length);
	forge(s, (how & 128) != 0 ? STRANGER_ADDRESS : f->peer->path.address,
		bytes, length);
}

static void
syn_forge(struct script *s, struct wire_syn *syn)
{
	uint8_t how = u8(s);

	*syn = (struct wire_syn){
		.client = (how >> 3) % 16,
		.port = (how & 1) != 0 ? PORT + 1 : PORT,
		.mtu = (how & 2) != 0 ? fuzz_u16(&s->input) : 1500,
		.answer_from = TRANSPORT_UDP_PORT,
		.answer_to = (uint16_t)(TRANSPORT_UDP_PORT + (how >> 2) % 2),
		.engine = WIRE_ENGINE_ANY,
		.flags = how >> 7,
		.key = u8(s),
	};
}

/* A connection of a stranger, whole or in part. */
static void
step_stranger(struct script *s)
{
	uint8_t how = u8(s);
	struct wire_confirm confirm = {
		.instance = 1000 + (how >> 2) % 2,
		.first_number = UINT64_C(1) << (how >> 3) * 2,
	};
	uint8_t bytes[WIRE_HANDSHAKE_BYTES];

	syn_forge(s, &confirm.syn);
	if ((how & 1) == 0)
		forge(s, STRANGER_ADDRESS, bytes,
			wire_syn_write(bytes, how, &confirm.syn));
	if ((how & 2) != 0)
		return;
	confirm.syn.engine = 0; /* the owner that the answer named */
	confirm.cookie = s->world->cookie;
	confirm.syn_from = confirm.syn_to = TRANSPORT_UDP_PORT;
	confirm.send_from = confirm.syn.answer_from;
	confirm.send_to = confirm.syn.answer_to;
	forge(s, STRANGER_ADDRESS, bytes,
		wire_confirm_write(bytes, how, &confirm));
}

/* The answer that a connection waits for. */
static void
step_answer(struct script *s)
{
	const struct flow *f = flow_pick(s);
	uint8_t how = u8(s);
	struct wire_answer answer = {.instance = u8(s)};
	struct wire_accept accept = {
		.server = how >> 1,
		.fragment_bytes = 1148 + u8(s),
		.key = 1,
		.instance = answer.instance,
		.first_number = fuzz_u64(&s->input),
	};
	uint8_t bytes[WIRE_HANDSHAKE_BYTES];

	if (f == NULL || f->setup == NULL)
		return;
	forge(s, f->peer->path.address, bytes,
		(how & 1) != 0 ? wire_accept_write(bytes, f->id,
					 f->setup->number, &accept)
			       : wire_answer_write(bytes, f->id,
					 f->setup->number, &answer));
}

static void
step_reset(struct script *s)
{
	const struct flow *f = flow_pick(s);
	uint8_t how = u8(s);
	struct wire_reset reset = {
		.status = (int16_t) - (how >> 4),
		.reason = (const uint8_t *)"forged",
		.reason_length = (how & 8) != 0 ? 6 : 0,
	};
	uint8_t bytes[WIRE_HANDSHAKE_BYTES];

	if (f == NULL)
		return;
	if ((how & 1) != 0) {
		reset.echo =
			((how & 2) != 0 ? f->ack_number_next : f->number_next) -
			1 - delta(s);
		reset.echo_connection = f->peer_id;
	} else {
		reset.key = f->key + (how & 2);
	}
	forge(s, f->peer->path.address, bytes,
		wire_reset_write(bytes, (how & 1) != 0 ? 0 : f->id, &reset));
}

static void
step_ping(struct script *s)
{
	uint32_t address = address_pick(s);
	const struct peer *peer = peer_find(s->host->transport, address);
	uint8_t how = u8(s);
	uint64_t instance = peer != NULL ? peer->instance : 0;
	const struct wire_ping ping = {
		.instance = instance + (how >> 1) % 2,
		.answer_from = TRANSPORT_UDP_PORT + (how >> 2) % 2,
		.answer_to = TRANSPORT_UDP_PORT,
	};
	uint8_t bytes[WIRE_PING_BYTES];

	forge(s, address, bytes,
		wire_ping_write(bytes, (how & 1) != 0 ? WIRE_PING : WIRE_PONG,
			0, peer != NULL ? peer->ping : 0, &ping));
}

static void (*const steps[])(struct script *) = {
	step_deliver,
	step_duplicate,
	step_drop,
	step_corrupt,
	step_notice,
	step_jump,
	step_run,
	step_poll,
	step_shortage,
	step_restart,
	step_connect,
	step_send,
	step_read,
	step_end,
	step_raw,
	step_data,
	step_stranger,
	step_answer,
	step_reset,
	step_ping,
};

static struct world *
start(uint8_t how)
{
	const struct transport_options options = {
		.mtu = (how & 1) != 0 ? TRANSPORT_MTU_MIN : 1500,
		.engines = 1,
		.descriptors = (how & 2) != 0 ? 16 : 256,
		.flows_max = (how & 4) != 0 ? 3 : FLOWS_MAX,
	};
	uint32_t flags = (how & 8) != 0 ? TRANSPORT_UNORDERED : 0;
	struct world *world = world_create(&options);
	struct host *host = &world->hosts[0];

	application_connect(host, HOST_ADDRESS + 1, PORT, 0, flags);
	world_run(world, NS_PER_MS);
	FUZZ_CHECK(host->application.connections_length == 1);
	application_connect(host, HOST_ADDRESS + 1, PORT, 0, flags);
	return world;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct script s = {.input = {bytes, bytes + length}};

	s.world = start(u8(&s));
	for (uint32_t i = 0; i < STEPS_MAX && fuzz_left(&s.input) != 0; i++) {
		uint8_t step = u8(&s);

		s.host = &s.world->hosts[step >> 7];
		s.other = &s.world->hosts[1 - (step >> 7)];
		steps[(step & 127) % ARRAY_LENGTH(steps)](&s);
		world_check(s.world);
	}
	world_end(s.world);
	return 0;
}
