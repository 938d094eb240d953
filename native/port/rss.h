/* SPDX-License-Identifier: MIT */
/* What drivers tell of how their NICs choose queues. */
#ifndef PORT_RSS_H
#define PORT_RSS_H

#include "port/port.h"

/**
 * Ask the driver for the key and the indirection table by which packets of IPv4
 * and UDP get their queues.
 *
 * It may be wrong: clouds are known whose drivers tell a key that is not the
 * one in use, and the version of DPDK that we build for does not say whether
 * the hash is Toeplitz's. Who uses it must see where packets come in.
 *
 * @param port running, of several queues
 * @return known is 0 if the driver does not tell, ports are not hashed, or not
 *         as rss/nic.h can use it
 */
struct rss_key port_rss_key(const struct port *port);

#endif
