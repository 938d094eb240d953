/* SPDX-License-Identifier: MIT */
/*
 * What is below our own packets: Ethernet II, ARP (RFC 826), IPv4 (RFC 791),
 * ICMP echo and unreachable (RFC 792), UDP (RFC 768). Pure functions over
 * bytes. Addresses and ports in host byte order, MAC addresses as six bytes.
 */
#ifndef WIRE_ETHERNET_H
#define WIRE_ETHERNET_H

#include <stdbool.h>
#include <stdint.h>

#define ETHERNET_BYTES 14u
#define ETHERNET_FRAME_BYTES_MIN 60u /* without the checksum */
#define ARP_BYTES 28u
#define IPV4_BYTES 20u
#define UDP_BYTES 8u
#define ICMP_BYTES 8u
/* From the start of the frame to the UDP payload. */
#define UDP_PAYLOAD_OFFSET (ETHERNET_BYTES + IPV4_BYTES + UDP_BYTES)

struct mac {
	uint8_t bytes[6];
};

extern const struct mac mac_broadcast;

enum frame_kind {
	FRAME_ARP_REQUEST,
	FRAME_ARP_REPLY,
	FRAME_UDP,
	FRAME_ICMP_ECHO,	/* a request, to one host; payload: the whole
				 * ICMP message */
	FRAME_ICMP_UNREACHABLE, /* of a UDP packet of ours */
	FRAME_FOREIGN,		/* well formed, not for us to understand */
	FRAME_MALFORMED,	/* truncated, inconsistent, wrong checksum */
};

/* A frame, taken apart. Pointers lead into the frame. */
struct frame {
	enum frame_kind kind;
	struct mac destination;
	struct mac source;
	/* ARP */
	struct mac sender_mac;
	uint32_t sender_ip;
	uint32_t target_ip;
	/* IPv4; for FRAME_ICMP_UNREACHABLE those of the packet that it
	 * answers, as we sent it: source_ip is ours (checked: the ICMP packet
	 * came to it) */
	uint32_t source_ip;
	uint32_t destination_ip;
	bool ecn_marked; /* CE: RFC 3168 */
	/* UDP; for FRAME_ICMP_UNREACHABLE as above, and payload is as much of
	 * that packet's UDP payload as was quoted, often nothing */
	uint16_t source_port;
	uint16_t destination_port;
	uint8_t icmp_code; /* 3: port unreachable, 1: host unreachable */
	const uint8_t *payload;
	uint32_t payload_length;
};

/** What a device has verified of a received frame already. */
enum frame_verified {
	FRAME_VERIFIED_IPV4 = 1,
	FRAME_VERIFIED_UDP = 2,
};

/**
 * Take a frame apart. Checks lengths against each other, IPv4, ICMP and UDP
 * checksums (the first and the last unless verified says that the device did),
 * refuses fragments and options (as foreign). Padding behind the IP packet and
 * behind the UDP datagram is left out of payload. Whom the frame is for is the
 * caller's to check.
 * @param verified enum frame_verified bits
 */
void frame_parse(struct frame *frame, const uint8_t *bytes, uint32_t length,
	unsigned verified);

struct udp_address {
	struct mac source_mac;
	struct mac destination_mac;
	uint32_t source_ip;
	uint32_t destination_ip;
	uint16_t source_port;
	uint16_t destination_port;
};

/**
 * Write Ethernet, IPv4 and UDP headers in front of a payload that stands at
 * bytes + UDP_PAYLOAD_OFFSET already. Don't fragment is set, TTL is 64,
 * ECN-capable (ECT(0)). A short frame is padded with zeros: there is room for
 * ETHERNET_FRAME_BYTES_MIN.
 * @param offload leave the checksums to the device (frame_verified bits): IPv4
 *        then 0, UDP the pseudo header's sum
 * @return length of the frame
 */
uint32_t udp_frame_write(uint8_t *bytes, const struct udp_address *address,
	uint32_t payload_length, unsigned offload);

/** The end of a payload that lies elsewhere than the rest of its frame. */
struct udp_tail {
	const void *bytes;
	uint32_t length;
};

/**
 * As udp_frame_write, of a payload of which only the beginning, of even length,
 * stands at bytes + UDP_PAYLOAD_OFFSET.
 * @param head_length of that
 * @return length of the frame without the tail; padded only if there is none
 */
uint32_t udp_frame_write_head(uint8_t *bytes, const struct udp_address *address,
	uint32_t head_length, const struct udp_tail *tail, unsigned offload);

/** May a congested network mark the frame (IPv4, ECT: RFC 3168)? False for one
 * that is marked already. */
bool frame_ecn_capable(const uint8_t *bytes, uint32_t length);

/** Mark a frame that is capable: congestion experienced. Its checksum stays as
 * right or wrong as it was. */
void frame_ecn_mark(uint8_t *bytes);

/** To everybody. @return length of the frame, with padding */
uint32_t arp_request_write(uint8_t *bytes, const struct mac *sender_mac,
	uint32_t sender_ip, uint32_t target_ip);

/** To the target alone. @return length of the frame, with padding */
uint32_t arp_reply_write(uint8_t *bytes, const struct mac *sender_mac,
	uint32_t sender_ip, const struct mac *target_mac, uint32_t target_ip);

/**
 * Answer to an echo request.
 * @param request a frame of kind FRAME_ICMP_ECHO
 * @param bytes apart from the request, or where it begins
 * @return length of the frame, at most that of the request's or 60
 */
uint32_t icmp_echo_reply_write(uint8_t *bytes, const struct frame *request);

/**
 * One's complement sum (RFC 1071) over bytes, continued from sum. Only the last
 * piece of a sum may be of odd length.
 */
uint32_t checksum_add(uint32_t sum, const void *bytes, uint32_t length);

/** Fold and complement. */
uint16_t checksum_finish(uint32_t sum);

/** "a.b.c.d", nothing before or behind. */
bool ipv4_parse(uint32_t *address, const char *text);

/** Writes at most 16 bytes with the NUL. @return text */
char *ipv4_format(char text[16], uint32_t address);

#endif
