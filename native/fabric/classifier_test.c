/* SPDX-License-Identifier: MIT */
#include "fabric/classifier.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/bytes.h"
#include "fabric/dice.h"
#include "fabric/flow_table.h"
#include "rss/toeplitz.h"
#include "wire/ethernet.h"

#define FRAME_BYTES UDP_PAYLOAD_OFFSET
#define PEER 0x0a5a0002u
#define HOST 0x0a5a0001u
#define BASE_PORT 30720u
#define PORTS 1024u

static struct classifier *vnic;
static uint64_t now_ns = NS_PER_S;

static const struct classifier_options plain = {.seed = 7, .queues = 4};

static void
start(const struct classifier_options *options)
{
	vnic = classifier_create(options);
	assert_non_null(vnic);
}

static int
stop(void **state)
{
	(void)state;
	classifier_destroy(vnic);
	vnic = NULL;
	return 0;
}

struct packet {
	uint32_t source_ip;
	uint32_t destination_ip;
	uint32_t source_port;
	uint32_t destination_port;
	uint8_t protocol;
};

static struct packet
from_peer(uint32_t source_port, uint32_t destination_port)
{
	return (struct packet){
		.source_ip = PEER,
		.destination_ip = HOST,
		.source_port = source_port,
		.destination_port = destination_port,
		.protocol = IPPROTO_UDP,
	};
}

static struct packet
answer_to(const struct packet *packet)
{
	return (struct packet){
		.source_ip = packet->destination_ip,
		.destination_ip = packet->source_ip,
		.source_port = packet->destination_port,
		.destination_port = packet->source_port,
		.protocol = packet->protocol,
	};
}

static void
frame_write(uint8_t *frame, const struct packet *packet)
{
	uint8_t *ip = frame + ETHERNET_BYTES;

	memset(frame, 0, FRAME_BYTES);
	store_be16(frame + 12, 0x0800);
	ip[0] = 0x45;
	ip[9] = packet->protocol;
	store_be32(ip + 12, packet->source_ip);
	store_be32(ip + 16, packet->destination_ip);
	store_be16(ip + 20, (uint16_t)packet->source_port);
	store_be16(ip + 22, (uint16_t)packet->destination_port);
}

static uint32_t
queue_of(const struct packet *packet)
{
	uint8_t frame[FRAME_BYTES];

	frame_write(frame, packet);
	return classifier_queue(vnic, frame, sizeof(frame), now_ns);
}

static uint32_t
queue_of_ports(uint32_t source_port, uint32_t destination_port)
{
	struct packet packet = from_peer(source_port, destination_port);

	return queue_of(&packet);
}

static void
host_sends(const struct packet *packet)
{
	uint8_t frame[FRAME_BYTES];

	frame_write(frame, packet);
	classifier_sent(vnic, frame, sizeof(frame), now_ns);
}

/* What the queues of all pairs look like. */
static uint64_t
mapping(void)
{
	uint64_t hash = 0;

	for (uint32_t i = 0; i < PORTS; i++)
		hash = hash * 31 + queue_of_ports(BASE_PORT + i, BASE_PORT);
	return hash;
}

/* The first bytes that the seed gives are the key. */
static void
the_queue_is_what_toeplitz_and_the_table_say(void **state)
{
	uint8_t key[TOEPLITZ_KEY_BYTES];
	struct dice dice;

	(void)state;
	start(&plain);
	dice_init(&dice, ~plain.seed, plain.host);
	for (uint32_t i = 0; i < sizeof(key); i += 8)
		store_le64(key + i, dice_throw(&dice));
	for (uint32_t i = 0; i < PORTS; i++) {
		uint32_t source = BASE_PORT + i;
		uint32_t destination = BASE_PORT + i * 37 % PORTS;
		uint8_t input[12];

		store_be32(input, PEER);
		store_be32(input + 4, HOST);
		store_be16(input + 8, (uint16_t)source);
		store_be16(input + 10, (uint16_t)destination);
		assert_int_equal(queue_of_ports(source, destination),
			toeplitz_hash(key, input, sizeof(input)) % 4);
	}
}

static void
assert_all_queues_are_used(uint32_t queues)
{
	uint32_t counts[CLASSIFIER_QUEUES_MAX] = {0};
	uint32_t packets = 400 * queues;

	for (uint32_t i = 0; i < packets; i++) {
		struct packet packet =
			from_peer(BASE_PORT + i % PORTS, BASE_PORT + i / PORTS);
		uint32_t queue;

		packet.source_ip += i * 7919;
		queue = queue_of(&packet);
		assert_true(queue < queues);
		counts[queue]++;
	}
	/* 128 entries for 48 queues: some have 3, some 2. */
	for (uint32_t queue = 0; queue < queues; queue++)
		assert_in_range(counts[queue], 150, 800);
}

static void
every_number_of_queues_is_spread_over(void **state)
{
	struct classifier_options options = plain;

	(void)state;
	for (uint32_t hash = 0; hash < 3; hash++)
		for (uint32_t table = 0; table < 2; table++)
			for (uint32_t queues = 1; queues <= 64; queues++) {
				options.hash = (enum classifier_hash)hash;
				options.table = (enum classifier_table)table;
				options.queues = queues;
				start(&options);
				assert_all_queues_are_used(queues);
				stop(NULL);
			}
}

static void
a_driver_may_open_fewer_queues(void **state)
{
	struct classifier_options options = plain;
	uint64_t before;

	(void)state;
	for (uint32_t table = 0; table < 2; table++) {
		options.table = (enum classifier_table)table;
		start(&options);
		before = mapping();
		for (uint32_t queues = 4; queues >= 1; queues--) {
			classifier_set_queues(vnic, queues);
			assert_all_queues_are_used(queues);
		}
		classifier_set_queues(vnic, 4);
		assert_true(mapping() == before);
		stop(NULL);
	}
}

/* Of 1000 sums of three pairs, how many are where linearity says? */
static uint32_t
linear_of_1000(void)
{
	uint32_t linear = 0;

	for (uint32_t i = 0; i < 1000; i++) {
		uint32_t a = i * 389 % PORTS, b = i * 733 % PORTS;

		linear += (queue_of_ports(BASE_PORT, BASE_PORT) ^
				  queue_of_ports(BASE_PORT | a, BASE_PORT) ^
				  queue_of_ports(BASE_PORT, BASE_PORT | b) ^
				  queue_of_ports(
					  BASE_PORT | a, BASE_PORT | b)) == 0;
	}
	return linear;
}

static void
only_toeplitz_with_a_plain_table_is_linear(void **state)
{
	struct classifier_options options = plain;

	(void)state;
	start(&options);
	assert_int_equal(linear_of_1000(), 1000);
	stop(NULL);
	options.hash = CLASSIFIER_SIPHASH;
	start(&options);
	assert_in_range(linear_of_1000(), 150, 400);
	stop(NULL);
	options = plain;
	options.table = CLASSIFIER_SHUFFLED;
	start(&options);
	assert_in_range(linear_of_1000(), 150, 700);
	stop(NULL);
	options = plain;
	options.queues = 6;
	start(&options);
	assert_in_range(linear_of_1000(), 100, 900);
}

static void
keys_come_from_the_seed_and_differ_between_hosts(void **state)
{
	struct classifier_options options = plain;
	uint64_t first, second;

	(void)state;
	start(&options);
	first = mapping();
	classifier_rekey(vnic);
	second = mapping();
	assert_true(first != second);
	assert_int_equal(classifier_counters(vnic)->rekeyed, 1);
	stop(NULL);
	start(&options);
	assert_true(mapping() == first);
	classifier_rekey(vnic);
	assert_true(mapping() == second);
	stop(NULL);
	options.host = 1;
	start(&options);
	assert_true(mapping() != first);
	stop(NULL);
	options = plain;
	options.seed = 8;
	start(&options);
	assert_true(mapping() != first);
}

static void
udp_ports_can_be_ignored_but_not_those_of_tcp(void **state)
{
	struct classifier_options options = plain;
	struct packet packet = from_peer(BASE_PORT, BASE_PORT);
	uint32_t queues = 0;

	(void)state;
	options.hash = CLASSIFIER_TOEPLITZ_NO_UDP_PORTS;
	start(&options);
	for (uint32_t i = 0; i < PORTS; i++)
		queues |= 1u << queue_of_ports(BASE_PORT + i, BASE_PORT);
	assert_int_equal(__builtin_popcount(queues), 1);
	packet.protocol = IPPROTO_TCP;
	for (uint32_t i = 0; i < PORTS; i++) {
		packet.source_port = BASE_PORT + i;
		queues |= 1u << queue_of(&packet);
	}
	assert_int_equal(queues, 0xf);
	classifier_set_hash(vnic, CLASSIFIER_TOEPLITZ);
	assert_all_queues_are_used(4);
}

static void
what_is_no_ipv4_is_in_the_first_queue(void **state)
{
	uint8_t frame[ETHERNET_FRAME_BYTES_MIN];
	struct mac mac = {{2, 0, 0, 0, 0, 1}};

	(void)state;
	start(&plain);
	for (uint32_t ip = 0; ip < 100; ip++) {
		uint32_t length = arp_request_write(frame, &mac, PEER, ip);

		assert_int_equal(
			classifier_queue(vnic, frame, length, now_ns), 0);
	}
}

static void
fragments_are_hashed_by_addresses(void **state)
{
	uint8_t frame[FRAME_BYTES];
	uint32_t queues = 0;

	(void)state;
	start(&plain);
	for (uint32_t i = 0; i < PORTS; i++) {
		struct packet packet = from_peer(BASE_PORT + i, BASE_PORT);

		frame_write(frame, &packet);
		store_be16(frame + ETHERNET_BYTES + 6,
			(uint16_t)(i % 2 == 0 ? 0x2000 : 185));
		queues |= 1u << classifier_queue(
				  vnic, frame, sizeof(frame), now_ns);
	}
	assert_int_equal(__builtin_popcount(queues), 1);
}

/* Each length in memory of its own, for ASan. */
static void
any_bytes_have_a_queue(void **state)
{
	struct classifier_options options = plain;
	struct dice dice;

	(void)state;
	options.firewall = options.synthetic_first = true;
	start(&options);
	dice_init(&dice, 1, 0);
	for (uint32_t i = 0; i < 20000; i++) {
		uint32_t length = i % 64;
		uint8_t *frame = malloc(length + 1);
		uint32_t queue;

		for (uint32_t at = 0; at < length; at++)
			frame[at] = (uint8_t)dice_throw(&dice);
		if (length > 14 && i % 3 > 0) {
			store_be16(frame + 12, 0x0800);
			frame[14] = (uint8_t)(0x40 | i % 16);
		}
		frame = realloc(frame, length == 0 ? 1 : length);
		classifier_sent(vnic, frame, length, now_ns);
		queue = classifier_queue(vnic, frame, length, now_ns);
		assert_true(queue < 4 || queue == CLASSIFIER_REFUSED);
		free(frame);
	}
}

static void
a_firewall_lets_answers_in_and_nothing_else(void **state)
{
	struct classifier_options options = plain;
	struct packet stranger = from_peer(BASE_PORT, BASE_PORT + 1);
	struct packet sent = answer_to(&stranger);
	struct packet other = from_peer(BASE_PORT, BASE_PORT + 2);

	(void)state;
	options.firewall = true;
	start(&options);
	assert_int_equal(queue_of(&stranger), CLASSIFIER_REFUSED);
	host_sends(&sent);
	assert_true(queue_of(&stranger) < 4);
	assert_int_equal(queue_of(&other), CLASSIFIER_REFUSED);
	/* What it sends says nothing about the same ports, unswapped. */
	assert_int_equal(queue_of(&sent), CLASSIFIER_REFUSED);
	assert_int_equal(classifier_counters(vnic)->drop_firewall, 3);
	classifier_set_firewall(vnic, false);
	assert_true(queue_of(&other) < 4);
}

static void
a_firewall_forgets_what_is_idle(void **state)
{
	struct classifier_options options = plain;
	struct packet answer = from_peer(BASE_PORT, BASE_PORT + 1);
	struct packet sent = answer_to(&answer);

	(void)state;
	options.firewall = true;
	start(&options);
	host_sends(&sent);
	for (uint32_t i = 0; i < 3; i++) {
		now_ns += FLOW_IDLE_NS_MAX;
		assert_true(queue_of(&answer) < 4);
	}
	now_ns += FLOW_IDLE_NS_MAX + 1;
	assert_int_equal(queue_of(&answer), CLASSIFIER_REFUSED);
	host_sends(&sent);
	assert_true(queue_of(&answer) < 4);
}

/* Though a vNIC may know of the flow. */
static void
a_firewall_keeps_out_whom_it_let_in_while_it_was_off(void **state)
{
	struct classifier_options options = plain;

	(void)state;
	options.synthetic_first = true;
	start(&options);
	assert_true(queue_of_ports(BASE_PORT, BASE_PORT) < 4);
	classifier_set_firewall(vnic, true);
	assert_int_equal(
		queue_of_ports(BASE_PORT, BASE_PORT), CLASSIFIER_REFUSED);
}

/* Strangers take no place in it, and what is used keeps its own. */
static void
a_firewall_is_bounded_and_forgets_the_oldest(void **state)
{
	struct classifier_options options = plain;
	struct packet answer = from_peer(BASE_PORT, BASE_PORT + 1);
	struct packet sent = answer_to(&answer);
	uint32_t kept = 0;

	(void)state;
	options.firewall = true;
	start(&options);
	host_sends(&sent);
	for (uint32_t i = 0; i < 1000000; i++) {
		struct packet spoofed = from_peer(1, 2);

		spoofed.source_ip = i;
		assert_int_equal(queue_of(&spoofed), CLASSIFIER_REFUSED);
	}
	assert_true(queue_of(&answer) < 4);
	for (uint32_t i = 0; i < 4 * FLOW_TABLE_FLOWS; i++) {
		struct packet scan = from_peer(1, 2);

		now_ns++;
		scan.destination_ip = i;
		host_sends(&scan);
		if (i % 1000 == 0) {
			host_sends(&sent);
			assert_true(queue_of(&answer) < 4);
		}
	}
	for (uint32_t i = 0; i < 4 * FLOW_TABLE_FLOWS; i++) {
		struct packet scan = from_peer(1, 2);

		scan.destination_ip = i;
		scan = answer_to(&scan);
		kept += queue_of(&scan) != CLASSIFIER_REFUSED;
	}
	assert_in_range(kept, FLOW_TABLE_FLOWS / 2, FLOW_TABLE_FLOWS);
}

static void
all_frames_can_take_the_synthetic_path_for_a_time(void **state)
{
	uint64_t before;
	uint32_t queues = 0;

	(void)state;
	start(&plain);
	before = mapping();
	classifier_synthetic_until(vnic, now_ns + 30 * NS_PER_S);
	for (uint32_t i = 0; i < PORTS; i++)
		queues |= 1u << queue_of_ports(BASE_PORT + i, BASE_PORT);
	/* All flows of a peer collapse onto one queue. */
	assert_int_equal(__builtin_popcount(queues), 1);
	assert_int_equal(classifier_counters(vnic)->synthetic, PORTS);
	now_ns += 30 * NS_PER_S;
	assert_true(mapping() == before);
	assert_int_equal(classifier_counters(vnic)->synthetic, PORTS);
}

static void
the_first_frame_of_a_flow_can_take_the_synthetic_path(void **state)
{
	struct classifier_options options = plain;
	uint32_t queues = 0, elsewhere = 0;

	(void)state;
	options.synthetic_first = true;
	start(&options);
	for (uint32_t i = 0; i < PORTS; i++) {
		uint32_t first = queue_of_ports(BASE_PORT + i, BASE_PORT);
		uint32_t second = queue_of_ports(BASE_PORT + i, BASE_PORT);

		queues |= 1u << first;
		elsewhere += first != second;
		assert_int_equal(
			queue_of_ports(BASE_PORT + i, BASE_PORT), second);
	}
	assert_int_equal(__builtin_popcount(queues), 1);
	assert_in_range(elsewhere, PORTS / 2, PORTS);
	assert_int_equal(classifier_counters(vnic)->synthetic, PORTS);
	now_ns += FLOW_IDLE_NS_MAX + 1;
	queue_of_ports(BASE_PORT, BASE_PORT);
	assert_int_equal(classifier_counters(vnic)->synthetic, PORTS + 1);
}

#define TEST(function) cmocka_unit_test_teardown(function, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_queue_is_what_toeplitz_and_the_table_say),
		TEST(every_number_of_queues_is_spread_over),
		TEST(a_driver_may_open_fewer_queues),
		TEST(only_toeplitz_with_a_plain_table_is_linear),
		TEST(keys_come_from_the_seed_and_differ_between_hosts),
		TEST(udp_ports_can_be_ignored_but_not_those_of_tcp),
		TEST(what_is_no_ipv4_is_in_the_first_queue),
		TEST(fragments_are_hashed_by_addresses),
		TEST(any_bytes_have_a_queue),
		TEST(a_firewall_lets_answers_in_and_nothing_else),
		TEST(a_firewall_forgets_what_is_idle),
		TEST(a_firewall_keeps_out_whom_it_let_in_while_it_was_off),
		TEST(a_firewall_is_bounded_and_forgets_the_oldest),
		TEST(all_frames_can_take_the_synthetic_path_for_a_time),
		TEST(the_first_frame_of_a_flow_can_take_the_synthetic_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
