// SPDX-License-Identifier: MIT
#include "engine/network.h"

#include <string.h>
#include <unistd.h>

#include "base/idle.h"
#include "engine/handover.h"
#include "engine/subnet.h"
#include "port/memory.h"
#include "rss/plan.h"

/* Packets that wait for one neighbor: a burst of SYNs. */
#define PENDING_MAX RSS_BURST_MAX
/* And for all of them: half of what may be held at a time. */
#define PENDING_ALL_MAX (PORT_MBUFS_HELD_DEFAULT / 2)

/* Codes of destination unreachable, RFC 792. */
#define ICMP_PROTOCOL_UNREACHABLE 2
#define ICMP_PORT_UNREACHABLE 3
#define ICMP_FRAGMENTATION_NEEDED 4

/* To see whether an address is free: requests, and the time for each answer. */
#define PROBES 3u
#define PROBE_NS (50 * NS_PER_MS)
/* A link that is not up by then may stay down for long. */
#define PROBE_LINK_NS (250 * NS_PER_MS)

void
network_init(struct network *network, const struct engine_options *options,
	struct engine_counters *counters, struct transport *transport)
{
	memset(network, 0, sizeof(*network));
	network->options = options;
	network->counters = counters;
	network->transport = transport;
	network->payload_bytes_max =
		options->port->mtu - IPV4_BYTES - UDP_BYTES;
	neighbors_init(&network->neighbors);
}

/* Packets that wait for a neighbor hang together as segments of one would. What
 * finds no room comes again by itself. */
static void
pending_append(struct network *network, struct neighbor *neighbor,
	struct rte_mbuf *mbuf)
{
	struct rte_mbuf *last = neighbor->pending;
	uint32_t length = 0;

	if (last != NULL)
		for (length = 1; last->next != NULL; last = last->next)
			length++;
	if (length == PENDING_MAX || network->pending == PENDING_ALL_MAX ||
		rte_pktmbuf_linearize(mbuf) != 0) {
		rte_pktmbuf_free(mbuf);
		return;
	}
	network->pending++;
	if (last == NULL)
		neighbor->pending = mbuf;
	else
		last->next = mbuf;
}

/* @return the first, or NULL */
static struct rte_mbuf *
pending_take(struct network *network, struct rte_mbuf **chain)
{
	struct rte_mbuf *mbuf = *chain;

	if (mbuf != NULL) {
		*chain = mbuf->next;
		mbuf->next = NULL;
		network->pending--;
	}
	return mbuf;
}

static void
pending_free(struct network *network, void *pending)
{
	struct rte_mbuf *chain = pending;
	struct rte_mbuf *mbuf;

	while ((mbuf = pending_take(network, &chain)) != NULL)
		rte_pktmbuf_free(mbuf);
}

static struct neighbor *
neighbor_enter(struct network *network, uint32_t address)
{
	void *evicted;
	struct neighbor *neighbor =
		neighbors_enter(&network->neighbors, address, &evicted);

	pending_free(network, evicted);
	return neighbor;
}

void
network_end(struct network *network)
{
	network_flush(network);
	rte_pktmbuf_free_bulk(network->out, network->out_length);
	network->out_length = 0;
	for (uint32_t i = 0; i < NEIGHBORS_MAX; i++)
		pending_free(network, network->neighbors.all[i].pending);
}

/* Frames out. */

static struct rte_mbuf *
mbuf_allocate(struct network *network)
{
	const struct engine_options *options = network->options;
	struct rte_mbuf *mbuf =
		rte_pktmbuf_alloc(options->port->pools[options->queue]);

	if (mbuf == NULL)
		network->counters->mbufs_exhausted++;
	return mbuf;
}

void
network_flush(struct network *network)
{
	const struct engine_options *options = network->options;
	uint16_t sent;

	if (network->out_length == 0)
		return;
	sent = port_tx_burst(options->port, options->queue, network->out,
		network->out_length);
	network->counters->frames_sent += sent;
	network->out_length -= sent;
	memmove(network->out, network->out + sent,
		network->out_length * sizeof(network->out[0]));
	/* Who wrote them gets his bytes back when the device has sent them, not
	 * when it has room. An mbuf has room for a whole frame. */
	for (uint16_t i = 0; i < network->out_length; i++)
		rte_pktmbuf_linearize(network->out[i]);
	network->stuck |= network->out_length != 0;
	if (sent == 0)
		return;
	if (network->now_ns - network->moved_ns > IDLE_RING_NS)
		port_ring(options->port);
	network->moved_ns = network->now_ns;
}

static void
frame_queue(struct network *network, struct rte_mbuf *mbuf)
{
	if (network->out_length == NETWORK_BURST) {
		/* packet_begin keeps the transport off a full device; this is
		 * an answer of our own, and will be asked for again. */
		network->counters->frames_dropped++;
		rte_pktmbuf_free(mbuf);
		return;
	}
	network->out[network->out_length++] = mbuf;
}

static void
frame_send(struct network *network, struct rte_mbuf *mbuf, uint32_t length)
{
	mbuf->data_len = (uint16_t)length;
	mbuf->pkt_len = length;
	frame_queue(network, mbuf);
}

static void
arp_ask(struct network *network, const struct neighbor *neighbor)
{
	const struct engine_options *options = network->options;
	struct rte_mbuf *mbuf = mbuf_allocate(network);

	if (mbuf == NULL)
		return;
	network->counters->arp_requests_sent++;
	frame_send(network, mbuf,
		arp_request_write(rte_pktmbuf_mtod(mbuf, uint8_t *),
			&options->port->mac, options->address,
			neighbor->address));
}

void
network_announce(struct network *network)
{
	const struct neighbor self = {.address = network->options->address};

	arp_ask(network, &self);
	network_flush(network);
}

uint8_t *
network_packet_begin(struct network *network)
{
	if (network->out_length == NETWORK_BURST)
		network_flush(network);
	if (network->out_length == NETWORK_BURST)
		return NULL;
	if (network->begun == NULL)
		network->begun = mbuf_allocate(network);
	if (network->begun == NULL) {
		network->stuck = true;
		return NULL;
	}
	return rte_pktmbuf_mtod_offset(
		network->begun, uint8_t *, UDP_PAYLOAD_OFFSET);
}

bool
network_packet_attach(struct network *network, const uint8_t *bytes,
	uint32_t length, rte_mbuf_extbuf_free_callback_t left, void *context)
{
	struct rte_mbuf *tail = mbuf_allocate(network);

	if (tail == NULL)
		return false;
	port_mbuf_refer(tail, bytes, (uint16_t)length, left, context);
	network->begun->next = tail;
	network->begun->nb_segs = 2;
	network->counters->packets_zero_copy++;
	return true;
}

static uint32_t
next_hop(const struct engine_options *options, uint32_t address)
{
	const struct subnet ours = {
		.address = options->address,
		.prefix_length = options->prefix_length,
	};

	if (subnet_contains(&ours, address) || options->gateway == 0)
		return address;
	return options->gateway;
}

static void
mac_set(struct rte_mbuf *mbuf, const struct mac *destination)
{
	memcpy(rte_pktmbuf_mtod(mbuf, uint8_t *), destination->bytes,
		sizeof(destination->bytes));
}

void
network_packet_send(struct network *network, const struct transport_path *path,
	uint32_t length)
{
	const struct engine_options *options = network->options;
	struct udp_address address = {
		.source_mac = options->port->mac,
		.source_ip = options->address,
		.destination_ip = path->address,
		.source_port = path->local_port,
		.destination_port = path->remote_port,
	};
	struct rte_mbuf *mbuf = network->begun;
	struct udp_tail tail = {0};
	struct neighbor *neighbor;

	network->begun = NULL;
	neighbor = neighbor_enter(network, next_hop(options, path->address));
	address.destination_mac = neighbor->mac;
	if (mbuf->next != NULL) {
		tail.bytes = rte_pktmbuf_mtod(mbuf->next, const void *);
		tail.length = mbuf->next->data_len;
	}
	length = udp_frame_write_head(rte_pktmbuf_mtod(mbuf, uint8_t *),
		&address, length - tail.length, &tail,
		options->port->tx_offload);
	mbuf->data_len = (uint16_t)length;
	mbuf->pkt_len = length + tail.length;
	port_tx_offload(mbuf, options->port->tx_offload);
	if (neighbor->known)
		frame_queue(network, mbuf);
	else
		pending_append(network, neighbor, mbuf);
	if (neighbor_ask(&network->neighbors, neighbor, network->now_ns))
		arp_ask(network, neighbor);
}

/* Nobody answers for a neighbor: tell those whose packets wait for it, which
 * may be for hosts of another subnet. */
static void
give_up(struct network *network, struct neighbor *neighbor)
{
	uint32_t address = neighbor->address;
	struct rte_mbuf *chain = neighbor_forget(&network->neighbors, neighbor);
	struct rte_mbuf *mbuf;
	struct frame frame;

	network->counters->neighbors_unreachable++;
	transport_host_unreachable(
		network->transport, network->now_ns, address);
	while ((mbuf = pending_take(network, &chain)) != NULL) {
		frame_parse(&frame, rte_pktmbuf_mtod(mbuf, uint8_t *),
			mbuf->data_len,
			FRAME_VERIFIED_IPV4 | FRAME_VERIFIED_UDP);
		rte_pktmbuf_free(mbuf);
		if (frame.destination_ip == address)
			continue;
		address = frame.destination_ip;
		transport_host_unreachable(
			network->transport, network->now_ns, address);
	}
}

void
network_timers(struct network *network, uint64_t now_ns)
{
	struct neighbor *neighbor;

	network->now_ns = now_ns;
	while ((neighbor = neighbors_due(&network->neighbors, now_ns)) !=
		NULL) {
		if (neighbor->tries == NEIGHBOR_TRIES)
			give_up(network, neighbor);
		else if (neighbor_ask(&network->neighbors, neighbor, now_ns))
			arp_ask(network, neighbor);
	}
}

/* Frames in. */

static void
neighbor_answered(struct network *network, struct neighbor *neighbor,
	const struct mac *mac)
{
	struct rte_mbuf *chain = neighbor->pending;
	struct rte_mbuf *mbuf;

	neighbor_heard(neighbor, mac, network->now_ns);
	neighbor->pending = NULL;
	while ((mbuf = pending_take(network, &chain)) != NULL) {
		mac_set(mbuf, mac);
		frame_queue(network, mbuf);
	}
}

void
network_neighbor(struct network *network, const struct parcel_neighbor *told)
{
	struct neighbor *neighbor =
		neighbors_find(&network->neighbors, told->address);

	/* What we know is brought up to date by anybody's word; what we do
	 * not know is kept only if it was said to us (RFC 826). */
	if (neighbor == NULL && told->to_us)
		neighbor = neighbor_enter(network, told->address);
	if (neighbor != NULL)
		neighbor_answered(network, neighbor, &told->mac);
}

static void
arp_receive(struct network *network, const struct frame *frame)
{
	const struct engine_options *options = network->options;
	struct rte_mbuf *mbuf;

	if (frame->sender_ip == options->address) {
		network->counters->arp_conflicts++;
		return;
	}
	/* One that probes (RFC 5227) has no address yet. */
	if (frame->sender_ip != 0 && !neighbors_addressable(frame->sender_ip)) {
		network->counters->frames_foreign++;
		return;
	}
	if (frame->sender_ip != 0) {
		const struct parcel_neighbor told = {
			.address = frame->sender_ip,
			.mac = frame->sender_mac,
			.to_us = frame->target_ip == options->address,
		};

		network_neighbor(network, &told);
		handover_neighbor(network, &told);
	}
	if (frame->kind != FRAME_ARP_REQUEST ||
		frame->target_ip != options->address)
		return;
	network->counters->arp_requests_received++;
	mbuf = mbuf_allocate(network);
	if (mbuf == NULL)
		return;
	frame_send(network, mbuf,
		arp_reply_write(rte_pktmbuf_mtod(mbuf, uint8_t *),
			&options->port->mac, options->address,
			&frame->sender_mac, frame->sender_ip));
}

static void
echo_receive(struct network *network, const struct frame *frame)
{
	struct rte_mbuf *mbuf = mbuf_allocate(network);

	network->counters->echo_requests_received++;
	if (mbuf == NULL)
		return;
	frame_send(network, mbuf,
		icmp_echo_reply_write(
			rte_pktmbuf_mtod(mbuf, uint8_t *), frame));
}

void
network_unreachable(
	struct network *network, const struct parcel_unreachable *told)
{
	switch (told->code) {
	case ICMP_FRAGMENTATION_NEEDED:
		/* No word about the host, and our MTU is not a guess. */
		network->counters->frames_foreign++;
		break;
	case ICMP_PROTOCOL_UNREACHABLE:
	case ICMP_PORT_UNREACHABLE:
		transport_port_unreachable(
			network->transport, network->now_ns, &told->path);
		break;
	default:
		transport_host_unreachable(network->transport, network->now_ns,
			told->path.address);
		break;
	}
}

static void
unreachable_receive(struct network *network, const struct frame *frame)
{
	const struct parcel_unreachable told = {
		/* As we sent it: its source is us. The ICMP may come from a
		 * router. */
		.path =
			{
				.address = frame->destination_ip,
				.local_port = frame->source_port,
				.remote_port = frame->destination_port,
			},
		.code = frame->icmp_code,
	};

	/* Whose packet it was does not say. */
	network_unreachable(network, &told);
	handover_unreachable(network, &told);
}

/* @return whether the mbuf is another engine's */
static bool
udp_receive(struct network *network, struct rte_mbuf *mbuf,
	const struct frame *frame)
{
	const struct engine_options *options = network->options;
	struct transport_path path = {
		.address = frame->source_ip,
		.local_port = frame->destination_port,
		.remote_port = frame->source_port,
	};

	if (!transport_port_valid(
		    network->transport, frame->destination_port)) {
		network->counters->frames_foreign++;
		return false;
	}
	if (options->exchange != NULL &&
		handover_packet(network, mbuf, &path, frame))
		return true;
	transport_receive(network->transport, network->now_ns, &path,
		options->queue, frame->payload, frame->payload_length,
		frame->ecn_marked);
	return false;
}

/* @return whether the mbuf is another engine's */
static bool
frame_receive(struct network *network, struct rte_mbuf *mbuf)
{
	const struct engine_options *options = network->options;
	struct frame frame;
	bool to_us, valid;

	if (mbuf->nb_segs != 1) {
		network->counters->frames_malformed++;
		return false;
	}
	frame_parse(&frame, rte_pktmbuf_mtod(mbuf, uint8_t *), mbuf->data_len,
		port_rx_verified(mbuf));
	to_us = frame.destination_ip == options->address &&
		memcmp(&frame.destination, &options->port->mac,
			sizeof(frame.destination)) == 0;
	/* What is answered must have come from a host. */
	valid = neighbors_addressable(frame.source_ip);
	if (frame.kind == FRAME_MALFORMED)
		network->counters->frames_malformed++;
	else if (memcmp(&frame.source, &options->port->mac,
			 sizeof(frame.source)) == 0)
		network->counters->frames_foreign++; /* our kernel's */
	else if (frame.kind == FRAME_ARP_REQUEST ||
		 frame.kind == FRAME_ARP_REPLY)
		arp_receive(network, &frame);
	else if (frame.kind == FRAME_UDP && to_us && valid)
		return udp_receive(network, mbuf, &frame);
	else if (frame.kind == FRAME_ICMP_ECHO && to_us && valid)
		echo_receive(network, &frame);
	else if (frame.kind == FRAME_ICMP_UNREACHABLE &&
		 frame.source_ip == options->address)
		unreachable_receive(network, &frame);
	else
		network->counters->frames_foreign++;
	return false;
}

/* How full the queue is, as far as one can tell without looking: a burst that
 * is not full empties it, each full one in a row means as much again. */
static void
occupancy_update(struct network *network, uint16_t length)
{
	uint32_t waiting = length;

	if (length == NETWORK_BURST)
		waiting += network->waiting;
	network->waiting =
		u32_min(waiting, network->options->port->rx_descriptors);
	transport_occupancy(network->transport,
		(uint8_t)(network->waiting * 255 /
			  network->options->port->rx_descriptors),
		length < NETWORK_BURST);
}

uint32_t
network_receive(struct network *network, uint64_t now_ns)
{
	const struct engine_options *options = network->options;
	struct rte_mbuf *in[NETWORK_BURST];
	uint16_t length =
		port_rx_burst(options->port, options->queue, in, NETWORK_BURST);

	network->now_ns = now_ns;
	network->stuck = false;
	occupancy_update(network, length);
	for (uint16_t i = 0; i < length; i++) {
		if (i + 1 < length)
			rte_prefetch0(rte_pktmbuf_mtod(in[i + 1], void *));
		if (frame_receive(network, in[i]))
			in[i] = NULL;
	}
	rte_pktmbuf_free_bulk(in, length);
	network->counters->frames_received += length;
	if (length != 0)
		network->moved_ns = now_ns;
	return length;
}

/* @return whether it went out */
static bool
probe_send(const struct engine_options *options)
{
	const struct port *port = options->port;
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(port->pools[options->queue]);

	if (mbuf == NULL)
		return false;
	mbuf->data_len =
		(uint16_t)arp_request_write(rte_pktmbuf_mtod(mbuf, uint8_t *),
			&port->mac, 0, options->address);
	mbuf->pkt_len = mbuf->data_len;
	if (port_tx_burst(port, options->queue, &mbuf, 1) == 1)
		return true;
	rte_pktmbuf_free(mbuf);
	return false;
}

/* Does a frame come from a host that has the address, or that is about to take
 * it? */
static bool
probe_answers(const struct engine_options *options, struct rte_mbuf *mbuf,
	struct mac *mac)
{
	const struct mac *own = &options->port->mac;
	struct frame frame;
	bool claimed;

	frame_parse(
		&frame, rte_pktmbuf_mtod(mbuf, uint8_t *), mbuf->data_len, 0);
	if (frame.kind != FRAME_ARP_REPLY && frame.kind != FRAME_ARP_REQUEST)
		return false;
	claimed = frame.sender_ip == options->address ||
		  (frame.sender_ip == 0 && frame.target_ip == options->address);
	if (!claimed || memcmp(&frame.sender_mac, own, sizeof(*own)) == 0)
		return false;
	*mac = frame.sender_mac;
	return true;
}

/* Look at one frame of each queue. */
static bool
probe_answered(const struct engine_options *options, bool *any, struct mac *mac)
{
	const struct port *port = options->port;
	bool answered = false;

	*any = false;
	for (uint16_t queue = 0; queue < port->queues && !answered; queue++) {
		struct rte_mbuf *mbuf;

		if (port_rx_burst(port, queue, &mbuf, 1) == 0)
			continue;
		*any = true;
		answered = probe_answers(options, mbuf, mac);
		rte_pktmbuf_free(mbuf);
	}
	return answered;
}

bool
engine_address_in_use(const struct engine_options *options, struct mac *mac)
{
	uint64_t next_ns = clock_now_ns();
	uint64_t end_ns = next_ns + PROBE_LINK_NS;
	uint32_t probes = 0;
	uint64_t now_ns;

	while ((now_ns = clock_now_ns()) < end_ns) {
		bool any;

		if (probes < PROBES && now_ns >= next_ns &&
			probe_send(options)) {
			probes++;
			next_ns = now_ns + PROBE_NS;
			end_ns = next_ns + (PROBES - probes) * PROBE_NS;
		}
		if (probe_answered(options, &any, mac))
			return true;
		if (!any)
			usleep(1000); /* no device here has an RX interrupt */
	}
	return false;
}
