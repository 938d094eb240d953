/* SPDX-License-Identifier: MIT */
/* Frames at the vNIC of their host: several queues, cut cables, re-keying. */
#include "fabric/fake_hosts.h"
#include "wire/packet.h"

#define QUEUES 4u

static struct switch_options
four_queues(void)
{
	struct switch_options options = plain;

	options.hosts[1].queues = QUEUES;
	return options;
}

/* From host 0 to host 1, one of each source port; which queues they are in. */
static void
send_ports(uint32_t count)
{
	lab.arrived = 0;
	for (uint32_t i = 0; i < count; i++)
		send_udp(0, 1, (uint16_t)i, 7, 0);
	run_for(0);
}

static uint32_t
queues_of_arrivals(void)
{
	uint32_t queues = 0;

	for (uint32_t i = 0; i < lab.arrived; i++)
		queues |= 1u << lab.arrivals[i].queue;
	return queues;
}

/* Of what the last send_ports sent. */
static void
queues_by_port(uint32_t *queues, uint32_t count)
{
	assert_int_equal(lab.arrived, count);
	for (uint32_t i = 0; i < count; i++)
		queues[lab.arrivals[i].number - (lab.sent - count)] =
			lab.arrivals[i].queue;
}

static void
a_flow_has_one_queue_and_stays_in_order(void **state)
{
	struct switch_options options = four_queues();
	uint32_t numbers[QUEUES] = {0};
	uint32_t flows[40] = {0};

	(void)state;
	options.latency_ns = 20 * US;
	start(&options);
	teach_addresses(3);
	for (uint32_t i = 0; i < 4000; i++) {
		send_udp(0, 1, (uint16_t)(i % 40), 7, 0);
		run_for(US / 4);
	}
	run_for(NS_PER_S);
	assert_int_equal(lab.arrived, 4000);
	assert_int_equal(queues_of_arrivals(), 0xf);
	for (uint32_t i = 0; i < lab.arrived; i++) {
		const struct arrival *arrival = &lab.arrivals[i];
		uint32_t *flow = &flows[arrival->number % 40];

		assert_true(arrival->number >= numbers[arrival->queue]);
		numbers[arrival->queue] = arrival->number;
		if (*flow == 0)
			*flow = 1 + arrival->queue;
		assert_int_equal(*flow, 1 + arrival->queue);
	}
}

static void
each_queue_has_its_own_depth(void **state)
{
	struct switch_options options = four_queues();
	uint64_t dropped = 0;

	(void)state;
	options.depth = 10;
	start(&options);
	teach_addresses(3);
	lab.room[1] = 0;
	for (uint32_t i = 0; i < 1000; i++)
		send_udp(0, 1, (uint16_t)i, 7, i < 500 ? WIRE_DATA : WIRE_SYN);
	run_for(0);
	for (uint32_t queue = 0; queue < QUEUES; queue++) {
		const struct rx_queue_counters *counters =
			queue_counters(1, queue);

		dropped += counters->drop_depth;
		assert_in_range(counters->drop_depth, 100, 400);
		assert_in_range(counters->drop_depth_syn, 50,
			counters->drop_depth - 50);
	}
	assert_int_equal(dropped, 1000 - QUEUES * 10);
	lab.room[1] = UINT32_MAX;
	send_udp(0, 1, 1, 7, 0);
	run_for(0);
	for (uint32_t queue = 0; queue < QUEUES; queue++)
		assert_in_range(
			queue_counters(1, queue)->packets_received, 0, 13);
}

static void
syns_are_counted_where_they_come_from(void **state)
{
	(void)state;
	start(&plain);
	send_udp(0, 1, 1, 2, WIRE_SYN);
	send_udp(0, 1, 1, 2, WIRE_DATA);
	send_frame(0, 1);
	assert_int_equal(counters(0)->syns_sent, 1);
	assert_int_equal(counters(1)->syns_sent, 0);
}

static void
a_new_key_changes_queues_of_what_is_under_way(void **state)
{
	struct switch_options options = four_queues();
	uint32_t before[100], after[100];
	uint32_t moved = 0;

	(void)state;
	options.latency_ns = 20 * US;
	start(&options);
	teach_addresses(3);
	send_ports(100);
	run_for(20 * US);
	queues_by_port(before, 100);
	send_ports(100);
	classifier_rekey(switch_classifier(lab.fabric, 1));
	run_for(20 * US);
	queues_by_port(after, 100);
	for (uint32_t i = 0; i < 100; i++)
		moved += before[i] != after[i];
	assert_in_range(moved, 36, 100);
}

static void
queues_that_nobody_opened_get_nothing(void **state)
{
	struct switch_options options = four_queues();

	(void)state;
	start(&options);
	teach_addresses(3);
	lab.room[1] = 0;
	send_ports(100);
	switch_open_queues(lab.fabric, 1, 2);
	assert_int_equal(switch_pending(lab.fabric, 1), 0x3);
	assert_in_range(counters(1)->drop_link_down, 20, 80);
	lab.room[1] = UINT32_MAX;
	send_ports(100);
	assert_int_equal(queues_of_arrivals(), 0x3);
	switch_open_queues(lab.fabric, 1, QUEUES);
	send_ports(100);
	assert_int_equal(queues_of_arrivals(), 0xf);
}

static void
a_cut_cable_passes_nothing_for_a_time(void **state)
{
	struct switch_options options = plain;

	(void)state;
	options.latency_ns = 20 * US;
	start(&options);
	teach_addresses(3);
	/* What is under way is lost, too. */
	send_frame(0, 1);
	switch_cut_until(lab.fabric, 1, lab.now_ns + NS_PER_MS);
	send_frame(1, 0);
	send_frame(0, 2);
	run_for(100 * US);
	assert_int_equal(lab.arrived, 1);
	assert_int_equal(lab.arrivals[0].port, 2);
	assert_int_equal(counters(1)->drop_link_down, 2);
	run_for(NS_PER_MS);
	send_frame(0, 1);
	send_frame(1, 0);
	run_for(100 * US);
	assert_int_equal(lab.arrived, 3);
}

static void
a_firewall_is_its_hosts_own(void **state)
{
	struct switch_options options = plain;

	(void)state;
	options.hosts[0].firewall = true;
	start(&options);
	teach_addresses(3);
	send_udp(1, 0, 5, 6, 0);
	run_for(0);
	assert_int_equal(lab.arrived, 0);
	send_udp(0, 1, 6, 5, 0);
	send_udp(1, 0, 5, 6, 0);
	send_udp(0, 2, 6, 5, 0);
	send_udp(1, 0, 5, 7, 0);
	run_for(0);
	assert_int_equal(lab.arrived, 3);
	assert_int_equal(classifier_counters(switch_classifier(lab.fabric, 0))
				 ->drop_firewall,
		2);
}

/* Two senders with 100 000 packets a second each; the receiver has as many. */
static void
a_host_gets_as_many_packets_a_second_as_it_may(void **state)
{
	struct switch_options options = plain;
	uint64_t end_ns;

	(void)state;
	options.cap.packets_per_s = 100000;
	start(&options);
	teach_addresses(3);
	end_ns = lab.now_ns + 100 * NS_PER_MS;
	while (lab.now_ns < end_ns) {
		for (uint32_t from = 0; from < 2; from++)
			while (switch_accepts(lab.fabric, from, lab.now_ns))
				send_frame(from, 2);
		run_for(10 * US);
	}
	assert_in_range(lab.arrived, 9900, 10100);
	for (uint32_t i = 1; i < lab.arrived; i++)
		assert_int_equal(
			lab.arrivals[i].at_ns - lab.arrivals[i - 1].at_ns,
			10 * US);
	run_for(NS_PER_S);
	assert_int_equal(lab.arrived + counters(2)->drop_packet_rate, lab.sent);
	assert_in_range(counters(2)->drop_packet_rate, 9000, 11000);
	assert_int_equal(counters(2)->drop_bandwidth, 0);
}

#define TEST(function) cmocka_unit_test_teardown(function, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_flow_has_one_queue_and_stays_in_order),
		TEST(each_queue_has_its_own_depth),
		TEST(syns_are_counted_where_they_come_from),
		TEST(a_new_key_changes_queues_of_what_is_under_way),
		TEST(queues_that_nobody_opened_get_nothing),
		TEST(a_cut_cable_passes_nothing_for_a_time),
		TEST(a_firewall_is_its_hosts_own),
		TEST(a_host_gets_as_many_packets_a_second_as_it_may),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
