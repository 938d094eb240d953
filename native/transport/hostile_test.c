// SPDX-License-Identifier: MIT
/* Packets that no transport would send. They harm nobody but their sender. */
#include <sodium.h>

#include "base/bytes.h"
#include "transport/flow.h"
#include "transport/simulation.h"

#define S NS_PER_S
#define MS NS_PER_MS

static struct flow *
flow(const struct connection *connection)
{
	return flow_get(
		connection->application->host->transport, connection->id);
}

/* Works as before? */
static void
check_alive(struct pair *pair)
{
	uint32_t received = connection_in(pair->server)->received;

	assert_false(pair->client->closed);
	assert_false(pair->server->closed);
	for (unsigned i = 0; i < 100; i++) {
		assert_true(connection_send(pair->client, 2000));
		assert_true(connection_send(pair->server, 2000));
	}
	RUN_UNTIL(pair->s,
		connection_delivered(pair->client) &&
			connection_delivered(pair->server),
		S);
	assert_int_equal(connection_in(pair->server)->received, received + 100);
}

static void
a_truncated_frame_is_dropped(void **state)
{
	struct pair pair = pair_start(NULL);
	struct wire_header header = {
		.type = WIRE_DATA,
		.connection = pair.server->id,
		.number = flow(pair.server)->largest + 1,
	};
	struct wire_frame frame = {.kind = WIRE_FRAME_MESSAGE, .length = 100};
	uint8_t bytes[200] = {0};

	(void)state;
	frame.total = 100;
	wire_header_write(bytes, &header);
	wire_frame_write(bytes + WIRE_HEADER_BYTES, &frame);
	for (uint32_t length = 0; length < 132; length++) {
		if (length == WIRE_HEADER_BYTES)
			continue; /* a packet without frames is fine */
		host_receive(pair.server_host, &flow(pair.server)->peer->path,
			bytes, length);
	}
	assert_int_equal(
		host_counters(pair.server_host)->packets_malformed, 131);
	simulation_run(pair.s, MS);
	assert_int_equal(pair.server_application->blocks_used, 0);
	check_alive(&pair);
	simulation_destroy(pair.s);
}

static void
stale_packets_on_an_idle_connection_are_dropped(void **state)
{
	struct pair pair = pair_start(NULL);
	struct wire_header header = {.type = WIRE_DATA};
	uint8_t bytes[WIRE_HEADER_BYTES];
	uint64_t largest;

	(void)state;
	check_alive(&pair);
	largest = flow(pair.server)->largest;
	header.connection = pair.server->id;
	for (unsigned i = 0; i < 10; i++) {
		header.number = largest - 10 - i;
		host_receive(pair.server_host, &flow(pair.server)->peer->path,
			bytes, wire_header_write(bytes, &header));
		header.number = largest - 1000 - i;
		host_receive(pair.server_host, &flow(pair.server)->peer->path,
			bytes, wire_header_write(bytes, &header));
	}
	assert_int_equal(
		host_counters(pair.server_host)->packets_duplicate, 20);
	check_alive(&pair);
	simulation_destroy(pair.s);
}

static void
forged_resets_do_nothing(void **state)
{
	struct pair pair = pair_start(NULL);
	struct flow *f = flow_get(pair.client_host->transport, pair.client->id);
	uint8_t bytes[WIRE_RESET_BYTES];

	(void)state;
	check_alive(&pair);
	for (uint32_t i = 0; i < 20000; i++) {
		/* By key, and by number, the ids known. */
		struct wire_reset reset = {
			.key = simulation_random(pair.s, UINT64_MAX),
			.status = MACHNET_CONNECTION_RESET,
		};

		host_receive(pair.client_host, &f->peer->path, bytes,
			wire_reset_write(bytes, f->id, &reset));
		reset.key = 0;
		reset.echo_connection = pair.server->id;
		reset.echo = f->number_next + i;
		host_receive(pair.client_host, &f->peer->path, bytes,
			wire_reset_write(bytes, 0, &reset));
		reset.echo = simulation_random(pair.s, UINT64_MAX);
		host_receive(pair.client_host, &f->peer->path, bytes,
			wire_reset_write(bytes, 0, &reset));
	}
	assert_int_equal(host_counters(pair.client_host)->resets_forged, 60000);
	check_alive(&pair);
	simulation_destroy(pair.s);
}

static void
a_reset_with_the_key_from_elsewhere_does_nothing(void **state)
{
	struct pair pair = pair_start(NULL);
	struct flow *f = flow_get(pair.client_host->transport, pair.client->id);
	struct transport_path path = f->peer->path;
	struct wire_reset reset = {.key = f->key};
	uint8_t bytes[WIRE_RESET_BYTES];

	(void)state;
	path.address++;
	host_receive(pair.client_host, &path, bytes,
		wire_reset_write(bytes, f->id, &reset));
	assert_int_equal(host_counters(pair.client_host)->resets_forged, 1);
	check_alive(&pair);
	simulation_destroy(pair.s);
}

static void
a_flood_of_syns_leaves_no_state_and_harms_nobody(void **state)
{
	struct pair pair = pair_start(NULL);
	struct stranger *stranger = stranger_start(pair.s);

	(void)state;
	check_alive(&pair);
	for (unsigned turn = 0; turn < 10; turn++) {
		for (unsigned i = 0; i < 500; i++) {
			stranger->syn.client++;
			stranger->address++;
			stranger_syn(stranger, pair.server_host);
		}
		check_alive(&pair);
	}
	assert_int_equal(transport_flows(pair.server_host->transport), 1);
	/* Answers are bounded, and no longer than what they answer. */
	assert_true(host_counters(pair.server_host)->packets_unanswered > 1000);
	stranger->address = STRANGER_ADDRESS;
	simulation_run(pair.s, MS);
	stranger_syn(stranger, pair.server_host);
	assert_non_null(stranger->last[WIRE_ANSWER]);
	assert_true(
		stranger->last[WIRE_ANSWER]->length <= WIRE_HANDSHAKE_BYTES);
	simulation_destroy(pair.s);
}

static void
syns_that_point_elsewhere_are_not_answered(void **state)
{
	struct pair pair = pair_start(NULL);
	struct stranger *stranger = stranger_start(pair.s);

	(void)state;
	stranger->syn.answer_to = 53;
	stranger_syn(stranger, pair.server_host);
	stranger->syn.answer_to = TRANSPORT_UDP_PORT;
	stranger->syn.answer_from = 53;
	stranger_syn(stranger, pair.server_host);
	stranger->syn.answer_from = TRANSPORT_UDP_PORT;
	stranger->syn.mtu = TRANSPORT_MTU_MIN - 1;
	stranger_syn(stranger, pair.server_host);
	stranger->syn.mtu = 1500;
	stranger->syn.client = 0;
	stranger_syn(stranger, pair.server_host);
	assert_int_equal(stranger->received[WIRE_ANSWER], 0);
	assert_int_equal(stranger->received[WIRE_RESET], 0);
	assert_int_equal(host_counters(pair.server_host)->packets_malformed, 4);
	simulation_destroy(pair.s);
}

/* @return what the server tells of its NIC */
static struct wire_answer
ask(struct stranger *stranger, struct host *server)
{
	const struct packet *packet;
	struct wire_answer answer;

	stranger_syn(stranger, server);
	packet = stranger->last[WIRE_ANSWER];
	assert_non_null(packet);
	assert_true(wire_answer_read(&answer, packet->bytes, packet->length));
	return answer;
}

/* What a SYN that is asked again says of where the first one came in is
 * believed if our own cookie says it. */
static void
nobody_can_make_up_that_first_packets_stray(void **state)
{
	struct pair pair = pair_start(NULL);
	struct stranger *stranger = stranger_start(pair.s);
	struct host *server = pair.server_host;
	struct wire_answer answer = ask(stranger, server);

	(void)state;
	stranger->syn.flags |= WIRE_SYN_AGAIN;
	stranger->syn.engine = answer.owner;
	stranger->syn.cookie = answer.cookie;
	ask(stranger, server);
	assert_int_equal(host_counters(server)->cookies_refused, 0);
	stranger->syn.cookie.engine = 1;
	ask(stranger, server);
	assert_int_equal(host_counters(server)->cookies_refused, 1);
	stranger->syn.cookie = answer.cookie;
	stranger->address++;
	ask(stranger, server);
	assert_int_equal(host_counters(server)->cookies_refused, 2);
	assert_int_equal(stranger->received[WIRE_ANSWER], 4);
	answer = ask(stranger, server);
	assert_false(answer.nic_key.strays);
	simulation_destroy(pair.s);
}

/* Games with ids, offsets and totals, by a peer with a connection of its own.
 */
static void
frames_that_contradict_each_other_are_dropped(void **state)
{
	struct pair pair = pair_start(NULL);
	struct stranger *stranger = stranger_start(pair.s);
	const struct transport_counters *counters =
		host_counters(pair.server_host);
	uint16_t fragment;

	(void)state;
	assert_true(stranger_connect(stranger, pair.server_host));
	simulation_run(pair.s, MS);
	fragment = stranger->accept.fragment_bytes;
	/* The first of three fragments of message 1; 0 never comes. */
	stranger_data(stranger, NULL,
		&(struct wire_frame){.kind = WIRE_FRAME_MESSAGE,
			.message = 1,
			.length = fragment,
			.total = 3u * fragment});
	assert_int_equal(counters->packets_malformed, 0);
	assert_int_equal(pair.server_application->blocks_used, 1);
	const struct wire_frame bad[] = {
		/* another total, a FIN of the same id */
		{.message = 1, .length = fragment, .total = 2u * fragment},
		{.message = 1, .kind = WIRE_FRAME_FIN},
		/* beyond the window, and far beyond */
		{.message = 256, .length = 1, .total = 1},
		{.message = 0x7fffffff, .length = 1, .total = 1},
		/* not at a fragment boundary, too short for a fragment */
		{.message = 2, .length = 1, .total = 100, .offset = 99},
		{.message = 2, .length = 5, .total = 3u * fragment},
		{.message = 2, .length = 1, .total = MACHNET_MESSAGE_BYTES_MAX},
		/* too long for a fragment */
		{.message = 2,
			.length = (uint16_t)(fragment + 1),
			.total = fragment + 1u},
		/* outside of the message */
		{.message = 2,
			.length = fragment,
			.total = fragment,
			.offset = fragment},
		{.message = 2,
			.length = fragment,
			.total = 2u * fragment,
			.offset = UINT32_MAX - fragment + 1u},
	};
	for (unsigned i = 0; i < ARRAY_LENGTH(bad); i++) {
		struct wire_frame frame = bad[i];

		if (frame.kind == 0)
			frame.kind = WIRE_FRAME_MESSAGE;
		stranger_data(stranger, NULL, &frame);
		assert_int_equal(counters->packets_malformed, i + 1);
	}
	assert_int_equal(pair.server_application->blocks_used, 1);
	check_alive(&pair);
	simulation_destroy(pair.s);
}

/* A million messages are promised; the memory is for 256. */
static void
beginnings_of_messages_take_bounded_memory(void **state)
{
	struct pair pair = pair_start(NULL);
	struct stranger *stranger = stranger_start(pair.s);
	uint16_t fragment;

	(void)state;
	assert_true(stranger_connect(stranger, pair.server_host));
	fragment = stranger->accept.fragment_bytes;
	for (uint32_t i = 0; i < 1000; i++)
		stranger_data(stranger, NULL,
			&(struct wire_frame){.kind = WIRE_FRAME_MESSAGE,
				.message = 1 + i,
				.length = fragment,
				.total = 100u * fragment});
	assert_int_equal(
		pair.server_application->blocks_used, TRANSPORT_FRAGMENT_MAPS);
	/* It has all the maps; small messages of others go on. */
	check_alive(&pair);
	connection_reset(application_accepted(pair.server_application), "");
	assert_int_equal(pair.server_application->blocks_used, 0);
	connection_send(pair.client, 1 << 20);
	RUN_UNTIL(pair.s, connection_delivered(pair.client), S);
	simulation_destroy(pair.s);
}

static void
two_fins_close_once(void **state)
{
	struct pair pair = pair_start(NULL);
	struct stranger *stranger = stranger_start(pair.s);
	struct connection *server;

	(void)state;
	assert_true(stranger_connect(stranger, pair.server_host));
	simulation_run(pair.s, MS);
	server = application_accepted(pair.server_application);
	for (uint32_t i = 3; i != 0; i--)
		stranger_data(stranger, NULL,
			&(struct wire_frame){.kind = i == 2 ? WIRE_FRAME_MESSAGE
							    : WIRE_FRAME_FIN,
				.message = i - 1});
	simulation_run(pair.s, MS);
	assert_true(server->closed);
	assert_int_equal(server->status, MACHNET_OK);
	check_alive(&pair);
	simulation_destroy(pair.s);
}

static void
acks_of_what_was_never_sent_are_dropped(void **state)
{
	struct pair pair = pair_start(NULL);
	struct stranger *stranger = stranger_start(pair.s);
	uint64_t first;

	(void)state;
	assert_true(stranger_connect(stranger, pair.server_host));
	simulation_run(pair.s, MS);
	first = stranger->accept.first_number;
	const uint64_t numbers[] = {first, first + 1, first + 255, first + 256,
		first + (1u << 20), UINT64_MAX, UINT64_MAX / 2, 0, 1, first - 2,
		first - 256};
	for (unsigned i = 0; i < ARRAY_LENGTH(numbers); i++)
		stranger_data(stranger,
			&(struct wire_ack){.largest = numbers[i],
				.message_limit = TRANSPORT_MESSAGE_WINDOW,
				.credit = UINT16_MAX},
			NULL);
	assert_int_equal(host_counters(pair.server_host)->packets_malformed, 7);
	assert_int_equal(host_counters(pair.server_host)->packets_stale, 4);
	/* Nor can there be room behind more messages than were sent. */
	stranger_data(stranger,
		&(struct wire_ack){.largest = first - 1,
			.message_limit = TRANSPORT_MESSAGE_WINDOW + 1},
		NULL);
	assert_int_equal(host_counters(pair.server_host)->packets_malformed, 8);
	assert_false(application_accepted(pair.server_application)->closed);
	check_alive(&pair);
	simulation_destroy(pair.s);
}

/* A peer that says that it has it all, and wants ever more. */
static void
acks_of_everything_at_once_harm_only_their_sender(void **state)
{
	struct pair pair = pair_start(NULL);
	struct stranger *stranger = stranger_start(pair.s);
	struct connection *server;

	(void)state;
	assert_true(stranger_connect(stranger, pair.server_host));
	simulation_run(pair.s, MS);
	server = application_accepted(pair.server_application);
	for (unsigned i = 0; i < 1000; i++)
		assert_true(connection_send(server, 5000));
	for (unsigned i = 0; i < 5000 && !server->closed; i++) {
		simulation_step(pair.s, UINT64_MAX);
		stranger_data(stranger,
			&(struct wire_ack){
				.largest = flow(server)->number_next - 1,
				.message_limit =
					flow(server)->message_begun +
					(uint32_t)simulation_random(pair.s,
						i % 2 == 0 ? UINT32_MAX : 300),
				.credit = UINT16_MAX,
				.words_length =
					(uint8_t)simulation_random(pair.s, 5),
				.words = {simulation_random(
					pair.s, UINT64_MAX)}},
			NULL);
	}
	check_alive(&pair);
	simulation_destroy(pair.s);
}

/* ACKs of the last packet only: all before it seem lost, for ever. */
static void
acks_of_the_last_packet_only_harm_only_their_sender(void **state)
{
	static const uint32_t lengths[] = {1000, 10};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct pair pair = pair_start(NULL);
		struct stranger *stranger = stranger_start(pair.s);
		struct wire_ack ack = {.credit = UINT16_MAX,
			.words_length = WIRE_ACK_WORDS_MAX};
		struct connection *server;

		assert_true(stranger_connect(stranger, pair.server_host));
		simulation_run(pair.s, MS);
		server = application_accepted(pair.server_application);
		for (unsigned n = 0; n < 2000; n++)
			assert_true(connection_send(server, lengths[i]));
		for (unsigned n = 0; n < 1000; n++) {
			ack.largest = flow(server)->number_next - 1;
			ack.message_limit = flow(server)->message_begun +
					    TRANSPORT_MESSAGE_WINDOW;
			stranger_data(stranger, &ack, NULL);
			simulation_run(pair.s, 100 * NS_PER_US);
		}
		assert_true(flow(server)->sent == NULL ||
			    flow(server)->number_next -
					    flow(server)->sent->number_oldest <=
				    WIRE_PACKET_WINDOW);
		assert_true(
			i == 1 ||
			host_counters(pair.server_host)->packets_retransmitted >
				500);
		/* In the end it says that it has everything. */
		ack.words_length = 0;
		for (unsigned n = 0; n < 3000; n++) {
			ack.largest = flow(server)->number_next - 1;
			ack.message_limit = flow(server)->message_begun +
					    TRANSPORT_MESSAGE_WINDOW;
			stranger_data(stranger, &ack, NULL);
			simulation_run(pair.s, 10 * NS_PER_US);
		}
		assert_int_equal(connection_out(server)->sent, 2000);
		check_alive(&pair);
		simulation_destroy(pair.s);
	}
}

static void
data_for_a_connection_that_is_being_opened_is_dropped(void **state)
{
	struct pair pair = pair_start(NULL);
	struct wire_header header = {.type = WIRE_DATA, .number = 5};
	struct wire_frame frame = {
		.kind = WIRE_FRAME_MESSAGE, .length = 1, .total = 1};
	struct transport_path path = flow(pair.client)->peer->path;
	uint8_t bytes[64] = {0};

	(void)state;
	pair.server_host->up = false;
	application_connect(pair.client_application, pair.server_host, PORT, 0);
	/* Ids count up, so that this one can be guessed. */
	for (uint32_t i = 0; i < 1u << (32 - CONNECTION_INDEX_BITS); i++) {
		header.connection =
			connection_index(flow(pair.client)->id + 1) |
			i << CONNECTION_INDEX_BITS;
		wire_header_write(bytes, &header);
		wire_frame_write(bytes + WIRE_HEADER_BYTES, &frame);
		host_receive(pair.client_host, &path, bytes,
			WIRE_HEADER_BYTES + WIRE_FRAME_BYTES + 1);
	}
	assert_int_equal(host_counters(pair.client_host)->packets_stale, 1);
	pair.server_host->up = true;
	check_alive(&pair);
	simulation_destroy(pair.s);
}

static void
jumps_of_packet_numbers_are_survived(void **state)
{
	struct pair pair = pair_start(NULL);
	struct stranger *stranger = stranger_start(pair.s);
	const struct transport_counters *counters =
		host_counters(pair.server_host);
	static const uint64_t jumps[] = {1, 63, 64, 65, 127, 128, 191, 192, 255,
		256, 257, 258, 1000, NUMBER_JUMP_MAX - 1};

	(void)state;
	assert_true(stranger_connect(stranger, pair.server_host));
	simulation_run(pair.s, MS);
	for (unsigned i = 0; i < ARRAY_LENGTH(jumps); i++) {
		struct wire_header header;
		struct wire_reader reader;
		struct wire_ack ack;
		const struct packet *packet;

		stranger->number += jumps[i] - (i == 0 ? 1 : 0);
		stranger_data(stranger, NULL, NULL);
		simulation_run(pair.s, MS);
		packet = stranger->last[WIRE_ACK];
		assert_non_null(packet);
		wire_header_read(&header, packet->bytes, packet->length);
		assert_true(wire_reader_init(
			&reader, &header, &ack, packet->bytes, packet->length));
		/* All between the two is said to be missing. */
		assert_true(ack.largest == stranger->number - 1);
		for (uint64_t n = 1; i != 0 && n <= jumps[i] && n <= 256; n++)
			assert_false(
				ack.words[(n - 1) / 64] >> ((n - 1) % 64) & 1);
		if (i != 0 && jumps[i] < 256)
			assert_true(
				ack.words[jumps[i] / 64] >> (jumps[i] % 64) &
				1);
	}
	assert_int_equal(counters->packets_duplicate, 0);
	/* Further than is believed. */
	stranger->number += NUMBER_JUMP_MAX;
	stranger_data(stranger, NULL, NULL);
	assert_int_equal(counters->packets_duplicate, 1);
	check_alive(&pair);
	simulation_destroy(pair.s);
}

/* Packets like those of the living connection, with a few bytes changed; and
 * mere noise. */
struct sample {
	struct packet *packets[64];
	uint32_t length;
	bool frames_only; /* of connections that live longer for it */
};

static bool
sample(struct simulation *s, const struct packet *packet)
{
	struct sample *sample = s->filter_context;
	uint32_t at = sample->length < 64 ? sample->length++
					  : (uint32_t)simulation_random(s, 64);
	size_t bytes = sizeof(*packet) + packet->length;

	if (sample->frames_only && packet->bytes[1] != WIRE_DATA &&
		packet->bytes[1] != WIRE_ACK)
		return true;
	free(sample->packets[at]);
	sample->packets[at] = malloc(bytes);
	memcpy(sample->packets[at], packet, bytes);
	return true;
}

static void
mutate(struct simulation *s, struct packet *packet)
{
	static const uint8_t interesting[] = {0, 1, 2, 4, 127, 128, 254, 255};

	for (uint64_t n = 1 + simulation_random(s, 4); n != 0; n--) {
		/* The headers more often than what they carry. */
		uint32_t at = (uint32_t)simulation_random(
			s, simulation_chance(s, 7000) && packet->length > 80
				   ? 80
				   : packet->length);

		if (simulation_chance(s, 3000))
			packet->bytes[at] ^=
				(uint8_t)(1 << simulation_random(s, 8));
		else if (simulation_chance(s, 5000))
			packet->bytes[at] = interesting[simulation_random(
				s, sizeof(interesting))];
		else
			packet->bytes[at] = (uint8_t)simulation_random(s, 256);
	}
	if (simulation_chance(s, 2000))
		packet->length =
			(uint32_t)simulation_random(s, packet->length) + 1;
}

static void
turn(struct simulation *s, const struct sample *samples)
{
	for (unsigned i = 0; i < 1000; i++) {
		const struct packet *packet =
			samples->packets[simulation_random(s, 64)];
		size_t bytes = sizeof(*packet) + packet->length;
		struct packet *copy = malloc(bytes);

		memcpy(copy, packet, bytes);
		if (simulation_chance(s, 500))
			randombytes_buf_deterministic(copy->bytes, copy->length,
				(const unsigned char *)s->hosts[0]
					.options.seed);
		mutate(s, copy);
		transport_receive(simulation_host(s, copy->to)->transport,
			s->now_ns, &copy->path, 0, copy->bytes, copy->length,
			false);
		free(copy);
	}
}

static void
mutated_packets_break_nothing_else(void **state)
{
	struct simulation *s = simulation_create(1);
	struct sample samples = {0};
	struct pair pair = pair_start(s);
	struct connection *connection = pair.client;

	(void)state;
	s->unchecked = true;
	s->filter = sample;
	s->filter_context = &samples;
	for (unsigned i = 0; i < 1000; i++) {
		samples.frames_only = i > 300;
		if (i % 10 == 0)
			connection =
				application_connect(pair.client_application,
					pair.server_host, PORT, 0);
		if (i % 100 == 55)
			connection_close(connection, 0);
		for (struct connection *c = s->connections; c != NULL;
			c = c->next)
			if (c->connected && !c->closed &&
				simulation_chance(s, 5000))
				connection_send(c,
					(uint32_t)simulation_random(s, 20000));
		simulation_run(s, simulation_random(s, MS));
		if (samples.length == 64)
			turn(s, &samples);
	}
	for (unsigned i = 0; i < samples.length; i++)
		free(samples.packets[i]);
	s->filter = NULL;
	assert_true(host_counters(pair.server_host)->packets_received > 400000);
	/* The hosts are as good as new. */
	application_kill(pair.client_application);
	application_kill(pair.server_application);
	simulation_run(s, 20 * S);
	assert_int_equal(transport_flows(pair.client_host->transport), 0);
	assert_int_equal(transport_flows(pair.server_host->transport), 0);
	s->unchecked = false;
	pair.client_application = application_start(pair.client_host);
	pair.server_application = application_start(pair.server_host);
	application_listen(pair.server_application, PORT, 8);
	pair_connect(&pair);
	check_alive(&pair);
	simulation_destroy(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_truncated_frame_is_dropped),
		cmocka_unit_test(
			stale_packets_on_an_idle_connection_are_dropped),
		cmocka_unit_test(forged_resets_do_nothing),
		cmocka_unit_test(
			a_reset_with_the_key_from_elsewhere_does_nothing),
		cmocka_unit_test(
			a_flood_of_syns_leaves_no_state_and_harms_nobody),
		cmocka_unit_test(syns_that_point_elsewhere_are_not_answered),
		cmocka_unit_test(nobody_can_make_up_that_first_packets_stray),
		cmocka_unit_test(frames_that_contradict_each_other_are_dropped),
		cmocka_unit_test(beginnings_of_messages_take_bounded_memory),
		cmocka_unit_test(two_fins_close_once),
		cmocka_unit_test(acks_of_what_was_never_sent_are_dropped),
		cmocka_unit_test(
			acks_of_everything_at_once_harm_only_their_sender),
		cmocka_unit_test(
			acks_of_the_last_packet_only_harm_only_their_sender),
		cmocka_unit_test(
			data_for_a_connection_that_is_being_opened_is_dropped),
		cmocka_unit_test(jumps_of_packet_numbers_are_survived),
		cmocka_unit_test(mutated_packets_break_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
