/* SPDX-License-Identifier: MIT */
/*
 * The transport of one engine: connections that carry messages, reliably,
 * exactly once and in order, over packets that get lost. It owns no thread,
 * reads no clock and touches no device: time and packets come in as arguments,
 * and what it wants done goes out through struct transport_ops. Two of them
 * run in one test, over a network made of arrays.
 *
 * Flow state is found by connection id (see connection_id.h), never by hashing
 * addresses.
 */
#ifndef TRANSPORT_TRANSPORT_H
#define TRANSPORT_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "machnet/machnet.h"
#include "rss/host.h"
#include "transport/connection_id.h"
#include "transport/listeners.h"
#include "wire/packet.h"

/* UDP ports in use, unless options say otherwise, and the first to be tried. */
#define TRANSPORT_PORT_FIRST 30720u
#define TRANSPORT_PORT_LAST 31743u
#define TRANSPORT_UDP_PORT 31580u

/* Messages of one direction that may be in flight, and so the reordering that
 * a receiver must be ready for. */
#define TRANSPORT_MESSAGE_WINDOW 256u

/* Smallest IP MTU: keeps the fragment map of the largest message in
 * TRANSPORT_FRAGMENT_MAP_WORDS. */
#define TRANSPORT_MTU_MIN 1280u
#define TRANSPORT_FRAGMENT_MAP_WORDS 128u
/* Messages of an endpoint in more than 64 fragments that may be partial. */
#define TRANSPORT_FRAGMENT_MAPS 64u

struct transport;

/* Where a packet goes, or came from. Host byte order. */
struct transport_path {
	uint32_t address;
	uint16_t local_port;
	uint16_t remote_port;
};

/* A message to send. The caller owns the record and the bytes; the transport
 * has both until it hands the record to ops->message_sent. */
struct tx_message {
	struct tx_message *next;
	const uint8_t *bytes;
	uint32_t offset; /* the caller's name for the bytes */
	uint32_t length;
	uint32_t request; /* unless it is plain */
	uint8_t kind;	  /* enum machnet_message_kind */
	bool fin;	  /* the transport's own; false */
	/* The transport's own: */
	uint8_t frame;	/* enum wire_frame_kind */
	uint8_t header; /* bytes of it */
	uint8_t queue;	/* enum send_queue */
	uint32_t id; /* before it was begun: its place among those that wait */
	uint32_t begun; /* bytes that were put into a packet once */
	uint32_t fragments_left;
};

/* Flags of transport_connect. */
enum transport_connect_flag {
	/* Messages may overtake one another: a small one does not wait for a
	 * large one that was begun before it. */
	TRANSPORT_UNORDERED = 1,
};

/* The fragments of a partly received message that are here. */
struct fragment_map {
	struct fragment_map *next;
	uint64_t words[TRANSPORT_FRAGMENT_MAP_WORDS];
};

/* One application, as the transport sees it: the receiver of events, the owner
 * of memory. Embedded in the caller's struct. */
struct endpoint {
	struct list flows; /* all of them */
	struct list ready; /* that may have something to send */
	struct list ready_node;
	int32_t deficit;     /* bytes, see transport_poll */
	struct list pending; /* that have events to deliver */
	struct list starved; /* whose peers were told to wait for memory */
	uint32_t flows_length;
	uint32_t credits;	   /* in force, of all its flows */
	uint32_t fragments_due;	   /* of messages that have memory */
	struct fragment_map *maps; /* free ones */
	bool full;		   /* an event found no room */
};

/*
 * What the transport asks of its surroundings. context is the one given to
 * transport_create.
 */
struct transport_ops {
	/* Room for the UDP payload of one packet (MTU - 28 bytes), or NULL if
	 * the device takes none now. Followed by packet_send at once. */
	uint8_t *(*packet_begin)(void *context);
	/* Let the packet that was begun end with length bytes of a message
	 * from offset on, wherever they lie. Being sent, a message may be in
	 * packets still: until those are gone its bytes stay as they are, which
	 * is for the surroundings to see to. NULL: never.
	 * @return false: they are to be written into the packet */
	bool (*packet_attach)(void *context, struct endpoint *endpoint,
		struct tx_message *message, uint32_t offset, uint32_t length);
	/* @param length of the payload, with what was attached */
	void (*packet_send)(void *context, const struct transport_path *path,
		uint32_t length);
	/* Memory for a whole message of 1 .. 8 MiB bytes, or NULL. urgent: all
	 * before it on its connection have memory, so it may use what is kept
	 * in reserve. *offset names it in events. */
	uint8_t *(*message_allocate)(void *context, struct endpoint *endpoint,
		uint32_t connection, uint32_t length, bool urgent,
		uint32_t *offset);
	/* Was there none because the application holds too much of this very
	 * connection? Then only transport_released for it makes room. */
	bool (*message_capped)(
		void *context, struct endpoint *endpoint, uint32_t connection);
	/* Its peer waits for memory: told when it does, and again whenever it
	 * asks for news, which it does several times a second. May be NULL. */
	void (*message_waits)(void *context, struct endpoint *endpoint,
		uint32_t connection, uint64_t now_ns);
	/* For how many more messages of so many bytes of that connection is
	 * there memory? An estimate. */
	uint32_t (*message_room)(void *context, struct endpoint *endpoint,
		uint32_t connection, uint32_t bytes);
	/* Undo message_allocate for a message that is not delivered. */
	void (*message_free)(
		void *context, struct endpoint *endpoint, uint32_t offset);
	/* Every byte is at the peer, or nobody wants it any more. */
	void (*message_sent)(void *context, struct endpoint *endpoint,
		struct tx_message *message);
	/* Hand an event to the application. @return false: no room now */
	bool (*deliver)(void *context, struct endpoint *endpoint,
		const struct machnet_event *event);
	/* News of a queue, for transport_observe of the other engines; may be
	 * NULL. */
	void (*observed)(
		void *context, const struct rss_observation *observation);
};

struct transport_options {
	uint32_t address; /* our IPv4, host byte order */
	uint16_t mtu;	  /* of IP, TRANSPORT_MTU_MIN .. 9216 */
	uint16_t engine;
	uint16_t engines;
	uint16_t descriptors; /* of the RX queue: packets it holds */
	uint32_t flows_max;   /* at most TRANSPORT_FLOWS_MAX */
	uint8_t seed[32];     /* of ids, keys and packet numbers: secret */
	uint64_t instance;    /* of this sidecar: random, never 0 */
	uint8_t secret[16];   /* of the cookies, the same on all engines */
	/* Silence after which another host is lost; 0: as below. */
	uint32_t peer_timeout_ms;
	struct listeners *listeners; /* borrowed */
	struct rss_key nic_key; /* as the driver told it; zero: it did not */
	struct rss_ports ports; /* all zero: as above; else a range that holds
				 * TRANSPORT_UDP_PORT */
};

#define TRANSPORT_FLOWS_MAX (CONNECTION_INDICES - 1)
#define TRANSPORT_PEER_TIMEOUT_MS 3000u
#define TRANSPORT_PEER_TIMEOUT_MS_MIN 100u
#define TRANSPORT_PEER_TIMEOUT_MS_MAX 60000u

#define TRANSPORT_COUNTERS(X)                                                  \
	X(packets_received)                                                    \
	X(packets_sent)                                                        \
	X(packets_malformed)                                                   \
	X(packets_foreign)                                                     \
	X(packets_stale)                                                       \
	X(packets_duplicate)                                                   \
	X(packets_unknown)                                                     \
	X(packets_retransmitted)                                               \
	X(packets_unanswered)                                                  \
	X(acks_sent)                                                           \
	X(timeouts)                                                            \
	X(tail_probes)                                                         \
	X(retransmissions_spurious)                                            \
	X(messages_sent)                                                       \
	X(messages_received)                                                   \
	X(bytes_sent)                                                          \
	X(bytes_received)                                                      \
	X(messages_no_room)                                                    \
	X(connections_opened)                                                  \
	X(connections_accepted)                                                \
	X(connections_closed)                                                  \
	X(connections_reset)                                                   \
	X(connections_lost)                                                    \
	X(connections_refused)                                                 \
	X(backlog_overflows)                                                   \
	X(cookies_refused)                                                     \
	X(resets_forged)                                                       \
	X(pings_sent)                                                          \
	X(packets_misdirected)                                                 \
	X(syns_answered)                                                       \
	X(syns_dropped)                                                        \
	X(probes_sent)                                                         \
	X(probes_answered)                                                     \
	X(probe_rounds)                                                        \
	X(routes_moved)                                                        \
	X(paths_single)                                                        \
	X(paths_computed)                                                      \
	X(paths_predicted)                                                     \
	X(paths_remembered)                                                    \
	X(paths_sprayed)                                                       \
	X(paths_handover)

struct transport_counters {
#define TRANSPORT_COUNTER_FIELD(name) uint64_t name;
	TRANSPORT_COUNTERS(TRANSPORT_COUNTER_FIELD)
#undef TRANSPORT_COUNTER_FIELD
};

/** @return NULL if out of memory */
struct transport *transport_create(const struct transport_options *options,
	const struct transport_ops *ops, void *context);

/** Does every peer that was told of a reset know, or count as gone? */
bool transport_settled(const struct transport *transport);

/** No calls through ops happen; endpoints must be gone. */
void transport_destroy(struct transport *transport);

const struct transport_counters *transport_counters(
	const struct transport *transport);

/** Connections in any state but free. */
uint32_t transport_flows(const struct transport *transport);

/** @return false if out of memory */
bool endpoint_open(struct endpoint *endpoint);

/**
 * The application is gone: its peers get a reset with the reason, its
 * messages go back through message_sent and message_free. Nothing refers to
 * the endpoint afterwards. Its listeners are the caller's to remove, before.
 */
void endpoint_close(struct transport *transport, uint64_t now_ns,
	struct endpoint *endpoint, const char *reason);

/**
 * The application made room for events or gave memory back: deliver what
 * waits, and tell the peers that were told to wait.
 * @param memory whether memory came back
 */
void endpoint_resume(struct transport *transport, uint64_t now_ns,
	struct endpoint *endpoint, bool memory);

/** The application gave memory of a message of the connection back. */
void transport_released(struct transport *transport, struct endpoint *endpoint,
	uint32_t connection);

/**
 * A UDP payload came in. The bytes are the caller's again on return.
 * @param queue that it came in on: that of another engine, if it handed the
 *        packet over
 * @param marked the IP header said CE (RFC 3168)
 */
void transport_receive(struct transport *transport, uint64_t now_ns,
	const struct transport_path *path, uint32_t queue, const uint8_t *bytes,
	uint32_t length, bool marked);

/** May packets come in on that UDP port? */
bool transport_port_valid(const struct transport *transport, uint16_t port);

/** Another engine of this host learned something. */
void transport_observe(
	struct transport *transport, const struct rss_observation *observation);

/* What is for no engine in particular, and what any of them may be meant by. */
#define TRANSPORT_ENGINE_ANY WIRE_ENGINE_ANY
#define TRANSPORT_ENGINE_ALL 0xfffeu

/**
 * The engine that a UDP payload is for, which may be none that exists. Believes
 * nothing: a payload that makes no sense is for whoever gets it.
 * @return the engine, TRANSPORT_ENGINE_ANY or TRANSPORT_ENGINE_ALL
 */
uint32_t transport_engine_of(const uint8_t *bytes, uint32_t length);

/**
 * Before a burst of packets is handed over.
 * @param occupancy how full the RX queue is, 255: full. Peers are told.
 * @param all nothing waits in it behind that burst
 */
void transport_occupancy(
	struct transport *transport, uint8_t occupancy, bool all);

/** Nobody answers ARP for the address: fail what is being opened to it. */
void transport_host_unreachable(
	struct transport *transport, uint64_t now_ns, uint32_t address);

/** ICMP port unreachable: fail what is being opened over that path. */
void transport_port_unreachable(struct transport *transport, uint64_t now_ns,
	const struct transport_path *path);

/**
 * Fire timers, send what may be sent, then the ACKs that found no data to
 * ride on. Once per turn of the engine's loop. Applications take turns, and so
 * do the connections of each, by bytes (deficit round robin, Shreedhar and
 * Varghese, SIGCOMM 1995).
 */
void transport_poll(struct transport *transport, uint64_t now_ns);

/** Time of the next timer, or UINT64_MAX: until then nothing happens here
 * unless something comes in. May be early, never late by more than a tick. */
uint64_t transport_deadline_ns(const struct transport *transport);

/*
 * What an application asks for. Answers are events; those with a negative
 * status may be delivered before the call returns. The caller checked that
 * the application has room for one event (transport_listen, _unlisten, and
 * failures of transport_connect deliver theirs on the spot).
 */

void transport_connect(struct transport *transport, uint64_t now_ns,
	struct endpoint *endpoint, uint32_t token, uint32_t address,
	uint16_t port, uint32_t timeout_ms, uint32_t flags);

/** The application took a connection that was announced to it. */
void transport_accept(struct transport *transport, struct endpoint *endpoint,
	uint32_t connection);

/** A message for an unknown connection, or one that is closed, goes back
 * through message_sent at once. */
void transport_send(struct transport *transport, uint64_t now_ns,
	struct endpoint *endpoint, uint32_t connection,
	struct tx_message *message);

void transport_close(struct transport *transport, uint64_t now_ns,
	struct endpoint *endpoint, uint32_t connection, uint32_t timeout_ms);

/** @param reason UTF-8, at most MACHNET_REASON_BYTES_MAX bytes; copied */
void transport_reset(struct transport *transport, uint64_t now_ns,
	struct endpoint *endpoint, uint32_t connection, const uint8_t *reason,
	uint32_t length);

#endif
