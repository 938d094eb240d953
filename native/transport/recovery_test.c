// SPDX-License-Identifier: MIT
/* How soon a loss is found, how little is sent for it, and how much may be in
 * flight. The round trip is 40 us. */
#include "base/bits.h"
#include "transport/flow.h"
#include "transport/simulation.h"

#define S NS_PER_S
#define MS NS_PER_MS
#define US NS_PER_US

/* Loses one packet with data, after some that pass. */
static bool
drop_one(struct simulation *s, const struct packet *packet)
{
	uint32_t *before = s->filter_context;

	if (packet->bytes[1] != WIRE_DATA || packet->length < 500)
		return true;
	return (*before)-- != 0;
}

static struct flow *
flow(const struct connection *connection)
{
	return flow_get(
		connection->application->host->transport, connection->id);
}

/* With credit and round-trip time known. */
static struct pair
pair_warm(void)
{
	struct pair pair = pair_start(NULL);

	for (unsigned i = 0; i < 20; i++) {
		connection_send(pair.client, 5000);
		simulation_run(pair.s, MS);
	}
	assert_in_range(flow(pair.client)->srtt_ns, 40 * US, 60 * US);
	return pair;
}

static void
a_lost_packet_is_found_by_those_after_it(void **state)
{
	struct pair pair = pair_warm();
	const struct transport_counters *counters =
		host_counters(pair.client_host);
	uint64_t probes = counters->tail_probes;
	uint32_t before = 10;

	(void)state;
	pair.s->filter = drop_one;
	pair.s->filter_context = &before;
	connection_send(pair.client, 50000);
	/* Three packets are enough, less than what an ACK may wait for. */
	RUN_UNTIL(pair.s, connection_delivered(pair.client), 80 * US);
	assert_int_equal(counters->packets_retransmitted, 1);
	assert_int_equal(counters->timeouts, 0);
	assert_int_equal(counters->tail_probes, probes);
	simulation_destroy(pair.s);
}

/* RACK's time threshold: of three packets the second is lost, and one after it
 * is too few to show that. */
static void
a_lost_packet_is_found_when_its_time_is_over(void **state)
{
	struct pair pair = pair_warm();
	const struct transport_counters *counters =
		host_counters(pair.client_host);
	uint64_t probes = counters->tail_probes;
	uint32_t before = 1;

	(void)state;
	pair.s->filter = drop_one;
	pair.s->filter_context = &before;
	connection_send(pair.client, 4000);
	/* A quarter of a round trip more, and what an ACK may wait. */
	RUN_UNTIL(pair.s, connection_delivered(pair.client), 150 * US);
	assert_int_equal(counters->packets_retransmitted, 1);
	assert_int_equal(counters->tail_probes, probes);
	simulation_destroy(pair.s);
}

static void
the_loss_of_the_last_packet_is_found_by_a_probe(void **state)
{
	struct pair pair = pair_warm();
	const struct transport_counters *counters =
		host_counters(pair.client_host);
	uint32_t before = 0;

	(void)state;
	pair.s->filter = drop_one;
	pair.s->filter_context = &before;
	connection_send(pair.client, 1000);
	RUN_UNTIL(pair.s, connection_delivered(pair.client), 500 * US);
	assert_int_equal(counters->tail_probes, 1);
	assert_int_equal(counters->packets_retransmitted, 1);
	assert_int_equal(counters->timeouts, 0);
	simulation_destroy(pair.s);
}

/* Before that, a packet whose loss nobody shows waits for 5 ms. */
static void
the_first_message_has_the_round_trip_time_of_the_handshake(void **state)
{
	struct pair pair = pair_start(NULL);
	uint32_t before = 0;

	(void)state;
	assert_in_range(flow(pair.client)->srtt_ns, 40 * US, 50 * US);
	pair.s->filter = drop_one;
	pair.s->filter_context = &before;
	connection_send(pair.client, 1000);
	RUN_UNTIL(pair.s, connection_delivered(pair.client), 500 * US);
	/* What a client does before its first word is not the network's. */
	assert_in_range(flow(pair.server)->srtt_ns, 40 * US, 50 * US);
	before = 0;
	connection_send(pair.server, 1000);
	RUN_UNTIL(pair.s, connection_delivered(pair.server), 500 * US);
	simulation_destroy(pair.s);
}

/* Loses the first of a type. */
static bool
drop_first(struct simulation *s, const struct packet *packet)
{
	uint8_t *type = s->filter_context;

	if (packet->bytes[1] != *type)
		return true;
	*type = 0;
	return false;
}

/* Karn's algorithm (RFC 6298, section 3). */
static void
a_handshake_that_was_repeated_tells_no_round_trip_time(void **state)
{
	static const uint8_t types[] = {WIRE_CONFIRM, WIRE_ACCEPT};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct simulation *s = simulation_create(1);
		uint8_t type = types[i];
		struct pair pair;

		s->filter = drop_first;
		s->filter_context = &type;
		pair = pair_start(s);
		assert_int_equal(flow(pair.client)->srtt_ns, 0);
		connection_send(pair.client, 100);
		RUN_UNTIL(s, connection_delivered(pair.client), MS);
		/* Only of ACCEPT the server knows that there were two. */
		if (types[i] == WIRE_ACCEPT)
			assert_int_equal(flow(pair.server)->srtt_ns, 0);
		else
			assert_in_range(
				flow(pair.server)->srtt_ns, 40 * US, 50 * US);
		simulation_destroy(s);
	}
}

/* When packets with data went out from one host, which get lost. */
struct departures {
	uint32_t from;
	bool lost;
	uint32_t length;
	uint64_t times_ns[128];
};

static bool
note_departure(struct simulation *s, const struct packet *packet)
{
	struct departures *departures = s->filter_context;

	if (packet->bytes[1] != WIRE_DATA ||
		packet->path.address != departures->from)
		return true;
	assert_true(departures->length < ARRAY_LENGTH(departures->times_ns));
	departures->times_ns[departures->length++] = s->now_ns;
	return !departures->lost;
}

static void
departures_note(struct departures *departures, const struct pair *pair)
{
	departures->from = pair->client_host->address;
	pair->s->filter = note_departure;
	pair->s->filter_context = departures;
}

/* As late as promised, or one tick of the wheel later. */
static void
assert_gap(const struct departures *departures, uint32_t i, uint64_t gap_ns)
{
	assert_in_range(departures->times_ns[i + 1] - departures->times_ns[i],
		gap_ns, gap_ns + (UINT64_C(1) << WHEEL_TICK_NS_LOG2) + 2 * US);
}

/* One probe, then timeouts that double up to their bound. */
static void
into_silence(uint64_t delay_ns)
{
	struct departures departures = {.lost = true};
	struct pair pair = pair_warm();
	uint64_t srtt_ns, probe_ns, rto_ns;
	uint32_t i = 0;

	pair.s->network.delay_ns = delay_ns;
	for (unsigned n = 0; n < 5; n++) {
		connection_send(pair.client, 100);
		simulation_run(pair.s, 10 * MS);
	}
	departures_note(&departures, &pair);
	srtt_ns = flow(pair.client)->srtt_ns;
	rto_ns = srtt_ns + UINT64_C(4) * flow(pair.client)->rttvar_ns;
	rto_ns = u64_max(rto_ns, MS);
	probe_ns = 2 * srtt_ns + u64_max(srtt_ns / 4, ACK_DELAY_MIN_NS);
	probe_ns = u64_min(u64_max(probe_ns, 200 * US), rto_ns);
	connection_send(pair.client, 1000);
	simulation_run(pair.s, S);
	assert_true(departures.length > 10);
	assert_gap(&departures, i++, probe_ns);
	for (; i + 1 < departures.length; i++) {
		assert_gap(&departures, i, u64_min(rto_ns, 100 * MS));
		rto_ns *= 2;
	}
	assert_true(rto_ns > 200 * MS);
	simulation_destroy(pair.s);
}

static void
timeouts_follow_the_round_trip_time_between_bounds(void **state)
{
	(void)state;
	into_silence(20 * US); /* the floor */
	into_silence(700 * US);
}

/* The peer did not run for a while: nothing was lost. */
static void
a_packet_that_was_sent_again_for_nothing_is_noticed(void **state)
{
	struct pair pair = pair_warm();
	const struct transport_counters *counters =
		host_counters(pair.client_host);

	(void)state;
	pair.server_host->stalled_until_ns = pair.s->now_ns + 3 * MS;
	connection_send(pair.client, 1000);
	RUN_UNTIL(pair.s, connection_delivered(pair.client), 4 * MS);
	simulation_run(pair.s, MS);
	/* The probe, and after a timeout. */
	assert_int_equal(counters->packets_retransmitted, 2);
	assert_int_equal(counters->timeouts, 1);
	assert_int_equal(counters->retransmissions_spurious, 1);
	/* It says nothing about the order of packets. */
	assert_int_equal(flow(pair.client)->reorder, REORDER_PACKETS);
	simulation_destroy(pair.s);
}

/* Where a packet takes 1 ms, no window of a whole packet is small enough. */
static void
a_flow_with_less_than_a_packet_in_flight_keeps_its_pace(void **state)
{
	struct departures departures = {.length = 0};
	struct pair pair = pair_warm();
	uint64_t timeouts;

	(void)state;
	pair.s->network.packet_ns = MS;
	pair.s->network.queue_packets = 256;
	connection_send(pair.client, 2 << 20);
	simulation_run(pair.s, 2 * S);
	timeouts = host_counters(pair.client_host)->timeouts;
	departures_note(&departures, &pair);
	simulation_run(pair.s, S);
	assert_in_range(departures.length, 50, 120);
	for (uint32_t i = 0; i + 1 < departures.length; i++)
		assert_in_range(
			departures.times_ns[i + 1] - departures.times_ns[i],
			8 * MS, 20 * MS);
	assert_int_equal(host_counters(pair.client_host)->timeouts, timeouts);
	/* And loses it with the reason for it. */
	pair.s->filter = NULL;
	pair.s->network.packet_ns = 0;
	RUN_UNTIL(pair.s, connection_delivered(pair.client), 50 * MS);
	simulation_destroy(pair.s);
}

static void
a_path_that_changes_the_order_is_learnt(void **state)
{
	struct pair pair = pair_warm();
	const struct transport_counters *counters =
		host_counters(pair.client_host);
	uint64_t first;

	(void)state;
	pair.s->network.jitter_ns = 30 * US;
	connection_send(pair.client, 1 << 20);
	RUN_UNTIL(pair.s, connection_delivered(pair.client), S);
	first = counters->packets_retransmitted;
	assert_true(counters->retransmissions_spurious != 0);
	for (unsigned i = 0; i < 8; i++)
		connection_send(pair.client, 1 << 20);
	RUN_UNTIL(pair.s, connection_delivered(pair.client), S);
	/* Much less than eight times as many. */
	assert_true(counters->packets_retransmitted - first < 4 * first);
	assert_int_equal(counters->timeouts, 0);
	simulation_destroy(pair.s);
}

static void
a_request_and_its_reply_take_two_packets(void **state)
{
	struct pair pair = pair_warm();
	uint64_t packets = host_packets_sent(pair.client_host) +
			   host_packets_sent(pair.server_host);

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		connection_send(pair.client, 64);
		RUN_UNTIL(pair.s, connection_delivered(pair.client), MS);
		connection_send(pair.server, 64);
		RUN_UNTIL(pair.s, connection_delivered(pair.server), MS);
	}
	simulation_run(pair.s, MS);
	assert_in_range(host_packets_sent(pair.client_host) +
				host_packets_sent(pair.server_host) - packets,
		200, 210);
	simulation_destroy(pair.s);
}

static void
the_time_that_an_ack_waits_is_not_round_trip_time(void **state)
{
	struct pair pair = pair_warm();

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		connection_send(pair.client, 64);
		simulation_run(pair.s, MS);
	}
	assert_in_range(flow(pair.client)->srtt_ns, 40 * US, 45 * US);
	simulation_destroy(pair.s);
}

/* @return packets sent again, over a port that holds few packets */
static uint64_t
retransmitted_over_port(uint32_t mark_packets)
{
	struct pair pair = pair_warm();
	uint64_t count;

	pair.s->network.packet_ns = 2 * US;
	pair.s->network.queue_packets = 16;
	pair.s->network.mark_packets = mark_packets;
	for (unsigned i = 0; i < 4; i++)
		connection_send(pair.client, 4 << 20);
	RUN_UNTIL(pair.s, connection_delivered(pair.client), 5 * S);
	count = host_counters(pair.client_host)->packets_retransmitted;
	simulation_destroy(pair.s);
	return count;
}

static void
marks_keep_a_port_from_overflowing(void **state)
{
	uint64_t unmarked = retransmitted_over_port(0);

	(void)state;
	assert_true(unmarked > 100);
	assert_true(retransmitted_over_port(4) < unmarked / 4);
}

/* As long as max(50 us, a quarter of the round trip of 40 us). */
static void
an_answer_carries_an_ack_that_waits_for_it(void **state)
{
	static const uint64_t thinking_ns[] = {40 * US, 80 * US};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct pair pair = pair_warm();
		uint64_t acks = host_counters(pair.server_host)->acks_sent;

		connection_send(pair.client, 64);
		RUN_UNTIL(pair.s, connection_delivered(pair.client), MS);
		simulation_run(pair.s, thinking_ns[i]);
		connection_send(pair.server, 64);
		simulation_run(pair.s, MS);
		assert_int_equal(
			host_counters(pair.server_host)->acks_sent - acks, i);
		simulation_destroy(pair.s);
	}
}

static void
an_idle_connection_begins_with_one_packet(void **state)
{
	struct pair pair = pair_warm();
	uint32_t packets = pair.client_host->sent[WIRE_DATA];

	(void)state;
	simulation_run(pair.s, 100 * MS);
	connection_send(pair.client, 100000);
	simulation_run(pair.s, 30 * US);
	assert_int_equal(pair.client_host->sent[WIRE_DATA], packets + 1);
	simulation_run(pair.s, 30 * US);
	assert_true(pair.client_host->sent[WIRE_DATA] > packets + 10);
	simulation_destroy(pair.s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lost_packet_is_found_by_those_after_it),
		cmocka_unit_test(a_lost_packet_is_found_when_its_time_is_over),
		cmocka_unit_test(
			the_loss_of_the_last_packet_is_found_by_a_probe),
		cmocka_unit_test(
			the_first_message_has_the_round_trip_time_of_the_handshake),
		cmocka_unit_test(
			a_handshake_that_was_repeated_tells_no_round_trip_time),
		cmocka_unit_test(
			timeouts_follow_the_round_trip_time_between_bounds),
		cmocka_unit_test(
			a_packet_that_was_sent_again_for_nothing_is_noticed),
		cmocka_unit_test(
			a_flow_with_less_than_a_packet_in_flight_keeps_its_pace),
		cmocka_unit_test(a_path_that_changes_the_order_is_learnt),
		cmocka_unit_test(a_request_and_its_reply_take_two_packets),
		cmocka_unit_test(
			the_time_that_an_ack_waits_is_not_round_trip_time),
		cmocka_unit_test(marks_keep_a_port_from_overflowing),
		cmocka_unit_test(an_answer_carries_an_ack_that_waits_for_it),
		cmocka_unit_test(an_idle_connection_begins_with_one_packet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
