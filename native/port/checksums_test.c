/* SPDX-License-Identifier: MIT */
/* Which checksums are left to a device, and which of its are believed. */
#include "port/port.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void
port_tells_the_device_which_checksums_to_fill_in(void **state)
{
	struct rte_mbuf mbuf;

	(void)state;
	memset(&mbuf, 0, sizeof(mbuf));
	port_tx_offload(&mbuf, 0);
	assert_int_equal(mbuf.ol_flags, 0);
	port_tx_offload(&mbuf, FRAME_VERIFIED_UDP);
	assert_int_equal(
		mbuf.ol_flags, RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_UDP_CKSUM);
	assert_int_equal(mbuf.l2_len, 14);
	assert_int_equal(mbuf.l3_len, 20);
}

static void
port_believes_only_good_checksums(void **state)
{
	struct rte_mbuf mbuf;

	(void)state;
	memset(&mbuf, 0, sizeof(mbuf));
	assert_int_equal(port_rx_verified(&mbuf), 0);
	mbuf.ol_flags = RTE_MBUF_F_RX_IP_CKSUM_GOOD;
	assert_int_equal(port_rx_verified(&mbuf), FRAME_VERIFIED_IPV4);
	mbuf.ol_flags =
		RTE_MBUF_F_RX_IP_CKSUM_BAD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	assert_int_equal(port_rx_verified(&mbuf), FRAME_VERIFIED_UDP);
	mbuf.ol_flags =
		RTE_MBUF_F_RX_IP_CKSUM_NONE | RTE_MBUF_F_RX_L4_CKSUM_NONE;
	assert_int_equal(port_rx_verified(&mbuf), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			port_tells_the_device_which_checksums_to_fill_in),
		cmocka_unit_test(port_believes_only_good_checksums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
