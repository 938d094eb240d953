/* SPDX-License-Identifier: MIT */
/*
 * The payload of our UDP datagrams. All integers little endian (unlike the
 * headers below UDP): both ends that matter are.
 *
 * Every packet begins with the 16 byte header:
 *
 *   0  u8   version
 *   1  u8   type
 *   2  u8   flags
 *   3  u8   reserved, 0
 *   4  u32  connection: the receiver's id of the connection, 0 if none yet
 *   8  u64  number of the packet
 *
 * Packet numbers of a connection begin at a random value and are never used
 * twice (RFC 9000, 12.3): a lost frame goes out again under a new number. They
 * serve, with the type, as nonces, and, being hard to guess, as proof that an
 * answer comes from somebody who saw the packet. With WIRE_FLAG_TAG the packet
 * ends with a tag of WIRE_TAG_BYTES; WIRE_FLAG_KEY_PHASE tells which key made
 * it. Nobody sets either yet, and a packet with them is refused.
 *
 * DATA (type 5) and ACK (type 9), which has no frames and so is not itself
 * acknowledged, each count their numbers on their own. They continue with an
 * ACK block if WIRE_FLAG_ACK is set, which an ACK must. WIRE_FLAG_ASK on DATA
 * says that the sender needs the ACK to go on: it should not wait for company.
 *
 *   0  u64  largest packet number seen
 *   8  u32  hold time: from its arrival to this ACK, ns (saturates)
 *  12  u32  message limit: the peer may send messages with ids before it
 *  16  u16  credit of the engine: packets that may be in flight
 *  18  u8   words of bitmap that follow, 0 .. 4
 *  19  u8   occupancy of the engine's RX queue, 255: full
 *  20  u16  packets that came with a congestion mark (RFC 3168), counted up
 *  22  u16  flags: 1 misdirected, the last packet came in on a queue that is
 *           not its engine's: send on another pair of ports
 *  24  u64  words[]: bit i of word w is packet largest - 1 - (64 w + i)
 *
 * Packets in largest - 256 .. largest - 1 that the words do not reach were all
 * received, so a connection without loss sends no word at all. About older
 * packets nothing is said: a sender never has more than 256 numbers open.
 *
 * Then frames up to the end of the packet. The header of each:
 *
 *   0  u8   kind: MESSAGE 1, FIN 2, REQUEST 3, REPLY 4, FAILURE 5, CANCEL 6
 *   1  u8   flags, 0
 *   2  u16  length of the payload that follows
 *   4  u32  message id: counts up from 0 on each direction of a connection
 *   8  u32  total length of the message, bytes
 *  12  u32  offset of this payload in the message
 *  16  u32  request: of kinds 3 to 6 only; the others end before
 *
 * Kinds 3 to 6 are messages, too, which the peer's application gets as soon as
 * they are complete, whatever came before them; the request is the sender's
 * name for what they are about, and means nothing here.
 *
 * Fragments begin at multiples of the connection's fragment size (less the 4
 * bytes of the request, where there is one) and are as long as that or end the
 * message. FIN takes a message id like a message and has no payload: nothing
 * follows it.
 *
 * Setting up (DESIGN section 6). A field without a name is reserved: writers
 * send 0, readers do not look. A packet is exactly as long as its fields,
 * except for SYN and for what is reserved at the end of ANSWER; `connection`
 * is 0 where nothing else is said.
 *
 *   SYN (1), padded to WIRE_HANDSHAKE_BYTES so that its answer is no longer:
 *   16  u32  client's connection id     20  u16  service port
 *   22  u16  MTU of the client's IP     24  u16  UDP port to answer from
 *   26  u16  UDP port to answer to      28  u16  wanted engine, 0xffff: any
 *   30  u16  flags: 1 unordered, 2 again
 *   32  u64  client's key               40  u8[22] cookie, if it is asked again
 *
 *   With service port 0 a SYN opens nothing: it asks on which queue its pair
 *   of ports comes in, to move connections that are open.
 *
 *   One that was answered can be asked again, on the same ports and with the
 *   cookie of the answer: by then both NICs know the flow. The wanted engine is
 *   the owner, as that answer told.
 *
 *   ANSWER (2): `connection` is the client's id; `number` echoes the SYN's
 *   16  u64[2] cookie                   32  u32  time of the cookie, ms
 *   36  u16  engine that got the SYN    38  u16  engine that owns the listener
 *   40  u16  number of engines          42  u16  MTU of the server's IP
 *   44  u64  instance of the server     52  u8[10] key of the server's NIC
 *   62  u16  reserved
 *
 *   CONFIRM (3): the SYN's fields at 16 .. 39, but for the wanted engine, which
 *   is the owner; then
 *   40  u64[2] cookie                   56  u32  time of the cookie, ms
 *   60  u16  engine that got the SYN    62  u16  number of the client's engines
 *   64  u64  instance of the client     72  u64  first packet number
 *   80  u16  the SYN's UDP port, from   82  u16  to
 *   84  u16  UDP port to send from      86  u16  to send to, once it is open
 *   88  u8[10] key of the client's NIC  98  u16  method, see below
 *  100  u16  probes and their answers  102  u16  rounds of them
 *  104  u32  time since the connect, us
 *
 *   ACCEPT (4): `connection` is the client's id; `number` echoes the CONFIRM's
 *   16  u32  server's connection id     20  u16  fragment size, bytes
 *   22  u16  queue that CONFIRM got     24  u64  server's key
 *   32  u64  instance of the server     40  u64  first packet number
 *
 * How the client found the pairs (enum machnet_path_method) and what that took
 * is for the server's application to know; nothing depends on it.
 *
 * What a host knows of its NIC's key is a hint for the other (see rss/map.h):
 * 40 bits that say which of 39 bits are known, and in the topmost whether the
 * NIC's driver told them; then 40 bits with their values, and in the topmost
 * whether first packets stray there. The lowest byte first.
 *
 * The keys are secrets of a connection, 64 random bits from each side, which a
 * RESET must show: a blind attacker cannot reset a connection.
 *
 *   RESET (6): `connection` is the receiver's id, `number` 0
 *   16  u64  key: the receiver's own, as told to the sender at setup; 0 if
 *            the sender does not know the connection, then
 *   24  u64  echo: number of the packet that is answered, else 0
 *   32  u32  id that the answered packet was sent to, else 0
 *   36  i16  status (enum machnet_status)
 *   38  u16  length of the reason        40  u8[] reason, UTF-8
 *                                           (not checked), at most 255
 *
 *   PING (7), PONG (8): liveness of a pair of engines; `number` is random and
 *   echoed, and so is `connection`, which names the engine that asks
 *   16  u64  instance of the sender     24  u16  UDP port to answer from
 *   26  u16  UDP port to answer to, of PING only: the PONG comes in on the
 *            queue of the engine that asks
 */
#ifndef WIRE_PACKET_H
#define WIRE_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#include "machnet/machnet.h"

#define WIRE_VERSION 1u
#define WIRE_HEADER_BYTES 16u
#define WIRE_ACK_BYTES 24u /* without words */
#define WIRE_ACK_WORDS_MAX 4u
#define WIRE_ACK_BYTES_MAX (WIRE_ACK_BYTES + 8 * WIRE_ACK_WORDS_MAX)
#define WIRE_FRAME_BYTES 16u
#define WIRE_REQUEST_BYTES 4u /* behind that, if the kind has a request */
#define WIRE_TAG_BYTES 16u
#define WIRE_HANDSHAKE_BYTES 256u
#define WIRE_RESET_BYTES 40u /* without the reason */
#define WIRE_PING_BYTES 28u
#define WIRE_ENGINE_ANY 0xffffu
/* How many packet numbers a sender may have open. */
#define WIRE_PACKET_WINDOW 256u

enum wire_type {
	WIRE_SYN = 1,
	WIRE_ANSWER = 2,
	WIRE_CONFIRM = 3,
	WIRE_ACCEPT = 4,
	WIRE_DATA = 5,
	WIRE_RESET = 6,
	WIRE_PING = 7,
	WIRE_PONG = 8,
	WIRE_ACK = 9,
};

enum wire_flag {
	WIRE_FLAG_ACK = 1,
	WIRE_FLAG_KEY_PHASE = 2,
	WIRE_FLAG_TAG = 4,
	WIRE_FLAG_ASK = 8,
};

enum wire_ack_flag {
	WIRE_ACK_MISDIRECTED = 1,
};

enum wire_syn_flag {
	WIRE_SYN_UNORDERED = 1,
	WIRE_SYN_AGAIN = 2, /* not in a CONFIRM */
};

enum wire_frame_kind {
	WIRE_FRAME_MESSAGE = 1,
	WIRE_FRAME_FIN = 2,
	WIRE_FRAME_REQUEST = 3,
	WIRE_FRAME_REPLY = 4,
	WIRE_FRAME_FAILURE = 5,
	WIRE_FRAME_CANCEL = 6,
};

struct wire_header {
	uint8_t type;
	uint8_t flags;
	uint32_t connection;
	uint64_t number;
};

struct wire_ack {
	uint64_t largest;
	uint32_t hold_ns;
	uint32_t message_limit;
	uint16_t credit;
	uint8_t words_length;
	uint8_t occupancy;
	uint16_t marked;
	uint16_t flags; /* enum wire_ack_flag; a reader ignores others */
	/* The reader sets those that were not sent to all ones. */
	uint64_t words[WIRE_ACK_WORDS_MAX];
};

struct wire_frame {
	uint8_t kind;
	uint16_t length;
	uint32_t message;
	uint32_t total;
	uint32_t offset;
	uint32_t request;	/* 0 if the kind has none */
	const uint8_t *payload; /* in the packet; set by the reader */
};

struct wire_cookie {
	uint64_t mac[2];
	uint32_t time_ms;
	uint16_t engine; /* that got the SYN */
};

struct wire_syn {
	uint32_t client;
	uint16_t port;
	uint16_t mtu;
	uint16_t answer_from;
	uint16_t answer_to;
	uint16_t engine;
	uint16_t flags; /* enum wire_syn_flag; a reader refuses others */
	uint64_t key;
	struct wire_cookie cookie; /* with WIRE_SYN_AGAIN, not in a CONFIRM */
};

/* Bits of the Toeplitz key of a NIC, 0 .. 38: those that are known. */
struct wire_nic_key {
	uint64_t known;
	uint64_t value;
	bool told;   /* by its driver, not learned */
	bool strays; /* the NIC leads first packets of flows astray */
};

struct wire_answer {
	struct wire_cookie cookie;
	uint16_t owner;
	uint16_t engines;
	uint16_t mtu;
	uint64_t instance;
	struct wire_nic_key nic_key;
};

struct wire_confirm {
	struct wire_syn syn;
	struct wire_cookie cookie;
	uint16_t engines;
	uint64_t instance;
	uint64_t first_number;
	uint16_t syn_from; /* UDP ports of the SYN */
	uint16_t syn_to;
	uint16_t send_from; /* that the server is to send on */
	uint16_t send_to;
	struct wire_nic_key nic_key;
	uint16_t method; /* enum machnet_path_method, or nonsense */
	uint16_t probes;
	uint16_t rounds;
	uint32_t setup_us;
};

struct wire_accept {
	uint32_t server;
	uint16_t fragment_bytes;
	uint16_t queue; /* that the CONFIRM came in on */
	uint64_t key;
	uint64_t instance;
	uint64_t first_number;
};

struct wire_ping {
	uint64_t instance;
	uint16_t answer_from; /* PONG: 0 */
	uint16_t answer_to;
};

struct wire_reset {
	uint64_t key;
	uint64_t echo;
	uint32_t echo_connection;
	int16_t status;
	uint16_t reason_length;
	const uint8_t *reason; /* in the packet; set by the reader */
};

/*
 * Writers return the bytes written; the caller gives room for the largest
 * packet. Readers take the whole UDP payload, believe nothing, and return
 * false if it is malformed.
 */

/**
 * Reads 16 bytes: version, type in range, reserved 0, no flag but
 * WIRE_FLAG_ACK, which DATA may have and ACK must. The readers below do this
 * again for themselves, except wire_reader.
 */
bool wire_header_read(
	struct wire_header *header, const uint8_t *bytes, uint32_t length);

uint32_t wire_header_write(uint8_t *bytes, const struct wire_header *header);

/**
 * Walks a DATA or an ACK packet: first the ACK block (wire_reader_init), then
 * frame by frame. An ACK with anything behind the block is malformed.
 */
struct wire_reader {
	const uint8_t *next;
	const uint8_t *end;
};

/**
 * @param header from wire_header_read of the same bytes, type DATA or ACK
 * @param ack filled if header says that there is one, else untouched
 */
bool wire_reader_init(struct wire_reader *reader,
	const struct wire_header *header, struct wire_ack *ack,
	const uint8_t *bytes, uint32_t length);

uint32_t wire_ack_write(uint8_t *bytes, const struct wire_ack *ack);

bool wire_syn_read(struct wire_syn *syn, const uint8_t *bytes, uint32_t length);
bool wire_answer_read(
	struct wire_answer *answer, const uint8_t *bytes, uint32_t length);
bool wire_confirm_read(
	struct wire_confirm *confirm, const uint8_t *bytes, uint32_t length);
bool wire_accept_read(
	struct wire_accept *accept, const uint8_t *bytes, uint32_t length);
bool wire_reset_read(
	struct wire_reset *reset, const uint8_t *bytes, uint32_t length);
bool wire_ping_read(
	struct wire_ping *ping, const uint8_t *bytes, uint32_t length);

/* With their header, padded as said above. A SYN takes WIRE_HANDSHAKE_BYTES. */
uint32_t wire_syn_write(
	uint8_t *bytes, uint64_t number, const struct wire_syn *syn);
uint32_t wire_answer_write(uint8_t *bytes, uint32_t connection, uint64_t number,
	const struct wire_answer *answer);
uint32_t wire_confirm_write(
	uint8_t *bytes, uint64_t number, const struct wire_confirm *confirm);
uint32_t wire_accept_write(uint8_t *bytes, uint32_t connection, uint64_t number,
	const struct wire_accept *accept);
uint32_t wire_reset_write(
	uint8_t *bytes, uint32_t connection, const struct wire_reset *reset);
/** @param type WIRE_PING or WIRE_PONG */
uint32_t wire_ping_write(uint8_t *bytes, uint8_t type, uint32_t connection,
	uint64_t number, const struct wire_ping *ping);

#endif
