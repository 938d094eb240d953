// SPDX-License-Identifier: MIT
#include "transport/transport.h"

/* Of a CONFIRM, which names the owner of the listener. */
static uint32_t
owner_of(const uint8_t *bytes, uint32_t length)
{
	struct wire_confirm confirm;

	if (!wire_confirm_read(&confirm, bytes, length) ||
		confirm.syn.engine >= CONNECTION_ENGINES)
		return TRANSPORT_ENGINE_ANY;
	return confirm.syn.engine;
}

uint32_t
transport_engine_of(const uint8_t *bytes, uint32_t length)
{
	struct wire_header header;

	if (!wire_header_read(&header, bytes, length))
		return TRANSPORT_ENGINE_ANY;
	switch (header.type) {
	case WIRE_SYN:
	case WIRE_PING:
		return TRANSPORT_ENGINE_ANY;
	case WIRE_CONFIRM:
		return owner_of(bytes, length);
	case WIRE_RESET:
		/* From one that does not know us: by the id it was sent to. */
		if (header.connection == 0)
			return TRANSPORT_ENGINE_ALL;
		break;
	}
	return connection_engine(header.connection);
}
