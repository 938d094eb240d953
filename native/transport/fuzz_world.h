// SPDX-License-Identifier: MIT
/*
 * What transport_fuzz plays in: two hosts with a transport and an application
 * each, a fake clock, and packets that wait to be delivered, dropped or
 * changed. As long as nothing was forged, messages have to be intact, in order
 * and exactly once; other rules hold whatever comes in.
 */
#ifndef TRANSPORT_FUZZ_WORLD_H
#define TRANSPORT_FUZZ_WORLD_H

#include "base/clock.h"
#include "base/fuzz.h"
#include "transport/flow.h"
#include "transport/transport.h"

#define HOSTS 2u
#define HOST_ADDRESS 0x0a000001u /* of the first; the other's is next */
#define STRANGER_ADDRESS 0x0a090909u
#define PORT 888u
#define PACKETS_MAX 128u
#define EVENTS_MAX 64u
#define BLOCKS_MAX 512u
#define FLOWS_MAX 8u
#define RECORDS_MAX 1024u
/* Large enough for fragments that need a map. */
#define MEMORY_BYTES (1u << 20)

struct packet {
	struct transport_path path; /* as its receiver sees it */
	uint32_t to;		    /* index of a host */
	uint32_t length;
	uint8_t bytes[];
};

/* As the application knows it: from CONNECTED or ACCEPTED to CLOSED. */
struct connection {
	uint32_t id;
	uint32_t sent;
	uint32_t received;
	uint32_t plain_sent; /* of those */
	uint32_t plain_received;
	bool unordered;
	bool closing;
};

struct block {
	uint8_t *bytes; /* NULL: free */
	uint32_t length;
};

struct application {
	struct endpoint endpoint; /* first */
	bool open;
	struct connection connections[FLOWS_MAX];
	uint32_t connections_length;
	uint32_t tokens[FLOWS_MAX]; /* of connects that have no answer yet */
	uint32_t tokens_length;
	struct machnet_event events[EVENTS_MAX];
	uint32_t events_first;
	uint32_t events_length;
	uint32_t event_room;
	uint32_t memory_bytes;
	uint32_t memory_used;
	struct block blocks[BLOCKS_MAX];
	uint32_t records_used;
};

struct host {
	struct world *world;
	uint32_t index;
	struct transport_options options;
	struct services *services;
	struct transport *transport;
	struct application application;
	uint32_t device_room;	 /* packets; each takes from it */
	uint8_t *device;	 /* the packet that was begun */
	const uint8_t *attached; /* how it ends */
	uint32_t attached_length;
	uint64_t packets_sent;
	uint64_t bytes_sent;
};

struct world {
	uint64_t now_ns;
	bool forged; /* packets came that no transport made */
	struct host hosts[HOSTS];
	struct packet *packets[PACKETS_MAX]; /* the oldest first */
	uint32_t packets_length;
	uint32_t tokens;
	uint64_t starts;	   /* of transports */
	struct wire_cookie cookie; /* of the last ANSWER to a stranger */
};

/** @param options of both hosts, but for what tells them apart */
struct world *world_create(const struct transport_options *options);

/** Lets all connections end, and checks that everything comes back. */
void world_end(struct world *world);

/** Is the state of the transports consistent? */
void world_check(const struct world *world);

/** One turn of both hosts' loops. */
void world_poll(struct world *world);

/** From one deadline to the next; packets arrive and events are read. */
void world_run(struct world *world, uint64_t ns);

/** The process ends without a word, another one starts. */
void host_restart(struct host *host);

/* fuzz_network.c */
/** A packet comes in. */
void host_receive(struct host *host, const struct transport_path *path,
	const uint8_t *bytes, uint32_t length, bool marked);
/** Takes a packet from the network; the caller frees it. */
struct packet *world_take(struct world *world, uint32_t index);
/* For struct transport_ops. */
uint8_t *packet_room(void *context);
bool packet_attach(void *context, struct endpoint *endpoint,
	struct tx_message *message, uint32_t offset, uint32_t length);
void packet_transmit(
	void *context, const struct transport_path *path, uint32_t length);

/* fuzz_application.c */
extern const struct transport_ops application_ops;
void application_open(struct host *host);
void application_kill(struct host *host);
/** Takes events. */
void application_read(struct host *host, uint32_t max);
void application_connect(struct host *host, uint32_t address, uint16_t port,
	uint32_t timeout, uint32_t flags);
void application_send(struct host *host, struct connection *connection,
	uint32_t length, enum machnet_message_kind kind);
void application_close(
	struct host *host, struct connection *connection, uint32_t timeout);
void application_reset(struct host *host, uint32_t id, const char *reason);
/** The other end, if its application knows it, too. */
struct connection *connection_peer(
	struct host *host, const struct connection *connection);

#endif
