/* SPDX-License-Identifier: MIT */
/*
 * For tests: machines of several engines behind vNICs that nobody can look
 * into, with an application on each engine. The real handshake and the real
 * rss/ run against the fabric's classifier.
 */
#ifndef TRANSPORT_ENGINES_WORLD_H
#define TRANSPORT_ENGINES_WORLD_H

#include "transport/simulation.h"

#define MS NS_PER_MS
#define S NS_PER_S
#define ENGINES_MAX CLASSIFIER_QUEUES_MAX

struct machine_of_engines {
	struct host *engines;
	struct application *applications[ENGINES_MAX]; /* one on each */
	uint32_t length;
};

/* The clients' machine and the servers', which listen on ports of their own,
 * PORT + engine. */
struct world {
	struct simulation *s;
	uint32_t engines; /* of each */
	bool strays;	  /* first packets of flows do */
	struct machine_of_engines clients;
	struct machine_of_engines servers;
};

/* Both ends of one connection. */
struct ends {
	struct connection *client;
	struct connection *server;
};

/** Another machine in the world. */
struct machine_of_engines world_machine(struct simulation *s, uint32_t engines,
	const struct classifier_options *vnic);
struct world world_start(
	uint64_t seed, uint32_t engines, const struct classifier_options *vnic);
/** Whose vNICs' drivers tell something, of clients and servers. */
struct world world_told(uint64_t seed, uint32_t engines,
	const struct classifier_options *vnic, enum driver clients,
	enum driver servers);
void world_listen(const struct machine_of_engines *machine);

/** Any engine. */
uint32_t world_engine(struct world *w);

/** Open a connection, and check what its path tells. */
struct ends world_connect(struct world *w, uint32_t from, uint32_t to);
/** Messages both ways until each side knows where they come in, 100 ms; then it
 * must be the right queues. */
void world_settle(struct world *w, const struct ends *ends);
void world_close(struct world *w, const struct ends *ends);

/** SYNs and their answers, of both machines. */
uint32_t world_probes(const struct world *w);
/** Sum of a counter over the engines of a machine. */
#define MACHINE_SUM(machine, counter)                                          \
	machine_sum((machine), offsetof(struct transport_counters, counter))
uint64_t machine_sum(const struct machine_of_engines *machine, size_t counter);

#endif
