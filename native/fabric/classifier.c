/* SPDX-License-Identifier: MIT */
#include "fabric/classifier.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <sodium/crypto_shorthash.h>

#include "base/bytes.h"
#include "fabric/dice.h"
#include "fabric/flow.h"
#include "fabric/flow_table.h"
#include "rss/toeplitz.h"

#define NIBBLES (2 * FLOW_TUPLE_BYTES)

/* The hash is linear: what each value of each half byte adds to it. */
struct toeplitz_table {
	uint8_t key[TOEPLITZ_KEY_BYTES];
	uint32_t parts[NIBBLES][16];
};

struct classifier {
	struct classifier_options options;
	struct dice dice; /* for keys alone */
	struct toeplitz_table toeplitz;
	struct toeplitz_table synthetic;
	uint8_t siphash_key[crypto_shorthash_KEYBYTES];
	uint8_t table[CLASSIFIER_TABLE_ENTRIES];
	uint64_t table_seed;
	uint64_t synthetic_until_ns;
	struct flow_table flows;
	struct classifier_counters counters;
};

static void
draw(struct classifier *classifier, uint8_t *bytes, uint32_t length)
{
	for (uint32_t i = 0; i < length; i += 8)
		store_le64(bytes + i, dice_throw(&classifier->dice));
}

static void
toeplitz_draw(struct classifier *classifier, struct toeplitz_table *table)
{
	draw(classifier, table->key, sizeof(table->key));
	for (uint32_t i = 0; i < NIBBLES; i++)
		for (uint32_t value = 0; value < 16; value++) {
			uint8_t input[FLOW_TUPLE_BYTES] = {0};

			input[i / 2] =
				(uint8_t)(i % 2 == 0 ? value << 4 : value);
			table->parts[i][value] =
				toeplitz_hash(table->key, input, sizeof(input));
		}
}

static uint32_t
toeplitz_look_up(const struct toeplitz_table *table, const uint8_t *input,
	uint32_t input_bytes)
{
	uint32_t hash = 0;

	for (uint32_t i = 0; i < input_bytes; i++)
		hash ^= table->parts[2 * i][input[i] >> 4] ^
			table->parts[2 * i + 1][input[i] & 0xf];
	return hash;
}

static void
keys_draw(struct classifier *classifier)
{
	toeplitz_draw(classifier, &classifier->toeplitz);
	toeplitz_draw(classifier, &classifier->synthetic);
	draw(classifier, classifier->siphash_key,
		sizeof(classifier->siphash_key));
}

/* The same places for the same number of queues, whatever happened before. */
static void
table_fill(struct classifier *classifier, uint32_t queues)
{
	uint8_t *table = classifier->table;
	struct dice dice;

	for (uint32_t i = 0; i < CLASSIFIER_TABLE_ENTRIES; i++)
		table[i] = (uint8_t)(i % queues);
	if (classifier->options.table == CLASSIFIER_ROUND_ROBIN)
		return;
	dice_init(&dice, classifier->table_seed, queues);
	/* Fisher and Yates */
	for (uint32_t i = CLASSIFIER_TABLE_ENTRIES - 1; i > 0; i--) {
		uint32_t other = dice_amount(dice_throw(&dice), i + 1);
		uint8_t entry = table[i];

		table[i] = table[other];
		table[other] = entry;
	}
}

struct classifier *
classifier_create(const struct classifier_options *options)
{
	struct classifier *classifier = calloc(1, sizeof(*classifier));
	uint8_t flows_key[16];

	assert(options->queues >= 1 &&
		options->queues <= CLASSIFIER_QUEUES_MAX);
	if (classifier == NULL)
		return NULL;
	classifier->options = *options;
	/* Other numbers than those that decide what happens to frames. */
	dice_init(&classifier->dice, ~options->seed, options->host);
	keys_draw(classifier);
	classifier->table_seed = dice_throw(&classifier->dice);
	table_fill(classifier, options->queues);
	draw(classifier, flows_key, sizeof(flows_key));
	if (flow_table_init(&classifier->flows, flows_key))
		return classifier;
	free(classifier);
	return NULL;
}

void
classifier_destroy(struct classifier *classifier)
{
	if (classifier == NULL)
		return;
	flow_table_free(&classifier->flows);
	free(classifier);
}

void
classifier_rekey(struct classifier *classifier)
{
	keys_draw(classifier);
	classifier->counters.rekeyed++;
}

void
classifier_set_queues(struct classifier *classifier, uint32_t queues)
{
	assert(queues >= 1 && queues <= classifier->options.queues);
	table_fill(classifier, queues);
}

void
classifier_set_hash(struct classifier *classifier, enum classifier_hash hash)
{
	classifier->options.hash = hash;
}

void
classifier_set_firewall(struct classifier *classifier, bool firewall)
{
	classifier->options.firewall = firewall;
}

void
classifier_synthetic_until(struct classifier *classifier, uint64_t ns)
{
	classifier->synthetic_until_ns = ns;
}

void
classifier_sent(struct classifier *classifier, const uint8_t *frame,
	uint32_t length, uint64_t now_ns)
{
	struct flow flow, answers;

	if (!classifier->options.firewall || !flow_parse(&flow, frame, length))
		return;
	answers = flow_reverse(&flow);
	flow_table_add(&classifier->flows, &answers, now_ns)->begun = true;
}

static bool
admits(struct classifier *classifier, const struct flow *flow, uint64_t now_ns)
{
	const struct flow_entry *entry;

	if (!classifier->options.firewall)
		return true;
	entry = flow_table_find(&classifier->flows, flow, now_ns);
	return entry != NULL && entry->begun;
}

static bool
takes_synthetic_path(
	struct classifier *classifier, const struct flow *flow, uint64_t now_ns)
{
	struct flow_entry *entry;
	bool first;

	if (now_ns < classifier->synthetic_until_ns)
		return true;
	if (!classifier->options.synthetic_first)
		return false;
	entry = flow_table_add(&classifier->flows, flow, now_ns);
	first = !entry->heard;
	entry->heard = true;
	return first;
}

static uint32_t
hash_synthetic(const struct classifier *classifier, const struct flow *flow)
{
	return toeplitz_look_up(&classifier->synthetic, flow->tuple,
		flow->has_ports && !flow_is_udp(flow) ? FLOW_TUPLE_BYTES
						      : FLOW_ADDRESSES_BYTES);
}

static uint32_t
hash_plain(const struct classifier *classifier, const struct flow *flow)
{
	enum classifier_hash hash = classifier->options.hash;
	bool ports =
		flow->has_ports && (hash != CLASSIFIER_TOEPLITZ_NO_UDP_PORTS ||
					   !flow_is_udp(flow));
	uint32_t bytes = ports ? FLOW_TUPLE_BYTES : FLOW_ADDRESSES_BYTES;
	uint64_t result;

	if (hash != CLASSIFIER_SIPHASH)
		return toeplitz_look_up(
			&classifier->toeplitz, flow->tuple, bytes);
	crypto_shorthash((unsigned char *)&result, flow->tuple, bytes,
		classifier->siphash_key);
	return (uint32_t)result;
}

uint32_t
classifier_queue(struct classifier *classifier, const uint8_t *frame,
	uint32_t length, uint64_t now_ns)
{
	struct flow flow;
	uint32_t hash;

	if (!flow_parse(&flow, frame, length))
		return classifier->table[0];
	if (!admits(classifier, &flow, now_ns)) {
		classifier->counters.drop_firewall++;
		return CLASSIFIER_REFUSED;
	}
	if (takes_synthetic_path(classifier, &flow, now_ns)) {
		classifier->counters.synthetic++;
		hash = hash_synthetic(classifier, &flow);
	} else {
		hash = hash_plain(classifier, &flow);
	}
	return classifier->table[hash % CLASSIFIER_TABLE_ENTRIES];
}

struct rss_nic
classifier_nic(const struct classifier *classifier)
{
	struct rss_nic nic = {
		.key_bytes = TOEPLITZ_KEY_BYTES,
		.entries = CLASSIFIER_TABLE_ENTRIES,
	};

	memcpy(nic.key, classifier->toeplitz.key, TOEPLITZ_KEY_BYTES);
	for (uint32_t i = 0; i < CLASSIFIER_TABLE_ENTRIES; i++)
		nic.table[i] = classifier->table[i];
	return nic;
}

const struct classifier_counters *
classifier_counters(const struct classifier *classifier)
{
	return &classifier->counters;
}
