// SPDX-License-Identifier: MIT
/* An application that does not keep up harms its own connections only. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sidecar/application.h"
#include "sidecar/hosts.h"

#define B_ADDRESS 0x0a000002u
#define PORT 888
#define OTHER_PORT 889
#define MESSAGE_BYTES 1000
#define ROUNDS 500u

static struct host a, b;

static int
set_up(void **state)
{
	if (hosts_set_up(state) != 0)
		return -1;
	host_start_server(&a, NULL);
	host_start_client(&b, NULL);
	return 0;
}

static uint32_t
connection_open(struct application *application, uint16_t port)
{
	struct machnet_event event = application_connect(
		application, B_ADDRESS, port, HOSTS_WAIT_MS);

	assert_int_equal(event.status, MACHNET_OK);
	return event.connection;
}

/* A round trip over an echo. */
static void
echo(struct application *application, uint32_t connection)
{
	application_send(application, connection, "still there?", 12);
	application_receive(application, connection, "still there?", 12);
}

static void
message_write(uint8_t message[MESSAGE_BYTES], uint32_t number)
{
	memset(message, (int)number, MESSAGE_BYTES);
	memcpy(message, &number, sizeof(number));
}

static void
a_receiver_that_is_paused_delays_nobody_else(void **state)
{
	pid_t paused = application_echo(&b, PORT);
	struct application client, other;
	uint32_t connection, other_connection;
	uint8_t message[MESSAGE_BYTES];
	uint32_t sent = 0;

	(void)state;
	application_echo(&b, OTHER_PORT);
	application_attach(&client, &a);
	application_attach(&other, &a);
	connection = connection_open(&client, PORT);
	other_connection = connection_open(&other, OTHER_PORT);

	kill(paused, SIGSTOP);
	while (sent < 4 * ROUNDS) {
		message_write(message, sent);
		application_send(&client, connection, message, MESSAGE_BYTES);
		if (++sent % 4 == 0)
			echo(&other, other_connection);
	}
	kill(paused, SIGCONT);
	for (uint32_t i = 0; i < sent; i++) {
		message_write(message, i);
		application_receive(
			&client, connection, message, MESSAGE_BYTES);
	}
	application_end(&other);
	application_end(&client);
}

/* Neither here nor there does it fill more than its own memory. */
static void
a_sender_that_does_not_read_replies_delays_nobody_else(void **state)
{
	struct application deaf, other;
	uint32_t connection, other_connection;
	uint8_t message[MESSAGE_BYTES];
	uint32_t sent = 0, refused = 0;

	(void)state;
	application_echo(&b, PORT);
	application_echo(&b, OTHER_PORT);
	application_attach(&deaf, &a);
	application_attach(&other, &a);
	connection = connection_open(&deaf, PORT);
	other_connection = connection_open(&other, OTHER_PORT);
	/* Until the rings are full and it was told so again and again. */
	while (refused < ROUNDS) {
		bool full = false;

		for (int i = 0; i < 100 && !full; i++) {
			message_write(message, sent);
			full = machnet_send(deaf.channel, connection, message,
				       MESSAGE_BYTES) != MACHNET_OK;
			sent += !full;
		}
		refused += full;
		echo(&other, other_connection);
	}
	assert_in_range(sent, 2048, UINT32_MAX);
	/* Nothing is lost for it. */
	for (uint32_t i = 0; i < sent; i++) {
		message_write(message, i);
		application_receive(&deaf, connection, message, MESSAGE_BYTES);
	}
	application_end(&other);
	application_end(&deaf);
	host_stop(&a);
	host_stop(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_receiver_that_is_paused_delays_nobody_else, set_up,
			hosts_tear_down),
		cmocka_unit_test_setup_teardown(
			a_sender_that_does_not_read_replies_delays_nobody_else,
			set_up, hosts_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
