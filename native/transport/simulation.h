/* SPDX-License-Identifier: MIT */
/*
 * For tests: hosts with a transport each, applications on them, and a network
 * between them that loses, doubles, spoils, delays and reorders packets, all
 * under one fake clock and from one seed. Whatever a test does, it checks that
 *
 *   - messages arrive exactly once, bytes intact, the plain ones of an ordered
 *     connection in order;
 *   - a connection's events come in order, and CLOSED exactly once;
 *   - a clean close delivers all that was accepted;
 *   - records and blocks come back exactly once, and all of them by the end;
 *   - whoever has something to send, and is hindered by nobody, gets on with
 * it;
 *   - after each step, what invariants_check says of every transport.
 *
 * A violation fails the running cmocka test, after the seed was printed.
 */
#ifndef TRANSPORT_SIMULATION_H
#define TRANSPORT_SIMULATION_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "fabric/classifier.h"
#include "transport/transport.h"

#define HOSTS_MAX 160u
#define APPLICATIONS_MAX 160u
#define CONNECTIONS_MAX 257u /* of a host */
#define PORT 888u

struct simulation;

/* Chances are in 1/10 000. */
struct network {
	uint32_t loss;
	uint32_t burst;		/* that this one and those after it are lost */
	uint32_t burst_packets; /* so many, on average */
	uint32_t duplicate;
	uint32_t reorder; /* by up to ten delays */
	uint32_t corrupt; /* in one byte */
	uint64_t delay_ns;
	uint64_t jitter_ns;
	/* The port to each machine: what it takes for a packet, 0: nothing;
	 * how many may wait there, and how many before those behind them are
	 * marked, 0: none is. */
	uint64_t packet_ns;
	uint32_t queue_packets;
	uint32_t mark_packets;
};

struct packet {
	uint64_t arrival_ns;
	uint64_t order;		    /* of those that arrive at the same time */
	struct transport_path path; /* as its receiver sees it */
	uint32_t to;		    /* address */
	uint32_t queue;		    /* that it came in on */
	uint32_t length;
	bool marked; /* CE */
	uint8_t bytes[];
};

/* What engines of one machine share: its vNIC, which they cannot look into. */
struct machine {
	struct classifier *vnic; /* NULL: one queue */
	struct services *services;
	struct host *engines; /* the first */
	uint32_t engines_length;
	uint32_t handovers;    /* packets that came in at another engine */
	uint32_t observations; /* that its engines told the others of */
	uint64_t port_free_ns;
};

/* A machine with one engine, or one engine of a machine. */
struct host {
	struct simulation *simulation;
	struct machine *machine;
	uint32_t address;
	bool up;		   /* else nothing goes in or out */
	uint64_t stalled_until_ns; /* the engine does not run before */
	/* The RX queue, of options.descriptors. */
	struct packet **rx;
	uint32_t rx_first;
	uint32_t rx_length;
	uint32_t rx_length_max;
	uint32_t rx_overflows;
	/* Room for one packet, of exactly the size that is promised, so that a
	 * sanitizer sees what goes beyond. */
	uint8_t *device;
	const uint8_t *attached; /* how that packet ends */
	uint32_t attached_length;
	uint32_t device_room; /* packets in a step */
	uint32_t device_used;
	struct transport_options options;
	struct transport *transport;
	uint32_t sent[16]; /* packets by type */
};

/* The events of an application that it has not read yet. */
#define EVENTS_MAX 1024u

struct application {
	struct endpoint endpoint; /* first */
	struct host *host;
	bool open;
	bool reading; /* takes events in each step */
	bool accepting;
	bool unordered; /* connects so */
	uint32_t event_room;
	uint32_t events_first;
	uint32_t events_length;
	struct machnet_event events[EVENTS_MAX];
	struct machnet_path paths[CONNECTIONS_MAX];
	uint64_t memory_bytes; /* may be lent to messages */
	uint64_t memory_used;
	uint32_t blocks_used;
	uint32_t records_used;
	uint32_t waits; /* how often it was told that a peer does */
	struct listener *listener;
};

struct sent_message {
	uint32_t length;
	uint32_t request;
	uint8_t kind; /* enum machnet_message_kind */
	bool seen;    /* it was received */
};

/* One direction of a connection, known to both ends of it. */
struct stream {
	struct sent_message *messages; /* that were accepted */
	uint32_t oldest;	       /* all before it were received */
	uint32_t in_order; /* all before it were received, or may overtake */
	uint32_t accepted;
	uint32_t capacity;
	uint32_t sent;	   /* given back to the sender */
	uint32_t received; /* seen by the receiver */
	uint64_t key;	   /* what their bytes are made from */
};

struct link {
	uint32_t client_address;
	uint32_t client_id;
	struct stream streams[2];   /* from the client, from the server */
	struct connection *ends[2]; /* client, server; NULL: not made yet */
	bool unordered;
	struct link *next;
};

/* One end of a connection. */
struct connection {
	struct application *application;
	uint32_t token;
	uint32_t id; /* 0: not known yet */
	bool server;
	bool connected; /* CONNECTED or ACCEPTED came */
	bool closing;	/* the application asked for it */
	bool closed;
	int32_t status; /* of the failed connect, or of CLOSED */
	/* As it was told last, while the connection lives. */
	const struct machnet_path *path;
	uint64_t work_left; /* see progress_check */
	uint64_t moved_ns;  /* when that changed, or was hindered */
	char reason[MACHNET_REASON_BYTES_MAX + 1];
	struct link *link;
	struct connection *next;
};

/* Somebody without a transport, who writes packets by hand. */
struct stranger {
	struct simulation *simulation;
	uint32_t address;
	struct packet *last[16]; /* that came to it, by type */
	uint32_t received[16];
	uint64_t number; /* of its next packet */
	/* The connection of stranger_connect. */
	struct host *host;
	struct wire_syn syn;
	struct wire_accept accept;
};

/* What drivers of vNICs say when they are asked for the key. */
enum driver {
	DRIVER_SILENT,
	DRIVER_TELLS,
	DRIVER_LIES, /* it was another one */
};

/* How often what went wrong. */
#define SIMULATION_FAULTS(X)                                                   \
	X(lost)                                                                \
	X(bursts)                                                              \
	X(duplicated)                                                          \
	X(reordered)                                                           \
	X(delayed)                                                             \
	X(corrupted)                                                           \
	X(marked)                                                              \
	X(queues_full)                                                         \
	X(cuts)                                                                \
	X(stalls)                                                              \
	X(restarts)                                                            \
	X(kills)                                                               \
	X(rekeys)

struct faults {
#define SIMULATION_FAULT_FIELD(name) uint64_t name;
	SIMULATION_FAULTS(SIMULATION_FAULT_FIELD)
#undef SIMULATION_FAULT_FIELD
};

struct simulation {
	uint64_t seed;
	/* Packets are tampered with: messages may be wrong, nothing else. */
	bool unchecked;
	uint64_t random;
	uint64_t begun_ns;
	uint64_t now_ns;
	struct network network;
	struct host hosts[HOSTS_MAX];
	uint32_t hosts_length;
	uint32_t addresses;
	struct application *applications[APPLICATIONS_MAX];
	uint32_t applications_length;
	uint32_t tokens;
	struct connection *connections;
	struct link *links;
	struct packet **packets; /* heap, the next to arrive on top */
	uint32_t packets_length;
	uint32_t packets_capacity;
	uint64_t order;
	uint64_t burst_left; /* packets to be lost */
	uint64_t packets_sent;
	struct faults faults;
	uint64_t progress_ns;	   /* of the next progress_check */
	struct stranger *stranger; /* NULL: none */
	/* @return false to drop a packet; may note or copy it */
	bool (*filter)(struct simulation *s, const struct packet *packet);
	void *filter_context;
	/* What options.* of hosts begin with. */
	struct transport_options defaults;
	enum driver driver; /* of the vNICs of hosts to come */
};

/** A network without faults, 20 us from host to host. */
struct simulation *simulation_create(uint64_t seed);

/** Ends applications and hosts, and checks that all came back. */
void simulation_destroy(struct simulation *s);

uint64_t simulation_random(struct simulation *s, uint64_t below);
bool simulation_chance(struct simulation *s, uint32_t of_10000);

/** Go on to the next time at which something happens, at most to end_ns.
 * @return false once that has come */
bool simulation_step(struct simulation *s, uint64_t end_ns);
void simulation_run(struct simulation *s, uint64_t ns);

#define RUN_UNTIL(s, condition, limit_ns)                                      \
	do {                                                                   \
		uint64_t end_ns = (s)->now_ns + (limit_ns);                    \
                                                                               \
		while (!(condition) && simulation_step((s), end_ns))           \
			;                                                      \
		assert_true(condition);                                        \
	} while (0)

struct host *host_start(struct simulation *s);
/** So many engines in a row behind a vNIC with as many queues. */
struct host *engines_start(struct simulation *s, uint32_t engines,
	const struct classifier_options *vnic);
/** All packets that came in at another engine, of all machines. */
uint32_t simulation_handovers(const struct simulation *s);
/** The process ends without a word and starts anew, without applications: of
 * all engines of the machine. */
void host_restart(struct host *host);
/** Hand it a packet as if it had come from the path. */
void host_receive(struct host *host, const struct transport_path *path,
	const uint8_t *bytes, uint32_t length);
const struct transport_counters *host_counters(const struct host *host);
uint64_t host_packets_sent(const struct host *host);

/** Reads and accepts, with room for 256 events and 64 MiB. */
struct application *application_start(struct host *host);
/** As if it was killed. */
void application_kill(struct application *application);
/** Take events. @return their number */
uint32_t application_read(struct application *application, uint32_t max);
/** Set the limit of its memory and say that there is some. */
void application_resume(struct application *application, uint64_t memory_bytes);
void application_listen(
	struct application *application, uint16_t port, uint32_t backlog);
struct connection *application_connect(struct application *application,
	const struct host *to, uint16_t port, uint32_t timeout_ms);
/** The youngest connection that was accepted, or NULL. */
struct connection *application_accepted(struct application *application);

/** @return false if the connection takes none any more */
bool connection_send(struct connection *connection, uint32_t length);
/** The same for a kind of message that has a request. */
bool connection_send_tagged(struct connection *connection, uint32_t length,
	enum machnet_message_kind kind, uint32_t request);
void connection_close(struct connection *connection, uint32_t timeout_ms);
void connection_reset(struct connection *connection, const char *reason);
/** From this end: what it sent, what it got. */
struct stream *connection_out(const struct connection *connection);
struct stream *connection_in(const struct connection *connection);
/** All that it accepted is at the peer's application. */
bool connection_delivered(const struct connection *connection);

/* Two hosts, an application on each, one connection. */
struct pair {
	struct simulation *s;
	struct host *client_host;
	struct host *server_host;
	struct application *client_application;
	struct application *server_application;
	struct connection *client;
	struct connection *server;
};

/** @param s NULL: a new one */
struct pair pair_start(struct simulation *s);
/** Connect once more. */
void pair_connect(struct pair *pair);

#define STRANGER_ADDRESS 0x0a090909u

struct stranger *stranger_start(struct simulation *s);
void stranger_send(struct stranger *stranger, struct host *to,
	const uint8_t *bytes, uint32_t length);
/** SYN, and CONFIRM if there is an ANSWER. @return false without ACCEPT */
bool stranger_connect(struct stranger *stranger, struct host *to);
/** SYN or CONFIRM with stranger->syn and the cookie of the last ANSWER. */
void stranger_syn(struct stranger *stranger, struct host *to);
void stranger_confirm(struct stranger *stranger, struct host *to);
/** DATA under the next number; frame NULL: without. Payload is zeros. */
void stranger_data(struct stranger *stranger, const struct wire_ack *ack,
	const struct wire_frame *frame);

/* simulation.c for the others */
void simulation_fail(
	struct simulation *s, const char *what, const char *file, int line);
#define CHECK(s, condition)                                                    \
	((condition) ? (void)0                                                 \
		     : simulation_fail((s), #condition, __FILE__, __LINE__))
struct host *simulation_host(struct simulation *s, uint32_t address);

/* simulation_application.c for the others */
extern const struct transport_ops application_ops;
/** For an event that the transport delivers on the spot. */
void application_room_make(struct application *application);

static inline struct simulation *
simulation_of(const struct application *application)
{
	return application->host->simulation;
}

/* simulation_connection.c for simulation_application.c */
struct connection *connection_new(struct application *application, bool server);
/** A connection was made: join its ends. That is done before the application
 * reads of it, while the transport knows what the peer calls it. */
void connection_join(struct connection *connection, uint32_t id);
struct connection *connection_of_token(struct simulation *s, uint32_t token);
/** The one of that id that is not closed. */
struct connection *connection_of(
	const struct application *application, uint32_t id);
/** A message came, of those bytes. */
void connection_receive(struct connection *connection,
	const struct machnet_event *event, const uint8_t *bytes);
/** A message may be forgotten. */
void connection_sent(
	struct application *application, struct tx_message *message);

/* simulation_network.c for the others */
uint8_t *packet_room(struct host *host);
bool packet_append(struct host *host, const uint8_t *bytes, uint32_t length);
void packet_transmit(
	struct host *from, const struct transport_path *path, uint32_t length);
/** What arrives by now goes into the RX queues. */
void network_step(struct simulation *s);
/** The oldest in the RX queue: there is one. */
struct packet *rx_pop(struct host *host);
/** Give copies to the engines that it is for. @return false: it is for this
 * one, too */
bool rx_hand_over(struct host *host, struct packet *packet);
void network_free(struct simulation *s);

/* simulation_invariants.c for the others */
void invariants_check(const struct host *host);
/** Does every connection get on that could? To be called now and then. */
void progress_check(struct simulation *s);

/* simulation_stranger.c for the others */
void stranger_receive(struct stranger *stranger, const struct packet *packet);
void stranger_free(struct stranger *stranger);

#endif
