// SPDX-License-Identifier: MIT
/*
 * What the wire can do to a sidecar: a cable that the test holds in its hands
 * delivers frames that are broken, old, forged or too many, or none at all. A
 * connection that lives through it must not notice.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/bytes.h"
#include "sidecar/application.h"
#include "sidecar/cable.h"
#include "sidecar/hosts.h"

#define B_ADDRESS 0x0a000002u
#define PORT 888
#define PATIENT_TOKEN 9
/* In a frame without options. */
#define IPV4_OFFSET ETHERNET_BYTES

static struct host a, b;
static struct application client, server;
static uint32_t client_side, server_side;
static struct cable_frame caught;

static int
set_up(void **state)
{
	if (hosts_set_up(state) != 0)
		return -1;
	cable_start();
	host_start(&a, &(struct host_options){
			       .name = "a",
			       .device = hosts_memif("a", false),
			       .ip = "10.0.0.1/24",
		       });
	host_start(&b, &(struct host_options){
			       .name = "b",
			       .device = hosts_memif("b", false),
			       .ip = "10.0.0.2/24",
		       });
	return 0;
}

/* The hosts go first: a memif client must not lose its server. */
static int
tear_down(void **state)
{
	host_stop(&a);
	host_stop(&b);
	cable_stop();
	return hosts_tear_down(state);
}

/* Of each test, so that none inherits what another left. */
static int
applications_set_up(void **state)
{
	(void)state;
	application_attach(&client, &a);
	application_attach(&server, &b);
	return application_listen(&server, 0, PORT).status;
}

static int
applications_tear_down(void **state)
{
	(void)state;
	cable_cut(false);
	cable_mute(CABLE_A, false);
	cable_mute(CABLE_B, false);
	cable_capture(CABLE_A, 0, NULL);
	application_end(&client);
	application_end(&server);
	host_settles(&a, "channels", 0);
	host_settles(&b, "channels", 0);
	return 0;
}

static void
connection_open(void)
{
	application_pair(&client, &client_side, &server, &server_side, PORT);
	application_round_trip(&client, client_side, &server, server_side);
}

static void
connection_end(void)
{
	application_round_trip(&client, client_side, &server, server_side);
	machnet_reset(client.channel, client_side, NULL, 0);
	application_closed(
		&client, client_side, MACHNET_CONNECTION_RESET, NULL);
	application_closed(
		&server, server_side, MACHNET_CONNECTION_RESET, NULL);
	assert_true(host_lives(&a));
	assert_true(host_lives(&b));
}

/* Capture a frame with data from a to b. */
static struct cable_frame
data_frame(void)
{
	cable_capture(CABLE_A, WIRE_DATA, &caught);
	application_send(&client, client_side, "caught", 6);
	application_receive(&server, server_side, "caught", 6);
	cable_captured();
	return caught;
}

static void
send_counted(const struct cable_frame *frame, const struct host *host,
	const char *counter)
{
	uint64_t before = host_counter(host, counter);

	cable_send(frame);
	host_counts(host, counter, before + 1);
}

/* Much longer than the silence after which one rings. */
#define SILENCE_MS 20

/* Was it silent? An engine that stood still may have sent late what it had. */
static bool
ring_after_silence(void)
{
	poll(NULL, 0, SILENCE_MS);
	cable_forget_rings(CABLE_A);
	application_round_trip(&client, client_side, &server, server_side);
	return cable_rung(CABLE_A, SILENCE_MS);
}

static void
an_engine_rings_after_a_silence(void **state)
{
	uint64_t end_ms = hosts_now_ms() + HOSTS_WAIT_MS;

	(void)state;
	connection_open();
	for (int i = 0; i < 3; i++)
		while (!ring_after_silence())
			assert_true(hosts_now_ms() < end_ms);
	connection_end();
}

static void
a_truncated_packet_with_the_right_number_is_dropped(void **state)
{
	struct cable_frame frame;
	uint8_t *packet;
	uint32_t length;

	(void)state;
	connection_open();
	frame = data_frame();
	for (int i = 0; i < 3; i++) {
		length = cable_packet(&frame, &packet);
		/* One that the receiver may expect, and that was not used for
		 * a repeat in the meantime; one byte short. */
		store_le64(packet + 8, load_le64(packet + 8) + 16);
		cable_repack(&frame, length - 1);
		send_counted(&frame, &b, "packets_malformed");
	}
	connection_end();
}

static void
old_packets_on_an_idle_connection_do_nothing(void **state)
{
	struct cable_frame frame;

	(void)state;
	connection_open();
	frame = data_frame();
	for (int i = 0; i < 10; i++)
		send_counted(&frame, &b, "packets_duplicate");
	/* Nor do the ACKs that they get, as often as they come. */
	cable_capture(CABLE_B, WIRE_ACK, &caught);
	cable_send(&frame);
	cable_captured();
	for (int i = 0; i < 10; i++)
		cable_send(&caught);
	cable_flush();
	connection_end();
}

static void
packets_of_a_connection_that_is_over_do_nothing(void **state)
{
	struct cable_frame frame;

	(void)state;
	connection_open();
	frame = data_frame();
	connection_end();
	connection_open();
	for (int i = 0; i < 10; i++)
		cable_send(&frame);
	cable_flush();
	connection_end();
}

/* From hosts that there are not, with connection ids of every kind. */
static void
a_connection_goes_on_among_five_thousand_syns(void **state)
{
	struct cable_frame syn;
	uint32_t connections;
	uint8_t *packet;

	(void)state;
	cable_capture(CABLE_A, WIRE_SYN, &caught);
	connection_open();
	syn = caught;
	connections = (uint32_t)host_counter(&b, "connections");
	for (uint32_t i = 0; i < 5000; i++) {
		uint32_t length = cable_packet(&syn, &packet);

		store_le32(packet + 16, 1 + i);
		store_le64(packet + 8, i);
		syn.bytes[IPV4_OFFSET + 14] = (uint8_t)(i >> 8);
		syn.bytes[IPV4_OFFSET + 15] = (uint8_t)(i | 4);
		cable_repack(&syn, length);
		cable_send(&syn);
		if (i % 100 == 0)
			application_round_trip(
				&client, client_side, &server, server_side);
	}
	cable_flush();
	/* Half open is nothing that is kept. */
	assert_in_range(host_counter(&b, "connections"), 0, connections);
	connection_end();
}

static void
twenty_thousand_forged_resets_are_counted(void **state)
{
	uint64_t forged = host_counter(&b, "resets_forged");
	struct cable_frame frame;
	uint8_t *packet;
	uint32_t id;

	(void)state;
	connection_open();
	frame = data_frame();
	cable_packet(&frame, &packet);
	id = load_le32(packet + 4);
	for (uint32_t i = 0; i < 20000; i++) {
		struct wire_reset reset = {
			.key = i,
			.status = MACHNET_CONNECTION_RESET,
		};

		cable_repack(&frame, wire_reset_write(packet, id, &reset));
		cable_send(&frame);
	}
	/* The queue of 256 may drop some of a flood. */
	host_counts(&b, "resets_forged", forged + 1000);
	connection_end();
}

static void
resets_that_claim_not_to_know_the_connection_are_checked(void **state)
{
	uint64_t forged = host_counter(&b, "resets_forged");
	struct cable_frame frame;
	uint8_t *packet;

	(void)state;
	connection_open();
	frame = data_frame();
	cable_packet(&frame, &packet);
	for (uint32_t i = 0; i < 1000; i++) {
		struct wire_reset reset = {
			.echo = i,
			.echo_connection = client_side,
			.status = MACHNET_CONNECTION_RESET,
		};

		cable_repack(&frame, wire_reset_write(packet, 0, &reset));
		cable_send(&frame);
	}
	host_counts(&b, "resets_forged", forged + 500);
	connection_end();
}

/* Below our own packets. */

static void
a_frame_that_is_broken_is_counted_and_dropped(void **state)
{
	struct cable_frame frame, broken;

	(void)state;
	connection_open();
	frame = data_frame();

	broken = frame;
	broken.bytes[IPV4_OFFSET + IPV4_BYTES + UDP_BYTES + 20] ^= 1;
	send_counted(&broken, &b, "frames_malformed"); /* UDP checksum */
	broken = frame;
	broken.bytes[IPV4_OFFSET + 8] ^= 1;
	send_counted(&broken, &b, "frames_malformed"); /* IPv4 checksum */
	for (uint32_t length = 0; length < 60; length += 7) {
		broken = frame;
		broken.length = length == 0 ? 1 : length;
		send_counted(&broken, &b, "frames_malformed");
	}
	connection_end();
}

/* An IPv4 header with another byte in it, and its checksum. */
static struct cable_frame
patched(struct cable_frame frame, uint32_t at, uint8_t value)
{
	uint8_t *ipv4 = frame.bytes + IPV4_OFFSET;

	ipv4[at] = value;
	store_be16(ipv4 + 10, 0);
	store_be16(
		ipv4 + 10, checksum_finish(checksum_add(0, ipv4, IPV4_BYTES)));
	return frame;
}

static void
a_frame_for_another_is_counted_and_dropped(void **state)
{
	struct cable_frame frame, other;
	uint8_t *packet;
	uint32_t length;

	(void)state;
	connection_open();
	frame = data_frame();
	length = cable_packet(&frame, &packet);

	other = patched(frame, 6, 0x20); /* more fragments */
	send_counted(&other, &b, "frames_foreign");
	other = patched(frame, 7, 100); /* a later fragment */
	send_counted(&other, &b, "frames_foreign");
	other = patched(frame, 9, 6); /* TCP */
	send_counted(&other, &b, "frames_foreign");
	other = frame;
	other.bytes[0] = 2;
	other.bytes[5] ^= 1; /* to another MAC */
	send_counted(&other, &b, "frames_foreign");
	memset(other.bytes, 0xff, 6); /* to all */
	send_counted(&other, &b, "frames_foreign");
	other = frame;
	other.bytes[12] = 0x86;
	other.bytes[13] = 0xdd; /* IPv6 */
	send_counted(&other, &b, "frames_foreign");
	other = frame;
	other.bytes[IPV4_OFFSET + 19] = 77; /* another host's address */
	cable_repack(&other, length);
	send_counted(&other, &b, "frames_foreign");
	other = frame;
	other.bytes[IPV4_OFFSET + IPV4_BYTES + 2] ^=
		0x80; /* out of our range */
	cable_repack(&other, length);
	send_counted(&other, &b, "frames_foreign");
	connection_end();
}

static void
garbage_is_dropped(void **state)
{
	unsigned seed = 11;

	(void)state;
	connection_open();
	for (int i = 0; i < 2000; i++) {
		struct cable_frame frame = {.from = (enum cable_end)(i % 2)};

		frame.length = 1 + (uint32_t)rand_r(&seed) % 1514;
		for (uint32_t j = 0; j < frame.length; j++)
			frame.bytes[j] = (uint8_t)rand_r(&seed);
		/* Half of it claims to be IPv4 or ARP. */
		if (i % 4 < 2 && frame.length > 14) {
			frame.bytes[12] = 8;
			frame.bytes[13] = i % 8 < 4 ? 0 : 6;
		}
		cable_send(&frame);
	}
	cable_flush();
	connection_end();
}

static void
closed_at_last(struct application *application)
{
	struct machnet_event event = {0};

	while (event.kind != MACHNET_EVENT_CLOSED)
		assert_true(
			application_take(application, &event, HOSTS_WAIT_MS));
}

/* Our own packets with a bit wrong under a right checksum, every other one as
 * if it were new: what only somebody on the wire can send. */
static void
packets_with_bits_flipped_are_dropped_or_harmless(void **state)
{
	struct cable_frame originals[2];
	unsigned seed = 5;
	uint8_t *packet;

	(void)state;
	connection_open();
	originals[0] = data_frame();
	cable_capture(CABLE_A, WIRE_ACK, &caught);
	application_round_trip(&client, client_side, &server, server_side);
	cable_captured();
	originals[1] = caught;
	for (uint32_t i = 0; i < 2000; i++) {
		struct cable_frame flipped = originals[i / 1000];
		uint32_t length = cable_packet(&flipped, &packet);

		if (i % 2 == 0)
			store_le64(packet + 8, load_le64(packet + 8) + i);
		packet[16 + (uint32_t)rand_r(&seed) % (length - 16)] ^=
			(uint8_t)(1u << rand_r(&seed) % 8);
		cable_repack(&flipped, length);
		cable_send(&flipped);
	}
	cable_flush();
	assert_true(host_lives(&a));
	assert_true(host_lives(&b));
	/* Its state was forged, so it may be at an end. Others go on. */
	machnet_reset(client.channel, client_side, NULL, 0);
	closed_at_last(&client);
	closed_at_last(&server);
	connection_open();
	connection_end();
}

static void
syn_from(struct cable_frame *syn, uint32_t address)
{
	uint8_t *packet;
	uint32_t length = cable_packet(syn, &packet);

	store_be32(syn->bytes + IPV4_OFFSET + 12, address);
	cable_repack(syn, length);
	cable_send(syn);
}

/* Each source would be a neighbor to answer to: more of them than there is
 * room for, after some that no host can be, and one that is found at the same
 * place as 0.0.0.0. */
static void
no_source_address_breaks_the_table_of_neighbors(void **state)
{
	const uint32_t odd[] = {
		0x0a010400, 0, 0x7f000001, 0xe0000001, 0xffffffff, 0x0a010400};
	struct cable_frame syn;

	(void)state;
	cable_capture(CABLE_A, WIRE_SYN, &caught);
	connection_open();
	syn = caught;
	for (uint32_t i = 0; i < 2 * 1200; i++) {
		if (i % 1200 < ARRAY_LENGTH(odd))
			syn_from(&syn, odd[i % 1200]);
		else
			syn_from(&syn, 0x0a020000 + i);
		/* No more at a time than it answers, so that each counts. */
		if (i % 32 == 0)
			host_counter(&b, "packets_received");
	}
	cable_flush();
	connection_end();
}

/* Silence. */

static void
connect_times_out(uint32_t timeout_ms, uint32_t least_ms)
{
	uint64_t begin_ms = hosts_now_ms();
	struct machnet_event event =
		application_connect(&client, B_ADDRESS, PORT, timeout_ms);

	assert_int_equal(event.token, APPLICATION_CONNECT_TOKEN);
	assert_int_equal(event.status, MACHNET_CONNECTION_TIMED_OUT);
	assert_true(hosts_now_ms() - begin_ms >= least_ms);
}

/* Each before one that may take longer. */
static void
a_host_that_answers_arp_alone_times_out(void **state)
{
	struct machnet_event event;

	(void)state;
	cable_mute(CABLE_B, true);
	assert_int_equal(machnet_connect(client.channel, PATIENT_TOKEN,
				 B_ADDRESS, PORT, HOSTS_WAIT_MS, 0),
		MACHNET_OK);
	connect_times_out(0, 900);
	cable_mute(CABLE_A, true);
	cable_mute(CABLE_B, false);
	connect_times_out(200, 150);
	cable_mute(CABLE_A, false);
	event = application_event(&client, MACHNET_EVENT_CONNECTED);
	assert_int_equal(event.token, PATIENT_TOKEN);
	assert_int_equal(event.status, MACHNET_OK);
}

static void
keep_alive_notices_an_idle_peer_that_died(void **state)
{
	uint64_t begin_ms;

	(void)state;
	connection_open();
	cable_cut(true);
	begin_ms = hosts_now_ms();
	application_closed(&client, client_side, MACHNET_CONNECTION_LOST, NULL);
	application_closed(&server, server_side, MACHNET_CONNECTION_LOST, NULL);
	assert_true(hosts_now_ms() - begin_ms >= 1000);
	cable_cut(false);
	connection_open();
	connection_end();
}

static void
a_connection_survives_a_cable_that_was_cut_for_a_while(void **state)
{
	struct machnet_event event;
	uint64_t sent;

	(void)state;
	connection_open();
	cable_cut(true);
	sent = host_counter(&a, "packets_retransmitted");
	application_send(&client, client_side, "patience", 8);
	host_counts(&a, "packets_retransmitted", sent + 3);
	assert_false(application_take(&server, &event, 0));
	cable_cut(false);
	application_receive(&server, server_side, "patience", 8);
	connection_end();
}

#define TEST(f)                                                                \
	cmocka_unit_test_setup_teardown(                                       \
		f, applications_set_up, applications_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_engine_rings_after_a_silence),
		TEST(a_truncated_packet_with_the_right_number_is_dropped),
		TEST(old_packets_on_an_idle_connection_do_nothing),
		TEST(packets_of_a_connection_that_is_over_do_nothing),
		TEST(a_connection_goes_on_among_five_thousand_syns),
		TEST(twenty_thousand_forged_resets_are_counted),
		TEST(resets_that_claim_not_to_know_the_connection_are_checked),
		TEST(a_frame_that_is_broken_is_counted_and_dropped),
		TEST(a_frame_for_another_is_counted_and_dropped),
		TEST(garbage_is_dropped),
		TEST(packets_with_bits_flipped_are_dropped_or_harmless),
		TEST(no_source_address_breaks_the_table_of_neighbors),
		TEST(a_host_that_answers_arp_alone_times_out),
		TEST(keep_alive_notices_an_idle_peer_that_died),
		TEST(a_connection_survives_a_cable_that_was_cut_for_a_while),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
