// SPDX-License-Identifier: MIT
#include "transport/handshake.h"
#include "transport/routes.h"

void
handshake_receive(struct transport *t, uint64_t now,
	const struct transport_path *path, const struct wire_header *header,
	const uint8_t *bytes, uint32_t length)
{
	union {
		struct wire_syn syn;
		struct wire_answer answer;
		struct wire_confirm confirm;
		struct wire_accept accept;
	} packet;
	struct flow *f = NULL;
	bool valid = false;

	switch (header->type) {
	case WIRE_SYN:
		valid = wire_syn_read(&packet.syn, bytes, length);
		break;
	case WIRE_ANSWER:
		valid = wire_answer_read(&packet.answer, bytes, length);
		break;
	case WIRE_CONFIRM:
		valid = wire_confirm_read(&packet.confirm, bytes, length);
		break;
	case WIRE_ACCEPT:
		valid = wire_accept_read(&packet.accept, bytes, length);
		break;
	}
	if (!valid) {
		t->counters.packets_malformed++;
		return;
	}
	if (header->type == WIRE_SYN) {
		syn_receive(t, now, path, header->number, &packet.syn);
		return;
	}
	if (header->type == WIRE_CONFIRM) {
		confirm_receive(t, now, path, header->number, &packet.confirm);
		return;
	}
	if (header->type == WIRE_ANSWER &&
		connection_index(header->connection) == 0) {
		route_answered(t, now, path, header->number, &packet.answer);
		return;
	}
	f = flow_get(t, header->connection);
	if (f == NULL || f->peer->path.address != path->address ||
		f->setup == NULL ||
		(header->type == WIRE_ACCEPT &&
			f->setup->number != header->number)) {
		t->counters.packets_stale++;
		return;
	}
	if (header->type == WIRE_ANSWER)
		answer_receive(t, now, f, path, header->number, &packet.answer);
	else
		accept_receive(t, now, f, path, &packet.accept);
}
