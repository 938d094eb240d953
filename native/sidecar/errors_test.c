// SPDX-License-Identifier: MIT
/* Everything that can be asked for and cannot be had: which error, in which
 * words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "sidecar/application.h"
#include "sidecar/hosts.h"

#define B_ADDRESS 0x0a000002u
#define NOBODY 0x0a00004du /* 10.0.0.77 */
#define PORT 888

static struct host a, b;
static struct application client, server;

static int
set_up(void **state)
{
	if (hosts_set_up(state) != 0)
		return -1;
	host_start_server(&a, NULL);
	host_start_client(&b, NULL);
	application_attach(&client, &a);
	application_attach(&server, &b);
	return 0;
}

static int
tear_down(void **state)
{
	return hosts_tear_down(state);
}

static void
connect_fails(uint32_t address, uint16_t port, int32_t status)
{
	struct machnet_event event =
		application_connect(&client, address, port, HOSTS_WAIT_MS);

	assert_string_equal(
		machnet_status_name(event.status), machnet_status_name(status));
	assert_int_equal(event.connection, 0);
	assert_int_equal(event.token, APPLICATION_CONNECT_TOKEN);
}

static void
an_address_that_nobody_has_is_unreachable(void **state)
{
	(void)state;
	connect_fails(NOBODY, PORT, MACHNET_HOST_UNREACHABLE);
	/* Once more, now that it was forgotten. */
	connect_fails(NOBODY, PORT, MACHNET_HOST_UNREACHABLE);
}

static void
an_address_that_no_host_can_have_is_refused(void **state)
{
	const uint32_t addresses[] = {0, 1, 0x7f000001, 0xe0000001, 0xf0000000,
		0xffffffff, B_ADDRESS & ~0xffu, B_ADDRESS | 0xffu};

	(void)state;
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		connect_fails(addresses[i], PORT, MACHNET_INVALID_ARGUMENT);
}

static void
a_port_without_a_listener_refuses(void **state)
{
	(void)state;
	connect_fails(B_ADDRESS, 9999, MACHNET_CONNECTION_REFUSED);
	connect_fails(B_ADDRESS, 65535, MACHNET_CONNECTION_REFUSED);
}

static void
a_busy_port_is_in_use(void **state)
{
	struct application other;
	struct machnet_event event;

	(void)state;
	application_attach(&other, &b);
	event = application_listen(&other, 0, 4000);
	assert_int_equal(event.status, MACHNET_OK);
	assert_int_equal(event.port, 4000);
	assert_int_equal(event.address, B_ADDRESS);
	assert_int_equal(application_listen(&server, 0, 4000).status,
		MACHNET_ADDRESS_IN_USE);
	assert_int_equal(application_listen(&other, 0, 4000).status,
		MACHNET_ADDRESS_IN_USE);
	assert_int_equal(
		machnet_unlisten(other.channel, event.listener), MACHNET_OK);
	application_event(&other, MACHNET_EVENT_UNLISTENED);
	assert_int_equal(
		application_listen(&server, 0, 4000).status, MACHNET_OK);
	application_end(&other);
}

static void
only_the_sidecars_own_address_is_available(void **state)
{
	struct machnet_event event;

	(void)state;
	assert_int_equal(application_listen(&server, NOBODY, 4001).status,
		MACHNET_ADDRESS_NOT_AVAILABLE);
	assert_int_equal(application_listen(&server, B_ADDRESS, 4001).status,
		MACHNET_OK);
	event = application_listen(&server, 0, 0);
	assert_int_equal(event.status, MACHNET_OK);
	assert_in_range(event.port, 49152, 65535);
}

/* Of starting. */

static void
refused(const char *device, const char *ip, const char *parameter,
	const char *value, const char *text)
{
	const char *const texts[] = {text, NULL};
	const char *const more[] = {parameter, value, NULL};

	host_refuses(
		&(struct host_options){
			.name = "c", .device = device, .ip = ip, .more = more},
		texts);
	/* It left nothing: the two sidecars' sockets, the memif and its two
	 * bells. */
	assert_int_equal(hosts_files(hosts_folder, ""), 5);
}

static void
a_device_is_refused_by_name(void **state)
{
	const char *ip = "10.0.0.3/24";

	(void)state;
	refused("foo:bar", ip, NULL, NULL,
		"Cannot use device \"foo:bar\": a device is one of memif:");
	refused("af_packet:nope0", ip, NULL, NULL,
		"Cannot find network interface \"nope0\": there are lo");
	refused("af_xdp:nope0", ip, NULL, NULL,
		"Cannot find network interface \"nope0\": there are lo");
	refused("0000:ff:1f.7", ip, NULL, NULL,
		"Cannot find PCI device 0000:ff:1f.7: the network devices "
		"are ");
	refused("memif:/nonexistent/wire", ip, NULL, NULL,
		"Cannot use memif socket \"/nonexistent/wire\"");
	refused(hosts_memif("wire", true), ip, NULL, NULL,
		"another process does");
}

static void
a_parameter_is_refused_by_name(void **state)
{
	const char *device = hosts_memif("other", true);
	const char *const ips[] = {"10.0.0.3", "10.0.0.3/", "10.0.0.3/33",
		"10.0.0.3/0", "10.0.0/24", "10.0.0.256/24", "name/24",
		"10.0.0.3/24x", "10.0.0.0/24", "10.0.0.255/24", "0.0.0.0/8",
		"127.0.0.1/8", "224.0.0.1/4"};
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof(ips) / sizeof(ips[0]); i++) {
		snprintf(text, sizeof(text), "Cannot use ip \"%s\": ", ips[i]);
		refused(device, ips[i], NULL, NULL, text);
	}
	refused(device, "10.0.0.3/24", "--mtu", "100", "mtu 100 is not in");
	refused(device, "10.0.0.3/24", "--mtu", "big",
		"--mtu is a number from 1 to 65535, not \"big\"");
	refused(device, "10.0.0.3/24", "--gateway", "10.0.1.1",
		"Cannot use gateway \"10.0.1.1\"");
	refused(device, "10.0.0.3/24", "--engines", "65",
		"Cannot start 65 engines: there may be 64");
	refused(device, "10.0.0.3/24", "--engines", "0",
		"--engines is a number from 1 to 65535, not \"0\"");
	refused(device, "10.0.0.3/24", "--peer-timeout", "0",
		"--peer-timeout is a number from 1 to 65535, not \"0\"");
	refused(device, "10.0.0.3/24", "--cores", "0,1",
		"Cannot use cores \"0,1\"");
	refused(device, "10.0.0.3/24", "--poll", "often",
		"--poll is busy or adaptive");
	refused(NULL, "10.0.0.3/24", NULL, NULL,
		"--device and --ip are needed");
}

/* Engines that did start are ended. */
static void
a_core_that_there_is_not_is_named(void **state)
{
	const char *const texts[] = {
		"Cannot run engine 2 on core 1023: this process may not use it",
		NULL};
	const char *const more[] = {
		"--engines", "4", "--cores", "0,0,1023,0", NULL};
	const struct host_options options = {
		.name = "other",
		.device = hosts_memif("other", true),
		.ip = "10.0.0.3/24",
		.more = more,
	};

	(void)state;
	host_refuses(&options, texts);
}

static void
a_control_socket_that_is_served_is_in_use(void **state)
{
	char text[256];
	const char *const texts[] = {text, "--socket", NULL};

	(void)state;
	snprintf(text, sizeof(text),
		"Cannot listen on control socket \"%s\": another sidecar does",
		a.socket);
	host_refuses(&(struct host_options){.name = "a",
			     .device = hosts_memif("other", true),
			     .ip = "10.0.0.3/24"},
		texts);
	assert_int_equal(host_counter(&a, "channels"), 1);
}

/* As where there is no XDG_RUNTIME_DIR. */
static void
a_control_socket_that_cannot_be_made_may_be_elsewhere(void **state)
{
	(void)state;
	refused(hosts_memif("other", true), "10.0.0.3/24", "--socket",
		"/nonexistent/folder/machnet.sock",
		"Cannot make control socket "
		"\"/nonexistent/folder/machnet.sock\": No such file or "
		"directory; choose a path in a folder of yours with --socket");
}

static void
a_file_in_the_place_of_the_control_socket_stays(void **state)
{
	const char *const texts[] = {
		"the file exists and is not a socket", NULL};
	char path[128];
	FILE *file;

	(void)state;
	snprintf(path, sizeof(path), "%s/file.sock", hosts_folder);
	file = fopen(path, "we");
	assert_non_null(file);
	fclose(file);
	host_refuses(&(struct host_options){.name = "file",
			     .device = hosts_memif("other", true),
			     .ip = "10.0.0.3/24"},
		texts);
	assert_int_equal(unlink(path), 0);
}

static void
an_address_that_another_host_has_is_in_use(void **state)
{
	const char *const texts[] = {"Cannot use address 10.0.0.1: the host ",
		" on this link has it", NULL};
	unsigned mac[6];
	const char *host;
	struct host c;

	(void)state;
	host_stop(&b);
	host_begin(&c, &(struct host_options){.name = "c",
			       .device = hosts_memif("wire", false),
			       .ip = "10.0.0.1/24"});
	assert_int_not_equal(host_wait(&c), 0);
	host = strstr(c.said, texts[0]);
	if (host == NULL || strstr(host, texts[1]) == NULL ||
		sscanf(host + strlen(texts[0]), "%2x:%2x:%2x:%2x:%2x:%2x",
			&mac[0], &mac[1], &mac[2], &mac[3], &mac[4],
			&mac[5]) != 6)
		fail_msg("machnetd said: %s", c.said);
	assert_true(host_lives(&a));
}

/* A message passes between two sidecars of some engines. */
static void
passes(const struct host *from, const struct host *to)
{
	struct application sender, receiver;
	uint32_t sends, receives;

	application_attach(&sender, from);
	application_attach(&receiver, to);
	assert_int_equal(
		application_listen(&receiver, 0, PORT).status, MACHNET_OK);
	application_pair(&sender, &sends, &receiver, &receives, PORT);
	application_round_trip(&sender, sends, &receiver, receives);
	application_end(&sender);
	application_end(&receiver);
}

static struct host_options
host_of_engines(bool serves, const char *const *more)
{
	return (struct host_options){
		.name = serves ? "c" : "d",
		.device = hosts_memif("engines", serves),
		.ip = serves ? "10.0.0.3/24" : "10.0.0.4/24",
		.more = more,
	};
}

/* By the client, which is told so when it starts or when its server does. */
static void
engines_differ(const char *engines_c, const char *engines_d, const char *text,
	bool server_first)
{
	const char *const of_c[] = {"--engines", engines_c, NULL};
	const char *const of_d[] = {"--engines", engines_d, NULL};
	struct host_options c_options = host_of_engines(true, of_c);
	struct host_options d_options = host_of_engines(false, of_d);
	struct host c, d;

	if (server_first) {
		host_start(&c, &c_options);
		host_begin(&d, &d_options);
	} else {
		host_start(&d, &d_options);
		host_start(&c, &c_options);
	}
	assert_int_not_equal(host_wait(&d), 0);
	if (strstr(d.said, text) == NULL || strstr(d.said, "--engines") == NULL)
		fail_msg("machnetd said: %s", d.said);
	/* The server is well, and so is a client that it has had before. */
	d_options.more = of_c;
	for (int i = 0; i < 2; i++) {
		host_start(&d, &d_options);
		host_says(&d, "machnetd: link up");
		passes(&d, &c);
		if (i == 0) {
			host_stop(&c);
			host_start(&c, &c_options);
			host_says(&c, "machnetd: link up");
			passes(&c, &d);
		}
		host_stop(&d);
	}
	host_stop(&c);
}

static void
numbers_of_engines_that_differ_are_named(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		engines_differ("2", "3",
			"with 3 engines: the other end has fewer; ", i);
		engines_differ(
			"2", "1", "with 1 engine: the other end has 2; ", i);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_that_nobody_has_is_unreachable),
		cmocka_unit_test(an_address_that_no_host_can_have_is_refused),
		cmocka_unit_test(a_port_without_a_listener_refuses),
		cmocka_unit_test(a_busy_port_is_in_use),
		cmocka_unit_test(only_the_sidecars_own_address_is_available),
		cmocka_unit_test(a_device_is_refused_by_name),
		cmocka_unit_test(a_parameter_is_refused_by_name),
		cmocka_unit_test(a_core_that_there_is_not_is_named),
		cmocka_unit_test(a_control_socket_that_is_served_is_in_use),
		cmocka_unit_test(
			a_control_socket_that_cannot_be_made_may_be_elsewhere),
		cmocka_unit_test(
			a_file_in_the_place_of_the_control_socket_stays),
		cmocka_unit_test(numbers_of_engines_that_differ_are_named),
		cmocka_unit_test(an_address_that_another_host_has_is_in_use),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
