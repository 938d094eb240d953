// SPDX-License-Identifier: MIT
/* Many senders share the RX queue of one receiver: whenever its engine looks,
 * and however they come and go, the queue holds what was sent. */
#include "base/bits.h"
#include "transport/flow.h"
#include "transport/simulation.h"

#define MS NS_PER_MS
#define US NS_PER_US
#define SENDERS 10u
#define DESCRIPTORS 256u
#define TURN_NS (5 * US)

/* Each on a host of its own, with a connection to the same receiver. */
struct incast {
	struct simulation *s;
	struct host *receiver;
	struct connection *senders[SENDERS];
};

static struct incast
incast_start(void)
{
	struct pair pair = pair_start(NULL);
	struct incast incast = {.s = pair.s, .receiver = pair.server_host};

	incast.senders[0] = pair.client;
	for (unsigned i = 1; i < SENDERS; i++) {
		pair.client_host = host_start(pair.s);
		pair.client_application = application_start(pair.client_host);
		pair_connect(&pair);
		incast.senders[i] = pair.client;
	}
	simulation_run(pair.s, 20 * MS); /* idle */
	return incast;
}

/* Keep so many senders busy for a while. @param stalled the receiver's engine
 * does not run meanwhile */
static void
incast_run(struct incast *incast, unsigned senders, uint64_t ns, bool stalled)
{
	struct simulation *s = incast->s;
	uint64_t end_ns = s->now_ns + ns;

	if (stalled)
		incast->receiver->stalled_until_ns = end_ns;
	while (s->now_ns < end_ns) {
		for (unsigned i = 0; i < senders; i++) {
			struct connection *sender = incast->senders[i];

			if (sender->application->records_used < 32)
				connection_send(sender, 8192);
		}
		simulation_run(s, TURN_NS);
	}
}

static void
incast_end(struct incast *incast)
{
	incast_run(incast, 0, 500 * MS, false);
	for (unsigned i = 0; i < SENDERS; i++)
		assert_true(connection_delivered(incast->senders[i]));
	/* Used, too. */
	assert_in_range(incast->receiver->rx_length_max, 128, DESCRIPTORS);
	assert_int_equal(incast->receiver->rx_overflows, 0);
	simulation_destroy(incast->s);
}

/* Packets on their way to a host. */
static uint32_t
inflight_to(const struct simulation *s, const struct host *host)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < s->packets_length; i++)
		count += s->packets[i]->to == host->address;
	return count;
}

/* What is on a long wire may all come while nobody looks. */
static void
senders_give_of_what_they_have_to_those_that_join_them(void **state)
{
	struct incast incast = incast_start();
	struct simulation *s = incast.s;
	uint32_t most = 0;

	(void)state;
	s->network.delay_ns = MS;
	for (unsigned i = 0; i < SENDERS; i++) {
		connection_send(incast.senders[i], i < 3 ? 3000000 : 300000);
		if (i == 2)
			simulation_run(s, 20 * MS);
	}
	for (uint64_t end_ns = s->now_ns + NS_PER_S;
		simulation_step(s, end_ns);)
		most = u32_max(most, inflight_to(s, incast.receiver));
	for (unsigned i = 0; i < SENDERS; i++)
		assert_true(connection_delivered(incast.senders[i]));
	/* Used, too. */
	assert_in_range(most, 128, DESCRIPTORS);
	simulation_destroy(s);
}

/* Silence is all that they hear meanwhile: they look what is lost. */
static void
a_receiver_that_is_not_run_finds_all_that_was_sent(void **state)
{
	struct incast incast = incast_start();

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		incast_run(&incast, SENDERS, 5 * MS, false);
		incast_run(&incast, SENDERS, (1 + 2 * i) * MS, true);
	}
	incast_end(&incast);
}

/* What they were told is others' meanwhile. */
static void
senders_that_were_not_run_ask_for_credit(void **state)
{
	struct incast incast = incast_start();

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		incast_run(&incast, SENDERS, 5 * MS, false);
		for (unsigned n = SENDERS / 2; n < SENDERS; n++)
			incast.senders[n]->application->host->stalled_until_ns =
				incast.s->now_ns + 10 * MS;
		incast_run(&incast, SENDERS, 10 * MS, false);
		incast_run(&incast, SENDERS, MS, true);
	}
	incast_end(&incast);
}

static void
a_long_path_keeps_its_credit_from_ack_to_ack(void **state)
{
	struct pair pair = pair_start(NULL);

	(void)state;
	pair.s->network.delay_ns = 10 * MS;
	connection_send(pair.client, 3000000);
	RUN_UNTIL(pair.s, connection_delivered(pair.client), 2 * NS_PER_S);
	simulation_destroy(pair.s);
}

static void
credits_are_not_more_than_the_application_has_memory_for(void **state)
{
	const uint32_t lengths[] = {1300, 7000};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LENGTH(lengths); i++) {
		struct pair pair = pair_start(NULL);
		struct simulation *s = pair.s;
		struct application *server = pair.server_application;
		struct connection *first = pair.client;

		pair_connect(&pair);
		server->reading = false;
		server->memory_bytes = 100000;
		for (unsigned n = 0; n < 200000 / lengths[i]; n++) {
			connection_send(first, lengths[i]);
			connection_send(pair.client, lengths[i]);
		}
		for (uint64_t end_ns = s->now_ns + 10 * MS;
			simulation_step(s, end_ns);) {
			uint32_t credits = server->endpoint.credits;

			if (credits > server->endpoint.fragments_due)
				credits -= server->endpoint.fragments_due;
			else
				credits = 0;
			/* Each begins with a packet that needs none. */
			assert_true(server->memory_used + 1300 * credits <=
				    server->memory_bytes + 2 * 1300);
		}
		assert_true(server->memory_used > 90000);
		/* Of each connection the one that needs no credit, again and
		 * again. */
		assert_in_range(
			host_counters(pair.server_host)->messages_no_room, 1,
			24);
		server->reading = true;
		application_resume(server, 64 << 20);
		RUN_UNTIL(s,
			connection_delivered(first) &&
				connection_delivered(pair.client),
			NS_PER_S);
		assert_int_equal(server->endpoint.fragments_due, 0);
		simulation_destroy(s);
	}
}

/* Its packets may be among those that wait. */
static void
nobody_counts_as_silent_before_the_queue_was_emptied(void **state)
{
	struct pair pair = pair_start(NULL);
	struct transport *t = pair.server_host->transport;
	const struct flow *f;

	(void)state;
	connection_send(pair.client, 100000);
	RUN_UNTIL(pair.s, connection_delivered(pair.client), 10 * MS);
	f = flow_get(t, pair.server->id);
	assert_int_not_equal(f->credit, 0);
	pair.s->now_ns += 20 * MS;
	transport_occupancy(t, 255, false);
	transport_poll(t, pair.s->now_ns);
	assert_int_not_equal(f->credit, 0);
	pair.s->now_ns += 20 * MS;
	transport_occupancy(t, 0, true);
	transport_poll(t, pair.s->now_ns);
	assert_int_equal(f->credit, 0);
	simulation_destroy(pair.s);
}

/* No credit is needed for the first packet of a connection that was idle, and
 * there are more of those than the queue has room for. */
static void
first_packets_that_overflow_the_queue_come_again(void **state)
{
	struct simulation *s = simulation_create(1);
	struct connection *connections[100];
	struct pair pair;

	(void)state;
	s->defaults.descriptors = 32;
	pair = pair_start(s);
	for (unsigned i = 0; i < ARRAY_LENGTH(connections); i++) {
		connections[i] = pair.client;
		pair_connect(&pair);
	}
	simulation_run(s, 20 * MS); /* idle */
	pair.server_host->stalled_until_ns = s->now_ns + 100 * US;
	for (unsigned i = 0; i < ARRAY_LENGTH(connections); i++)
		connection_send(connections[i], 1000);
	simulation_run(s, 100 * US);
	assert_int_equal(pair.server_host->rx_overflows,
		ARRAY_LENGTH(connections) - s->defaults.descriptors);
	for (unsigned i = 0; i < ARRAY_LENGTH(connections); i++)
		RUN_UNTIL(s, connection_delivered(connections[i]), 10 * MS);
	simulation_destroy(s);
}

/* More connections than the queue has room for packets: each goes on with one
 * at a time, and does not wait for a timeout. */
static void
a_connection_that_gets_no_credit_has_one_packet_in_flight(void **state)
{
	struct simulation *s = simulation_create(1);
	struct connection *connections[100];
	struct pair pair;
	uint64_t until_ns;

	(void)state;
	s->defaults.descriptors = 64;
	pair = pair_start(s);
	for (unsigned i = 0; i < ARRAY_LENGTH(connections); i++) {
		connections[i] = pair.client;
		pair_connect(&pair);
	}
	for (unsigned n = 0; n < 20; n++)
		for (unsigned i = 0; i < ARRAY_LENGTH(connections); i++)
			connection_send(connections[i], 1300);
	until_ns = s->now_ns + 2 * MS;
	for (unsigned i = 0; i < ARRAY_LENGTH(connections); i++)
		RUN_UNTIL(s, connection_delivered(connections[i]),
			until_ns - s->now_ns);
	simulation_destroy(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			senders_give_of_what_they_have_to_those_that_join_them),
		cmocka_unit_test(
			a_receiver_that_is_not_run_finds_all_that_was_sent),
		cmocka_unit_test(senders_that_were_not_run_ask_for_credit),
		cmocka_unit_test(
			credits_are_not_more_than_the_application_has_memory_for),
		cmocka_unit_test(a_long_path_keeps_its_credit_from_ack_to_ack),
		cmocka_unit_test(
			nobody_counts_as_silent_before_the_queue_was_emptied),
		cmocka_unit_test(
			first_packets_that_overflow_the_queue_come_again),
		cmocka_unit_test(
			a_connection_that_gets_no_credit_has_one_packet_in_flight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
