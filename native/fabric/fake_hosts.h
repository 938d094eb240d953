/* SPDX-License-Identifier: MIT */
/* Hosts of a switch in a test, their frames, and time. */
#ifndef FABRIC_FAKE_HOSTS_H
#define FABRIC_FAKE_HOSTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/clock.h"
#include "fabric/switch.h"
#include "wire/ethernet.h"

#define US NS_PER_US
#define FRAME_BYTES 100u
#define FRAMES 100000u
#define ARRIVALS_MAX (2 * FRAMES)
#define CONTENT_BYTES 64u

/* A frame of the test, counted, so that each is released or taken once. */
struct packet {
	uint8_t bytes[CONTENT_BYTES]; /* as many as the test looks at */
	uint32_t length;	      /* that it says it has */
	uint32_t number;
	uint32_t references;
	bool corrupt;
	uint32_t bit;
	bool capable;
	bool marked;
};

struct arrival {
	uint64_t at_ns;
	uint32_t port;
	uint32_t queue;
	uint32_t number;
	bool corrupt;
	bool marked;
};

struct lab {
	struct fabric_switch *fabric;
	uint64_t now_ns;
	uint64_t living;
	uint32_t sent;
	bool capable; /* of what is sent from now on */
	/* What each queue of a host takes now, at most. */
	uint32_t room[SWITCH_PORTS_MAX];
	struct arrival arrivals[ARRIVALS_MAX];
	uint32_t arrived;
};

extern struct lab lab;

/* Three hosts with one queue each, and nothing happens. */
extern const struct switch_options plain;

void start(const struct switch_options *options);

/* A teardown: all frames must have been released. */
int stop(void **state);

enum { EVERYBODY = 200, UNKNOWN = 201 };

void address_of(uint8_t *bytes, uint32_t port);

/* A frame of those first bytes, which are CONTENT_BYTES or length. */
void send_bytes(uint32_t from, const uint8_t *bytes, uint32_t length);
void send_length(uint32_t from, uint32_t to, uint32_t length);
void send_frame(uint32_t from, uint32_t to);

/* UDP from a host's address to another's; payload of one byte. */
void send_udp(uint32_t from, uint32_t to, uint16_t source_port,
	uint16_t destination_port, uint8_t payload);

/* All that is due, at its own time, from here on. */
void run_for(uint64_t ns);

/* A frame of each to all; forgotten when it returns. */
void teach_addresses(uint32_t ports);

const struct switch_counters *counters(uint32_t port);
const struct rx_queue_counters *queue_counters(uint32_t port, uint32_t queue);

#endif
