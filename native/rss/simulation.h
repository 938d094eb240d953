/* SPDX-License-Identifier: MIT */
/* Hosts behind NICs with secret keys, for tests and for rss_simulate. */
#ifndef RSS_SIMULATION_H
#define RSS_SIMULATION_H

#include <stdbool.h>
#include <stdint.h>

#include "rss/plan.h"
#include "rss/toeplitz.h"

enum sim_hash {
	SIM_TOEPLITZ,
	SIM_NONLINEAR, /* keyed, no structure to be found */
	SIM_IGNORES_PORTS,
	SIM_TABLE, /* Toeplitz, with a random indirection table */
	SIM_CRC,   /* linear, but not Toeplitz */
};

#define SIM_TABLE_LENGTH 128u

struct sim_nic {
	enum sim_hash hash;
	uint8_t key[TOEPLITZ_KEY_BYTES];
	uint8_t table[SIM_TABLE_LENGTH];
};

struct sim_host {
	uint32_t address;
	uint32_t queues;
	struct sim_nic nic;
	struct rss_host *knowledge;
};

/* What a server says to a SYN. */
struct sim_answer {
	uint32_t queue; /* that the SYN came in on */
	struct rss_key key;
};

struct sim_result {
	uint32_t packets; /* SYNs and answers, those of the background too */
	uint32_t rounds;  /* before the connection was opened */
	uint32_t rounds_all;
	bool handed_over; /* it was opened off its engines */
	bool hit;	  /* but is on them in the end */
	enum rss_method method;
};

/** New key, and nothing is known any more. */
void sim_host_init(struct sim_host *host, uint64_t *random, uint32_t address,
	uint32_t queues, enum sim_hash hash);
void sim_host_free(struct sim_host *host);
/** The driver tells the key and the table of this NIC, which may be those of
 * another one. Before anything is learned. */
void sim_host_told(struct sim_host *host, const struct sim_nic *nic);
/** The NIC gets another key; what is known stays. */
void sim_host_rekey(struct sim_host *host, uint64_t *random);

uint32_t sim_queue(const struct sim_host *host, uint32_t from, uint32_t pair);

/** A SYN comes in, and the server learns. @return what it answers */
struct sim_answer sim_syn(
	const struct sim_host *client, struct sim_host *server, uint32_t pair);

/** The answer comes in, and the client learns. @return on which queue */
uint32_t sim_answered(struct sim_host *client, const struct sim_host *server,
	const struct rss_probe *probe, const struct sim_answer *answer);

/** A packet and what answers it, at once: both hosts learn. @param queues
 * filled with where they came in */
void sim_exchange(struct sim_host *client, struct sim_host *server,
	const struct rss_probe *probe, uint32_t queues[RSS_WAYS]);

/** One connection from an engine to an engine. */
struct sim_result sim_connect(struct sim_host *client, struct sim_host *server,
	uint32_t client_engine, uint32_t server_engine);

#endif
