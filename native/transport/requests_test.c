// SPDX-License-Identifier: MIT
/* Messages that are part of requests: they arrive once, with their names, and
 * wait for nobody. */
#include "transport/flow.h"
#include "transport/simulation.h"

#define S NS_PER_S
#define LARGE MACHNET_MESSAGE_BYTES_MAX

static struct flow *
flow(const struct connection *connection)
{
	return flow_get(
		connection->application->host->transport, connection->id);
}

static void
run_delivered(struct pair *pair)
{
	RUN_UNTIL(pair->s, connection_delivered(pair->client), 20 * S);
	RUN_UNTIL(pair->s, connection_delivered(pair->server), 20 * S);
}

static void
send_all_kinds(struct connection *connection, uint32_t length)
{
	for (int kind = MACHNET_MESSAGE_PLAIN; kind <= MACHNET_MESSAGE_CANCEL;
		kind++)
		assert_true(connection_send_tagged(connection, length,
			(enum machnet_message_kind)kind,
			UINT32_MAX - (uint32_t)kind));
}

static void
every_kind_arrives_with_its_request(void **state)
{
	static const uint32_t multiples[] = {0, 1, 2, 3, 64, 65};
	struct pair pair = pair_start(NULL);
	uint32_t fragment =
		flow_fragment_bytes(flow(pair.client), WIRE_FRAME_REQUEST);

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		for (uint32_t d = 0; d < 8; d++) {
			if (multiples[i] == 0 && d < 2)
				continue;
			send_all_kinds(
				pair.client, multiples[i] * fragment + d - 2);
			send_all_kinds(
				pair.server, multiples[i] * fragment + d - 2);
			/* With and without others in the same packet. */
			if (d % 2 != 0)
				run_delivered(&pair);
		}
	}
	send_all_kinds(pair.client, LARGE);
	run_delivered(&pair);
	simulation_destroy(pair.s);
}

/* @return when the last message was received, of `count` that are before it */
static uint64_t
overtake(unsigned count, enum machnet_message_kind before,
	enum machnet_message_kind kind)
{
	struct pair pair = pair_start(NULL);
	uint64_t start_ns = pair.s->now_ns;
	struct stream *out = connection_out(pair.client);
	uint64_t ns;

	for (unsigned i = 0; i < count; i++)
		connection_send_tagged(pair.client, LARGE, before, 1);
	/* Also when they are well under way. */
	simulation_run(pair.s, NS_PER_MS);
	connection_send_tagged(pair.client, 100, kind, 2);
	RUN_UNTIL(pair.s, out->messages[count].seen, 20 * S);
	ns = pair.s->now_ns - start_ns - NS_PER_MS;
	run_delivered(&pair);
	simulation_destroy(pair.s);
	return ns;
}

static void
requests_wait_for_no_message(void **state)
{
	(void)state;
	assert_true(overtake(3, MACHNET_MESSAGE_PLAIN, MACHNET_MESSAGE_REPLY) <
		    NS_PER_MS);
	assert_true(overtake(3, MACHNET_MESSAGE_REPLY, MACHNET_MESSAGE_REPLY) <
		    NS_PER_MS);
	/* More than are sent at a time. */
	assert_true(overtake(2 * PARTIAL_MAX, MACHNET_MESSAGE_REPLY,
			    MACHNET_MESSAGE_CANCEL) < NS_PER_MS);
	assert_true(overtake(3, MACHNET_MESSAGE_PLAIN, MACHNET_MESSAGE_PLAIN) >
		    10 * NS_PER_MS);
}

/* @return whether requests found their way while a message of 8 MiB was sent */
static uint32_t
requests_beside(enum machnet_message_kind large, uint32_t loss)
{
	struct simulation *s = simulation_create(loss + 1);
	struct pair pair = pair_start(s);
	struct stream *out = connection_out(pair.client);
	uint32_t rounds = 0;

	s->network.loss = loss;
	connection_send_tagged(pair.client, LARGE, large, 1);
	while (!out->messages[0].seen) {
		uint32_t last = out->accepted + 32;

		while (out->accepted != last)
			connection_send_tagged(pair.client, 1000,
				MACHNET_MESSAGE_REQUEST, out->accepted);
		RUN_UNTIL(s, out->received + !out->messages[0].seen == last,
			loss == 0 ? NS_PER_MS : S);
		rounds++;
	}
	run_delivered(&pair);
	simulation_destroy(s);
	return rounds;
}

/* More of them than there are ids in a window. */
static void
requests_do_not_run_out_beside_a_large_message(void **state)
{
	uint32_t enough = 3 * TRANSPORT_MESSAGE_WINDOW / 32;

	(void)state;
	assert_true(requests_beside(MACHNET_MESSAGE_PLAIN, 0) > enough);
	assert_true(requests_beside(MACHNET_MESSAGE_REPLY, 0) > enough);
	assert_true(requests_beside(MACHNET_MESSAGE_PLAIN, 300) > enough);
}

static void
a_plain_message_is_not_kept_waiting_by_requests(void **state)
{
	struct pair pair = pair_start(NULL);
	struct stream *out = connection_out(pair.client);

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		connection_send_tagged(
			pair.client, 1000, MACHNET_MESSAGE_REQUEST, i);
	connection_send(pair.client, 100);
	for (unsigned i = 0; i < 1000; i++)
		connection_send_tagged(
			pair.client, 1000, MACHNET_MESSAGE_REQUEST, i);
	RUN_UNTIL(pair.s, out->messages[1000].seen, S);
	assert_true(out->received < 1500);
	run_delivered(&pair);
	simulation_destroy(pair.s);
}

static void
a_close_delivers_messages_of_all_kinds(void **state)
{
	static const uint32_t lengths[] = {0, 100, 5000, 1 << 20};
	struct simulation *s = simulation_create(3);
	struct pair pair = pair_start(s);

	(void)state;
	s->network.loss = 300;
	for (unsigned n = 0; n < 40; n++)
		send_all_kinds(pair.client, lengths[n % 4]);
	connection_close(pair.client, 20000);
	RUN_UNTIL(s, pair.client->closed && pair.server->closed, 20 * S);
	assert_int_equal(pair.server->status, MACHNET_OK);
	assert_true(connection_delivered(pair.client));
	simulation_destroy(s);
}

static bool
note_length(struct simulation *s, const struct packet *packet)
{
	if (packet->bytes[1] == WIRE_DATA)
		*(uint32_t *)s->filter_context = packet->length;
	return true;
}

static void
only_messages_with_a_request_carry_one(void **state)
{
	struct pair pair = pair_start(NULL);
	uint32_t length = 0;

	(void)state;
	pair.s->filter = note_length;
	pair.s->filter_context = &length;
	connection_send(pair.client, 100);
	run_delivered(&pair);
	assert_int_equal(length, WIRE_HEADER_BYTES + WIRE_ACK_BYTES + 16 + 100);
	simulation_run(pair.s, NS_PER_MS);
	connection_send_tagged(pair.client, 100, MACHNET_MESSAGE_REQUEST, 1);
	run_delivered(&pair);
	assert_int_equal(length, WIRE_HEADER_BYTES + WIRE_ACK_BYTES + 20 + 100);
	simulation_destroy(pair.s);
}

/* Two fragments of one message that do not agree on what it is. */
static void
a_message_that_changes_its_kind_is_malformed(void **state)
{
	struct pair pair = pair_start(NULL);
	struct stranger *stranger = stranger_start(pair.s);
	struct wire_frame frame = {
		.kind = WIRE_FRAME_REQUEST, .total = 3000, .request = 7};
	struct wire_frame other;

	(void)state;
	assert_true(stranger_connect(stranger, pair.server_host));
	frame.length = stranger->accept.fragment_bytes - WIRE_REQUEST_BYTES;
	stranger_data(stranger, NULL, &frame);
	other = frame;
	other.offset = frame.length;
	other.request = 8;
	stranger_data(stranger, NULL, &other);
	assert_int_equal(host_counters(pair.server_host)->packets_malformed, 1);
	other.request = 7;
	other.kind = WIRE_FRAME_REPLY;
	stranger_data(stranger, NULL, &other);
	assert_int_equal(host_counters(pair.server_host)->packets_malformed, 2);
	other.kind = WIRE_FRAME_REQUEST;
	stranger_data(stranger, NULL, &other);
	assert_int_equal(host_counters(pair.server_host)->packets_malformed, 2);
	simulation_destroy(pair.s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_arrives_with_its_request),
		cmocka_unit_test(requests_wait_for_no_message),
		cmocka_unit_test(
			requests_do_not_run_out_beside_a_large_message),
		cmocka_unit_test(
			a_plain_message_is_not_kept_waiting_by_requests),
		cmocka_unit_test(a_close_delivers_messages_of_all_kinds),
		cmocka_unit_test(only_messages_with_a_request_carry_one),
		cmocka_unit_test(a_message_that_changes_its_kind_is_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
