/* SPDX-License-Identifier: MIT */
/*
 * The switch between the hosts, the cables, and the hosts' vNICs: decides what
 * happens to each frame, and when. Knows no DPDK and no clock: frames are
 * handles, time is an argument that never goes back, and the same seed with the
 * same calls does the same again.
 *
 * The way of a frame:
 *
 *   host -> cap -> switch -> loss, corruption, duplication -> latency -> cap ->
 *   reordering -> firewall, hash -> RX queue -> host
 *
 * Frames to an address that a host was heard with go to that host, the others
 * to all. A copy that goes to several hosts meets each one's fate on its own,
 * and each host has random numbers of its own, so what happens on the way to
 * one does not depend on what others are sent.
 *
 * One thread.
 */
#ifndef FABRIC_SWITCH_H
#define FABRIC_SWITCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fabric/cap.h"
#include "fabric/classifier.h"
#include "fabric/rx_queue.h"

#define SWITCH_PORTS_MAX 32u
/* Frames from one host that are on their way or in RX queues. */
#define SWITCH_IN_FLIGHT_MAX 4096u
/* How much later than others a reordered frame arrives, at most. */
#define SWITCH_REORDER_NS 100000u
/* Frames that arrive with one call of switch_advance, at most. */
#define SWITCH_BURST 32u

/* What is a host's own. */
struct switch_host {
	uint32_t queues; /* RX queues: 1 .. CLASSIFIER_QUEUES_MAX */
	bool firewall;	 /* see classifier.h */
};

struct switch_options {
	uint32_t ports; /* 1 .. SWITCH_PORTS_MAX */
	struct switch_host hosts[SWITCH_PORTS_MAX];
	uint64_t seed;
	uint32_t depth; /* of an RX queue, frames that a host has not taken */
	uint32_t mtu;	/* of IP, bytes */
	/* Probabilities, 0 .. 1, of a frame on its way to one host. */
	double loss;
	double duplicate;
	double reorder;
	double corrupt;
	uint64_t latency_ns;
	struct cap_rates cap; /* each way of each host */
	/* Of all vNICs: see classifier.h. */
	enum classifier_hash hash;
	enum classifier_table table;
	bool synthetic_first;
	/* Frames are marked that find more than so many in the RX queue, or so
	 * many of full size before the cap of their receiver; 0: never. */
	uint32_t ecn_threshold;
};

/* What the owner of the handles can do with them. */
struct switch_operations {
	/* One more switch_operations.release will come. */
	void (*retain)(void *frame);
	void (*release)(void *frame);
	/* Flip a bit. Takes the handle and returns that of the same frame, or
	 * of a copy if it is shared, or NULL if there is no room for one. */
	void *(*corrupt)(void *frame, uint32_t bit);
	/* Mark congestion (RFC 3168), in a copy if the frame is shared. Returns
	 * false, and leaves it as it is, if it cannot be marked. */
	bool (*mark)(void **frame);
	/* Its bytes, as many as are in one piece. */
	const uint8_t *(*bytes)(const void *frame, uint32_t *length);
};

/*
 * Counters of a host's vNIC and its cable, besides those of its RX queues and
 * its classifier. Sent and received as the host sees it; what is dropped on the
 * way to a host counts there, what cannot be sent at all where it came from.
 */
#define SWITCH_COUNTERS(X)                                                     \
	X(packets_sent)                                                        \
	X(bytes_sent)                                                          \
	X(syns_sent)	  /* of our own protocol */                            \
	X(flooded)	  /* sent, for an unknown address or all */            \
	X(drop_malformed) /* sent, no Ethernet frame */                        \
	X(drop_mtu)	  /* sent, too long */                                 \
	X(drop_same_port) /* sent, to itself */                                \
	X(drop_in_flight) /* sent, over SWITCH_IN_FLIGHT_MAX */                \
	X(drop_loss)                                                           \
	X(drop_bandwidth)   /* the buffer before the cap was full */           \
	X(drop_packet_rate) /* likewise */                                     \
	X(drop_link_down)   /* no host is there, or its cable is cut */        \
	X(corrupted)                                                           \
	X(duplicated)                                                          \
	X(reordered)                                                           \
	X(ecn_marked)

struct switch_counters {
#define SWITCH_COUNTER(name) uint64_t name;
	SWITCH_COUNTERS(SWITCH_COUNTER)
#undef SWITCH_COUNTER
};

struct fabric_switch;

/** @return NULL without memory */
struct fabric_switch *switch_create(const struct switch_options *options,
	const struct switch_operations *operations);

/** Releases all frames. */
void switch_destroy(struct fabric_switch *fabric);

/**
 * Is there room before its cap for more from this host? If not, do not take
 * frames from it: then it feels its own vNIC's limit.
 */
bool switch_accepts(
	const struct fabric_switch *fabric, uint32_t port, uint64_t now_ns);

/**
 * A frame came from a host.
 * @param frame the switch's from now on
 * @param length of the frame; operations.bytes may be fewer
 */
void switch_receive(struct fabric_switch *fabric, uint32_t port, void *frame,
	uint32_t length, uint64_t now_ns);

/**
 * Let up to SWITCH_BURST frames that are due arrive in RX queues. Offer the
 * queues to the hosts after each call: where one stays too full, everything
 * waits.
 * @return the ports with something in RX queues, a bit each, and in *more
 *         whether other frames may be due
 */
uint32_t switch_advance(
	struct fabric_switch *fabric, uint64_t now_ns, bool *more);

/** The RX queues of a host with something in them, a bit each. */
uint64_t switch_pending(const struct fabric_switch *fabric, uint32_t port);

/**
 * The oldest frames of an RX queue; still the switch's.
 * @return their number, up to capacity
 */
uint32_t switch_offer(const struct fabric_switch *fabric, uint32_t port,
	uint32_t queue, void **frames, uint32_t capacity);

/**
 * Of those offered, the host took the first ones, they are no longer the
 * switch's. Unless it took all of them it has no room, and what is in the queue
 * above its depth is dropped.
 */
void switch_taken(struct fabric_switch *fabric, uint32_t port, uint32_t queue,
	uint32_t offered, uint32_t taken);

/** Nobody is there to take anything: drop what is in the RX queues. */
void switch_link_down(struct fabric_switch *fabric, uint32_t port);

/** When the next frame is due, or a port accepts again. UINT64_MAX: never. */
uint64_t switch_next_ns(const struct fabric_switch *fabric, uint64_t now_ns);

/** A driver opened so many RX queues of its vNIC. Drops what is in others. */
void switch_open_queues(
	struct fabric_switch *fabric, uint32_t port, uint32_t queues);

/** Until then the host's cable is cut: both ways everything is dropped. */
void switch_cut_until(struct fabric_switch *fabric, uint32_t port, uint64_t ns);

/** Which queue frames to a host go to. */
struct classifier *switch_classifier(
	struct fabric_switch *fabric, uint32_t port);

const struct switch_options *switch_options(const struct fabric_switch *fabric);

const struct switch_counters *switch_port_counters(
	const struct fabric_switch *fabric, uint32_t port);

const struct rx_queue_counters *switch_queue_counters(
	const struct fabric_switch *fabric, uint32_t port, uint32_t queue);

#endif
