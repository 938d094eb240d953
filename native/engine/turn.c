// SPDX-License-Identifier: MIT
#include "engine/turn.h"

#include <assert.h>
#include <sys/epoll.h>

#include "engine/drive.h"
#include "engine/handover.h"
#include "port/memory.h"

/* How long a stopping engine waits for peers to know. */
#define STOP_NS (200 * NS_PER_MS)

/* What the transport asks for. */

static uint8_t *
packet_begin(void *context)
{
	struct engine *engine = context;

	return network_packet_begin(&engine->network);
}

static struct channel *
channel_of(struct endpoint *endpoint)
{
	return container_of(endpoint, struct channel, endpoint);
}

static void
packet_left(void *bytes, void *message)
{
	(void)bytes;
	channel_message_unpin(message);
}

static bool
packet_attach(void *context, struct endpoint *endpoint,
	struct tx_message *message, uint32_t offset, uint32_t length)
{
	struct engine *engine = context;
	struct channel *channel = channel_of(endpoint);

	if (!channel->mapped ||
		!network_packet_attach(&engine->network,
			message->bytes + offset, length, packet_left, message))
		return false;
	channel_message_pin(channel, message);
	return true;
}

static void
packet_send(void *context, const struct transport_path *path, uint32_t length)
{
	struct engine *engine = context;

	network_packet_send(&engine->network, path, length);
}

static uint8_t *
message_allocate(void *context, struct endpoint *endpoint, uint32_t connection,
	uint32_t length, bool urgent, uint32_t *offset)
{
	(void)context;
	return channel_message_allocate(
		channel_of(endpoint), connection, length, urgent, offset);
}

static bool
message_capped(void *context, struct endpoint *endpoint, uint32_t connection)
{
	(void)context;
	return channel_message_capped(channel_of(endpoint), connection);
}

static void
message_waits(void *context, struct endpoint *endpoint, uint32_t connection,
	uint64_t now_ns)
{
	(void)context;
	channel_message_waits(channel_of(endpoint), connection, now_ns);
}

static uint32_t
message_room(void *context, struct endpoint *endpoint, uint32_t connection,
	uint32_t bytes)
{
	(void)context;
	return channel_message_room(channel_of(endpoint), connection, bytes);
}

static void
message_free(void *context, struct endpoint *endpoint, uint32_t offset)
{
	(void)context;
	channel_message_free(channel_of(endpoint), offset);
}

static void
message_sent(
	void *context, struct endpoint *endpoint, struct tx_message *message)
{
	(void)context;
	channel_message_sent(channel_of(endpoint), message);
}

static bool
deliver(void *context, struct endpoint *endpoint,
	const struct machnet_event *event)
{
	(void)context;
	return channel_deliver(channel_of(endpoint), event);
}

static void
observed(void *context, const struct rss_observation *observation)
{
	struct engine *engine = context;

	handover_observation(&engine->network, observation);
}

const struct transport_ops turn_transport_ops = {
	.packet_begin = packet_begin,
	.packet_attach = packet_attach,
	.packet_send = packet_send,
	.message_allocate = message_allocate,
	.message_capped = message_capped,
	.message_waits = message_waits,
	.message_room = message_room,
	.message_free = message_free,
	.message_sent = message_sent,
	.deliver = deliver,
	.observed = observed,
};

/* Orders and notices. */

void
turn_notify(struct engine *engine, enum engine_notice_kind kind,
	struct channel *channel, void *cookie)
{
	struct engine_notice notice = {
		.kind = kind,
		.channel = channel,
		.cookie = cookie,
	};

	mail_send(&engine->notices, &notice);
}

static void
adopt(struct engine *engine, struct channel *channel)
{
	struct epoll_event interest = {.events = EPOLLIN | EPOLLET};

	channel->transport = engine->transport;
	channel->listeners = engine->listeners;
	channel->subnet = (struct subnet){
		.address = engine->options.address,
		.prefix_length = engine->options.prefix_length,
	};
	engine->channels[engine->channels_length++] = channel;
	/* Edge triggered: we never read the descriptor, which the application
	 * could empty, or make block. */
	epoll_ctl(engine->epoll, EPOLL_CTL_ADD, channel->eventfd, &interest);
}

/* For the peers. */
static const char *
drop_reason(int32_t status)
{
	switch (status) {
	case MACHNET_SIDECAR_STOPPED:
		return "the sidecar was stopped";
	case MACHNET_CHANNEL_CORRUPT:
		return "the application broke its channel";
	default:
		return "the application ended";
	}
}

static void
drop(struct engine *engine, uint64_t now, struct channel *channel,
	int32_t status)
{
	uint32_t i = 0;

	while (i < engine->channels_length && engine->channels[i] != channel)
		i++;
	assert(i < engine->channels_length);
	engine->channels[i] = engine->channels[--engine->channels_length];
	epoll_ctl(engine->epoll, EPOLL_CTL_DEL, channel->eventfd, NULL);
	listeners_remove_endpoint(engine->listeners, &channel->endpoint);
	endpoint_close(engine->transport, now, &channel->endpoint,
		drop_reason(status));
	channel_end(channel, status);
	engine->counters.channels_corrupt += status == MACHNET_CHANNEL_CORRUPT;
	engine->ended[engine->ended_length++] = channel;
}

/* Give channels back that no packet refers to any more. */
static void
part(struct engine *engine)
{
	for (uint32_t i = engine->ended_length; i-- != 0;) {
		struct channel *channel = engine->ended[i];

		if (channel->records_pinned != 0)
			continue;
		engine->ended[i] = engine->ended[--engine->ended_length];
		turn_notify(engine, ENGINE_DROPPED, channel, NULL);
	}
}

/* @return how many orders there were */
static uint32_t
obey(struct engine *engine, uint64_t now)
{
	struct engine_order order;
	uint32_t done = 0;

	for (; mail_receive(&engine->orders, &order); done++) {
		switch (order.kind) {
		case ENGINE_ADOPT:
			adopt(engine, order.channel);
			break;
		case ENGINE_DROP:
			drop(engine, now, order.channel, order.status);
			break;
		case ENGINE_SNAPSHOT:
			order.snapshot->engine = engine->counters;
			order.snapshot->transport =
				*transport_counters(engine->transport);
			order.snapshot->channels = engine->channels_length;
			order.snapshot->flows =
				transport_flows(engine->transport);
			turn_notify(engine, ENGINE_SNAPSHOT_TAKEN, NULL,
				order.cookie);
			break;
		case ENGINE_STOP:
			engine->stopping = true;
			engine->stop_ns = now + STOP_NS;
			if (engine->options.drive != NULL)
				drive_close(engine->options.drive);
			break;
		}
	}
	return done;
}

/* The loop. */

static uint32_t
serve_channels(struct engine *engine, uint64_t now)
{
	uint32_t work = 0;

	for (uint32_t i = 0; i < engine->channels_length; i++)
		work += channel_serve(engine->channels[i], now);
	return work;
}

/* Whatever was served, received or timed out may have events for anybody, and
 * may have found anybody's memory to be nonsense. */
static void
flush_channels(struct engine *engine)
{
	for (uint32_t i = 0; i < engine->channels_length; i++) {
		struct channel *channel = engine->channels[i];

		channel_flush(channel);
		if (channel->corrupt && !channel->reported) {
			channel->reported = true;
			turn_notify(engine, ENGINE_CORRUPT, channel, NULL);
		}
	}
}

bool
turn_run(struct engine *engine, uint64_t now)
{
	const struct transport_counters *transport =
		transport_counters(engine->transport);
	uint64_t sent = engine->counters.frames_sent;
	uint64_t probes = transport->probes_sent;
	uint32_t work = network_receive(&engine->network, now);

	work += handover_receive(&engine->network, now);
	/* What was received, not what this engine waits for. */
	handover_flush(&engine->network);
	if (mail_waiting(&engine->orders))
		work += obey(engine, now);
	work += serve_channels(engine, now);
	network_timers(&engine->network, now);
	transport_poll(engine->transport, now);
	network_flush(&engine->network);
	if (transport->probes_sent != probes) {
		handover_attention(&engine->network);
		handover_flush(&engine->network);
	}
	if (engine->counters.frames_sent == sent)
		port_tx_clean(engine->options.port, engine->options.queue);
	flush_channels(engine);
	part(engine);
	return work != 0 || engine->counters.frames_sent != sent;
}
