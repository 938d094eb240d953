/* SPDX-License-Identifier: MIT */
/* The hash by which NICs choose an RX queue. */
#ifndef RSS_TOEPLITZ_H
#define RSS_TOEPLITZ_H

#include <stdint.h>

/* Of the key that drivers set; enough for IPv6 addresses and ports. */
#define TOEPLITZ_KEY_BYTES 40u

/**
 * Toeplitz hash, as Microsoft's "RSS Hashing Functions" and its verification
 * suite define it: for each bit of the input that is set, counted from its
 * first byte's most significant one, the 32 bits of the key that begin at the
 * same place, all of them XORed. Linear over GF(2) in the input. Eight steps a
 * byte.
 * @param key of input_bytes + 4 bytes at least
 * @param input in the order of the packet: source address, destination address,
 *        source port, destination port, all big endian
 */
uint32_t toeplitz_hash(
	const uint8_t *key, const uint8_t *input, uint32_t input_bytes);

#endif
