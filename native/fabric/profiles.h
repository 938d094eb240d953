/* SPDX-License-Identifier: MIT */
/*
 * Networks by name.
 *
 * lcd    The least common denominator, and the default: what RSS-- must cope
 *        with. 256 descriptors, MTU 1500, an opaque Toeplitz hash with the
 *        table that drivers set. As fast as the machine.
 * azure  Accelerated networking, MANA: 256 descriptors, MTU 1500, 12.5 Gbit/s
 *        as an F8s_v2. The first packet of a flow takes the synthetic path.
 * ec2    ENA: 1024 descriptors, MTU 9001, a key that changes at each start,
 *        10 Gbit/s, what the largest single flows get, and one million packets
 *        a second. (AWS publishes no limit of packets: ours is a guess that an
 *        application can run into.)
 * gcp    gVNIC: 1024 descriptors, MTU 1460, 16 Gbit/s as an n2-standard-8.
 * ideal  Nothing is in the way: 4096 descriptors, MTU 9000.
 *
 * azure, ec2 and gcp have 4 RX queues, as VMs with four processors, the others
 * one. Latencies are half of what published round trips of 64 bytes are above
 * the 10 us or so that two sidecars and the fabric take: 27 us on Azure, 48 on
 * EC2, 65 on Google. Options beside the name come before what the name says.
 */
#ifndef FABRIC_PROFILES_H
#define FABRIC_PROFILES_H

#include <stdbool.h>

#include "fabric/switch.h"

#define PROFILES "lcd|azure|ec2|gcp|ideal"
#define PROFILE_DEFAULT "lcd"

/**
 * Set what a profile says: of each host the number of queues, depth (with the
 * frames of the driver's ring), MTU, latency, caps and the synthetic path.
 * @return false if there is none of that name
 */
bool profile_apply(struct switch_options *options, const char *name);

#endif
