// SPDX-License-Identifier: MIT
#include "transport/flow.h"
#include "transport/simulation.h"

#define S NS_PER_S

static uint32_t
fragment_bytes(const struct pair *pair)
{
	return flow_get(pair->client_host->transport, pair->client->id)
		->fragment_bytes;
}

static void
exchange(struct pair *pair, const uint32_t *lengths, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		assert_true(connection_send(pair->client, lengths[i]));
		assert_true(connection_send(pair->server, lengths[i]));
	}
	RUN_UNTIL(pair->s, connection_delivered(pair->client), 20 * S);
	RUN_UNTIL(pair->s, connection_delivered(pair->server), 20 * S);
}

static void
sizes_around_fragment_boundaries_arrive(void **state)
{
	static const uint32_t multiples[] = {1, 2, 3, 64};
	uint32_t lengths[2 + 5 * 4] = {0, 1};
	struct pair pair = pair_start(NULL);
	unsigned count = 2;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		for (uint32_t d = 0; d < 5; d++)
			lengths[count++] =
				multiples[i] * fragment_bytes(&pair) + d - 2;
	exchange(&pair, lengths, count);
	/* One by one, so that none rides on another's packet. */
	for (unsigned i = 0; i < count; i++)
		exchange(&pair, &lengths[i], 1);
	simulation_destroy(pair.s);
}

static void
large_messages_arrive(void **state)
{
	static const uint32_t lengths[] = {1 << 20, MACHNET_MESSAGE_BYTES_MAX};
	static const uint16_t mtus[] = {TRANSPORT_MTU_MIN, 9000};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct simulation *s = simulation_create(i);
		struct pair pair;

		s->defaults.mtu = mtus[i];
		pair = pair_start(s);
		exchange(&pair, lengths, 2);
		simulation_destroy(s);
	}
}

static void
the_smaller_mtu_of_two_hosts_counts(void **state)
{
	struct simulation *s = simulation_create(1);
	struct pair pair;
	uint32_t length = 100000;

	(void)state;
	s->defaults.mtu = 9000;
	host_start(s); /* not used */
	s->defaults.mtu = 1500;
	pair.s = s;
	pair.client_host = &s->hosts[0];
	pair.server_host = host_start(s);
	pair.client_application = application_start(pair.client_host);
	pair.server_application = application_start(pair.server_host);
	application_listen(pair.server_application, PORT, 1);
	pair_connect(&pair);
	exchange(&pair, &length, 1);
	simulation_destroy(s);
}

static void
small_messages_share_packets(void **state)
{
	struct pair pair = pair_start(NULL);
	uint64_t packets;

	(void)state;
	connection_send(pair.client, 1); /* learns the credit */
	simulation_run(pair.s, S / 100);
	packets = pair.client_host->sent[WIRE_DATA];
	for (unsigned i = 0; i < 200; i++)
		connection_send(pair.client, 10);
	RUN_UNTIL(pair.s, connection_delivered(pair.client), S);
	/* 26 bytes each. */
	assert_in_range(pair.client_host->sent[WIRE_DATA] - packets, 4, 6);
	simulation_destroy(pair.s);
}

static void
connections_do_not_mix(void **state)
{
	struct pair pair = pair_start(NULL);
	struct connection *connections[20];

	(void)state;
	for (unsigned i = 0; i < 20; i += 2) {
		connections[i] = pair.client;
		connections[i + 1] = pair.server;
		pair_connect(&pair);
	}
	for (unsigned n = 0; n < 50; n++)
		for (unsigned i = 0; i < 20; i++)
			connection_send(connections[i],
				(uint32_t)simulation_random(pair.s, 5000));
	for (unsigned i = 0; i < 20; i++)
		RUN_UNTIL(pair.s, connection_delivered(connections[i]), S);
	simulation_destroy(pair.s);
}

/* More than the window of messages and of packet numbers at a time. */
static void
thousands_wait_in_the_queue_and_arrive_in_order(void **state)
{
	struct pair pair = pair_start(NULL);

	(void)state;
	for (unsigned i = 0; i < 5000; i++)
		connection_send(
			pair.client, (uint32_t)simulation_random(pair.s, 3000));
	RUN_UNTIL(pair.s, connection_delivered(pair.client), S);
	assert_int_equal(
		host_counters(pair.client_host)->packets_retransmitted, 0);
	assert_int_equal(host_counters(pair.client_host)->timeouts, 0);
	simulation_destroy(pair.s);
}

static void
exchange_under_faults(struct pair *pair, uint64_t limit_ns)
{
	for (unsigned i = 0; i < 300; i++) {
		uint32_t most = i % 50 == 0 ? 300000 : 3000;

		connection_send(pair->client,
			(uint32_t)simulation_random(pair->s, most));
		connection_send(pair->server,
			(uint32_t)simulation_random(pair->s, most));
	}
	RUN_UNTIL(pair->s,
		connection_delivered(pair->client) &&
			connection_delivered(pair->server),
		limit_ns);
}

static void
loss_delays_but_does_not_harm(void **state)
{
	(void)state;
	for (uint32_t percent = 0; percent <= 20; percent += 5) {
		struct pair pair = pair_start(simulation_create(percent));

		pair.s->network.loss = percent * 100;
		exchange_under_faults(&pair, 20 * S);
		assert_true(percent == 0 ||
			    host_counters(pair.client_host)
					    ->packets_retransmitted != 0);
		simulation_destroy(pair.s);
	}
}

static void
duplicates_are_delivered_once(void **state)
{
	struct pair pair = pair_start(NULL);

	(void)state;
	pair.s->network.duplicate = 5000;
	pair.s->network.jitter_ns = 50 * NS_PER_US;
	exchange_under_faults(&pair, S);
	assert_true(host_counters(pair.server_host)->packets_duplicate > 100);
	simulation_destroy(pair.s);
}

static void
reordering_does_not_harm(void **state)
{
	struct pair pair = pair_start(NULL);

	(void)state;
	pair.s->network.reorder = 3000;
	pair.s->network.jitter_ns = 10 * NS_PER_US;
	exchange_under_faults(&pair, 5 * S);
	simulation_destroy(pair.s);
}

/* A credit of all 256 numbers, and the oldest packet keeps getting lost. */
static bool
drop_the_first_fragment(struct simulation *s, const struct packet *packet)
{
	unsigned *drops = s->filter_context;

	if (packet->length < 1000 || *drops == 0)
		return true;
	(*drops)--;
	return false;
}

static void
the_oldest_packet_is_sent_again_when_all_numbers_are_open(void **state)
{
	struct simulation *s = simulation_create(1);
	uint32_t length = 4 << 20;
	struct pair pair;
	unsigned drops;

	(void)state;
	s->defaults.descriptors = 1024;
	s->network.delay_ns = 20 * NS_PER_MS;
	pair = pair_start(s);
	exchange(&pair, &length, 1); /* learns credit and round-trip time */
	s->filter = drop_the_first_fragment;
	s->filter_context = &drops;
	drops = 1;
	exchange(&pair, &length, 1);
	assert_int_equal(drops, 0);
	simulation_destroy(s);
}

/* @return when the small message was there, after a large one was begun */
static uint64_t
overtake(bool unordered)
{
	struct pair pair = pair_start(NULL);
	uint64_t start_ns = pair.s->now_ns;
	struct connection *client;
	uint64_t ns;

	pair.client_application->unordered = unordered;
	pair_connect(&pair);
	client = pair.client;
	connection_send(client, 8 << 20);
	connection_send(client, 100);
	RUN_UNTIL(pair.s, connection_out(client)->received != 0, S);
	ns = pair.s->now_ns - start_ns;
	/* Which one it was. */
	assert_true(connection_out(client)->messages[0].seen != unordered);
	RUN_UNTIL(pair.s, connection_delivered(client), S);
	simulation_destroy(pair.s);
	return ns;
}

static void
small_messages_overtake_large_ones_if_unordered(void **state)
{
	(void)state;
	assert_true(overtake(true) < NS_PER_MS);
	assert_true(overtake(false) > NS_PER_MS);
}

static void
a_message_does_not_share_with_those_that_have_to_wait_for_it(void **state)
{
	struct pair pair = pair_start(NULL);
	uint64_t begun_ns = pair.s->now_ns, first_ns;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		connection_send(pair.client, 1 << 20);
	RUN_UNTIL(pair.s, connection_out(pair.client)->received == 1, NS_PER_S);
	first_ns = pair.s->now_ns - begun_ns;
	RUN_UNTIL(pair.s, connection_delivered(pair.client), NS_PER_S);
	assert_in_range(first_ns, 0, (pair.s->now_ns - begun_ns) / 3);
	simulation_destroy(pair.s);
}

static void
unordered_messages_arrive_once_under_faults(void **state)
{
	struct simulation *s = simulation_create(7);
	struct pair pair = pair_start(s);

	(void)state;
	pair.client_application->unordered = true;
	pair_connect(&pair);
	s->network = (struct network){.delay_ns = 20 * NS_PER_US,
		.loss = 500,
		.duplicate = 500,
		.reorder = 500};
	exchange_under_faults(&pair, 20 * S);
	connection_close(pair.client, 0);
	RUN_UNTIL(s, pair.client->closed && pair.server->closed, 5 * S);
	assert_int_equal(pair.server->status, MACHNET_OK);
	simulation_destroy(s);
}

static void
a_full_device_delays_but_loses_nothing(void **state)
{
	struct pair pair = pair_start(NULL);

	(void)state;
	pair.client_host->device_room = 1;
	pair.server_host->device_room = 1;
	exchange_under_faults(&pair, S);
	assert_int_equal(host_counters(pair.client_host)->timeouts, 0);
	simulation_destroy(pair.s);
}

static void
an_ack_that_found_the_device_full_is_sent_later(void **state)
{
	struct pair pair = pair_start(NULL);

	(void)state;
	connection_send(pair.client, 10);
	transport_poll(pair.client_host->transport, pair.s->now_ns);
	pair.server_host->device_room = 0;
	simulation_run(pair.s, 30 * NS_PER_US);
	pair.server_host->device_room = 1;
	simulation_run(pair.s, NS_PER_MS);
	assert_int_equal(pair.client_application->records_used, 0);
	assert_int_equal(host_counters(pair.client_host)->timeouts, 0);
	simulation_destroy(pair.s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_around_fragment_boundaries_arrive),
		cmocka_unit_test(large_messages_arrive),
		cmocka_unit_test(the_smaller_mtu_of_two_hosts_counts),
		cmocka_unit_test(small_messages_share_packets),
		cmocka_unit_test(connections_do_not_mix),
		cmocka_unit_test(
			thousands_wait_in_the_queue_and_arrive_in_order),
		cmocka_unit_test(loss_delays_but_does_not_harm),
		cmocka_unit_test(duplicates_are_delivered_once),
		cmocka_unit_test(reordering_does_not_harm),
		cmocka_unit_test(
			the_oldest_packet_is_sent_again_when_all_numbers_are_open),
		cmocka_unit_test(
			small_messages_overtake_large_ones_if_unordered),
		cmocka_unit_test(
			a_message_does_not_share_with_those_that_have_to_wait_for_it),
		cmocka_unit_test(unordered_messages_arrive_once_under_faults),
		cmocka_unit_test(a_full_device_delays_but_loses_nothing),
		cmocka_unit_test(
			an_ack_that_found_the_device_full_is_sent_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
