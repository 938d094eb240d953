/* SPDX-License-Identifier: MIT */
/*
 * What DPDK's drivers tell of RSS. net_null receives nothing, but keeps a key,
 * a table and types as drivers of NICs do. net_bonding fills in what it is not
 * told, and has to be configured for that.
 */
#include "port/rss.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "rss/toeplitz.h"

#define DEVICE "net_null0"
#define TYPES RTE_ETH_RSS_NONFRAG_IPV4_UDP
#define ENTRIES 128u

static void
eal_begin(void)
{
	struct machnet_error error;

	if (port_eal_start(NULL, &error) != MACHNET_OK)
		fail_msg("%s", error.message);
}

static struct port
device_begin(uint16_t queues)
{
	struct port port = {.queues = queues};
	const struct rte_eth_conf configuration = {
		.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS,
		.rx_adv_conf.rss_conf.rss_hf = TYPES,
	};

	assert_int_equal(rte_dev_probe(DEVICE), 0);
	assert_int_equal(rte_eth_dev_get_port_by_name(DEVICE, &port.id), 0);
	assert_int_equal(
		rte_eth_dev_configure(port.id, queues, queues, &configuration),
		0);
	return port;
}

static void
device_end(const struct port *port)
{
	struct rte_eth_dev_info info;

	assert_int_equal(rte_eth_dev_info_get(port->id, &info), 0);
	assert_int_equal(rte_eth_dev_close(port->id), 0);
	assert_int_equal(rte_dev_remove(info.device), 0);
}

static void
hash_set(const struct port *port, uint8_t key[TOEPLITZ_KEY_BYTES],
	uint64_t types)
{
	struct rte_eth_rss_conf conf = {
		.rss_key = key,
		.rss_key_len = TOEPLITZ_KEY_BYTES,
		.rss_hf = types,
	};

	assert_int_equal(rte_eth_dev_rss_hash_update(port->id, &conf), 0);
}

static void
table_set(const struct port *port, uint16_t queues)
{
	struct rte_eth_rss_reta_entry64 groups[ENTRIES / 64];

	for (unsigned i = 0; i < ENTRIES; i++) {
		groups[i / 64].mask = UINT64_MAX;
		groups[i / 64].reta[i % 64] = (uint16_t)(i % queues);
	}
	assert_int_equal(
		rte_eth_dev_rss_reta_update(port->id, groups, ENTRIES), 0);
}

static uint32_t
queue_of(const uint8_t *key, uint32_t pair, uint32_t queues)
{
	uint8_t input[12] = {10, 0, 0, 1, 10, 0, 0, 2};

	store_be32(input + 8, pair);
	return toeplitz_hash(key, input, sizeof(input)) % ENTRIES % queues;
}

/* Whatever flips, its effect is known. */
static void
assert_told(struct rss_key told, const uint8_t *key, uint32_t queues)
{
	struct rss_map map;

	assert_true(told.told);
	rss_map_init(&map, queues);
	rss_map_hint(&map, told);
	for (unsigned i = 0; i < 32; i++)
		assert_int_equal(rss_map_effect(&map, 1u << i).change,
			queue_of(key, 0, queues) ^
				queue_of(key, 1u << i, queues));
}

static void
key_and_table_are_read(void **state)
{
	uint8_t key[TOEPLITZ_KEY_BYTES];
	struct port port = device_begin(8);

	(void)state;
	for (unsigned i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(i * 167 + 13);
	hash_set(&port, key, TYPES);
	table_set(&port, 8);
	assert_told(port_rss_key(&port), key, 8);
	/* The upper half of our queues gets nothing. */
	table_set(&port, 4);
	assert_int_equal(port_rss_key(&port).known, 0);
	/* The other way round: four of these queues we have not. */
	table_set(&port, 8);
	port.queues = 4;
	assert_int_equal(port_rss_key(&port).known, 0);
	device_end(&port);
}

static void
only_a_hash_of_udp_ports_will_do(void **state)
{
	static const uint64_t others[] = {
		RTE_ETH_RSS_IPV4,
		RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP,
		RTE_ETH_RSS_NONFRAG_IPV6_UDP,
	};
	uint8_t key[TOEPLITZ_KEY_BYTES] = {[13] = 0x5a, [14] = 0xc3};
	struct port port = device_begin(4);

	(void)state;
	table_set(&port, 4);
	hash_set(&port, key, TYPES | RTE_ETH_RSS_IPV4);
	assert_told(port_rss_key(&port), key, 4);
	for (unsigned i = 0; i < RTE_DIM(others); i++) {
		hash_set(&port, key, others[i]);
		assert_int_equal(port_rss_key(&port).known, 0);
	}
	device_end(&port);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(key_and_table_are_read),
		cmocka_unit_test(only_a_hash_of_udp_ports_will_do),
	};

	eal_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
