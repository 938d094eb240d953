/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "fabric/fake_hosts.h"

static void
frames_find_their_host(void **state)
{
	(void)state;
	start(&plain);
	send_frame(0, EVERYBODY);
	send_frame(1, UNKNOWN);
	send_frame(2, 0);
	send_frame(0, 2);
	run_for(0);
	assert_int_equal(lab.arrived, 6);
	assert_int_equal(counters(0)->flooded, 1);
	assert_int_equal(counters(0)->packets_sent, 2);
	assert_int_equal(counters(0)->bytes_sent, 2 * FRAME_BYTES);
	assert_int_equal(queue_counters(0, 0)->packets_received, 2);
	assert_int_equal(queue_counters(1, 0)->packets_received, 1);
	assert_int_equal(queue_counters(2, 0)->packets_received, 3);
	assert_int_equal(queue_counters(2, 0)->bytes_received, 3 * FRAME_BYTES);
}

static void
a_host_that_moves_is_found_again(void **state)
{
	uint8_t bytes[CONTENT_BYTES];

	(void)state;
	start(&plain);
	teach_addresses(3);
	address_of(bytes, EVERYBODY);
	address_of(bytes + 6, 0);
	send_bytes(2, bytes, FRAME_BYTES);
	run_for(0);
	lab.arrived = 0;
	send_frame(1, 0);
	run_for(0);
	assert_int_equal(lab.arrived, 1);
	assert_int_equal(lab.arrivals[0].port, 2);
}

static void
a_group_address_is_nobodys(void **state)
{
	uint8_t bytes[CONTENT_BYTES];

	(void)state;
	start(&plain);
	address_of(bytes, 1);
	memset(bytes + 6, 0xff, 6);
	send_bytes(0, bytes, FRAME_BYTES);
	run_for(0);
	lab.arrived = 0;
	send_frame(1, EVERYBODY);
	run_for(0);
	assert_int_equal(lab.arrived, 2);
}

static void
unknown_addresses_reach_all(void **state)
{
	uint8_t bytes[CONTENT_BYTES] = {0};

	(void)state;
	start(&plain);
	teach_addresses(3);
	address_of(bytes + 6, 0);
	for (uint32_t i = 0; i < 10000; i++) {
		memcpy(bytes + 1, &i, sizeof(i));
		send_bytes(0, bytes, FRAME_BYTES);
		run_for(0);
	}
	assert_int_equal(lab.arrived, 20000);
}

/* Pairs of random addresses: none makes the switch forget the other. */
static void
addresses_do_not_displace_each_other(void **state)
{
	uint8_t bytes[CONTENT_BYTES] = {0};

	(void)state;
	start(&plain);
	for (uint32_t i = 0; i < 10000; i++) {
		for (uint32_t from = 0; from < 2; from++) {
			uint32_t to = 1 - from;

			lab.now_ns++;
			memcpy(bytes + 1, &i, sizeof(i));
			memcpy(bytes + 7, &i, sizeof(i));
			bytes[5] = (uint8_t)to;
			bytes[11] = (uint8_t)from;
			send_bytes(from, bytes, FRAME_BYTES);
			run_for(0);
		}
	}
	assert_int_equal(counters(0)->flooded, 10000);
	assert_int_equal(counters(1)->flooded, 0);
}

static void
frames_that_cannot_be_sent_are_counted(void **state)
{
	(void)state;
	start(&plain);
	teach_addresses(3);
	send_length(0, 1, ETHERNET_BYTES - 1);
	send_length(0, 1, 1500 + ETHERNET_BYTES);
	send_length(0, 1, 1501 + ETHERNET_BYTES);
	send_frame(0, 0);
	run_for(0);
	assert_int_equal(lab.arrived, 1);
	assert_int_equal(counters(0)->drop_malformed, 1);
	assert_int_equal(counters(0)->drop_mtu, 1);
	assert_int_equal(counters(0)->drop_same_port, 1);
}

static void
frames_stay_in_order_and_arrive_after_the_latency(void **state)
{
	struct switch_options options = plain;

	(void)state;
	options.latency_ns = 20 * US;
	start(&options);
	teach_addresses(3);
	for (uint32_t i = 0; i < 1000; i++) {
		send_frame(0, 1);
		if (i % 7 == 0)
			run_for(US);
	}
	run_for(19 * US);
	assert_in_range(lab.arrived, 1, 999);
	run_for(US);
	assert_int_equal(lab.arrived, 1000);
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(lab.arrivals[i].number, i);
	assert_int_equal(lab.arrivals[0].at_ns, NS_PER_S * 2 + 20 * US);
}

/* One frame a microsecond from host 0 to host 1. */
static void
stream(uint32_t frames)
{
	for (uint32_t i = 0; i < frames; i++) {
		send_frame(0, 1);
		run_for(US);
	}
	run_for(NS_PER_S);
}

/* Within 5 standard deviations of a binomial distribution. */
static void
assert_share(uint64_t hits, uint64_t of, double probability)
{
	double mean = (double)of * probability;
	double difference = (double)hits - mean;

	assert_true(difference * difference <
		    25.0 * mean * (1.0 - probability) + 1.0);
}

static void
losses_are_as_many_as_asked_for(void **state)
{
	struct switch_options options = plain;

	(void)state;
	options.loss = 0.01;
	start(&options);
	teach_addresses(3);
	stream(FRAMES);
	assert_share(counters(1)->drop_loss, FRAMES + 2, 0.01);
	assert_int_equal(lab.arrived + counters(1)->drop_loss, FRAMES + 0u);
}

static void
a_probability_of_one_is_always(void **state)
{
	struct switch_options options = plain;

	(void)state;
	options.loss = 1;
	start(&options);
	send_frame(0, EVERYBODY);
	stream(1000);
	assert_int_equal(lab.arrived, 0);
	assert_int_equal(counters(1)->drop_loss, 1001);
}

static void
duplicates_arrive_twice(void **state)
{
	struct switch_options options = plain;
	uint64_t before;

	(void)state;
	options.duplicate = 0.01;
	start(&options);
	teach_addresses(3);
	before = counters(1)->duplicated;
	stream(FRAMES);
	assert_share(counters(1)->duplicated - before, FRAMES, 0.01);
	assert_int_equal(
		lab.arrived, FRAMES + counters(1)->duplicated - before);
	for (uint32_t i = 1; i < lab.arrived; i++)
		assert_in_range(
			lab.arrivals[i].number - lab.arrivals[i - 1].number, 0,
			1);
}

static void
reordered_frames_arrive_late_but_arrive(void **state)
{
	struct switch_options options = plain;
	uint64_t before, late = 0;
	uint32_t largest = 0;

	(void)state;
	options.reorder = 0.01;
	start(&options);
	teach_addresses(3);
	before = counters(1)->reordered;
	stream(FRAMES);
	assert_share(counters(1)->reordered - before, FRAMES, 0.01);
	assert_int_equal(lab.arrived, FRAMES);
	for (uint32_t i = 0; i < lab.arrived; i++) {
		uint32_t number = lab.arrivals[i].number;

		late += number < largest;
		largest = u32_max(largest, number);
		/* No more behind than the limit says; a frame each us. */
		assert_true(largest - number <= SWITCH_REORDER_NS / US);
	}
	/* Less than 1 us late is not out of order here. */
	assert_in_range(late, (counters(1)->reordered - before) * 9 / 10,
		counters(1)->reordered - before);
}

static void
corruption_spares_other_copies(void **state)
{
	struct switch_options options = plain;
	uint64_t before, corrupted = 0;

	(void)state;
	options.corrupt = 0.01;
	start(&options);
	teach_addresses(3);
	before = counters(1)->corrupted;
	stream(FRAMES);
	for (uint32_t i = 0; i < lab.arrived; i++)
		corrupted += lab.arrivals[i].corrupt;
	assert_int_equal(counters(1)->corrupted - before, corrupted);
	assert_share(corrupted, FRAMES, 0.01);

	lab.arrived = 0;
	for (uint32_t i = 0; i < 10000; i++) {
		send_frame(0, EVERYBODY);
		run_for(US);
	}
	corrupted = 0;
	for (uint32_t i = 0; i < lab.arrived; i += 2)
		corrupted +=
			lab.arrivals[i].corrupt && lab.arrivals[i + 1].corrupt;
	assert_int_equal(lab.arrived, 20000);
	assert_in_range(corrupted, 0, 10);
}

static void
hosts_meet_different_fates(void **state)
{
	struct switch_options options = plain;
	uint64_t both = 0;

	(void)state;
	options.loss = 0.5;
	start(&options);
	for (uint32_t i = 0; i < 10000; i++) {
		send_frame(0, EVERYBODY);
		run_for(0);
		both += lab.arrived == 2;
		lab.arrived = 0;
	}
	assert_share(both, 10000, 0.25);
}

static uint64_t
fate_of_a_run(const struct switch_options *options, bool others)
{
	uint64_t hash = 0;

	start(options);
	teach_addresses(3);
	for (uint32_t i = 0; i < 10000; i++) {
		send_frame(0, 1);
		if (others)
			send_frame(0, 2);
		run_for(US);
	}
	run_for(NS_PER_S);
	for (uint32_t i = 0; i < lab.arrived; i++) {
		const struct arrival *arrival = &lab.arrivals[i];

		if (arrival->port != 1)
			continue;
		hash = hash * 31 + arrival->number / (others ? 2 : 1);
		hash = hash * 31 + arrival->at_ns;
		hash = hash * 31 + arrival->corrupt;
	}
	stop(NULL);
	return hash;
}

static void
the_same_seed_does_the_same(void **state)
{
	struct switch_options options = plain;
	uint64_t fate;

	(void)state;
	options.loss = options.duplicate = options.reorder = options.corrupt =
		0.05;
	options.latency_ns = 10 * US;
	fate = fate_of_a_run(&options, false);
	assert_true(fate == fate_of_a_run(&options, false));
	/* Traffic to another host changes nothing. */
	assert_true(fate == fate_of_a_run(&options, true));
	options.seed = 2;
	assert_true(fate != fate_of_a_run(&options, false));
}

/* The frames that are lost are the same with and without duplicates. */
static void
one_fault_does_not_move_another(void **state)
{
	struct switch_options options = plain;
	uint64_t lost;

	(void)state;
	options.loss = 0.05;
	start(&options);
	teach_addresses(3);
	stream(10000);
	lost = counters(1)->drop_loss;
	stop(NULL);
	options.duplicate = options.reorder = options.corrupt = 0.3;
	start(&options);
	teach_addresses(3);
	stream(10000);
	assert_int_equal(counters(1)->drop_loss, lost);
}

static void
the_bandwidth_cap_is_kept_on_both_sides(void **state)
{
	struct switch_options options = plain;
	uint64_t began_ns, sent;

	(void)state;
	options.cap.bits_per_s = 1000000000; /* 100 bytes: 800 ns */
	start(&options);
	teach_addresses(3);
	/* One host sends as much as its vNIC takes. */
	began_ns = lab.now_ns;
	while (lab.now_ns < began_ns + 100 * NS_PER_MS) {
		while (switch_accepts(lab.fabric, 0, lab.now_ns))
			send_frame(0, 1);
		run_for(10 * US);
	}
	sent = lab.sent;
	assert_in_range(lab.arrived, 124000, 125000);
	assert_in_range(
		sent - lab.arrived, 1, CAP_BUFFER_BYTES / FRAME_BYTES + 2);
	assert_int_equal(counters(1)->drop_bandwidth, 0);
	for (uint32_t i = 1; i < lab.arrived; i++)
		assert_int_equal(
			lab.arrivals[i].at_ns - lab.arrivals[i - 1].at_ns, 800);
}

static void
too_much_for_one_receiver_is_dropped(void **state)
{
	struct switch_options options = plain;
	uint64_t began_ns;

	(void)state;
	options.cap.bits_per_s = 1000000000;
	start(&options);
	teach_addresses(3);
	began_ns = lab.now_ns;
	while (lab.now_ns < began_ns + 20 * NS_PER_MS) {
		for (uint32_t from = 0; from < 2; from++)
			while (switch_accepts(lab.fabric, from, lab.now_ns))
				send_frame(from, 2);
		run_for(10 * US);
	}
	run_for(NS_PER_S);
	/* Two senders: half of it does not fit, except into the buffer. */
	assert_int_equal(lab.arrived + counters(2)->drop_bandwidth, lab.sent);
	assert_in_range(
		counters(2)->drop_bandwidth, lab.sent / 2 - 2000, lab.sent / 2);
}

static void
a_full_rx_queue_drops_the_newest(void **state)
{
	struct switch_options options = plain;

	(void)state;
	options.depth = 10;
	start(&options);
	teach_addresses(3);
	lab.room[1] = 5;
	for (uint32_t i = 0; i < 100; i++)
		send_frame(0, 1);
	run_for(0);
	assert_int_equal(lab.arrived, 5);
	assert_int_equal(queue_counters(1, 0)->drop_depth, 85);
	/* The other hosts notice nothing. */
	send_frame(0, 2);
	run_for(0);
	assert_int_equal(lab.arrived, 6);
	lab.room[1] = UINT32_MAX;
	send_frame(0, 1);
	run_for(0);
	assert_int_equal(lab.arrived, 17);
	for (uint32_t i = 6; i < 16; i++)
		assert_int_equal(lab.arrivals[i].number, i - 1);
	assert_int_equal(lab.arrivals[16].number, 101);
}

/* All of the queue is in the host. */
static void
an_rx_queue_of_depth_zero_passes_frames_on(void **state)
{
	struct switch_options options = plain;

	(void)state;
	options.depth = 0;
	start(&options);
	teach_addresses(3);
	lab.room[1] = 256;
	for (uint32_t i = 0; i < 1000; i++)
		send_frame(0, 1);
	run_for(0);
	assert_int_equal(lab.arrived, 256);
	assert_int_equal(queue_counters(1, 0)->drop_depth, 744);
}

static void
a_long_rx_queue_marks_what_can_be_marked(void **state)
{
	struct switch_options options = plain;

	(void)state;
	options.ecn_threshold = 10;
	start(&options);
	teach_addresses(3);
	lab.room[1] = 0;
	lab.capable = true;
	for (uint32_t i = 0; i < 15; i++)
		send_frame(0, 1);
	lab.capable = false;
	for (uint32_t i = 0; i < 5; i++)
		send_frame(0, 1);
	run_for(0);
	lab.room[1] = UINT32_MAX;
	run_for(0);
	send_frame(0, 1);
	run_for(0);
	assert_int_equal(lab.arrived, 21);
	for (uint32_t i = 0; i < lab.arrived; i++)
		assert_int_equal(lab.arrivals[i].marked, 11 <= i && i < 15);
	assert_int_equal(counters(1)->ecn_marked, 4);
}

/* In frames of full size, so that small ones fill it by their bytes. */
static void
a_long_wait_for_the_cap_marks(void **state)
{
	struct switch_options options = plain;

	(void)state;
	options.ecn_threshold = 2;
	options.latency_ns = 20 * US;
	options.cap.bits_per_s = 1000000000;
	start(&options);
	teach_addresses(3);
	lab.capable = true;
	/* From two hosts at once: half of it waits. 3028 bytes may. */
	for (uint32_t i = 0; i < 50; i++) {
		send_frame(0, 2);
		send_frame(1, 2);
	}
	run_for(NS_PER_S);
	assert_int_equal(lab.arrived, 100);
	for (uint32_t i = 0; i < lab.arrived; i++)
		assert_int_equal(lab.arrivals[i].marked, i >= 61);
	assert_int_equal(counters(2)->ecn_marked, 39);
	lab.arrived = 0;
	send_frame(0, 2);
	run_for(NS_PER_S);
	assert_false(lab.arrivals[0].marked);
}

static void
a_mark_spares_the_other_copies(void **state)
{
	struct switch_options options = plain;

	(void)state;
	options.ecn_threshold = 1;
	options.depth = 16;
	start(&options);
	teach_addresses(3);
	lab.capable = true;
	lab.room[1] = 0;
	for (uint32_t i = 0; i < 4; i++) {
		send_frame(0, EVERYBODY);
		run_for(0);
	}
	assert_int_equal(lab.arrived, 4);
	lab.room[1] = UINT32_MAX;
	lab.capable = false;
	send_frame(0, 1);
	run_for(0);
	for (uint32_t i = 0; i < 4; i++)
		assert_false(lab.arrivals[i].marked);
	for (uint32_t i = 4; i < 8; i++)
		assert_int_equal(lab.arrivals[i].marked, i >= 6);
	assert_int_equal(counters(1)->ecn_marked, 2);
	assert_int_equal(counters(2)->ecn_marked, 0);
}

static void
an_absent_host_gets_nothing(void **state)
{
	bool more;

	(void)state;
	start(&plain);
	teach_addresses(3);
	for (uint32_t i = 0; i < 10; i++)
		send_frame(0, 1);
	assert_int_equal(
		switch_advance(lab.fabric, lab.now_ns, &more), 1u << 1);
	assert_false(more);
	switch_link_down(lab.fabric, 1);
	assert_int_equal(counters(1)->drop_link_down, 10);
	assert_int_equal(switch_advance(lab.fabric, lab.now_ns, &more), 0);
}

static void
a_queue_that_is_not_offered_stops_the_others(void **state)
{
	struct switch_options options = plain;
	bool more = true;

	(void)state;
	options.depth = 0;
	start(&options);
	teach_addresses(3);
	for (uint32_t i = 0; i < SWITCH_BURST + 1; i++)
		send_frame(0, 1);
	send_frame(0, 2);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(
			switch_advance(lab.fabric, lab.now_ns, &more), 1u << 1);
	assert_false(more);
	run_for(0);
	assert_int_equal(lab.arrived, SWITCH_BURST + 2);
}

static void
one_host_cannot_fill_the_switch(void **state)
{
	struct switch_options options = plain;

	(void)state;
	options.latency_ns = NS_PER_S;
	start(&options);
	send_frame(1, EVERYBODY);
	for (uint32_t i = 0; i < SWITCH_IN_FLIGHT_MAX + 10; i++)
		send_frame(0, 1);
	assert_int_equal(counters(0)->drop_in_flight, 10);
	send_frame(2, 1);
	assert_int_equal(counters(2)->drop_in_flight, 0);
	run_for(2 * NS_PER_S);
	assert_int_equal(lab.arrived, SWITCH_IN_FLIGHT_MAX + 3);
	send_frame(0, 1);
	assert_int_equal(counters(0)->drop_in_flight, 10);
}

/* Destroyed with frames everywhere: the teardown counts them. */
static void
frames_left_behind_are_released(void **state)
{
	struct switch_options options = plain;
	bool more;

	(void)state;
	options.duplicate = 0.5;
	start(&options);
	for (uint32_t i = 0; i < 100; i++)
		send_frame(0, EVERYBODY);
	assert_int_equal(switch_advance(lab.fabric, lab.now_ns, &more), 6);
	assert_true(more);
	assert_true(lab.living > 0);
}

static void
next_is_when_something_is_due(void **state)
{
	struct switch_options options = plain;

	(void)state;
	options.latency_ns = 20 * US;
	options.cap.bits_per_s = 1000000000;
	start(&options);
	assert_true(switch_next_ns(lab.fabric, lab.now_ns) == UINT64_MAX);
	send_frame(0, EVERYBODY);
	assert_int_equal(switch_next_ns(lab.fabric, lab.now_ns),
		lab.now_ns + 20 * US + 2 * 800);
}

static void
next_is_when_a_host_may_send_again(void **state)
{
	struct switch_options options = plain;
	uint64_t next_ns;

	(void)state;
	options.latency_ns = NS_PER_S;
	options.cap.bits_per_s = 1000000000;
	start(&options);
	while (switch_accepts(lab.fabric, 0, lab.now_ns))
		send_frame(0, EVERYBODY);
	next_ns = switch_next_ns(lab.fabric, lab.now_ns);
	assert_in_range(next_ns, lab.now_ns + 1, lab.now_ns + 800);
	assert_false(switch_accepts(lab.fabric, 0, next_ns - 1));
	assert_true(switch_accepts(lab.fabric, 0, next_ns));
}

#define TEST(function) cmocka_unit_test_teardown(function, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(frames_find_their_host),
		TEST(a_host_that_moves_is_found_again),
		TEST(a_group_address_is_nobodys),
		TEST(unknown_addresses_reach_all),
		TEST(addresses_do_not_displace_each_other),
		TEST(frames_that_cannot_be_sent_are_counted),
		TEST(frames_stay_in_order_and_arrive_after_the_latency),
		TEST(losses_are_as_many_as_asked_for),
		TEST(a_probability_of_one_is_always),
		TEST(duplicates_arrive_twice),
		TEST(reordered_frames_arrive_late_but_arrive),
		TEST(corruption_spares_other_copies),
		TEST(hosts_meet_different_fates),
		TEST(the_same_seed_does_the_same),
		TEST(one_fault_does_not_move_another),
		TEST(the_bandwidth_cap_is_kept_on_both_sides),
		TEST(too_much_for_one_receiver_is_dropped),
		TEST(a_full_rx_queue_drops_the_newest),
		TEST(an_rx_queue_of_depth_zero_passes_frames_on),
		TEST(a_long_rx_queue_marks_what_can_be_marked),
		TEST(a_long_wait_for_the_cap_marks),
		TEST(a_mark_spares_the_other_copies),
		TEST(an_absent_host_gets_nothing),
		TEST(a_queue_that_is_not_offered_stops_the_others),
		TEST(one_host_cannot_fill_the_switch),
		TEST(frames_left_behind_are_released),
		TEST(next_is_when_something_is_due),
		TEST(next_is_when_a_host_may_send_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
