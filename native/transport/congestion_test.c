// SPDX-License-Identifier: MIT
/* What Swift's windows do, ACK by ACK. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "transport/congestion.h"

#define RTT_NS (100 * NS_PER_US)
#define LATE_NS (2 * NS_PER_MS)

static uint64_t now_ns;

/* One ACK, of some packets. */
static void
acknowledge(struct congestion *congestion, uint64_t rtt_ns, uint32_t acked,
	uint32_t marked, uint8_t occupancy)
{
	const struct congestion_sample sample = {
		.now_ns = now_ns,
		.rtt_ns = rtt_ns,
		.srtt_ns = rtt_ns,
		.acked = acked,
		.marked = marked,
		.occupancy = occupancy,
	};

	congestion_sample(congestion, &sample);
}

/* A round trip in which everything is acknowledged. */
static void
round_trip(struct congestion *congestion, uint64_t rtt_ns, uint32_t marked,
	uint8_t occupancy)
{
	now_ns += rtt_ns;
	acknowledge(congestion, rtt_ns, congestion_window(congestion), marked,
		occupancy);
}

static struct congestion
begin(void)
{
	struct congestion congestion;

	congestion_init(&congestion);
	now_ns = NS_PER_S;
	round_trip(&congestion, RTT_NS, 0, 0);
	assert_int_equal(congestion_window(&congestion), 256);
	return congestion;
}

static void
a_window_shrinks_once_in_a_round_trip(void **state)
{
	struct congestion congestion = begin();
	uint32_t before;

	(void)state;
	round_trip(&congestion, LATE_NS, 0, 0); /* may be by chance */
	assert_int_equal(congestion_window(&congestion), 256);
	round_trip(&congestion, LATE_NS, 0, 0);
	before = congestion_window(&congestion);
	assert_in_range(before, 128, 200);
	/* However many ACKs say so. */
	for (unsigned i = 0; i < 50; i++) {
		now_ns += LATE_NS / 100;
		acknowledge(&congestion, LATE_NS, 1, 1, 255);
	}
	assert_int_equal(congestion_window(&congestion), before);
	round_trip(&congestion, LATE_NS, 0, 0);
	assert_in_range(congestion_window(&congestion), before / 2, before - 1);
}

static void
a_window_grows_by_one_packet_in_a_round_trip(void **state)
{
	struct congestion congestion = begin();
	uint32_t before;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		round_trip(&congestion, LATE_NS, 0, 0);
	round_trip(&congestion, RTT_NS, 0, 0);
	before = congestion_window(&congestion);
	for (unsigned i = 0; i < 10; i++)
		round_trip(&congestion, RTT_NS, 0, 0);
	assert_in_range(
		congestion_window(&congestion), before + 9, before + 10);
}

static void
a_window_below_one_packet_is_a_pace(void **state)
{
	struct congestion congestion = begin();
	uint64_t pace_ns;

	(void)state;
	assert_int_equal(congestion_pace_ns(&congestion, RTT_NS), 0);
	for (unsigned i = 0; i < 30; i++)
		round_trip(&congestion, LATE_NS, 0, 0);
	assert_int_equal(congestion_window(&congestion), 1);
	pace_ns = congestion_pace_ns(&congestion, RTT_NS);
	/* One packet in several round trips, of which there is a least. */
	assert_in_range(pace_ns, 2 * RTT_NS, 20 * RTT_NS);
	for (unsigned i = 0; i < 30; i++)
		round_trip(&congestion, RTT_NS, 0, 0);
	assert_true(congestion_window(&congestion) > 1);
	assert_int_equal(congestion_pace_ns(&congestion, RTT_NS), 0);
}

/* A first round trip during which the peer stood still. */
static void
a_pace_has_a_bound(void **state)
{
	struct congestion congestion;

	(void)state;
	congestion_init(&congestion);
	now_ns = NS_PER_S;
	round_trip(&congestion, 600 * NS_PER_MS, 0, 0);
	for (unsigned i = 0; i < 30; i++)
		round_trip(&congestion, 4 * NS_PER_S, 0, 0);
	assert_int_equal(
		congestion_pace_ns(&congestion, NS_PER_S), 100 * NS_PER_MS);
}

static void
marks_shrink_the_window_by_their_share(void **state)
{
	struct congestion some = begin(), all = begin();

	(void)state;
	round_trip(&some, RTT_NS, 25, 0);
	round_trip(&all, RTT_NS, 256, 0);
	assert_in_range(congestion_window(&some), 220, 250);
	assert_int_equal(congestion_window(&all), 128);
}

/* The second window: nothing is late, the receiver does not keep up. */
static void
a_full_queue_of_the_receiver_shrinks_the_window(void **state)
{
	struct congestion congestion = begin();
	uint32_t window;

	(void)state;
	round_trip(&congestion, RTT_NS, 0, 128);
	assert_int_equal(congestion_window(&congestion), 256);
	round_trip(&congestion, RTT_NS, 0, 255);
	window = congestion_window(&congestion);
	assert_in_range(window, 128, 200);
	round_trip(&congestion, RTT_NS, 0, 255);
	assert_true(congestion_window(&congestion) < window);
	for (unsigned i = 0; i < 300; i++)
		round_trip(&congestion, RTT_NS, 0, 0);
	assert_int_equal(congestion_window(&congestion), 256);
}

/* Round trips of which some packets in a hundred are lost. */
static void
lose(struct congestion *congestion, uint32_t rounds, uint32_t percent)
{
	for (unsigned i = 0; i < rounds; i++) {
		struct congestion_sample sample = {
			.now_ns = now_ns += RTT_NS,
			.rtt_ns = RTT_NS,
			.srtt_ns = RTT_NS,
			.acked = 100 - percent,
			.lost = percent,
		};

		congestion_sample(congestion, &sample);
	}
}

/* Nothing that happens on a good path has a say. */
static void
an_uncongested_window_is_bypassed(void **state)
{
	struct congestion congestion = begin();

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		round_trip(
			&congestion, RTT_NS + i % 300 * NS_PER_US, 0, i % 129);
		if (i % 10 == 0)
			lose(&congestion, 1, 1);
		assert_int_equal(congestion_window(&congestion), 256);
		assert_int_equal(congestion_pace_ns(&congestion, RTT_NS), 0);
	}
}

/* A policer drops without delaying. */
static void
much_loss_is_congestion_and_some_is_chance(void **state)
{
	struct congestion some = begin(), much = begin();

	(void)state;
	lose(&some, 1000, 15);
	assert_int_equal(congestion_window(&some), 256);
	lose(&much, 1, 30);
	assert_int_equal(congestion_window(&much), 128);
	lose(&much, 4, 30);
	assert_in_range(congestion_window(&much), 4, 16);
}

/* One may be a lost ACK, several in a row are a path that takes nothing. */
static void
timeouts_in_a_row_shrink_the_window(void **state)
{
	struct congestion congestion = begin();
	uint64_t pace_ns;

	(void)state;
	congestion_timeout(&congestion, now_ns, 1);
	assert_int_equal(congestion_window(&congestion), 256);
	congestion_timeout(&congestion, now_ns, 2);
	assert_int_equal(congestion_window(&congestion), 128);
	congestion_timeout(&congestion, now_ns, 3);
	assert_int_equal(congestion_window(&congestion), 64);
	congestion_timeout(&congestion, now_ns, 4);
	assert_int_equal(congestion_window(&congestion), 1);
	assert_int_equal(congestion_pace_ns(&congestion, RTT_NS), 0);
	/* None lets more through than went before. */
	for (unsigned i = 0; i < 30; i++)
		round_trip(&congestion, LATE_NS, 0, 0);
	pace_ns = congestion_pace_ns(&congestion, RTT_NS);
	assert_in_range(pace_ns, 2 * RTT_NS, 20 * RTT_NS);
	for (unsigned times = 1; times < 10; times++) {
		congestion_timeout(&congestion, now_ns, times);
		assert_true(congestion_pace_ns(&congestion, RTT_NS) >= pace_ns);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_window_shrinks_once_in_a_round_trip),
		cmocka_unit_test(a_window_grows_by_one_packet_in_a_round_trip),
		cmocka_unit_test(a_window_below_one_packet_is_a_pace),
		cmocka_unit_test(a_pace_has_a_bound),
		cmocka_unit_test(marks_shrink_the_window_by_their_share),
		cmocka_unit_test(
			a_full_queue_of_the_receiver_shrinks_the_window),
		cmocka_unit_test(an_uncongested_window_is_bypassed),
		cmocka_unit_test(much_loss_is_congestion_and_some_is_chance),
		cmocka_unit_test(timeouts_in_a_row_shrink_the_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
