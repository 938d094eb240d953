// SPDX-License-Identifier: MIT
/*
 * A device that holds what it was given to send, as a NIC may for long: two
 * engines on rings of mbufs (net_ring), between which this test carries copies.
 * The mbufs themselves go back as a driver gives them, on the engine's thread,
 * in bursts that it receives; or they are held, and with them whatever
 * application wrote their bytes.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "engine/engine.h"
#include "port/memory.h"
#include "port/pool.h"
#include "sidecar/application.h"
#include "sidecar/control.h"

#include <rte_eth_ring.h>
#include <rte_ring.h>

#define A_ADDRESS 0x0a000001u
#define PORT 888
#define BURST 32
#define RING 1024
#define MBUFS 8191
#define DESCRIPTORS 256
#define MESSAGE_BYTES (1u << 20)
/* So many of a message's packets leave at once, for one that is held. */
#define HELD_EACH 64

struct end {
	struct rte_ring *sent, *received;
	struct port port;
	struct services *services;
	struct engine *engine;
	struct control control;
	struct host host; /* its socket */
	atomic_uint channels;
	bool stopped;
};

static struct end a, b;
static struct application client, server;
static uint32_t client_side, server_side;
static pthread_t control_thread;
static atomic_bool stopping, holding;
static struct rte_mbuf *held[MBUFS];
static uint32_t held_length, passed;

static struct rte_ring *
ring_make(const char *end, const char *name)
{
	char text[RTE_RING_NAMESIZE];
	struct rte_ring *ring;

	snprintf(text, sizeof(text), "%s_%s", end, name);
	ring = rte_ring_create(
		text, RING, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	assert_non_null(ring);
	return ring;
}

static void
port_make(struct end *end, const char *name, uint8_t last)
{
	const struct rte_eth_conf configuration = {0};
	struct rte_eth_dev_info info;
	struct port *port = &end->port;
	int id;

	end->sent = ring_make(name, "sent");
	end->received = ring_make(name, "received");
	id = rte_eth_from_rings(
		name, &end->received, 1, &end->sent, 1, SOCKET_ID_ANY);
	assert_true(id >= 0);
	*port = (struct port){
		.id = (uint16_t)id,
		.queues = 1,
		.rx_descriptors = DESCRIPTORS,
		.tx_descriptors = DESCRIPTORS,
		.mtu = 1500,
		.mac.bytes = {2, 0, 0, 0, 0, last},
	};
	port->pools[0] = pool_create(name, MBUFS, 2048, false, SOCKET_ID_ANY);
	assert_non_null(port->pools[0]);
	assert_int_equal(
		rte_eth_dev_configure(port->id, 1, 1, &configuration), 0);
	assert_int_equal(rte_eth_rx_queue_setup(port->id, 0, DESCRIPTORS, 0,
				 NULL, port->pools[0]),
		0);
	assert_int_equal(
		rte_eth_tx_queue_setup(port->id, 0, DESCRIPTORS, 0, NULL), 0);
	assert_int_equal(rte_eth_dev_start(port->id), 0);
	assert_int_equal(rte_eth_dev_info_get(port->id, &info), 0);
	port->rte_device = info.device;
	port->reads_memory = memory_probe(&info);
	assert_true(port->reads_memory);
}

static void
end_start(struct end *end, const char *name, uint32_t address)
{
	struct engine_options options = {
		.port = &end->port,
		.address = address,
		.prefix_length = 24,
		.core = -1,
		.engines = 1,
		.instance = address,
	};
	struct machnet_error error;

	memset(end, 0, sizeof(*end));
	port_make(end, name, (uint8_t)address);
	end->services = options.services = services_create();
	assert_non_null(end->services);
	if (engine_start(&end->engine, &options, &error) != MACHNET_OK)
		fail_msg("%s", error.message);
	snprintf(end->host.socket, sizeof(end->host.socket), "%s/%s.sock",
		hosts_folder, name);
	if (control_open(&end->control, end->host.socket,
		    epoll_create1(EPOLL_CLOEXEC), &error) != MACHNET_OK)
		fail_msg("%s", error.message);
	end->control.address = address;
	end->control.port = &end->port;
	end->control.engines = &end->engine;
	end->control.engines_length = 1;
}

/* The copy is what arrives. */
static void
carry(struct end *from, struct end *to)
{
	struct rte_mbuf *mbufs[BURST];
	unsigned length =
		rte_ring_dequeue_burst(from->sent, (void **)mbufs, BURST, NULL);

	for (unsigned i = 0; i < length; i++) {
		struct rte_mbuf *copy = rte_pktmbuf_copy(
			mbufs[i], to->port.pools[0], 0, UINT32_MAX);

		if (copy != NULL && rte_ring_enqueue(to->received, copy) != 0)
			rte_pktmbuf_free(copy);
		if (from == &a && mbufs[i]->nb_segs == 2 &&
			atomic_load(&holding) && passed++ % HELD_EACH == 0)
			held[held_length++] = mbufs[i];
		else
			while (rte_ring_enqueue(from->received, mbufs[i]) != 0)
				sched_yield();
	}
}

static void
control_run(struct end *end)
{
	struct engine_notice notice;

	control_serve(&end->control);
	while (engine_notice(end->engine, &notice)) {
		control_notice(&end->control, &notice);
		end->stopped |= notice.kind == ENGINE_STOPPED;
	}
	atomic_store(&end->channels, end->control.channels[0]);
}

static void
end_stop(struct end *end)
{
	const struct engine_order stop = {.kind = ENGINE_STOP};

	control_stop(&end->control);
	engine_order(end->engine, &stop);
}

static void *
control_loop(void *unused)
{
	bool ordered = false;

	while (!a.stopped || !b.stopped) {
		carry(&a, &b);
		carry(&b, &a);
		if (!atomic_load(&holding))
			while (held_length != 0 &&
				rte_ring_enqueue(
					a.received, held[held_length - 1]) == 0)
				held_length--;
		control_run(&a);
		control_run(&b);
		if (atomic_load(&stopping) && !ordered) {
			end_stop(&a);
			end_stop(&b);
			ordered = true;
		}
		sched_yield();
	}
	return unused;
}

static int
set_up(void **state)
{
	struct machnet_error error;

	if (hosts_set_up(state) != 0 ||
		port_eal_start(NULL, &error) != MACHNET_OK)
		return -1;
	stopping = holding = false;
	end_start(&a, "a", A_ADDRESS);
	end_start(&b, "b", A_ADDRESS + 1);
	if (pthread_create(&control_thread, NULL, control_loop, NULL) != 0)
		return -1;
	application_attach(&client, &a.host);
	application_attach(&server, &b.host);
	application_listen(&server, 0, PORT);
	application_pair(&client, &client_side, &server, &server_side, PORT);
	atomic_store(&holding, true);
	return 0;
}

static void
ring_end(struct rte_ring *ring)
{
	void *mbuf;

	while (rte_ring_dequeue(ring, &mbuf) == 0)
		rte_pktmbuf_free(mbuf);
	rte_ring_free(ring);
}

/* The engine's thread is gone: whoever stops the port gives the mbufs back. */
static void
end_end(struct end *end)
{
	engine_destroy(end->engine);
	rte_eth_dev_stop(end->port.id);
	rte_eth_dev_close(end->port.id);
	ring_end(end->sent);
	ring_end(end->received);
	control_clients_end(&end->control);
	assert_int_equal(end->control.channels[0], 0);
	close(end->control.epoll);
	control_close(&end->control);
	rte_dev_remove(end->port.rte_device);
	rte_mempool_free(end->port.pools[0]);
	services_destroy(end->services);
}

static void
stop(void)
{
	atomic_store(&stopping, true);
	pthread_join(control_thread, NULL);
}

static int
tear_down(void **state)
{
	if (!atomic_load(&stopping))
		stop();
	rte_pktmbuf_free_bulk(held, held_length);
	held_length = passed = 0;
	end_end(&a);
	end_end(&b);
	return hosts_tear_down(state);
}

/* Of one value, which is not 0. */
static void
message_pass(uint8_t value)
{
	static uint8_t bytes[MESSAGE_BYTES];

	memset(bytes, value, sizeof(bytes));
	application_send(&client, client_side, bytes, sizeof(bytes));
	application_receive(&server, server_side, bytes, sizeof(bytes));
}

/* What is held is as it was sent: the memory is there, and nobody else's. */
static void
held_check(uint8_t value)
{
	assert_true(held_length != 0);
	for (uint32_t i = 0; i < held_length; i++) {
		const struct rte_mbuf *tail = held[i]->next;

		for (uint32_t k = 0; k < tail->data_len; k++)
			assert_int_equal(
				rte_pktmbuf_mtod(tail, const uint8_t *)[k],
				value);
	}
}

static void
channels_settle(struct end *end, uint32_t channels)
{
	uint64_t end_ms = hosts_now_ms() + HOSTS_WAIT_MS;

	while (atomic_load(&end->channels) != channels) {
		assert_true(hosts_now_ms() < end_ms);
		sched_yield();
	}
}

static void
blocks_come_home_when_their_packets_have_left(void **state)
{
	static const uint8_t bytes[MESSAGE_BYTES];
	uint32_t messages = 0;

	(void)state;
	while (machnet_send(client.channel, client_side, bytes,
		       sizeof(bytes)) == MACHNET_OK) {
		application_receive(&server, server_side, bytes, sizeof(bytes));
		messages++;
		host_counts(&a.host, "messages_sent", messages);
		/* The arena has room for so many. */
		assert_in_range(messages, 1, 32);
	}
	assert_true(messages > 1);
	assert_int_equal(
		machnet_send(client.channel, client_side, bytes, sizeof(bytes)),
		MACHNET_AGAIN);
	atomic_store(&holding, false);
	for (uint32_t i = 0; i < 64; i++)
		message_pass(3);
	application_end(&client);
	application_end(&server);
}

static void
the_memory_of_who_is_gone_stays_until_its_packets_have_left(void **state)
{
	(void)state;
	message_pass(7);
	application_end(&client);
	application_closed(&server, server_side, MACHNET_CONNECTION_RESET,
		"the application ended");
	assert_int_equal(host_counter(&a.host, "channels"), 0);
	assert_int_equal(atomic_load(&a.channels), 1);
	held_check(7);
	atomic_store(&holding, false);
	channels_settle(&a, 0);
	application_end(&server);
}

static void
stopping_does_not_wait_for_the_device(void **state)
{
	(void)state;
	message_pass(9);
	stop();
	assert_int_equal(application_loss(&client), MACHNET_SIDECAR_STOPPED);
	assert_int_equal(a.control.channels[0], 1);
	held_check(9);
	machnet_mapping_release(client.info.base, NULL);
	application_loss(&server);
	machnet_mapping_release(server.info.base, NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(blocks_come_home_when_their_packets_have_left),
		TEST(the_memory_of_who_is_gone_stays_until_its_packets_have_left),
		TEST(stopping_does_not_wait_for_the_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
