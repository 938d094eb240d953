/* SPDX-License-Identifier: MIT */
/*
 * The state behind transport.h, shared by the files of this folder, each of
 * which has a header of what it does for the others:
 *
 *   flow.c       the table of flows
 *   transport.c  endpoints, dispatch of packets, timers, the poll
 *   handshake.c  from SYN to ACCEPT: handshake_client.c, handshake_server.c
 *   search.c     which pairs of ports to try
 *   routes.c     pairs of engines, and the ports that they send on
 *   path.c       what applications are told of those
 *   send.c       messages to packets
 *   recovery.c   ACKs from the peer, what is lost, timeouts
 *   congestion.c how much may be in flight
 *   receive.c    packets to messages, ACKs to the peer
 *   deliver.c    messages to the application, in order
 *   credits.c    who may fill the RX queue
 *   close.c      the ways in which a connection ends
 *   peers.c      liveness of the other host
 */
#ifndef TRANSPORT_FLOW_H
#define TRANSPORT_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bits.h"
#include "base/clock.h"
#include "base/freelist.h"
#include "base/list.h"
#include "rss/plan.h"
#include "transport/allowance.h"
#include "transport/congestion.h"
#include "transport/connection_id.h"
#include "transport/random.h"
#include "transport/transport.h"
#include "transport/wheel.h"
#include "wire/frame.h"

/* Time without an answer after which a packet is sent again, before the
 * connection's round-trip time is known, and its bounds after. */
#define RTO_INITIAL_NS (5 * NS_PER_MS)
#define RTO_MIN_NS (1 * NS_PER_MS)
#define RTO_MAX_NS (100 * NS_PER_MS)
/* The same for SYN and CONFIRM, which may find everybody asleep that is between
 * the two engines, and the other one as well. */
#define SETUP_WAIT_NS (15 * NS_PER_MS)
#define CONNECT_TIMEOUT_MS_DEFAULT 1000u
#define CLOSE_TIMEOUT_MS_DEFAULT 5000u
/* How long a finished connection still answers repeats; on the passive side as
 * long as its cookie lives, so that it cannot be opened a second time. */
#define LINGER_NS (1 * NS_PER_S)
#define COOKIE_LIFE_MS 5000u
#define COOKIE_SKEW_MS 1000
/* With waits that double up to the second 2 s more than the time after which
 * the peer, should it hear nothing, gives up by itself. */
#define RESET_TRIES 12u
#define RESET_WAIT_MAX_NS (250 * NS_PER_MS)
/* A client that has nothing to send says by the first that it is there; one
 * that is silent until the second is asked. */
#define ACCEPT_ACK_NS (500 * NS_PER_MS)
#define ACCEPT_PROBE_NS (1 * NS_PER_S)
/* A peer gets a PING after this share of the time after which it is lost, at
 * most the second, and again after each half of that. */
#define PEER_SILENT_SHARE 6u
#define PEER_SILENT_MAX_NS (500 * NS_PER_MS)
/* Packets after a missing one that show it to be lost (RFC 9002, 6.1.1), until
 * the path is seen to change their order. */
#define REORDER_PACKETS 3u
#define REORDER_PACKETS_MAX 64u
/* Times that packets were lost, after which that begins to be forgotten. */
#define REORDER_MEMORY 16u
/* The tail-loss probe comes no sooner, for the sake of peers that share their
 * core. */
#define PROBE_MIN_NS (200 * NS_PER_US)
/* How long an ACK may wait for data to ride on: max(50 us, SRTT / 4), at most
 * the other. */
#define ACK_DELAY_MIN_NS (50 * NS_PER_US)
#define ACK_DELAY_MAX_NS (200 * NS_PER_US)
/* Packets that are acknowledged without such a wait, and so many after one that
 * is missing. */
#define ACK_PACKETS 2u
#define GAP_PACKETS 8u
/* How long a message may wait for others to share its packet: while a packet
 * that was not full is in flight, and there is room for one more. */
#define HOLD_NS (20 * NS_PER_US)
/* Largest share of the RX queue that one connection gets, and how long it keeps
 * it without a packet. Its sender gives it up after half of that. */
#define CREDIT_MAX 64u
/* Credits of a connection that its peer is not told of, or a quarter of few:
 * for the tail-loss probe and some timeouts, each twice as late as the one
 * before. */
#define CREDIT_PROBES 4u
#define CREDIT_IDLE_NS (5 * NS_PER_MS)
/* Bytes that an application, and a flow of it, may send in a turn. */
#define ENDPOINT_QUANTUM 32768
#define FLOW_QUANTUM 16384
/* Messages of a flow that are in parts at a time, and their bytes: half of the
 * smallest arena, since all of them have memory from their first fragment on.
 */
#define PARTIAL_MAX 8u
#define PARTIAL_BYTES_MAX (16u << 20)
/* Messages in parts that both sides keep beside their window of ids, so that it
 * goes on: else 8 MiB would hold up what comes TRANSPORT_MESSAGE_WINDOW later.
 */
#define PASSED_MAX PARTIAL_MAX
/* What strangers get (SYN, PING, unknown connections) does not depend on how
 * many they are: each turn of the loop may give as many answers as this goes
 * into the time since the last one. One takes some 0.4 us, so that they take
 * less than a twentieth of an engine. What is left over is kept for crowds: as
 * many as an RX queue of 256 holds. */
#define ANSWER_NS (10 * NS_PER_US)
#define ANSWERS_MAX 256u
/* So for what their SYNs teach, which the other engines are told: no more than
 * strangers are remembered. Who confirms teaches in any case. */
#define LESSON_NS NS_PER_MS
#define LESSONS_MAX 64u
/* A packet number further ahead than that is not believed. */
#define NUMBER_JUMP_MAX (UINT64_C(1) << 24)

#define WINDOW_MASK (WIRE_PACKET_WINDOW - 1)
#define MESSAGE_MASK (TRANSPORT_MESSAGE_WINDOW - 1)

enum flow_state {
	FLOW_FREE,
	FLOW_SYN,	/* client: SYN sent */
	FLOW_CONFIRM,	/* client: CONFIRM sent */
	FLOW_OPEN,	/* messages go both ways */
	FLOW_CLOSING,	/* takes no more, delivers what it has, then FIN */
	FLOW_ENDED,	/* the application is yet to be told */
	FLOW_RESETTING, /* the application is gone; the peer is being told */
	FLOW_LINGER,	/* over; answers repeats */
};

enum sent_state {
	SENT_DONE, /* acknowledged, or sent again under another number */
	SENT_INFLIGHT,
	SENT_LOST,  /* to be sent again */
	SENT_AGAIN, /* was sent again under another number */
};

/* What a packet number carried: `frames` messages from `message` on, the first
 * from `offset` on, the others whole. */
struct sent_packet {
	uint64_t time_ns;
	uint32_t message;
	uint32_t offset;
	uint16_t frames;
	uint16_t original_back; /* what it is a copy of was so many before */
	uint16_t copy_ahead;	/* SENT_AGAIN: its copy came so many after */
	uint8_t state;		/* enum sent_state */
	bool overtaken;		/* why it was taken for lost */
};

/* Of a connection that has something in flight; from a freelist. */
struct send_window {
	struct send_window *next;
	uint64_t number_oldest; /* that is open */
	uint64_t rack_ns; /* when the youngest acknowledged one was sent */
	uint64_t reorder_until_ns;  /* then more may be lost; 0: none */
	uint64_t small;		    /* the last packet that was not full */
	uint64_t hold_until_ns;	    /* see HOLD_NS */
	struct tx_message *partial; /* last of a ring of messages of which a
				     * part was sent */
	uint32_t partial_bytes;
	uint8_t partial_length;
	bool partial_ordered; /* one of them is of QUEUE_ORDERED */
	bool partial_turn;    /* the next packet goes on with one */
	uint8_t passed_length;
	struct tx_message *passed[PASSED_MAX]; /* ids before message_first */
	struct sent_packet packets[WIRE_PACKET_WINDOW]; /* by number */
	/* by id; NULL: all of it is acknowledged */
	struct tx_message *messages[TRANSPORT_MESSAGE_WINDOW];
};

/* Messages that wait to be sent, by what may hold them up. */
enum send_queue {
	QUEUE_ORDERED, /* plain ones of an ordered flow, and FIN */
	QUEUE_SMALL,   /* that may overtake others, and fit a packet */
	QUEUE_LARGE,   /* that may overtake others, and do not */
	QUEUES,
};

enum rx_state {
	RX_EMPTY,
	RX_PARTIAL,
	RX_COMPLETE,
	RX_DELIVERED, /* before its turn */
};

struct rx_message {
	uint8_t *bytes;
	uint32_t offset; /* the endpoint's name for bytes */
	uint32_t total;
	uint32_t fragments_left;
	uint32_t request;
	uint32_t id;		  /* of one that was passed */
	uint8_t state;		  /* enum rx_state */
	uint8_t kind;		  /* enum wire_frame_kind */
	uint64_t fragments;	  /* those that are here, if at most 64 */
	struct fragment_map *map; /* otherwise */
};

/* Of a connection with messages that are partial, or out of order; from a
 * freelist. All slots of one that is free are empty. */
struct receive_window {
	struct receive_window *next;
	uint32_t used;
	uint32_t passed_length;
	struct rx_message passed[PASSED_MAX]; /* ids before deliver_next */
	struct rx_message messages[TRANSPORT_MESSAGE_WINDOW]; /* by id */
};

/* A plan under way: SYNs that were sent and not answered. */
struct search {
	struct rss_plan plan;
	uint64_t number; /* of the first of the burst; the others follow */
	uint32_t open;	 /* bit i: the i-th is not answered yet */
	uint32_t length;
	bool resent; /* those that are open */
	/* To those that are asked again. */
	struct {
		struct wire_cookie cookie;
		uint16_t owner;
	} answers[RSS_BURST_MAX];
	/* Of all plans that it took. */
	uint32_t packets; /* SYNs and answers */
	uint32_t rounds;
	struct rss_probe probes[RSS_BURST_MAX];
};

/* Of a connection that a client opens, until its application knows; from a
 * freelist. */
struct setup {
	struct setup *next;
	uint64_t number; /* echoed by the answer to CONFIRM */
	struct wire_cookie cookie;
	uint64_t cookie_ns;	  /* when it came; 0: none yet */
	uint32_t syn[RSS_WAYS];	  /* pairs of the SYN that it answers */
	uint8_t queues[RSS_WAYS]; /* that those came in on */
	uint32_t sent[RSS_WAYS];  /* pairs of the last CONFIRM */
	uint64_t begun_ns;
	uint32_t token; /* of the connect */
	uint16_t owner; /* engine that is to accept, once it is told */
	struct search search;
};

/* Of a connection that is being closed, or reset with a reason; from a
 * freelist. */
struct ending {
	struct ending *next;
	struct tx_message fin;
	/* The peer's, which the endpoint calls reason_offset; once there is no
	 * endpoint any more, ours to the peer and to be freed. */
	uint8_t *reason;
	uint32_t reason_length;
	uint32_t reason_offset;
};

/* Another host. Exists while connections to it do, and a little longer: a late
 * packet may tell of an instance that is gone. */
struct peer {
	struct peer *next;	  /* of the hash chain */
	uint64_t instance;	  /* 0: not known yet */
	uint64_t instance_before; /* until it was restarted, or 0 */
	uint64_t heard_ns;	  /* when something valid came last */
	uint64_t ping; /* number of the last one, 0: none unanswered */
	struct transport_path path; /* that a route sends on */
	struct route *routes;
	struct list flows;
	uint32_t references; /* those in `flows`, and those that linger */
	struct timer timer;
};

/* An engine of another host, as one of ours sees it: all connections between
 * the two send on one pair of ports. Lives as long as its peer. */
struct route {
	struct route *next; /* of the peer's */
	struct peer *peer;
	struct transport_path path; /* that we send on */
	uint32_t pair_in;	    /* that the last packet came in on */
	uint32_t pair_in_good; /* that came in on our queue last; 0: none */
	uint16_t engine;       /* the other one */
	uint16_t queue;	       /* of ours that it came in on */
	bool first;	       /* it may have been the first of its flow */
	uint64_t heard_ns;     /* when it came */
	uint16_t moves;	       /* to a pair that does, in either direction */
	uint16_t changes;      /* of what path_tell tells */
	uint32_t references;
	/* While a better pair is looked for. */
	bool searching;
	uint8_t failures;	/* searches in a row that found none */
	uint64_t calm_until_ns; /* no search before */
	struct timer timer;
	struct search search;
};

/* What every connection takes, also an idle one: what only some need for a
 * while is in the records above. */
struct flow {
	uint32_t id;	  /* ours, see connection_id.h */
	uint32_t peer_id; /* the peer's, 0 until it is known */
	uint8_t state;	  /* enum flow_state */
	bool passive;
	bool announced; /* CONNECTED or ACCEPTED was delivered */
	bool accepted;	/* passive: the application took it */
	bool unordered;
	bool starved;	      /* told the peer to wait for memory */
	bool probing;	      /* after a timeout: one packet at a time */
	bool probe_due;	      /* an empty packet, to learn the peer's limits */
	bool probed;	      /* the tail-loss probe is out */
	uint8_t tries;	      /* timeouts in a row */
	uint8_t reorder;      /* packets, see REORDER_PACKETS */
	uint8_t reorder_calm; /* see REORDER_MEMORY */
	uint16_t fragment_bytes;
	uint16_t service_port;
	struct endpoint *endpoint;
	struct peer *peer;
	struct route *route; /* NULL until it is open */

	/* Sending. Numbers sent->number_oldest .. number_next - 1 are open, ids
	 * first .. begun - 1 are in flight; the queues hold those that were not
	 * begun, up to next in all. */
	uint64_t number_next;
	uint64_t ack_number_next;
	uint64_t acked_largest; /* that an ACK named */
	/* When a packet went out last. First a CONFIRM or an ACCEPT, 0 if it
	 * went out twice: nobody could tell which one is answered. */
	uint64_t sent_ns;
	uint32_t srtt_ns; /* 0: not known */
	uint32_t rttvar_ns;
	uint32_t message_next;
	uint32_t message_first;
	uint32_t message_begun;
	uint32_t peer_limit;
	uint16_t peer_credit;
	uint16_t peer_marked; /* as the last ACK counted */
	uint16_t inflight;
	uint16_t lost;
	uint32_t queue_bytes; /* with the headers of frames */
	int32_t deficit;      /* bytes */
	/* Each the last of a ring, NULL: empty. */
	struct tx_message *queues[QUEUES];
	struct send_window *sent;
	struct congestion congestion;

	/* Receiving. */
	uint64_t largest;
	uint64_t largest_ns;		   /* when it came */
	uint64_t seen[WIRE_ACK_WORDS_MAX]; /* bit i: largest - 1 - i */
	uint32_t deliver_next;		   /* id */
	uint32_t allocated;		   /* all ids before it have memory */
	uint32_t limit_told;
	uint16_t ahead;	 /* may overtake, complete, not delivered yet */
	uint16_t marked; /* packets that came with CE */
	uint16_t credit; /* in force: packets the peer may have in flight */
	uint8_t unacknowledged; /* packets since the last ACK */

	/* See path.c. */
	uint8_t method; /* enum rss_method, by which it was opened */
	uint8_t rounds;
	uint16_t probes;
	uint32_t setup_us;
	uint16_t moves_before; /* of the route, when it was opened */
	uint16_t path_told;    /* changes of the route that were */

	uint64_t ack_due_ns;
	struct receive_window *received;

	struct list ready_node;
	struct list ack_node;
	struct list active_node;
	struct list pending_node;
	struct list starved_node;
	struct timer timer;
	uint64_t rto_deadline_ns; /* what `timer` is for; 0: none */

	uint64_t state_deadline_ns; /* connect, close, linger; 0: none */
	struct list endpoint_node;
	struct list peer_node;
	struct flow *index_next; /* chain of (address, peer_id) */
	uint64_t key;		 /* a RESET to us must show it */
	uint64_t peer_key;	 /* a RESET from us shows it */
	struct setup *setup;
	struct ending *ending;
	uint32_t listener; /* passive: its id */
	int32_t status;	   /* FLOW_ENDED: for the CLOSED event */
};
_Static_assert(sizeof(struct flow) <= 488, "an idle connection is small");

#ifndef INDEX_BUCKETS /* the fuzzer's is small */
#define INDEX_BUCKETS (1u << 16)
#endif
#define PEER_BUCKETS (1u << 10)
/* Hosts whose queues are remembered. */
#ifndef RSS_PEERS_MAX /* the fuzzer's are few */
#define RSS_PEERS_MAX 1024u
#endif

struct transport {
	struct transport_options options;
	struct transport_ops ops;
	void *context;
	struct transport_counters counters;
	struct random random;
	struct wheel flow_timers;
	struct wheel peer_timers;
	struct wheel route_timers;
	struct rss_host *rss;
	uint16_t queue;	   /* that the packet at hand came in on */
	struct list ready; /* endpoints of flows that may have some to send */
	struct list held;  /* flows whose messages wait for others */
	struct list acks;  /* flows that owe an ACK */
	struct list acks_delayed; /* those that may wait, first come first */
	struct list active;	  /* flows with credit, longest silent first */
	uint32_t active_length;
	uint32_t credits_free;
	uint8_t occupancy; /* of the RX queue, 255: full */
	bool queue_waits;  /* there is more in it than was looked at */
	struct allowance answers;
	struct allowance lessons;
	uint8_t owner_last; /* of listeners of other engines */
	struct flow *flows;
	uint32_t flows_touched; /* slots that were ever in use */
	uint32_t flows_used;
	uint32_t resetting; /* flows in FLOW_RESETTING */
	struct flow *free;
	struct freelist setups;
	struct freelist endings;
	struct freelist send_windows;
	struct freelist receive_windows;
	struct flow *index[INDEX_BUCKETS];
	struct peer *peers[PEER_BUCKETS];
};

/* flow.c */
struct flow *flow_allocate(struct transport *t, struct endpoint *endpoint);
void flow_free(struct transport *t, struct flow *f);
void flow_index_add(struct transport *t, struct flow *f, uint32_t peer_id);
/** The youngest of that name. */
struct flow *flow_index_find(
	struct transport *t, uint32_t address, uint32_t peer_id);
/** The next older one of the same name, or NULL. */
struct flow *flow_index_next(struct flow *f);
/** Arm the timer for the earlier of the flow's deadlines. */
void flow_arm(struct transport *t, struct flow *f);

/** By our id; NULL for one that is stale or was never given. */
static inline struct flow *
flow_get(struct transport *t, uint32_t id)
{
	uint32_t index = connection_index(id);
	struct flow *f = &t->flows[index];

	if (index >= t->flows_touched || f->state == FLOW_FREE || f->id != id)
		return NULL;
	return f;
}

/** That an application named: NULL unless it is its own. */
static inline struct flow *
flow_of(struct transport *t, struct endpoint *endpoint, uint32_t id)
{
	struct flow *f = flow_get(t, id);

	return f != NULL && f->endpoint == endpoint ? f : NULL;
}

/** Room for a packet, or NULL: see struct transport_ops. */
static inline uint8_t *
packet_begin(struct transport *t)
{
	return t->ops.packet_begin(t->context);
}

/** Hand one packet over that is not counted as the flow's data. */
static inline void
packet_send(
	struct transport *t, const struct transport_path *path, uint32_t length)
{
	t->counters.packets_sent++;
	t->ops.packet_send(t->context, path, length);
}

static inline struct transport_path
path_of(uint32_t address, uint32_t pair_out)
{
	return (struct transport_path){
		.address = address,
		.local_port = rss_pair_sender(pair_out),
		.remote_port = rss_pair_receiver(pair_out),
	};
}

static inline uint32_t
path_pair_in(const struct transport_path *path)
{
	return rss_pair(path->remote_port, path->local_port);
}

static inline uint32_t
path_pair_out(const struct transport_path *path)
{
	return rss_pair(path->local_port, path->remote_port);
}

/** May a stranger be answered? That is one answer less. */
static inline bool
answer_allowed(struct transport *t, uint64_t now)
{
	if (allowance_take(&t->answers, now, ANSWER_NS, ANSWERS_MAX))
		return true;
	t->counters.packets_unanswered++;
	return false;
}

/** The largest payload of a frame. */
static inline uint32_t
flow_fragment_bytes(const struct flow *f, uint8_t frame_kind)
{
	return f->fragment_bytes + WIRE_FRAME_BYTES -
	       wire_frame_bytes(frame_kind);
}

/** May the message overtake others? */
static inline bool
overtakes(const struct flow *f, uint8_t frame_kind)
{
	return wire_frame_tagged(frame_kind) ||
	       (f->unordered && frame_kind != WIRE_FRAME_FIN);
}

/** How long an ACK may wait for data to ride on. */
static inline uint64_t
ack_delay_ns(const struct flow *f)
{
	return u64_min(
		u64_max(f->srtt_ns / 4, ACK_DELAY_MIN_NS), ACK_DELAY_MAX_NS);
}

#endif
