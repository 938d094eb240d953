// SPDX-License-Identifier: MIT
#include "transport/flow.h"
#include "transport/simulation.h"

#define S NS_PER_S
#define MS NS_PER_MS

static void
an_idle_connection_to_a_living_host_stays(void **state)
{
	struct pair pair = pair_start(NULL);
	uint64_t packets;

	(void)state;
	for (unsigned i = 0; i < 20; i++)
		pair_connect(&pair);
	simulation_run(pair.s, 2 * S);
	packets = host_packets_sent(pair.client_host);
	simulation_run(pair.s, 600 * S);
	assert_false(pair.client->closed);
	assert_false(pair.server->closed);
	/* One PING each way in half a second, for all connections together. */
	assert_in_range(
		host_packets_sent(pair.client_host) - packets, 1200, 2500);
	simulation_destroy(pair.s);
}

static void
an_idle_connection_to_a_vanished_host_is_lost(void **state)
{
	struct pair pair = pair_start(NULL);
	struct connection *first = pair.client;
	uint64_t start_ns;

	(void)state;
	pair_connect(&pair);
	simulation_run(pair.s, 10 * S);
	start_ns = pair.s->now_ns;
	pair.server_host->up = false;
	RUN_UNTIL(pair.s, first->closed && pair.client->closed, 10 * S);
	assert_in_range(pair.s->now_ns - start_ns, 2500 * MS, 3700 * MS);
	assert_int_equal(first->status, MACHNET_CONNECTION_LOST);
	assert_int_equal(pair.client->status, MACHNET_CONNECTION_LOST);
	RUN_UNTIL(pair.s, pair.server->closed, S);
	assert_int_equal(pair.server->status, MACHNET_CONNECTION_LOST);
	/* The end of telling it is the end of it all. */
	simulation_run(pair.s, 20 * S);
	assert_int_equal(transport_flows(pair.client_host->transport), 0);
	assert_true(transport_deadline_ns(pair.client_host->transport) ==
		    UINT64_MAX);
	simulation_destroy(pair.s);
}

static void
the_time_until_a_host_is_lost_can_be_chosen(void **state)
{
	static const uint32_t times_ms[] = {TRANSPORT_PEER_TIMEOUT_MS_MIN, 1000,
		TRANSPORT_PEER_TIMEOUT_MS_MAX};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct simulation *s = simulation_create(i);
		uint64_t start_ns, timeout_ns = times_ms[i] * MS;
		struct pair pair;

		s->defaults.peer_timeout_ms = times_ms[i];
		pair = pair_start(s);
		simulation_run(s, 2 * timeout_ns);
		assert_false(pair.client->closed);
		start_ns = s->now_ns;
		pair.server_host->up = false;
		RUN_UNTIL(s, pair.client->closed && pair.server->closed,
			2 * timeout_ns);
		/* Something was heard within the last sixth, and twelfth. */
		assert_in_range(s->now_ns - start_ns, timeout_ns * 3 / 4,
			timeout_ns * 5 / 4 + MS);
		assert_int_equal(pair.client->status, MACHNET_CONNECTION_LOST);
		assert_int_equal(pair.server->status, MACHNET_CONNECTION_LOST);
		/* Memory is back when it was told for long enough. */
		simulation_run(s, timeout_ns + 12 * S);
		assert_int_equal(
			transport_flows(pair.client_host->transport), 0);
		simulation_destroy(s);
	}
}

/* As when both machines were suspended: nobody was asked meanwhile. */
static void
engines_that_did_not_run_lose_nobody_for_that(void **state)
{
	struct pair pair = pair_start(NULL);

	(void)state;
	simulation_run(pair.s, S);
	pair.client_host->stalled_until_ns = pair.s->now_ns + 10 * S;
	pair.server_host->stalled_until_ns = pair.s->now_ns + 10 * S;
	simulation_run(pair.s, 20 * S);
	assert_false(pair.client->closed);
	assert_false(pair.server->closed);
	simulation_destroy(pair.s);
}

static void
a_busy_connection_to_a_vanished_host_is_lost(void **state)
{
	struct pair pair = pair_start(NULL);
	uint64_t start_ns, packets;

	(void)state;
	for (unsigned i = 0; i < 20; i++)
		connection_send(pair.client, 1 << 20);
	simulation_run(pair.s, MS);
	assert_false(connection_delivered(pair.client));
	start_ns = pair.s->now_ns;
	packets = host_packets_sent(pair.client_host);
	pair.server_host->up = false;
	RUN_UNTIL(pair.s, pair.client->closed, 10 * S);
	assert_in_range(pair.s->now_ns - start_ns, 2500 * MS, 3700 * MS);
	assert_int_equal(pair.client->status, MACHNET_CONNECTION_LOST);
	assert_int_equal(pair.client_application->records_used, 0);
	/* Not flooded meanwhile. */
	assert_in_range(host_packets_sent(pair.client_host) - packets, 5, 120);
	simulation_destroy(pair.s);
}

static void
a_short_cut_is_survived(void **state)
{
	struct pair pair = pair_start(NULL);

	(void)state;
	for (unsigned i = 0; i < 20; i++)
		connection_send(pair.client, 100000);
	simulation_run(pair.s, MS);
	pair.server_host->up = false;
	simulation_run(pair.s, 2400 * MS);
	pair.server_host->up = true;
	RUN_UNTIL(pair.s, connection_delivered(pair.client), 300 * MS);
	simulation_destroy(pair.s);
}

/* Only one direction is cut, so only one side notices by itself. */
static uint32_t deaf_address;

static bool
drop_to_the_deaf(struct simulation *s, const struct packet *packet)
{
	(void)s;
	return packet->to != deaf_address;
}

static void
both_sides_of_a_one_way_cut_give_up(void **state)
{
	struct pair pair = pair_start(NULL);

	(void)state;
	deaf_address = pair.client_host->address;
	pair.s->filter = drop_to_the_deaf;
	RUN_UNTIL(pair.s, pair.client->closed && pair.server->closed, 5 * S);
	assert_int_equal(pair.client->status, MACHNET_CONNECTION_LOST);
	simulation_destroy(pair.s);
}

static void
who_gives_up_tells_a_peer_that_still_hears(void **state)
{
	struct pair pair = pair_start(NULL);

	(void)state;
	deaf_address = pair.client_host->address;
	pair.s->filter = drop_to_the_deaf;
	/* Sent again and again, which the server hears. */
	connection_send(pair.client, 1000);
	RUN_UNTIL(pair.s, pair.client->closed, 4 * S);
	assert_int_equal(pair.client->status, MACHNET_CONNECTION_LOST);
	assert_false(pair.server->closed);
	pair.s->filter = NULL;
	RUN_UNTIL(pair.s, pair.server->closed, S);
	assert_int_equal(pair.server->status, MACHNET_CONNECTION_RESET);
	simulation_destroy(pair.s);
}

/* A reset that the peer does not hear goes on although we count it as lost:
 * it may not count us so. */
static void
a_reset_goes_on_when_the_peer_is_lost(void **state)
{
	struct pair pair = pair_start(NULL);
	struct connection *other = pair.client;

	(void)state;
	pair_connect(&pair);
	simulation_run(pair.s, 2 * S);
	deaf_address = pair.client_host->address;
	pair.s->filter = drop_to_the_deaf;
	connection_send(other, 100); /* heard again and again */
	simulation_run(pair.s, 2 * S);
	pair.client_host->up = false;
	connection_reset(pair.client, "");
	RUN_UNTIL(pair.s, other->closed, 3 * S);
	pair.s->filter = NULL;
	pair.client_host->up = true;
	assert_false(pair.server->closed);
	RUN_UNTIL(pair.s, pair.server->closed, S);
	simulation_destroy(pair.s);
}

static void
a_restarted_peer_resets_at_the_first_packet(void **state)
{
	struct pair pair = pair_start(NULL);

	(void)state;
	simulation_run(pair.s, S);
	host_restart(pair.server_host);
	connection_send(pair.client, 10);
	/* One round trip, and the turns of both engines. */
	RUN_UNTIL(pair.s, pair.client->closed, 45 * NS_PER_US);
	assert_int_equal(pair.client->status, MACHNET_CONNECTION_RESET);
	simulation_destroy(pair.s);
}

static void
a_restarted_peer_resets_at_a_ping(void **state)
{
	struct pair pair = pair_start(NULL);
	struct connection *first = pair.client;

	(void)state;
	pair_connect(&pair);
	simulation_run(pair.s, S);
	host_restart(pair.server_host);
	RUN_UNTIL(pair.s, first->closed && pair.client->closed, 1100 * MS);
	assert_int_equal(first->status, MACHNET_CONNECTION_RESET);
	assert_int_equal(pair.client->status, MACHNET_CONNECTION_RESET);
	simulation_destroy(pair.s);
}

static void
a_restarted_peer_resets_at_a_new_connection(void **state)
{
	struct pair pair = pair_start(NULL);
	struct connection *old = pair.client;
	struct connection *old_server = pair.server;

	(void)state;
	/* As its client, and as its server. */
	host_restart(pair.server_host);
	pair.server_application = application_start(pair.server_host);
	application_listen(pair.server_application, PORT, 1);
	pair_connect(&pair);
	assert_int_equal(old->status, MACHNET_CONNECTION_RESET);
	assert_false(pair.client->closed);
	old_server = pair.server;
	host_restart(pair.client_host);
	pair.client_application = application_start(pair.client_host);
	pair_connect(&pair);
	assert_int_equal(old_server->status, MACHNET_CONNECTION_RESET);
	connection_send(pair.client, 100);
	connection_send(pair.server, 100);
	simulation_run(pair.s, 3 * S);
	assert_true(connection_delivered(pair.client));
	assert_true(connection_delivered(pair.server));
	simulation_destroy(pair.s);
}

static struct packet *late;

static bool
keep_confirm(struct simulation *s, const struct packet *packet)
{
	size_t bytes = sizeof(*packet) + packet->length;

	(void)s;
	if (packet->bytes[1] == WIRE_CONFIRM && late == NULL) {
		late = malloc(bytes);
		memcpy(late, packet, bytes);
	}
	return true;
}

static void
a_packet_from_before_a_restart_does_no_harm(void **state)
{
	struct pair pair = pair_start(NULL);

	(void)state;
	pair.s->filter = keep_confirm;
	late = NULL;
	pair_connect(&pair);
	host_restart(pair.client_host);
	pair.client_application = application_start(pair.client_host);
	pair_connect(&pair);
	assert_non_null(late);
	host_receive(pair.server_host, &late->path, late->bytes, late->length);
	free(late);
	simulation_run(pair.s, 3 * S);
	assert_false(pair.client->closed);
	assert_false(pair.server->closed);
	simulation_destroy(pair.s);
}

static void
loss_of_pings_is_no_loss_of_the_host(void **state)
{
	struct pair pair = pair_start(NULL);

	(void)state;
	pair.s->network.loss = 1000;
	simulation_run(pair.s, 600 * S);
	assert_false(pair.client->closed);
	assert_false(pair.server->closed);
	simulation_destroy(pair.s);
}

/* All of it is here, FIN too, but the application had no room for it. */
static void
a_host_that_vanishes_after_its_fin_closed_cleanly(void **state)
{
	struct pair pair = pair_start(NULL);

	(void)state;
	pair.server_application->event_room = 0;
	for (unsigned i = 0; i < 100; i++)
		connection_send(pair.client, i);
	connection_close(pair.client, 0);
	RUN_UNTIL(pair.s, pair.client->closed, S);
	pair.client_host->up = false;
	simulation_run(pair.s, 10 * S);
	pair.server_application->event_room = 1;
	application_resume(pair.server_application, 64 << 20);
	RUN_UNTIL(pair.s, pair.server->closed, S);
	assert_int_equal(pair.server->status, MACHNET_OK);
	assert_true(connection_delivered(pair.client));
	simulation_destroy(pair.s);
}

/* An answer that nobody asked for must not keep a dead host alive. */
static void
forged_pongs_are_not_believed(void **state)
{
	struct pair pair = pair_start(NULL);
	struct transport_path path = {
		.address = pair.server_host->address,
		.local_port = TRANSPORT_UDP_PORT,
		.remote_port = TRANSPORT_UDP_PORT,
	};
	uint8_t bytes[WIRE_PING_BYTES];

	(void)state;
	pair.server_host->up = false;
	for (unsigned i = 0; i < 400; i++) {
		host_receive(pair.client_host, &path, bytes,
			wire_ping_write(bytes, WIRE_PONG, 0,
				simulation_random(pair.s, 1000),
				&(struct wire_ping){.instance = 666}));
		simulation_run(pair.s, 10 * MS);
	}
	assert_int_equal(pair.client->status, MACHNET_CONNECTION_LOST);
	simulation_destroy(pair.s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_idle_connection_to_a_living_host_stays),
		cmocka_unit_test(an_idle_connection_to_a_vanished_host_is_lost),
		cmocka_unit_test(the_time_until_a_host_is_lost_can_be_chosen),
		cmocka_unit_test(engines_that_did_not_run_lose_nobody_for_that),
		cmocka_unit_test(a_busy_connection_to_a_vanished_host_is_lost),
		cmocka_unit_test(a_short_cut_is_survived),
		cmocka_unit_test(both_sides_of_a_one_way_cut_give_up),
		cmocka_unit_test(who_gives_up_tells_a_peer_that_still_hears),
		cmocka_unit_test(a_reset_goes_on_when_the_peer_is_lost),
		cmocka_unit_test(a_restarted_peer_resets_at_the_first_packet),
		cmocka_unit_test(a_restarted_peer_resets_at_a_ping),
		cmocka_unit_test(a_restarted_peer_resets_at_a_new_connection),
		cmocka_unit_test(a_packet_from_before_a_restart_does_no_harm),
		cmocka_unit_test(loss_of_pings_is_no_loss_of_the_host),
		cmocka_unit_test(
			a_host_that_vanishes_after_its_fin_closed_cleanly),
		cmocka_unit_test(forged_pongs_are_not_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
