// SPDX-License-Identifier: MIT
#include "engine/handover.h"

static struct exchange *
exchange_of(const struct network *network)
{
	return network->options->exchange;
}

static bool
post(struct network *network, uint32_t to, const struct parcel *parcel)
{
	if (exchange_post(
		    exchange_of(network), network->options->queue, to, parcel))
		return true;
	network->counters->parcels_dropped++;
	return false;
}

/* @return how many of the others have it */
static uint32_t
post_all(struct network *network, const struct parcel *parcel)
{
	uint32_t posted = 0;

	if (exchange_of(network) == NULL)
		return 0;
	for (uint32_t i = 0; i < network->options->engines; i++)
		if (i != network->options->queue)
			posted += post(network, i, parcel);
	return posted;
}

bool
handover_packet(struct network *network, struct rte_mbuf *mbuf,
	const struct transport_path *path, const struct frame *frame)
{
	const struct engine_options *options = network->options;
	uint32_t to =
		transport_engine_of(frame->payload, frame->payload_length);
	struct parcel parcel = {
		.kind = PARCEL_PACKET,
		.packet =
			{
				.mbuf = mbuf,
				.path = *path,
				.offset = (uint16_t)(frame->payload -
						     rte_pktmbuf_mtod(
							     mbuf, uint8_t *)),
				.length = (uint16_t)frame->payload_length,
				.queue = options->queue,
				.marked = frame->ecn_marked,
			},
	};

	if (to == TRANSPORT_ENGINE_ALL) {
		/* Beforehand: those that are quick give theirs back. */
		rte_mbuf_refcnt_update(mbuf, (int16_t)(options->engines - 1));
		to = post_all(network, &parcel);
		rte_mbuf_refcnt_update(
			mbuf, (int16_t)(to + 1 - options->engines));
		return false;
	}
	if (to >= options->engines || to == options->queue)
		return false;
	if (post(network, to, &parcel))
		network->counters->packets_handed_over++;
	else
		rte_pktmbuf_free(mbuf);
	return true;
}

void
handover_neighbor(
	struct network *network, const struct parcel_neighbor *neighbor)
{
	const struct parcel parcel = {
		.kind = PARCEL_NEIGHBOR,
		.neighbor = *neighbor,
	};

	post_all(network, &parcel);
}

void
handover_unreachable(
	struct network *network, const struct parcel_unreachable *unreachable)
{
	const struct parcel parcel = {
		.kind = PARCEL_UNREACHABLE,
		.unreachable = *unreachable,
	};

	post_all(network, &parcel);
}

void
handover_observation(
	struct network *network, const struct rss_observation *observation)
{
	const struct parcel parcel = {
		.kind = PARCEL_OBSERVATION,
		.observation = *observation,
	};

	network->counters->observations_sent += post_all(network, &parcel);
}

void
handover_attention(struct network *network)
{
	const struct parcel parcel = {.kind = PARCEL_ATTENTION};

	post_all(network, &parcel);
}

void
handover_flush(struct network *network)
{
	if (exchange_of(network) != NULL)
		exchange_flush(exchange_of(network), network->options->queue);
}

/* Past the caches that this thread has of others' pools: what many engines
 * kept of one pool would be missing there. */
static void
mbufs_send_home(struct rte_mbuf **mbufs, uint32_t length)
{
	uint32_t begin = 0, end;

	for (; begin < length; begin = end) {
		struct rte_mempool *pool = mbufs[begin]->pool;

		for (end = begin + 1; end < length && mbufs[end]->pool == pool;
			end++)
			continue;
		rte_mempool_generic_put(
			pool, (void **)&mbufs[begin], end - begin, NULL);
	}
}

/* @return whether nobody else has the mbuf of it */
static bool
packet_take(struct network *network, const struct parcel_packet *packet)
{
	const uint8_t *payload = rte_pktmbuf_mtod_offset(
		packet->mbuf, uint8_t *, packet->offset);

	network->counters->packets_taken_over++;
	transport_receive(network->transport, network->now_ns, &packet->path,
		packet->queue, payload, packet->length, packet->marked);
	return rte_pktmbuf_prefree_seg(packet->mbuf) != NULL;
}

static uint32_t
take(struct network *network, struct parcel *parcels, uint32_t capacity)
{
	uint32_t length = 0;

	while (length < capacity &&
		exchange_take(exchange_of(network), network->options->queue,
			&parcels[length])) {
		const struct parcel_packet *packet = &parcels[length].packet;

		if (parcels[length++].kind == PARCEL_PACKET)
			rte_prefetch0(rte_pktmbuf_mtod_offset(
				packet->mbuf, void *, packet->offset));
	}
	return length;
}

uint32_t
handover_receive(struct network *network, uint64_t now_ns)
{
	struct parcel parcels[NETWORK_BURST];
	struct rte_mbuf *mbufs[NETWORK_BURST];
	uint32_t length, mbufs_length = 0;

	if (exchange_of(network) == NULL)
		return 0;
	network->now_ns = now_ns;
	length = take(network, parcels, NETWORK_BURST);
	for (uint32_t i = 0; i < length; i++) {
		const struct parcel *parcel = &parcels[i];

		switch ((enum parcel_kind)parcel->kind) {
		case PARCEL_PACKET:
			if (packet_take(network, &parcel->packet))
				mbufs[mbufs_length++] = parcel->packet.mbuf;
			break;
		case PARCEL_NEIGHBOR:
			network_neighbor(network, &parcel->neighbor);
			break;
		case PARCEL_UNREACHABLE:
			network_unreachable(network, &parcel->unreachable);
			break;
		case PARCEL_OBSERVATION:
			network->counters->observations_received++;
			transport_observe(
				network->transport, &parcel->observation);
			break;
		case PARCEL_ATTENTION:
			break;
		}
	}
	mbufs_send_home(mbufs, mbufs_length);
	return length;
}

void
handover_end(struct network *network)
{
	struct parcel parcel;

	while (exchange_of(network) != NULL &&
		exchange_take(
			exchange_of(network), network->options->queue, &parcel))
		if (parcel.kind == PARCEL_PACKET)
			rte_pktmbuf_free(parcel.packet.mbuf);
}
