/* SPDX-License-Identifier: MIT */
#include "wire/packet.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"

#define ANSWER_BYTES 64u
#define CONFIRM_BYTES 108u
#define ACCEPT_BYTES 48u

static_assert(WIRE_HEADER_BYTES + WIRE_ACK_BYTES_MAX == 72, "the format");
static_assert(ANSWER_BYTES <= WIRE_HANDSHAKE_BYTES, "answer <= question");

static bool
flags_are_valid(uint8_t type, uint8_t flags)
{
	switch (type) {
	case WIRE_DATA:
		return (flags & ~(WIRE_FLAG_ACK | WIRE_FLAG_ASK)) == 0;
	case WIRE_ACK:
		return flags == WIRE_FLAG_ACK;
	default:
		return flags == 0;
	}
}

bool
wire_header_read(
	struct wire_header *header, const uint8_t *bytes, uint32_t length)
{
	if (length < WIRE_HEADER_BYTES || bytes[0] != WIRE_VERSION)
		return false;
	if (bytes[1] < WIRE_SYN || bytes[1] > WIRE_ACK)
		return false;
	if (!flags_are_valid(bytes[1], bytes[2]) || bytes[3] != 0)
		return false;
	header->type = bytes[1];
	header->flags = bytes[2];
	header->connection = load_le32(bytes + 4);
	header->number = load_le64(bytes + 8);
	return true;
}

uint32_t
wire_header_write(uint8_t *bytes, const struct wire_header *header)
{
	bytes[0] = WIRE_VERSION;
	bytes[1] = header->type;
	bytes[2] = header->flags;
	bytes[3] = 0;
	store_le32(bytes + 4, header->connection);
	store_le64(bytes + 8, header->number);
	return WIRE_HEADER_BYTES;
}

static bool
ack_read(struct wire_ack *ack, struct wire_reader *reader)
{
	const uint8_t *bytes = reader->next;
	uint32_t room = (uint32_t)(reader->end - bytes);
	uint32_t words;

	if (room < WIRE_ACK_BYTES)
		return false;
	words = bytes[18];
	if (words > WIRE_ACK_WORDS_MAX || room < WIRE_ACK_BYTES + 8 * words)
		return false;
	ack->largest = load_le64(bytes);
	ack->hold_ns = load_le32(bytes + 8);
	ack->message_limit = load_le32(bytes + 12);
	ack->credit = load_le16(bytes + 16);
	ack->words_length = (uint8_t)words;
	ack->occupancy = bytes[19];
	ack->marked = load_le16(bytes + 20);
	ack->flags = load_le16(bytes + 22);
	for (uint32_t i = 0; i < WIRE_ACK_WORDS_MAX; i++)
		ack->words[i] =
			i < words ? load_le64(bytes + WIRE_ACK_BYTES + 8 * i)
				  : UINT64_MAX;
	reader->next += WIRE_ACK_BYTES + 8 * words;
	return true;
}

bool
wire_reader_init(struct wire_reader *reader, const struct wire_header *header,
	struct wire_ack *ack, const uint8_t *bytes, uint32_t length)
{
	if (length < WIRE_HEADER_BYTES)
		return false;
	reader->next = bytes + WIRE_HEADER_BYTES;
	reader->end = bytes + length;
	if ((header->flags & WIRE_FLAG_ACK) != 0 && !ack_read(ack, reader))
		return false;
	return header->type != WIRE_ACK || reader->next == reader->end;
}

uint32_t
wire_ack_write(uint8_t *bytes, const struct wire_ack *ack)
{
	assert(ack->words_length <= WIRE_ACK_WORDS_MAX);
	store_le64(bytes, ack->largest);
	store_le32(bytes + 8, ack->hold_ns);
	store_le32(bytes + 12, ack->message_limit);
	store_le16(bytes + 16, ack->credit);
	bytes[18] = ack->words_length;
	bytes[19] = ack->occupancy;
	store_le16(bytes + 20, ack->marked);
	store_le16(bytes + 22, ack->flags);
	for (uint32_t i = 0; i < ack->words_length; i++)
		store_le64(bytes + WIRE_ACK_BYTES + 8 * i, ack->words[i]);
	return WIRE_ACK_BYTES + 8u * ack->words_length;
}

/* A packet of this type, sent to a connection if and only if it may be. */
static bool
is_type(const uint8_t *bytes, uint32_t length, uint8_t type, bool connected)
{
	struct wire_header header;

	return wire_header_read(&header, bytes, length) &&
	       header.type == type && (connected || header.connection == 0);
}

static void
start_packet(uint8_t *bytes, uint8_t type, uint32_t connection, uint64_t number)
{
	const struct wire_header header = {
		.type = type,
		.connection = connection,
		.number = number,
	};

	wire_header_write(bytes, &header);
}

/* The fields at 16 .. 39 of SYN and CONFIRM. */
static void
syn_fields_read(struct wire_syn *syn, const uint8_t *bytes)
{
	syn->client = load_le32(bytes + 16);
	syn->port = load_le16(bytes + 20);
	syn->mtu = load_le16(bytes + 22);
	syn->answer_from = load_le16(bytes + 24);
	syn->answer_to = load_le16(bytes + 26);
	syn->engine = load_le16(bytes + 28);
	syn->flags = load_le16(bytes + 30);
	syn->key = load_le64(bytes + 32);
}

static void
syn_fields_write(uint8_t *bytes, const struct wire_syn *syn)
{
	store_le32(bytes + 16, syn->client);
	store_le16(bytes + 20, syn->port);
	store_le16(bytes + 22, syn->mtu);
	store_le16(bytes + 24, syn->answer_from);
	store_le16(bytes + 26, syn->answer_to);
	store_le16(bytes + 28, syn->engine);
	store_le16(bytes + 30, syn->flags);
	store_le64(bytes + 32, syn->key);
}

/* The 22 bytes of a cookie, at 16 in ANSWER and at 40 in SYN and CONFIRM. */
static void
cookie_read(struct wire_cookie *cookie, const uint8_t *bytes)
{
	cookie->mac[0] = load_le64(bytes);
	cookie->mac[1] = load_le64(bytes + 8);
	cookie->time_ms = load_le32(bytes + 16);
	cookie->engine = load_le16(bytes + 20);
}

static void
cookie_write(uint8_t *bytes, const struct wire_cookie *cookie)
{
	store_le64(bytes, cookie->mac[0]);
	store_le64(bytes + 8, cookie->mac[1]);
	store_le32(bytes + 16, cookie->time_ms);
	store_le16(bytes + 20, cookie->engine);
}

/* Five bytes of each; above the bits that may be known: */
#define NIC_KEY_TOLD (UINT64_C(1) << 39)
/* Above their values: */
#define NIC_STRAYS (UINT64_C(1) << 39)

static void
nic_key_read(struct wire_nic_key *key, const uint8_t *bytes)
{
	key->known = load_le32(bytes) | (uint64_t)bytes[4] << 32;
	key->value = load_le32(bytes + 5) | (uint64_t)bytes[9] << 32;
	key->told = (key->known & NIC_KEY_TOLD) != 0;
	key->known &= ~NIC_KEY_TOLD;
	key->strays = (key->value & NIC_STRAYS) != 0;
	key->value &= ~NIC_STRAYS;
}

static void
nic_key_write(uint8_t *bytes, const struct wire_nic_key *key)
{
	uint64_t known = key->known | (key->told ? NIC_KEY_TOLD : 0);
	uint64_t value = key->value | (key->strays ? NIC_STRAYS : 0);

	store_le32(bytes, (uint32_t)known);
	bytes[4] = (uint8_t)(known >> 32);
	store_le32(bytes + 5, (uint32_t)value);
	bytes[9] = (uint8_t)(value >> 32);
}

bool
wire_syn_read(struct wire_syn *syn, const uint8_t *bytes, uint32_t length)
{
	if (length != WIRE_HANDSHAKE_BYTES ||
		!is_type(bytes, length, WIRE_SYN, false))
		return false;
	syn_fields_read(syn, bytes);
	syn->cookie = (struct wire_cookie){0};
	if ((syn->flags & WIRE_SYN_AGAIN) != 0)
		cookie_read(&syn->cookie, bytes + 40);
	return (syn->flags & ~(WIRE_SYN_UNORDERED | WIRE_SYN_AGAIN)) == 0;
}

uint32_t
wire_syn_write(uint8_t *bytes, uint64_t number, const struct wire_syn *syn)
{
	memset(bytes, 0, WIRE_HANDSHAKE_BYTES);
	start_packet(bytes, WIRE_SYN, 0, number);
	syn_fields_write(bytes, syn);
	if ((syn->flags & WIRE_SYN_AGAIN) != 0)
		cookie_write(bytes + 40, &syn->cookie);
	return WIRE_HANDSHAKE_BYTES;
}

bool
wire_answer_read(
	struct wire_answer *answer, const uint8_t *bytes, uint32_t length)
{
	if (length < ANSWER_BYTES || length > WIRE_HANDSHAKE_BYTES)
		return false;
	if (!is_type(bytes, length, WIRE_ANSWER, true))
		return false;
	cookie_read(&answer->cookie, bytes + 16);
	answer->owner = load_le16(bytes + 38);
	answer->engines = load_le16(bytes + 40);
	answer->mtu = load_le16(bytes + 42);
	answer->instance = load_le64(bytes + 44);
	nic_key_read(&answer->nic_key, bytes + 52);
	return true;
}

uint32_t
wire_answer_write(uint8_t *bytes, uint32_t connection, uint64_t number,
	const struct wire_answer *answer)
{
	start_packet(bytes, WIRE_ANSWER, connection, number);
	cookie_write(bytes + 16, &answer->cookie);
	store_le16(bytes + 38, answer->owner);
	store_le16(bytes + 40, answer->engines);
	store_le16(bytes + 42, answer->mtu);
	store_le64(bytes + 44, answer->instance);
	nic_key_write(bytes + 52, &answer->nic_key);
	store_le16(bytes + 62, 0);
	return ANSWER_BYTES;
}

bool
wire_confirm_read(
	struct wire_confirm *confirm, const uint8_t *bytes, uint32_t length)
{
	if (length != CONFIRM_BYTES ||
		!is_type(bytes, length, WIRE_CONFIRM, false))
		return false;
	syn_fields_read(&confirm->syn, bytes);
	confirm->syn.cookie = (struct wire_cookie){0};
	if ((confirm->syn.flags & ~WIRE_SYN_UNORDERED) != 0)
		return false;
	cookie_read(&confirm->cookie, bytes + 40);
	confirm->instance = load_le64(bytes + 64);
	confirm->first_number = load_le64(bytes + 72);
	confirm->engines = load_le16(bytes + 62);
	confirm->syn_from = load_le16(bytes + 80);
	confirm->syn_to = load_le16(bytes + 82);
	confirm->send_from = load_le16(bytes + 84);
	confirm->send_to = load_le16(bytes + 86);
	nic_key_read(&confirm->nic_key, bytes + 88);
	confirm->method = load_le16(bytes + 98);
	confirm->probes = load_le16(bytes + 100);
	confirm->rounds = load_le16(bytes + 102);
	confirm->setup_us = load_le32(bytes + 104);
	return true;
}

uint32_t
wire_confirm_write(
	uint8_t *bytes, uint64_t number, const struct wire_confirm *confirm)
{
	start_packet(bytes, WIRE_CONFIRM, 0, number);
	syn_fields_write(bytes, &confirm->syn);
	cookie_write(bytes + 40, &confirm->cookie);
	store_le16(bytes + 62, confirm->engines);
	store_le64(bytes + 64, confirm->instance);
	store_le64(bytes + 72, confirm->first_number);
	store_le16(bytes + 80, confirm->syn_from);
	store_le16(bytes + 82, confirm->syn_to);
	store_le16(bytes + 84, confirm->send_from);
	store_le16(bytes + 86, confirm->send_to);
	nic_key_write(bytes + 88, &confirm->nic_key);
	store_le16(bytes + 98, confirm->method);
	store_le16(bytes + 100, confirm->probes);
	store_le16(bytes + 102, confirm->rounds);
	store_le32(bytes + 104, confirm->setup_us);
	return CONFIRM_BYTES;
}

bool
wire_accept_read(
	struct wire_accept *accept, const uint8_t *bytes, uint32_t length)
{
	if (length != ACCEPT_BYTES ||
		!is_type(bytes, length, WIRE_ACCEPT, true))
		return false;
	accept->server = load_le32(bytes + 16);
	accept->fragment_bytes = load_le16(bytes + 20);
	accept->queue = load_le16(bytes + 22);
	accept->key = load_le64(bytes + 24);
	accept->instance = load_le64(bytes + 32);
	accept->first_number = load_le64(bytes + 40);
	return true;
}

uint32_t
wire_accept_write(uint8_t *bytes, uint32_t connection, uint64_t number,
	const struct wire_accept *accept)
{
	start_packet(bytes, WIRE_ACCEPT, connection, number);
	store_le32(bytes + 16, accept->server);
	store_le16(bytes + 20, accept->fragment_bytes);
	store_le16(bytes + 22, accept->queue);
	store_le64(bytes + 24, accept->key);
	store_le64(bytes + 32, accept->instance);
	store_le64(bytes + 40, accept->first_number);
	return ACCEPT_BYTES;
}

bool
wire_reset_read(struct wire_reset *reset, const uint8_t *bytes, uint32_t length)
{
	if (length < WIRE_RESET_BYTES ||
		!is_type(bytes, length, WIRE_RESET, true))
		return false;
	reset->key = load_le64(bytes + 16);
	reset->echo = load_le64(bytes + 24);
	reset->echo_connection = load_le32(bytes + 32);
	reset->status = (int16_t)load_le16(bytes + 36);
	reset->reason_length = load_le16(bytes + 38);
	reset->reason = bytes + WIRE_RESET_BYTES;
	return reset->reason_length <= MACHNET_REASON_BYTES_MAX &&
	       length == WIRE_RESET_BYTES + reset->reason_length;
}

uint32_t
wire_reset_write(
	uint8_t *bytes, uint32_t connection, const struct wire_reset *reset)
{
	assert(reset->reason_length <= MACHNET_REASON_BYTES_MAX);
	start_packet(bytes, WIRE_RESET, connection, 0);
	store_le64(bytes + 16, reset->key);
	store_le64(bytes + 24, reset->echo);
	store_le32(bytes + 32, reset->echo_connection);
	store_le16(bytes + 36, (uint16_t)reset->status);
	store_le16(bytes + 38, reset->reason_length);
	if (reset->reason_length != 0)
		memcpy(bytes + WIRE_RESET_BYTES, reset->reason,
			reset->reason_length);
	return WIRE_RESET_BYTES + reset->reason_length;
}

bool
wire_ping_read(struct wire_ping *ping, const uint8_t *bytes, uint32_t length)
{
	if (length != WIRE_PING_BYTES ||
		(!is_type(bytes, length, WIRE_PING, true) &&
			!is_type(bytes, length, WIRE_PONG, true)))
		return false;
	ping->instance = load_le64(bytes + 16);
	ping->answer_from = load_le16(bytes + 24);
	ping->answer_to = load_le16(bytes + 26);
	return true;
}

uint32_t
wire_ping_write(uint8_t *bytes, uint8_t type, uint32_t connection,
	uint64_t number, const struct wire_ping *ping)
{
	assert(type == WIRE_PING || type == WIRE_PONG);
	start_packet(bytes, type, connection, number);
	store_le64(bytes + 16, ping->instance);
	store_le16(bytes + 24, ping->answer_from);
	store_le16(bytes + 26, ping->answer_to);
	return WIRE_PING_BYTES;
}
