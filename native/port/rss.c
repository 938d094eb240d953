/* SPDX-License-Identifier: MIT */
#include "port/rss.h"

#include "rss/nic.h"
#include "rss/toeplitz.h"

#define GROUPS_MAX (RSS_NIC_ENTRIES_MAX / RTE_ETH_RETA_GROUP_SIZE)

static bool
key_read(struct rss_nic *nic, uint16_t id, const struct rte_eth_dev_info *info)
{
	/* A driver that does not say has one of the usual length. */
	uint8_t bytes = info->hash_key_size == 0 ? TOEPLITZ_KEY_BYTES
						 : info->hash_key_size;
	struct rte_eth_rss_conf hash = {
		.rss_key = nic->key,
		.rss_key_len = bytes,
	};

	if (bytes > sizeof(nic->key) ||
		rte_eth_dev_rss_hash_conf_get(id, &hash) != 0)
		return false;
	nic->key_bytes = RTE_MIN(hash.rss_key_len, bytes);
	return (hash.rss_hf & RTE_ETH_RSS_NONFRAG_IPV4_UDP) != 0;
}

static bool
table_read(
	struct rss_nic *nic, uint16_t id, const struct rte_eth_dev_info *info)
{
	struct rte_eth_rss_reta_entry64 groups[GROUPS_MAX];

	if (info->reta_size == 0 || info->reta_size > RSS_NIC_ENTRIES_MAX)
		return false;
	for (unsigned i = 0; i < GROUPS_MAX; i++)
		groups[i].mask = UINT64_MAX;
	if (rte_eth_dev_rss_reta_query(id, groups, info->reta_size) != 0)
		return false;
	nic->entries = info->reta_size;
	for (unsigned i = 0; i < nic->entries; i++)
		nic->table[i] = groups[i / RTE_ETH_RETA_GROUP_SIZE]
					.reta[i % RTE_ETH_RETA_GROUP_SIZE];
	return true;
}

struct rss_key
port_rss_key(const struct port *port)
{
	struct rss_nic nic = {0};
	struct rte_eth_dev_info info;

	if (rte_eth_dev_info_get(port->id, &info) != 0 ||
		!key_read(&nic, port->id, &info) ||
		!table_read(&nic, port->id, &info))
		return (struct rss_key){0};
	return rss_nic_key(&nic, port->queues);
}
