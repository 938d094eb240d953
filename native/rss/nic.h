/* SPDX-License-Identifier: MIT */
/* What the driver of a NIC tells of how that chooses queues, for rss/map.h. */
#ifndef RSS_NIC_H
#define RSS_NIC_H

#include <stdint.h>

#include "rss/map.h"

#define RSS_NIC_KEY_BYTES_MAX 64u
#define RSS_NIC_ENTRIES_MAX 512u

/* Toeplitz over addresses and ports, see rss/toeplitz.h, and the indirection
 * table: the lower bits of the hash tell the entry, and that the queue. */
struct rss_nic {
	uint8_t key[RSS_NIC_KEY_BYTES_MAX];
	uint32_t key_bytes;
	uint16_t table[RSS_NIC_ENTRIES_MAX];
	uint32_t entries;
};

/**
 * The bits of the key that a map of so many queues is about, for IPv4 and UDP.
 *
 * Nothing (known is 0) where a map cannot say it: the table has no entries or
 * their number is no power of two, it names other queues, or it is not filled
 * such that bits of the hash in a row are the lower bits of the queue, as round
 * robin or in blocks. Nothing either if the ports do not matter by this key:
 * learning sees that as soon as it could be confirmed.
 */
struct rss_key rss_nic_key(const struct rss_nic *nic, uint32_t queues);

#endif
