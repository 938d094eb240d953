// SPDX-License-Identifier: MIT
/* Applications that do not read, or have no memory: their peers wait, nothing
 * is lost, and neither side is busy meanwhile. */
#include "transport/flow.h"
#include "transport/simulation.h"

#define S NS_PER_S
#define MS NS_PER_MS

/* Two probes and their answers in 100 ms, and a little more to begin with. */
#define PACKETS_IDLE_MAX(seconds) (60 + 24 * (seconds))

static uint64_t
packets_sent(const struct pair *pair)
{
	return host_packets_sent(pair->client_host) +
	       host_packets_sent(pair->server_host);
}

static void
a_peer_without_memory_is_waited_for(void **state)
{
	struct pair pair = pair_start(NULL);
	uint64_t packets;

	(void)state;
	pair.server_application->memory_bytes = 0;
	for (unsigned i = 0; i < 100; i++)
		connection_send(pair.client, 2000);
	simulation_run(pair.s, S);
	assert_int_equal(connection_out(pair.client)->received, 0);
	packets = packets_sent(&pair);
	simulation_run(pair.s, 10 * S);
	assert_in_range(packets_sent(&pair) - packets, 1, PACKETS_IDLE_MAX(10));
	application_resume(pair.server_application, 64 << 20);
	RUN_UNTIL(pair.s, connection_delivered(pair.client), 10 * MS);
	simulation_destroy(pair.s);
}

static void
a_wait_for_memory_is_told_again_and_again(void **state)
{
	struct pair pair = pair_start(NULL);
	struct application *application = pair.server_application;
	uint32_t waits;

	(void)state;
	connection_send(pair.client, 2000);
	RUN_UNTIL(pair.s, connection_delivered(pair.client), S);
	assert_int_equal(application->waits, 0);
	application->memory_bytes = 0;
	connection_send(pair.client, 2000);
	for (unsigned i = 0; i < 10; i++) {
		waits = application->waits;
		simulation_run(pair.s, 500 * MS);
		assert_in_range(application->waits - waits, 1, 20);
	}
	application_resume(application, 64 << 20);
	RUN_UNTIL(pair.s, connection_delivered(pair.client), 10 * MS);
	waits = application->waits;
	connection_send(pair.client, 2000);
	RUN_UNTIL(pair.s, connection_delivered(pair.client), S);
	assert_int_equal(application->waits, waits);
	simulation_destroy(pair.s);
}

static void
memory_for_a_few_messages_at_a_time_is_enough(void **state)
{
	struct pair pair = pair_start(NULL);

	(void)state;
	pair.server_application->memory_bytes = 20000;
	for (unsigned i = 0; i < 2000; i++)
		connection_send(pair.client, 5000);
	RUN_UNTIL(pair.s, connection_delivered(pair.client), S);
	/* There is credit for what fits. */
	assert_in_range(
		host_counters(pair.server_host)->messages_no_room, 0, 10);
	simulation_destroy(pair.s);
}

/* What is not the next to be delivered may take only half of the memory, or
 * partial messages would keep one another waiting. */
static void
messages_that_do_not_fit_together_arrive_one_by_one(void **state)
{
	struct pair pair = pair_start(NULL);
	struct connection *connections[6];

	(void)state;
	pair.s->network.loss = 100;
	pair.server_application->memory_bytes = 3 << 20;
	for (unsigned i = 0; i < 6; i++) {
		connections[i] = pair.client;
		for (unsigned n = 0; n < 5; n++)
			connection_send(pair.client, 1 << 20);
		pair_connect(&pair);
	}
	for (unsigned i = 0; i < 6; i++)
		RUN_UNTIL(pair.s, connection_delivered(connections[i]), 60 * S);
	simulation_destroy(pair.s);
}

/* Holds back DATA for the connections of an array. */
struct held {
	uint32_t connections[TRANSPORT_FRAGMENT_MAPS];
	bool on;
};

static bool
hold(struct simulation *s, const struct packet *packet)
{
	const struct held *held = s->filter_context;
	struct wire_header header;

	wire_header_read(&header, packet->bytes, packet->length);
	for (unsigned i = 0; i < TRANSPORT_FRAGMENT_MAPS; i++)
		if (held->on && header.type == WIRE_DATA &&
			header.connection == held->connections[i])
			return false;
	return true;
}

/* Messages of more than 64 fragments share a few maps. */
static void
more_large_messages_than_fragment_maps_arrive(void **state)
{
	struct pair pair = pair_start(NULL);
	struct connection *clients[TRANSPORT_FRAGMENT_MAPS];
	struct held held = {.on = true};
	struct fragment_map *map;
	unsigned maps = 0;

	(void)state;
	pair.server_application->memory_bytes = 512 << 20;
	for (unsigned i = 0; i < TRANSPORT_FRAGMENT_MAPS; i++) {
		pair_connect(&pair);
		held.connections[i] = pair.server->id;
		clients[i] = pair.client;
	}
	for (unsigned i = 0; i < TRANSPORT_FRAGMENT_MAPS; i++)
		connection_send(clients[i], 200000);
	/* Memory is not what comes back. */
	pair.server_application->reading = false;
	RUN_UNTIL(pair.s, pair.server_application->endpoint.maps == NULL, S);
	pair.s->filter = hold;
	pair.s->filter_context = &held;
	for (unsigned i = 0; i < TRANSPORT_FRAGMENT_MAPS; i++) {
		struct connection *client = application_connect(
			pair.client_application, pair.server_host, PORT, 0);

		RUN_UNTIL(pair.s, client->connected, S);
		connection_send(client, 200000);
	}
	simulation_run(pair.s, 2 * S);
	assert_int_equal(pair.client_application->records_used,
		2 * TRANSPORT_FRAGMENT_MAPS);
	held.on = false;
	RUN_UNTIL(pair.s,
		pair.client_application->records_used <=
			TRANSPORT_FRAGMENT_MAPS,
		S);
	/* One by one, as maps come back; not when each one asks again. */
	RUN_UNTIL(pair.s, pair.client_application->records_used == 0, 10 * MS);
	for (map = pair.server_application->endpoint.maps; map != NULL;
		map = map->next)
		maps++;
	assert_int_equal(maps, TRANSPORT_FRAGMENT_MAPS);
	simulation_destroy(pair.s);
}

/* Loses DATA that begins with one message of a connection. */
struct victim {
	uint32_t connection; /* as its receiver calls it */
	uint32_t message;
	uint32_t spared; /* so many are not lost first */
	uint32_t times;
};

static bool
drop_victim(struct simulation *s, const struct packet *packet)
{
	struct victim *victim = s->filter_context;
	struct wire_header header;
	struct wire_reader reader;
	struct wire_frame frame;
	struct wire_ack ack;

	if (victim->times == 0 || packet->bytes[1] != WIRE_DATA)
		return true;
	wire_header_read(&header, packet->bytes, packet->length);
	wire_reader_init(&reader, &header, &ack, packet->bytes, packet->length);
	if (wire_reader_next(&reader, &frame) != 1 ||
		header.connection != victim->connection ||
		frame.message != victim->message)
		return true;
	if (victim->spared != 0) {
		victim->spared--;
		return true;
	}
	victim->times--;
	return false;
}

static void
the_message_whose_turn_it_is_goes_first(void **state)
{
	struct pair pair = pair_start(NULL);
	struct victim victim = {.message = 1, .times = 3};

	(void)state;
	connection_send(pair.client, 0); /* learns the credit */
	simulation_run(pair.s, MS);
	victim.connection = pair.server->id;
	pair.s->filter = drop_victim;
	pair.s->filter_context = &victim;
	pair.server_application->memory_bytes = 10000;
	for (unsigned i = 0; i < 100; i++)
		connection_send(pair.client, 1000);
	/* Not after the thirty others for which there is no memory yet. */
	RUN_UNTIL(pair.s, connection_out(pair.client)->received > 1, 50 * MS);
	RUN_UNTIL(pair.s, connection_delivered(pair.client), 100 * MS);
	simulation_destroy(pair.s);
}

static void
a_message_whose_turn_comes_may_use_the_reserve(void **state)
{
	struct pair pair = pair_start(NULL);
	struct victim victim = {.message = 1, .times = 1};

	(void)state;
	connection_send(pair.client, 0);
	simulation_run(pair.s, MS);
	victim.connection = pair.server->id;
	pair.s->filter = drop_victim;
	pair.s->filter_context = &victim;
	pair.server_application->reading = false;
	pair.server_application->memory_bytes = 14 << 20;
	connection_send(pair.client, 1000);
	connection_send(pair.client, 8 << 20);
	RUN_UNTIL(pair.s, pair.client_application->records_used == 0, 100 * MS);
	assert_true(host_counters(pair.server_host)->messages_no_room != 0);
	simulation_destroy(pair.s);
}

static void
a_peer_that_does_not_read_is_waited_for(void **state)
{
	struct pair pair = pair_start(NULL);
	uint64_t packets;

	(void)state;
	pair.server_application->reading = false;
	pair.server_application->event_room = 10;
	for (unsigned i = 0; i < 1000; i++)
		connection_send(pair.client, 10);
	simulation_run(pair.s, S);
	assert_int_equal(pair.server_application->events_length, 10);
	/* What is here waits for room, and no more is let in. */
	assert_int_equal(pair.server_application->blocks_used,
		10 + TRANSPORT_MESSAGE_WINDOW);
	packets = packets_sent(&pair);
	simulation_run(pair.s, 10 * S);
	assert_in_range(packets_sent(&pair) - packets, 1, PACKETS_IDLE_MAX(10));
	pair.server_application->reading = true;
	RUN_UNTIL(pair.s, connection_delivered(pair.client), S);
	simulation_destroy(pair.s);
}

static void
connections_of_a_full_application_take_turns(void **state)
{
	struct pair pair = pair_start(NULL);
	struct connection *connections[10];

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		connections[i] = pair.client;
		pair_connect(&pair);
	}
	pair.server_application->reading = false;
	pair.server_application->event_room = 1;
	for (unsigned i = 0; i < 10; i++)
		for (unsigned n = 0; n < 20; n++)
			connection_send(connections[i], 100);
	simulation_run(pair.s, 100 * MS);
	/* One event at a time, and nobody gets it all. */
	for (unsigned n = 0; n < 100; n++)
		assert_int_equal(
			application_read(pair.server_application, 9), 1);
	for (unsigned i = 0; i < 10; i++)
		assert_in_range(
			connection_out(connections[i])->received, 9, 11);
	pair.server_application->reading = true;
	for (unsigned i = 0; i < 10; i++)
		RUN_UNTIL(pair.s, connection_delivered(connections[i]), S);
	simulation_destroy(pair.s);
}

static bool
drop_all(struct simulation *s, const struct packet *packet)
{
	(void)s;
	(void)packet;
	return false;
}

static void
a_lost_word_of_new_memory_is_asked_for(void **state)
{
	struct pair pair = pair_start(NULL);

	(void)state;
	pair.server_application->memory_bytes = 0;
	connection_send(pair.client, 2000);
	simulation_run(pair.s, S);
	pair.s->filter = drop_all;
	application_resume(pair.server_application, 64 << 20);
	simulation_run(pair.s, NS_PER_US);
	pair.s->filter = NULL;
	RUN_UNTIL(pair.s, connection_delivered(pair.client), 250 * MS);
	simulation_destroy(pair.s);
}

static void
a_lost_word_of_a_new_window_is_asked_for(void **state)
{
	struct pair pair = pair_start(NULL);

	(void)state;
	pair.server_application->reading = false;
	pair.server_application->event_room = 1;
	for (unsigned i = 0; i < 600; i++)
		connection_send(pair.client, 10);
	simulation_run(pair.s, S);
	pair.s->filter = drop_all;
	pair.server_application->event_room = 256;
	application_read(pair.server_application, 1);
	simulation_run(pair.s, NS_PER_US);
	pair.s->filter = NULL;
	pair.server_application->reading = true;
	RUN_UNTIL(pair.s, connection_delivered(pair.client), 250 * MS);
	simulation_destroy(pair.s);
}

static void
a_window_that_opens_unheard_is_asked_for_by_the_next_message(void **state)
{
	struct pair pair = pair_start(NULL);

	(void)state;
	pair.server_application->reading = false;
	pair.server_application->event_room = 1;
	for (unsigned i = 0; i <= TRANSPORT_MESSAGE_WINDOW; i++)
		connection_send(pair.client, 10);
	simulation_run(pair.s, S);
	assert_int_equal(pair.client_application->records_used, 0);
	pair.s->filter = drop_all;
	pair.server_application->event_room = EVENTS_MAX;
	application_read(pair.server_application, 1);
	simulation_run(pair.s, NS_PER_MS);
	pair.s->filter = NULL;
	pair.server_application->reading = true;
	connection_send(pair.client, 10);
	RUN_UNTIL(pair.s, connection_delivered(pair.client), 250 * MS);
	simulation_destroy(pair.s);
}

/* Memory that comes back without the application having read anything: of
 * what its other connections will not deliver. */
static void
memory_of_a_connection_that_ends_is_used_by_others(void **state)
{
	struct pair pair = pair_start(NULL);
	struct connection *first = pair.client;
	struct victim victim = {.spared = 5, .times = UINT32_MAX};

	(void)state;
	pair_connect(&pair);
	pair.server_application->memory_bytes = 100000;
	victim.connection = first->link->ends[1]->id;
	pair.s->filter = drop_victim;
	pair.s->filter_context = &victim;
	connection_send(first, 60000);
	simulation_run(pair.s, MS);
	assert_int_equal(pair.server_application->blocks_used, 1);
	connection_send(pair.client, 90000);
	simulation_run(pair.s, 2 * S);
	assert_true(host_counters(pair.server_host)->messages_no_room != 0);
	assert_int_equal(connection_in(first->link->ends[1])->received, 0);
	connection_reset(first, "");
	RUN_UNTIL(pair.s, connection_delivered(pair.client), 5 * MS);
	simulation_destroy(pair.s);
}

static void
a_full_peer_takes_our_close(void **state)
{
	struct pair pair = pair_start(NULL);

	(void)state;
	/* The server is starved, and closes; so does the client. */
	pair.server_application->memory_bytes = 0;
	for (unsigned i = 0; i < 100; i++)
		connection_send(pair.client, 2000);
	simulation_run(pair.s, S);
	connection_close(pair.server, 0);
	simulation_run(pair.s, NS_PER_US);
	connection_close(pair.client, 0);
	RUN_UNTIL(pair.s, pair.client->closed && pair.server->closed, 10 * MS);
	assert_int_equal(pair.server->status, MACHNET_OK);
	assert_int_equal(pair.client->status, MACHNET_OK);
	simulation_destroy(pair.s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_peer_without_memory_is_waited_for),
		cmocka_unit_test(a_wait_for_memory_is_told_again_and_again),
		cmocka_unit_test(memory_for_a_few_messages_at_a_time_is_enough),
		cmocka_unit_test(
			messages_that_do_not_fit_together_arrive_one_by_one),
		cmocka_unit_test(more_large_messages_than_fragment_maps_arrive),
		cmocka_unit_test(the_message_whose_turn_it_is_goes_first),
		cmocka_unit_test(
			a_message_whose_turn_comes_may_use_the_reserve),
		cmocka_unit_test(a_peer_that_does_not_read_is_waited_for),
		cmocka_unit_test(connections_of_a_full_application_take_turns),
		cmocka_unit_test(a_lost_word_of_new_memory_is_asked_for),
		cmocka_unit_test(a_lost_word_of_a_new_window_is_asked_for),
		cmocka_unit_test(
			a_window_that_opens_unheard_is_asked_for_by_the_next_message),
		cmocka_unit_test(
			memory_of_a_connection_that_ends_is_used_by_others),
		cmocka_unit_test(a_full_peer_takes_our_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
