// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "transport/transport.h"

static uint8_t bytes[2048];

static void
an_id_takes_apart_into_what_it_was_made_of(void **state)
{
	uint32_t id = connection_id(255, 63, CONNECTION_INDICES - 1);

	(void)state;
	assert_int_equal(id, UINT32_MAX);
	id = connection_id(257, 41, 12345);
	assert_int_equal(connection_engine(id), 41);
	assert_int_equal(connection_index(id), 12345);
	/* A generation runs over into nothing. */
	assert_int_equal(id, connection_id(1, 41, 12345));
	id += 255 * CONNECTION_GENERATION;
	assert_int_equal(id, connection_id(0, 41, 12345));
}

static uint32_t
engine_of_header(uint8_t type, uint32_t connection)
{
	struct wire_header header = {
		.type = type,
		.flags = type == WIRE_ACK ? WIRE_FLAG_ACK : 0,
		.connection = connection,
	};

	memset(bytes, 0, sizeof(bytes));
	wire_header_write(bytes, &header);
	return transport_engine_of(bytes, WIRE_HEADER_BYTES);
}

static void
what_names_a_connection_is_for_its_engine(void **state)
{
	static const uint8_t types[] = {WIRE_ANSWER, WIRE_ACCEPT, WIRE_DATA,
		WIRE_ACK, WIRE_RESET, WIRE_PONG};
	uint32_t id = connection_id(7, 5, 99);

	(void)state;
	for (unsigned i = 0; i < ARRAY_LENGTH(types); i++)
		assert_int_equal(engine_of_header(types[i], id), 5);
}

static void
what_opens_or_asks_is_for_any_engine(void **state)
{
	uint32_t id = connection_id(7, 5, 99);

	(void)state;
	assert_int_equal(engine_of_header(WIRE_SYN, id), TRANSPORT_ENGINE_ANY);
	assert_int_equal(engine_of_header(WIRE_PING, id), TRANSPORT_ENGINE_ANY);
}

static void
a_reset_by_one_that_does_not_know_us_is_for_all(void **state)
{
	(void)state;
	assert_int_equal(engine_of_header(WIRE_RESET, 0), TRANSPORT_ENGINE_ALL);
}

static void
a_confirmation_is_for_the_owner_that_it_names(void **state)
{
	struct wire_confirm confirm = {
		.syn = {.client = 1, .port = 2, .engine = 6},
		.cookie = {.engine = 3},
	};
	uint32_t length;

	(void)state;
	length = wire_confirm_write(bytes, 1, &confirm);
	assert_int_equal(transport_engine_of(bytes, length), 6);
	assert_int_equal(
		transport_engine_of(bytes, length - 1), TRANSPORT_ENGINE_ANY);
	confirm.syn.engine = CONNECTION_ENGINES;
	length = wire_confirm_write(bytes, 1, &confirm);
	assert_int_equal(
		transport_engine_of(bytes, length), TRANSPORT_ENGINE_ANY);
	confirm.syn.engine = WIRE_ENGINE_ANY;
	length = wire_confirm_write(bytes, 1, &confirm);
	assert_int_equal(
		transport_engine_of(bytes, length), TRANSPORT_ENGINE_ANY);
}

static void
what_makes_no_sense_is_for_whoever_gets_it(void **state)
{
	(void)state;
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(transport_engine_of(bytes, sizeof(bytes)),
		TRANSPORT_ENGINE_ANY);
	assert_int_equal(transport_engine_of(bytes, 0), TRANSPORT_ENGINE_ANY);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_id_takes_apart_into_what_it_was_made_of),
		cmocka_unit_test(what_names_a_connection_is_for_its_engine),
		cmocka_unit_test(what_opens_or_asks_is_for_any_engine),
		cmocka_unit_test(
			a_reset_by_one_that_does_not_know_us_is_for_all),
		cmocka_unit_test(a_confirmation_is_for_the_owner_that_it_names),
		cmocka_unit_test(what_makes_no_sense_is_for_whoever_gets_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
