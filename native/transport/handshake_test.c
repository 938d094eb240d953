// SPDX-License-Identifier: MIT
#include "base/bytes.h"
#include "transport/flow.h"
#include "transport/simulation.h"

#define S NS_PER_S
#define MS NS_PER_MS

/* Drops the first `left` packets of a type, and keeps the last of them all. */
struct trap {
	uint8_t type;
	uint32_t left;
	uint32_t seen;
	uint32_t to;
	uint32_t length;
	uint8_t bytes[WIRE_HANDSHAKE_BYTES];
};

static bool
trap(struct simulation *s, const struct packet *packet)
{
	struct trap *trap = s->filter_context;

	if (packet->bytes[1] != trap->type)
		return true;
	trap->seen++;
	trap->to = packet->to;
	trap->length = packet->length;
	memcpy(trap->bytes, packet->bytes, packet->length);
	return trap->seen > trap->left;
}

static void
trap_set(struct simulation *s, struct trap *trap_, uint8_t type, uint32_t drops)
{
	*trap_ = (struct trap){.type = type, .left = drops};
	s->filter = trap;
	s->filter_context = trap_;
}

/* What was caught comes to its receiver, from an address. */
static void
trap_release(struct simulation *s, const struct trap *trap, uint32_t from)
{
	struct transport_path path = {
		.address = from,
		.local_port = TRANSPORT_UDP_PORT,
		.remote_port = TRANSPORT_UDP_PORT,
	};

	host_receive(
		simulation_host(s, trap->to), &path, trap->bytes, trap->length);
}

/* The ANSWER that a client gets, and the CONFIRM that it sends. */
struct told {
	struct wire_answer answer;
	struct wire_confirm confirm;
	uint32_t answers;
	uint32_t confirms;
	uint32_t wanted; /* by the last SYN */
};

static bool
overhear(struct simulation *s, const struct packet *packet)
{
	struct told *told = s->filter_context;
	struct wire_syn syn;
	bool confirm;

	if (wire_syn_read(&syn, packet->bytes, packet->length))
		told->wanted = syn.engine;
	told->answers +=
		wire_answer_read(&told->answer, packet->bytes, packet->length);
	confirm = wire_confirm_read(
		&told->confirm, packet->bytes, packet->length);
	told->confirms += confirm;
	/* There is no other engine that could accept. */
	return !confirm;
}

static void
a_client_confirms_to_the_engine_that_listens(void **state)
{
	struct pair pair = pair_start(NULL);
	struct told told = {0};
	uint32_t owners[3];

	(void)state;
	services_claim(pair.server_host->machine->services, 5, 777, true);
	services_claim(pair.server_host->machine->services, 63, 777, true);
	pair.s->filter = overhear;
	pair.s->filter_context = &told;
	for (unsigned i = 0; i < 3; i++) {
		told = (struct told){0};
		application_connect(
			pair.client_application, pair.server_host, 777, 100);
		simulation_run(pair.s, 200 * MS);
		assert_int_equal(told.answers, 1);
		assert_true(told.confirms > 1);
		assert_int_equal(told.wanted, WIRE_ENGINE_ANY);
		assert_int_equal(told.answer.cookie.engine, 0);
		owners[i] = told.answer.owner;
		assert_int_equal(told.confirm.syn.engine, owners[i]);
	}
	/* They take turns. */
	assert_int_equal(owners[0], 5);
	assert_int_equal(owners[1], 63);
	assert_int_equal(owners[2], 5);
	/* One that grows old asks again for the engine that it was told. */
	told = (struct told){0};
	application_connect(
		pair.client_application, pair.server_host, 777, 4000);
	simulation_run(pair.s, 5 * S);
	assert_int_equal(told.answers, 2);
	assert_int_equal(told.wanted, 63);
	assert_int_equal(told.answer.owner, 63);
	simulation_destroy(pair.s);
}

static void
connecting_takes_two_round_trips(void **state)
{
	struct pair pair = pair_start(NULL);
	uint64_t start_ns = pair.s->now_ns;

	(void)state;
	pair_connect(&pair);
	assert_in_range(
		pair.s->now_ns - start_ns, 80 * NS_PER_US, 90 * NS_PER_US);
	assert_int_equal(
		host_counters(pair.client_host)->connections_opened, 2);
	assert_int_equal(
		host_counters(pair.server_host)->connections_accepted, 2);
	simulation_destroy(pair.s);
}

static void
connecting_to_nobody_times_out(void **state)
{
	struct pair pair = pair_start(NULL);
	struct connection *connection;
	uint64_t start_ns;

	(void)state;
	pair.server_host->up = false;
	start_ns = pair.s->now_ns;
	connection = application_connect(
		pair.client_application, pair.server_host, PORT, 250);
	RUN_UNTIL(pair.s, connection->closed, S);
	assert_int_equal(connection->status, MACHNET_CONNECTION_TIMED_OUT);
	assert_in_range(pair.s->now_ns - start_ns, 250 * MS, 251 * MS);
	/* 15, 15, 30, 60, 100 ms. */
	assert_in_range(pair.client_host->sent[WIRE_SYN], 5, 8);
	start_ns = pair.s->now_ns;
	connection = application_connect(
		pair.client_application, pair.server_host, PORT, 0);
	RUN_UNTIL(pair.s, connection->closed, 2 * S);
	assert_in_range(pair.s->now_ns - start_ns, 1000 * MS, 1001 * MS);
	simulation_destroy(pair.s);
}

static void
connecting_where_nobody_listens_is_refused(void **state)
{
	struct pair pair = pair_start(NULL);
	struct connection *connection = application_connect(
		pair.client_application, pair.server_host, PORT + 1, 0);

	(void)state;
	RUN_UNTIL(pair.s, connection->closed, MS);
	assert_int_equal(connection->status, MACHNET_CONNECTION_REFUSED);
	simulation_destroy(pair.s);
}

static void
connecting_to_an_application_that_is_gone_is_refused(void **state)
{
	struct pair pair = pair_start(NULL);
	struct connection *connection;
	struct trap answer;

	(void)state;
	/* It goes between ANSWER and CONFIRM. */
	trap_set(pair.s, &answer, WIRE_ANSWER, 0);
	connection = application_connect(
		pair.client_application, pair.server_host, PORT, 0);
	RUN_UNTIL(pair.s, answer.seen == 1, MS);
	application_kill(pair.server_application);
	RUN_UNTIL(pair.s, connection->closed, MS);
	assert_int_equal(connection->status, MACHNET_CONNECTION_REFUSED);
	connection = application_connect(
		pair.client_application, pair.server_host, PORT, 0);
	RUN_UNTIL(pair.s, connection->closed, MS);
	assert_int_equal(connection->status, MACHNET_CONNECTION_REFUSED);
	simulation_destroy(pair.s);
}

static void
notices_from_the_network_fail_what_is_being_opened(void **state)
{
	struct pair pair = pair_start(NULL);
	struct transport_path path = {
		.address = pair.server_host->address,
		.local_port = TRANSPORT_UDP_PORT,
		.remote_port = TRANSPORT_UDP_PORT,
	};
	struct connection *connections[5];

	(void)state;
	pair.server_host->up = false;
	for (unsigned i = 0; i < 5; i++)
		connections[i] = application_connect(
			pair.client_application, pair.server_host, PORT, 0);
	transport_host_unreachable(pair.client_host->transport, pair.s->now_ns,
		pair.server_host->address + 1);
	transport_host_unreachable(pair.client_host->transport, pair.s->now_ns,
		pair.server_host->address);
	simulation_run(pair.s, MS);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(
			connections[i]->status, MACHNET_HOST_UNREACHABLE);
	assert_false(pair.client->closed);
	connections[0] = application_connect(
		pair.client_application, pair.server_host, PORT, 0);
	path.remote_port++;
	transport_port_unreachable(
		pair.client_host->transport, pair.s->now_ns, &path);
	simulation_run(pair.s, MS);
	assert_false(connections[0]->closed);
	path.remote_port--;
	transport_port_unreachable(
		pair.client_host->transport, pair.s->now_ns, &path);
	simulation_run(pair.s, MS);
	assert_int_equal(connections[0]->status, MACHNET_CONNECTION_REFUSED);
	/* The last one that is being opened takes the host's state along. */
	connection_reset(pair.client, "");
	simulation_run(pair.s, 10 * S);
	assert_int_equal(transport_flows(pair.client_host->transport), 0);
	connections[0] = application_connect(
		pair.client_application, pair.server_host, PORT, 0);
	connections[1] = application_connect(
		pair.client_application, pair.server_host, PORT, 0);
	transport_host_unreachable(pair.client_host->transport, pair.s->now_ns,
		pair.server_host->address);
	simulation_run(pair.s, MS);
	assert_int_equal(connections[1]->status, MACHNET_HOST_UNREACHABLE);
	assert_int_equal(transport_flows(pair.client_host->transport), 0);
	simulation_destroy(pair.s);
}

static void
a_full_backlog_delays_until_there_is_room(void **state)
{
	struct pair pair = pair_start(NULL);
	struct connection *connections[4];

	(void)state;
	pair.server_application->accepting = false;
	application_listen(pair.server_application, PORT + 1, 2);
	for (unsigned i = 0; i < 3; i++)
		connections[i] = application_connect(pair.client_application,
			pair.server_host, PORT + 1, 20000);
	connections[3] = application_connect(
		pair.client_application, pair.server_host, PORT + 1, 500);
	/* Longer than a cookie lives. */
	simulation_run(pair.s, 12 * S);
	assert_int_equal(connections[0]->connected + connections[1]->connected +
				 connections[2]->connected,
		2);
	assert_int_equal(connections[3]->status, MACHNET_CONNECTION_TIMED_OUT);
	assert_int_equal(pair.server_application->listener->waiting, 2);
	assert_true(host_counters(pair.server_host)->backlog_overflows != 0);
	/* One that ends before it is taken makes room, too. */
	connection_reset(connections[connections[0]->connected ? 0 : 1], "");
	simulation_run(pair.s, S);
	for (unsigned i = 0; i < 3; i++)
		assert_true(connections[i]->connected);
	assert_int_equal(pair.server_application->listener->waiting, 2);
	transport_accept(pair.server_host->transport,
		&pair.server_application->endpoint,
		application_accepted(pair.server_application)->id);
	assert_int_equal(pair.server_application->listener->waiting, 1);
	simulation_destroy(pair.s);
}

static void
lost_packets_of_the_handshake_are_sent_again(void **state)
{
	static const uint8_t types[] = {
		WIRE_SYN, WIRE_ANSWER, WIRE_CONFIRM, WIRE_ACCEPT};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct pair pair = pair_start(NULL);
		struct trap lost;

		trap_set(pair.s, &lost, types[i], 3);
		pair_connect(&pair);
		assert_int_equal(lost.seen, 4);
		connection_send(pair.client, 100);
		connection_send(pair.server, 100);
		simulation_run(pair.s, S);
		assert_true(connection_delivered(pair.client));
		assert_true(connection_delivered(pair.server));
		simulation_destroy(pair.s);
	}
}

static void
doubled_packets_of_the_handshake_open_one_connection(void **state)
{
	struct pair pair = pair_start(NULL);

	(void)state;
	pair.s->network.duplicate = 10000;
	pair.s->network.jitter_ns = 200 * NS_PER_US;
	for (unsigned i = 0; i < 20; i++)
		pair_connect(&pair);
	simulation_run(pair.s, S);
	assert_int_equal(
		host_counters(pair.server_host)->connections_accepted, 21);
	assert_int_equal(transport_flows(pair.server_host->transport), 21);
	simulation_destroy(pair.s);
}

static void
forged_and_old_cookies_are_refused(void **state)
{
	struct pair pair = pair_start(NULL);
	const struct transport_counters *counters =
		host_counters(pair.server_host);
	struct trap confirm;

	(void)state;
	trap_set(pair.s, &confirm, WIRE_CONFIRM, UINT32_MAX);
	application_connect(
		pair.client_application, pair.server_host, PORT, 10);
	simulation_run(pair.s, 20 * MS);
	trap_release(pair.s, &confirm, pair.client_host->address + 7);
	assert_int_equal(counters->cookies_refused, 1);
	/* All that the cookie vouches for: SYN's fields, MAC, time, engine. */
	for (uint32_t i = 16; i < 62; i++) {
		if (i >= 24 && i < 28)
			continue; /* ports, refused for themselves */
		confirm.bytes[i] ^= 1;
		trap_release(pair.s, &confirm, pair.client_host->address);
		confirm.bytes[i] ^= 1;
	}
	assert_int_equal(counters->connections_accepted, 1);
	assert_in_range(counters->cookies_refused, 40, 43);
	/* Fresh enough; then too old. */
	simulation_run(pair.s, 4900 * MS);
	trap_release(pair.s, &confirm, pair.client_host->address);
	assert_int_equal(counters->connections_accepted, 2);
	trap_set(pair.s, &confirm, WIRE_CONFIRM, UINT32_MAX);
	application_connect(
		pair.client_application, pair.server_host, PORT, 10);
	simulation_run(pair.s, 5100 * MS);
	trap_release(pair.s, &confirm, pair.client_host->address);
	assert_int_equal(counters->connections_accepted, 2);
	simulation_destroy(pair.s);
}

static void
a_repeated_confirm_opens_nothing_twice(void **state)
{
	struct pair pair = pair_start(NULL);
	const struct transport_counters *counters =
		host_counters(pair.server_host);
	struct trap confirm;

	(void)state;
	trap_set(pair.s, &confirm, WIRE_CONFIRM, 0);
	pair_connect(&pair);
	trap_release(pair.s, &confirm, pair.client_host->address);
	assert_int_equal(counters->connections_accepted, 2);
	assert_int_equal(pair.server_host->sent[WIRE_ACCEPT], 3);
	connection_close(pair.client, 0);
	simulation_run(pair.s, S / 2);
	assert_true(pair.client->closed && pair.server->closed);
	for (unsigned i = 0; i < 14; i++) {
		trap_release(pair.s, &confirm, pair.client_host->address);
		simulation_run(pair.s, S / 2);
	}
	assert_int_equal(counters->connections_accepted, 2);
	assert_int_equal(pair.server_host->sent[WIRE_ACCEPT], 3);
	/* Only the first connection is left. */
	assert_int_equal(transport_flows(pair.server_host->transport), 1);
	simulation_destroy(pair.s);
}

/* Both sides must count packets as before. */
static void
a_second_cookie_finds_the_connection_of_the_first(void **state)
{
	struct pair pair = pair_start(NULL);
	struct connection *client;
	struct trap accept;

	(void)state;
	trap_set(pair.s, &accept, WIRE_ACCEPT, UINT32_MAX);
	client = application_connect(
		pair.client_application, pair.server_host, PORT, 20000);
	simulation_run(pair.s, 6 * S);
	assert_false(client->connected);
	pair.s->filter = NULL;
	RUN_UNTIL(pair.s, client->connected, S);
	assert_int_equal(
		host_counters(pair.server_host)->connections_accepted, 2);
	connection_send(client, 5000);
	connection_send(client->link->ends[1], 5000);
	RUN_UNTIL(pair.s,
		connection_delivered(client) &&
			connection_delivered(client->link->ends[1]),
		S);
	simulation_destroy(pair.s);
}

static void
a_client_without_a_word_says_that_it_is_there(void **state)
{
	struct pair pair = pair_start(NULL);
	const struct flow *server =
		flow_get(pair.server_host->transport, pair.server->id);
	struct trap ack;

	(void)state;
	simulation_run(pair.s, 2 * S);
	assert_int_equal(pair.client_host->sent[WIRE_ACK], 1);
	assert_int_equal(pair.server_host->sent[WIRE_DATA], 0);
	assert_int_equal(server->state_deadline_ns, 0);
	/* If that is lost, the server asks. */
	trap_set(pair.s, &ack, WIRE_ACK, 1);
	pair_connect(&pair);
	simulation_run(pair.s, 2 * S);
	assert_int_equal(ack.seen, 2);
	assert_int_equal(pair.server_host->sent[WIRE_DATA], 1);
	simulation_destroy(pair.s);
}

static void
a_server_hears_that_its_client_gave_up(void **state)
{
	struct pair pair = pair_start(NULL);
	struct connection *client, *server;
	struct trap accept;

	(void)state;
	trap_set(pair.s, &accept, WIRE_ACCEPT, UINT32_MAX);
	client = application_connect(
		pair.client_application, pair.server_host, PORT, 500);
	simulation_run(pair.s, S);
	assert_int_equal(client->status, MACHNET_CONNECTION_TIMED_OUT);
	server = application_accepted(pair.server_application);
	assert_ptr_not_equal(server, pair.server);
	RUN_UNTIL(pair.s, server->closed, S);
	assert_int_equal(server->status, MACHNET_CONNECTION_RESET);
	assert_false(pair.server->closed);
	simulation_destroy(pair.s);
}

static void
a_server_may_close_before_accept_arrives(void **state)
{
	struct pair pair = pair_start(NULL);
	struct connection *client, *server;
	struct trap accept;

	(void)state;
	trap_set(pair.s, &accept, WIRE_ACCEPT, 2);
	client = application_connect(
		pair.client_application, pair.server_host, PORT, 0);
	RUN_UNTIL(pair.s, accept.seen == 1, MS);
	simulation_run(pair.s, 10 * NS_PER_US);
	server = application_accepted(pair.server_application);
	assert_ptr_not_equal(server, pair.server);
	connection_send(server, 5000);
	connection_close(server, 0);
	RUN_UNTIL(pair.s, client->closed && server->closed, S);
	assert_int_equal(client->status, MACHNET_OK);
	assert_int_equal(server->status, MACHNET_OK);
	assert_true(connection_delivered(server));
	simulation_destroy(pair.s);
}

static void
an_application_may_end_while_it_connects(void **state)
{
	(void)state;
	for (unsigned us = 0; us < 120; us += 10) {
		struct pair pair = pair_start(NULL);

		application_connect(
			pair.client_application, pair.server_host, PORT, 0);
		simulation_run(pair.s, us * NS_PER_US);
		application_kill(pair.client_application);
		simulation_run(pair.s, 10 * S);
		assert_int_equal(
			transport_flows(pair.client_host->transport), 0);
		assert_int_equal(
			transport_flows(pair.server_host->transport), 0);
		simulation_destroy(pair.s);
	}
}

static void
an_exhausted_client_says_so_by_name(void **state)
{
	struct simulation *s = simulation_create(1);
	struct connection *connection;
	struct pair pair;

	(void)state;
	s->defaults.flows_max = 3;
	pair = pair_start(s);
	for (unsigned i = 0; i < 2; i++)
		pair_connect(&pair);
	connection = application_connect(
		pair.client_application, pair.server_host, PORT, 0);
	simulation_run(s, NS_PER_US);
	assert_int_equal(connection->status, MACHNET_TOO_MANY_CONNECTIONS);
	simulation_destroy(s);
}

static void
an_exhausted_server_says_so_by_name(void **state)
{
	struct simulation *s = simulation_create(1);
	struct connection *connection;
	struct pair pair;

	(void)state;
	pair = pair_start(s);
	s->defaults.flows_max = 2;
	pair.server_host = host_start(s);
	pair.server_application = application_start(pair.server_host);
	application_listen(pair.server_application, PORT, 8);
	pair_connect(&pair);
	pair_connect(&pair);
	connection = application_connect(
		pair.client_application, pair.server_host, PORT, 0);
	RUN_UNTIL(s, connection->closed, MS);
	assert_int_equal(connection->status, MACHNET_TOO_MANY_CONNECTIONS);
	/* There is room again once one was closed and is forgotten. */
	connection_close(pair.client, 0);
	simulation_run(s, 6 * S);
	pair_connect(&pair);
	simulation_destroy(s);
}

static void
the_id_of_a_freed_connection_is_stale(void **state)
{
	struct simulation *s = simulation_create(1);
	struct transport_path path;
	struct pair pair;
	uint8_t bytes[64];
	uint32_t id;

	(void)state;
	s->defaults.flows_max = 1;
	pair = pair_start(s);
	id = pair.server->id;
	path = flow_get(pair.server_host->transport, id)->peer->path;
	connection_close(pair.client, 0);
	simulation_run(s, 6 * S);
	assert_null(flow_get(pair.server_host->transport, id));
	pair_connect(&pair);
	assert_int_not_equal(pair.server->id, id);
	assert_int_equal(
		connection_index(pair.server->id), connection_index(id));
	host_receive(pair.server_host, &path, bytes,
		wire_header_write(bytes, &(struct wire_header){
						 .type = WIRE_DATA,
						 .connection = id,
						 .number = 5,
					 }));
	assert_int_equal(host_counters(pair.server_host)->packets_unknown, 1);
	simulation_run(s, S);
	assert_false(pair.server->closed);
	simulation_destroy(s);
}

static void
a_client_may_give_an_id_anew(void **state)
{
	struct pair pair = pair_start(NULL);
	struct stranger *stranger = stranger_start(pair.s);
	struct connection *old;

	(void)state;
	assert_true(stranger_connect(stranger, pair.server_host));
	simulation_run(pair.s, MS);
	old = application_accepted(pair.server_application);
	/* The same name, another key: a host that forgot. */
	stranger->syn.key++;
	assert_true(stranger_connect(stranger, pair.server_host));
	simulation_run(pair.s, MS);
	assert_int_equal(old->status, MACHNET_CONNECTION_RESET);
	assert_ptr_not_equal(
		application_accepted(pair.server_application), old);
	/* A late CONFIRM of the old one does the new one no harm. */
	stranger->syn.key--;
	assert_false(stranger_connect(stranger, pair.server_host));
	simulation_run(pair.s, MS);
	assert_false(application_accepted(pair.server_application)->closed);
	simulation_destroy(pair.s);
}

/* A server that lies about it would make us write behind our packets. */
static void
a_fragment_size_over_the_mtu_is_refused(void **state)
{
	struct pair pair = pair_start(NULL);
	struct connection *connection;
	struct trap accept;

	(void)state;
	trap_set(pair.s, &accept, WIRE_ACCEPT, UINT32_MAX);
	connection = application_connect(
		pair.client_application, pair.server_host, PORT, 0);
	RUN_UNTIL(pair.s, accept.seen == 1, MS);
	store_le16(accept.bytes + 20, load_le16(accept.bytes + 20) + 1);
	trap_release(pair.s, &accept, pair.server_host->address);
	store_le16(accept.bytes + 20, 1000);
	trap_release(pair.s, &accept, pair.server_host->address);
	simulation_run(pair.s, MS);
	assert_false(connection->connected);
	assert_int_equal(host_counters(pair.client_host)->packets_malformed, 2);
	simulation_destroy(pair.s);
}

static void
an_accept_that_names_no_connection_is_refused(void **state)
{
	struct pair pair = pair_start(NULL);
	struct connection *connection;
	struct trap accept;

	(void)state;
	trap_set(pair.s, &accept, WIRE_ACCEPT, 1);
	connection = application_connect(
		pair.client_application, pair.server_host, PORT, 0);
	RUN_UNTIL(pair.s, accept.seen == 1, MS);
	store_le32(accept.bytes + 16, 0);
	trap_release(pair.s, &accept, pair.server_host->address);
	assert_int_equal(host_counters(pair.client_host)->packets_malformed, 1);
	assert_false(connection->connected);
	RUN_UNTIL(pair.s, connection->connected, S);
	simulation_destroy(pair.s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connecting_takes_two_round_trips),
		cmocka_unit_test(a_client_confirms_to_the_engine_that_listens),
		cmocka_unit_test(connecting_to_nobody_times_out),
		cmocka_unit_test(connecting_where_nobody_listens_is_refused),
		cmocka_unit_test(
			connecting_to_an_application_that_is_gone_is_refused),
		cmocka_unit_test(
			notices_from_the_network_fail_what_is_being_opened),
		cmocka_unit_test(a_full_backlog_delays_until_there_is_room),
		cmocka_unit_test(lost_packets_of_the_handshake_are_sent_again),
		cmocka_unit_test(
			doubled_packets_of_the_handshake_open_one_connection),
		cmocka_unit_test(forged_and_old_cookies_are_refused),
		cmocka_unit_test(a_repeated_confirm_opens_nothing_twice),
		cmocka_unit_test(
			a_second_cookie_finds_the_connection_of_the_first),
		cmocka_unit_test(a_client_without_a_word_says_that_it_is_there),
		cmocka_unit_test(a_server_hears_that_its_client_gave_up),
		cmocka_unit_test(a_server_may_close_before_accept_arrives),
		cmocka_unit_test(an_application_may_end_while_it_connects),
		cmocka_unit_test(an_exhausted_client_says_so_by_name),
		cmocka_unit_test(an_exhausted_server_says_so_by_name),
		cmocka_unit_test(the_id_of_a_freed_connection_is_stale),
		cmocka_unit_test(a_client_may_give_an_id_anew),
		cmocka_unit_test(a_fragment_size_over_the_mtu_is_refused),
		cmocka_unit_test(an_accept_that_names_no_connection_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
