// SPDX-License-Identifier: MIT
/* A device that is short of room is shared by bytes: among applications, and
 * among the connections of each. */
#include "transport/flow.h"
#include "transport/simulation.h"

#define MS NS_PER_MS
#define LONG_NS NS_PER_S

static uint64_t
bytes_received(const struct connection *connection)
{
	const struct stream *out = connection_out(connection);
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < out->accepted; i++)
		if (out->messages[i].seen)
			bytes += out->messages[i].length;
	return bytes;
}

/* Messages of such a length for longer than anybody looks. */
static void
fill(struct connection *connection, uint32_t length)
{
	for (uint32_t sent = 0; sent < 4u << 20; sent += length)
		connection_send(connection, length);
}

/* One packet in a turn of the loop, and few on the wire: none waits for credit,
 * all for the device. */
static void
narrow(struct pair *pair)
{
	pair->client_host->device_room = 1;
	pair->s->network.delay_ns = NS_PER_US;
}

/* Two connections, of one application or of one each, that send messages of
 * such lengths. */
static void
assert_equal_shares(
	uint16_t mtu, bool of_one_application, uint32_t length, uint32_t other)
{
	struct simulation *s = simulation_create(1);
	struct connection *first;
	struct pair pair;
	uint64_t of_first;

	s->defaults.mtu = mtu;
	pair = pair_start(s);
	first = pair.client;
	if (!of_one_application)
		pair.client_application = application_start(pair.client_host);
	pair_connect(&pair);
	simulation_run(s, 20 * MS);
	narrow(&pair);
	fill(first, length);
	fill(pair.client, other);
	RUN_UNTIL(s, bytes_received(first) > 1 << 20, LONG_NS);
	of_first = bytes_received(first);
	assert_in_range(bytes_received(pair.client), of_first * 9 / 10,
		of_first * 11 / 10);
	simulation_destroy(s);
}

static void
packets_of_any_length_get_equal_shares(void **state)
{
	(void)state;
	/* Fragments, and one packet each. */
	assert_equal_shares(1500, true, 64000, 700);
	assert_equal_shares(1500, false, 64000, 700);
}

/* Of one length a third packet begins before the quantum is used up, or a fifth
 * before that of an application, of the other it does not. */
static void
what_was_more_than_a_share_is_less_the_next_time(void **state)
{
	(void)state;
	assert_equal_shares(9216, true, 8110, 8160);
	assert_equal_shares(9216, false, 8110, 8160);
}

/* One with ten connections gets no more than one with one. */
static void
applications_share_by_bytes(void **state)
{
	struct pair pair = pair_start(NULL);
	struct connection *many[10], *one;
	uint64_t of_many = 0, of_one;

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		many[i] = pair.client;
		pair_connect(&pair);
	}
	pair.client_application = application_start(pair.client_host);
	pair_connect(&pair);
	one = pair.client;
	simulation_run(pair.s, 20 * MS);
	narrow(&pair);
	for (unsigned i = 0; i < 10; i++)
		fill(many[i], 9000);
	fill(one, 9000);
	RUN_UNTIL(pair.s, bytes_received(one) > 1 << 20, LONG_NS);
	of_one = bytes_received(one);
	for (unsigned i = 0; i < 10; i++) {
		of_many += bytes_received(many[i]);
		/* Nor is any of the ten left out. */
		assert_true(bytes_received(many[i]) > of_one / 20);
	}
	assert_in_range(of_many, of_one * 4 / 5, of_one * 5 / 4);
	simulation_destroy(pair.s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_of_any_length_get_equal_shares),
		cmocka_unit_test(
			what_was_more_than_a_share_is_less_the_next_time),
		cmocka_unit_test(applications_share_by_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
