// SPDX-License-Identifier: MIT
/* Somebody who speaks the protocol, but not as a transport would. */
#include "transport/flow.h"
#include "transport/simulation.h"

struct stranger *
stranger_start(struct simulation *s)
{
	struct stranger *stranger = calloc(1, sizeof(*stranger));

	assert_non_null(stranger);
	stranger->simulation = s;
	stranger->address = STRANGER_ADDRESS;
	stranger->number = 1000;
	stranger->syn = (struct wire_syn){
		.client = 4711,
		.port = PORT,
		.mtu = 1500,
		.answer_from = TRANSPORT_UDP_PORT,
		.answer_to = TRANSPORT_UDP_PORT,
		.engine = WIRE_ENGINE_ANY,
		.key = 42,
	};
	s->stranger = stranger;
	return stranger;
}

void
stranger_free(struct stranger *stranger)
{
	if (stranger == NULL)
		return;
	for (unsigned i = 0; i < 16; i++)
		free(stranger->last[i]);
	free(stranger);
}

void
stranger_receive(struct stranger *stranger, const struct packet *packet)
{
	size_t bytes = sizeof(*packet) + packet->length;
	unsigned type = packet->bytes[1] & 15;

	free(stranger->last[type]);
	stranger->last[type] = malloc(bytes);
	assert_non_null(stranger->last[type]);
	memcpy(stranger->last[type], packet, bytes);
	stranger->received[type]++;
}

void
stranger_send(struct stranger *stranger, struct host *to, const uint8_t *bytes,
	uint32_t length)
{
	struct transport_path path = {
		.address = stranger->address,
		.local_port = TRANSPORT_UDP_PORT,
		.remote_port = TRANSPORT_UDP_PORT,
	};

	host_receive(to, &path, bytes, length);
}

void
stranger_syn(struct stranger *stranger, struct host *to)
{
	uint8_t bytes[WIRE_HANDSHAKE_BYTES];

	stranger_send(
		stranger, to, bytes, wire_syn_write(bytes, 1, &stranger->syn));
}

void
stranger_confirm(struct stranger *stranger, struct host *to)
{
	const struct packet *packet = stranger->last[WIRE_ANSWER];
	struct wire_confirm confirm = {
		.syn = stranger->syn,
		.instance = 5,
		.first_number = stranger->number,
	};
	uint8_t bytes[WIRE_HANDSHAKE_BYTES];
	struct wire_answer answer;

	assert_non_null(packet);
	assert_true(wire_answer_read(&answer, packet->bytes, packet->length));
	confirm.syn.engine = answer.owner;
	confirm.cookie = answer.cookie;
	confirm.engines = 1;
	confirm.syn_from = confirm.syn_to = TRANSPORT_UDP_PORT;
	confirm.send_from = stranger->syn.answer_from;
	confirm.send_to = stranger->syn.answer_to;
	stranger_send(
		stranger, to, bytes, wire_confirm_write(bytes, 2, &confirm));
}

bool
stranger_connect(struct stranger *stranger, struct host *to)
{
	uint32_t accepts = stranger->received[WIRE_ACCEPT];
	const struct packet *packet;

	stranger->host = to;
	stranger_syn(stranger, to);
	if (stranger->last[WIRE_ANSWER] == NULL)
		return false;
	stranger_confirm(stranger, to);
	if (stranger->received[WIRE_ACCEPT] == accepts)
		return false;
	packet = stranger->last[WIRE_ACCEPT];
	return wire_accept_read(
		&stranger->accept, packet->bytes, packet->length);
}

void
stranger_data(struct stranger *stranger, const struct wire_ack *ack,
	const struct wire_frame *frame)
{
	struct wire_header header = {
		.type = WIRE_DATA,
		.flags = ack != NULL ? WIRE_FLAG_ACK : 0,
		.connection = stranger->accept.server,
		.number = stranger->number++,
	};
	uint8_t bytes[2048] = {0};
	uint32_t length = wire_header_write(bytes, &header);

	if (ack != NULL)
		length += wire_ack_write(bytes + length, ack);
	if (frame != NULL)
		length +=
			wire_frame_write(bytes + length, frame) + frame->length;
	stranger_send(stranger, stranger->host, bytes, length);
}
