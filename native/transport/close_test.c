// SPDX-License-Identifier: MIT
#include "transport/flow.h"
#include "transport/simulation.h"

#define S NS_PER_S
#define MS NS_PER_MS

/* Drops packets of a type, or only those of one host, while left is not 0. */
struct trap {
	uint8_t type;
	uint32_t to; /* 0: to any */
	uint32_t left;
	uint32_t seen;
};

static bool
trap(struct simulation *s, const struct packet *packet)
{
	struct trap *trap = s->filter_context;

	if (packet->bytes[1] != trap->type ||
		(trap->to != 0 && packet->to != trap->to))
		return true;
	trap->seen++;
	if (trap->left == 0)
		return true;
	trap->left--;
	return false;
}

static void
trap_set(struct simulation *s, struct trap *trap_, uint8_t type,
	const struct host *to, uint32_t drops)
{
	*trap_ = (struct trap){
		.type = type,
		.to = to == NULL ? 0 : to->address,
		.left = drops,
	};
	s->filter = trap;
	s->filter_context = trap_;
}

static void
both_hosts_forget(struct pair *pair)
{
	simulation_run(pair->s, 12 * S);
	assert_int_equal(transport_flows(pair->client_host->transport), 0);
	assert_int_equal(transport_flows(pair->server_host->transport), 0);
	assert_true(transport_settled(pair->client_host->transport));
	assert_true(transport_settled(pair->server_host->transport));
	assert_true(transport_deadline_ns(pair->client_host->transport) ==
		    UINT64_MAX);
	assert_true(transport_deadline_ns(pair->server_host->transport) ==
		    UINT64_MAX);
	simulation_destroy(pair->s);
}

static void
close_delivers_all_that_was_accepted(void **state)
{
	(void)state;
	for (unsigned percent = 0; percent <= 20; percent += 20) {
		struct pair pair = pair_start(NULL);

		pair.s->network.loss = percent * 100;
		for (unsigned i = 0; i < 500; i++)
			connection_send(pair.client, 3000);
		connection_close(pair.client, 0);
		assert_false(connection_send(pair.client, 1));
		RUN_UNTIL(pair.s, pair.client->closed, 5 * S);
		assert_int_equal(pair.client->status, MACHNET_OK);
		assert_int_equal(connection_out(pair.client)->sent, 500);
		RUN_UNTIL(pair.s, pair.server->closed, S);
		assert_int_equal(pair.server->status, MACHNET_OK);
		assert_int_equal(connection_out(pair.client)->received, 500);
		both_hosts_forget(&pair);
	}
}

static void
an_idle_connection_closes_in_a_round_trip(void **state)
{
	struct pair pair = pair_start(NULL);
	uint64_t start_ns = pair.s->now_ns;

	(void)state;
	connection_close(pair.server, 0);
	RUN_UNTIL(pair.s, pair.server->closed, S);
	assert_in_range(
		pair.s->now_ns - start_ns, 40 * NS_PER_US, 50 * NS_PER_US);
	assert_true(pair.client->closed);
	both_hosts_forget(&pair);
}

static void
both_sides_may_close_at_once(void **state)
{
	(void)state;
	for (unsigned percent = 0; percent <= 20; percent += 20) {
		struct pair pair = pair_start(NULL);

		pair.s->network.loss = percent * 100;
		for (unsigned i = 0; i < 100; i++) {
			connection_send(pair.client, 3000);
			connection_send(pair.server, 3000);
		}
		connection_close(pair.client, 0);
		connection_close(pair.server, 0);
		RUN_UNTIL(pair.s, pair.client->closed && pair.server->closed,
			5 * S);
		assert_int_equal(pair.client->status, MACHNET_OK);
		assert_int_equal(pair.server->status, MACHNET_OK);
		both_hosts_forget(&pair);
	}
}

static void
a_lost_acknowledgement_of_fin_is_sent_again(void **state)
{
	struct pair pair = pair_start(NULL);
	struct trap ack;

	(void)state;
	connection_send(pair.client, 10);
	simulation_run(pair.s, 10 * MS);
	trap_set(pair.s, &ack, WIRE_ACK, pair.client_host, 5);
	connection_close(pair.client, 0);
	RUN_UNTIL(pair.s, pair.client->closed, S);
	assert_int_equal(pair.client->status, MACHNET_OK);
	assert_int_equal(ack.seen, 6);
	assert_int_equal(pair.server->status, MACHNET_OK);
	both_hosts_forget(&pair);
}

static void
close_waits_no_longer_than_it_may(void **state)
{
	struct pair pair = pair_start(NULL);
	uint64_t start_ns;

	(void)state;
	pair.server_application->reading = false;
	pair.server_application->event_room = 1;
	for (unsigned i = 0; i < 600; i++)
		connection_send(pair.client, 10);
	start_ns = pair.s->now_ns;
	connection_close(pair.client, 700);
	RUN_UNTIL(pair.s, pair.client->closed, 2 * S);
	assert_int_equal(pair.client->status, MACHNET_CLOSE_TIMED_OUT);
	assert_in_range(pair.s->now_ns - start_ns, 700 * MS, 701 * MS);
	/* The peer hears of it although it has sent nothing since. */
	pair.server_application->reading = true;
	RUN_UNTIL(pair.s, pair.server->closed, S);
	assert_int_equal(pair.server->status, MACHNET_CONNECTION_RESET);
	both_hosts_forget(&pair);
}

static void
a_close_that_timed_out_reaches_the_peer_in_the_end(void **state)
{
	struct pair pair = pair_start(NULL);
	struct trap reset;

	(void)state;
	trap_set(pair.s, &reset, WIRE_RESET, pair.server_host, 5);
	pair.server_application->reading = false;
	pair.server_application->event_room = 1;
	for (unsigned i = 0; i < 600; i++)
		connection_send(pair.client, 10);
	connection_close(pair.client, 0);
	RUN_UNTIL(pair.s, pair.client->closed, 6 * S);
	assert_int_equal(pair.client->status, MACHNET_CLOSE_TIMED_OUT);
	RUN_UNTIL(pair.s, reset.seen > 5, S);
	pair.server_application->reading = true;
	RUN_UNTIL(pair.s, pair.server->closed, S);
	assert_int_equal(pair.server->status, MACHNET_CONNECTION_RESET);
	both_hosts_forget(&pair);
}

static void
a_reset_tells_its_reason(void **state)
{
	static const char *const reasons[] = {"", "because",
		"11111111112222222222333333333344444444445555555555"
		"11111111112222222222333333333344444444445555555555"
		"11111111112222222222333333333344444444445555555555"
		"11111111112222222222333333333344444444445555555555"
		"1111111111222222222233333333334444444444555555555"};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct pair pair = pair_start(NULL);

		connection_send(pair.client, 100000);
		connection_send(pair.server, 100000);
		simulation_run(pair.s, 70 * NS_PER_US);
		connection_reset(pair.server, reasons[i]);
		RUN_UNTIL(
			pair.s, pair.server->closed && pair.client->closed, S);
		assert_int_equal(pair.server->status, MACHNET_CONNECTION_RESET);
		assert_int_equal(pair.client->status, MACHNET_CONNECTION_RESET);
		assert_string_equal(pair.client->reason, reasons[i]);
		assert_string_equal(pair.server->reason, "");
		RUN_UNTIL(pair.s,
			transport_settled(pair.server_host->transport), MS);
		both_hosts_forget(&pair);
	}
}

static void
a_lost_reset_is_sent_again(void **state)
{
	struct pair pair = pair_start(NULL);
	struct trap reset;

	(void)state;
	trap_set(pair.s, &reset, WIRE_RESET, NULL, 5);
	connection_reset(pair.client, "once more");
	RUN_UNTIL(pair.s, pair.server->closed, S);
	assert_string_equal(pair.server->reason, "once more");
	RUN_UNTIL(pair.s, transport_settled(pair.client_host->transport), S);
	both_hosts_forget(&pair);
}

static void
a_lost_answer_to_a_reset_is_given_again(void **state)
{
	struct pair pair = pair_start(NULL);
	struct trap reset;

	(void)state;
	trap_set(pair.s, &reset, WIRE_RESET, pair.client_host, 3);
	connection_reset(pair.client, "");
	RUN_UNTIL(pair.s, transport_settled(pair.client_host->transport), S);
	assert_int_equal(reset.seen, 4);
	both_hosts_forget(&pair);
}

/* A network that is cut for less than what makes a peer give up, and is bad
 * when it comes back. */
static void
a_reset_outlasts_a_cut(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		struct pair pair = pair_start(simulation_create(i));

		pair.client_host->up = false;
		connection_reset(pair.client, "");
		simulation_run(pair.s, 2900 * MS);
		pair.client_host->up = true;
		pair.s->network.loss = 2000;
		RUN_UNTIL(pair.s, pair.server->closed, 2 * S);
		assert_int_not_equal(pair.server->status, MACHNET_OK);
		pair.s->network.loss = 0;
		both_hosts_forget(&pair);
	}
}

static void
both_sides_may_reset_at_once(void **state)
{
	struct pair pair = pair_start(NULL);

	(void)state;
	connection_reset(pair.client, "here");
	connection_reset(pair.server, "there");
	simulation_run(pair.s, MS);
	assert_true(pair.client->closed && pair.server->closed);
	assert_true(transport_settled(pair.client_host->transport));
	assert_true(transport_settled(pair.server_host->transport));
	both_hosts_forget(&pair);
}

static void
a_reset_without_memory_for_its_reason_is_a_reset(void **state)
{
	struct pair pair = pair_start(NULL);

	(void)state;
	pair.server_application->memory_bytes = 0;
	connection_reset(pair.client, "unheard");
	RUN_UNTIL(pair.s, pair.server->closed, S);
	assert_string_equal(pair.server->reason, "");
	both_hosts_forget(&pair);
}

static void
a_killed_application_resets_its_connections(void **state)
{
	struct pair pair = pair_start(NULL);
	struct connection *first = pair.client;

	(void)state;
	pair_connect(&pair);
	connection_send(first, 1 << 20);
	connection_send(pair.server, 1 << 20);
	simulation_run(pair.s, 200 * NS_PER_US);
	application_kill(pair.server_application);
	RUN_UNTIL(pair.s, first->closed && pair.client->closed, MS);
	assert_int_equal(first->status, MACHNET_CONNECTION_RESET);
	assert_string_equal(first->reason, "the application ended");
	assert_int_equal(pair.client->status, MACHNET_CONNECTION_RESET);
	both_hosts_forget(&pair);
}

/* With every event that it does not have room for: announced and closed, a
 * connect that failed, the peer's reason. */
static void
an_application_may_end_before_it_was_told(void **state)
{
	struct pair pair = pair_start(NULL);
	struct connection *connection;

	(void)state;
	pair.server_application->event_room = 0;
	connection = application_connect(
		pair.client_application, pair.server_host, PORT, 0);
	simulation_run(pair.s, MS);
	connection_send(connection, 100000);
	connection_send(pair.client, 100);
	simulation_run(pair.s, MS);
	connection_reset(connection, "a reason");
	connection_close(pair.client, 0);
	simulation_run(pair.s, MS);
	pair.client_application->event_room = 0;
	application_connect(
		pair.client_application, pair.server_host, PORT + 1, 0);
	simulation_run(pair.s, MS);
	assert_int_equal(pair.server_application->endpoint.flows_length, 2);
	assert_int_equal(pair.client_application->endpoint.flows_length, 1);
	application_kill(pair.server_application);
	application_kill(pair.client_application);
	both_hosts_forget(&pair);
}

static void
events_that_found_no_room_come_in_order_later(void **state)
{
	struct pair pair = pair_start(NULL);
	struct connection *connection, *server;

	(void)state;
	pair.server_application->event_room = 0;
	connection = application_connect(
		pair.client_application, pair.server_host, PORT, 0);
	simulation_run(pair.s, MS);
	for (unsigned i = 0; i < 20; i++)
		connection_send(connection, i);
	connection_close(connection, 0);
	RUN_UNTIL(pair.s, connection->closed, S);
	assert_int_equal(connection->status, MACHNET_OK);
	pair.server_application->event_room = 1;
	application_resume(pair.server_application, 64 << 20);
	simulation_run(pair.s, MS);
	server = application_accepted(pair.server_application);
	assert_ptr_not_equal(server, pair.server);
	RUN_UNTIL(pair.s, server->closed, MS);
	assert_int_equal(server->status, MACHNET_OK);
	assert_true(connection_delivered(connection));
	simulation_destroy(pair.s);
}

static void
what_comes_after_the_end_is_answered_with_a_reset(void **state)
{
	struct pair pair = pair_start(NULL);

	(void)state;
	/* The client's side is freed long before the server wants to send. */
	pair.client_host->up = false;
	pair.server_host->up = false;
	connection_reset(pair.client, "");
	simulation_run(pair.s, 2900 * MS);
	host_restart(pair.client_host);
	pair.client_host->up = pair.server_host->up = true;
	connection_send(pair.server, 100);
	RUN_UNTIL(pair.s, pair.server->closed, 200 * MS);
	assert_int_equal(pair.server->status, MACHNET_CONNECTION_RESET);
	both_hosts_forget(&pair);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(close_delivers_all_that_was_accepted),
		cmocka_unit_test(an_idle_connection_closes_in_a_round_trip),
		cmocka_unit_test(both_sides_may_close_at_once),
		cmocka_unit_test(a_lost_acknowledgement_of_fin_is_sent_again),
		cmocka_unit_test(close_waits_no_longer_than_it_may),
		cmocka_unit_test(
			a_close_that_timed_out_reaches_the_peer_in_the_end),
		cmocka_unit_test(a_reset_tells_its_reason),
		cmocka_unit_test(a_lost_reset_is_sent_again),
		cmocka_unit_test(a_lost_answer_to_a_reset_is_given_again),
		cmocka_unit_test(a_reset_outlasts_a_cut),
		cmocka_unit_test(both_sides_may_reset_at_once),
		cmocka_unit_test(
			a_reset_without_memory_for_its_reason_is_a_reset),
		cmocka_unit_test(a_killed_application_resets_its_connections),
		cmocka_unit_test(an_application_may_end_before_it_was_told),
		cmocka_unit_test(events_that_found_no_room_come_in_order_later),
		cmocka_unit_test(
			what_comes_after_the_end_is_answered_with_a_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
