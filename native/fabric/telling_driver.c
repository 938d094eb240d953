// SPDX-License-Identifier: MIT
/*
 * For a test: a machnetd whose driver tells the key of a vNIC of the fabric,
 * which memif cannot ask for. Linked with --wrap, so that ports get their key
 * from here. MACHNET_TEST_VNIC says which it is: the fabric's seed, and the
 * host.
 */
#include <stdio.h>
#include <stdlib.h>

#include "fabric/classifier.h"
#include "port/rss.h"

struct rss_key __wrap_port_rss_key(const struct port *port);

struct rss_key
__wrap_port_rss_key(const struct port *port)
{
	const char *vnic = getenv("MACHNET_TEST_VNIC");
	struct classifier_options options = {.queues = port->queues};
	struct classifier *classifier;
	struct rss_nic nic;
	unsigned seed;

	if (vnic == NULL || sscanf(vnic, "%u %u", &seed, &options.host) != 2)
		abort();
	options.seed = seed;
	classifier = classifier_create(&options);
	if (classifier == NULL)
		abort();
	nic = classifier_nic(classifier);
	classifier_destroy(classifier);
	return rss_nic_key(&nic, port->queues);
}
