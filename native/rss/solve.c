/* SPDX-License-Identifier: MIT */
#include "rss/solve.h"

#include <string.h>

#include "rss/ports.h"

#define WORDS_MAX (RSS_GOALS_MAX * RSS_QUEUE_BITS_MAX)
#define COLUMNS_MAX 32u

/* What some flips do, in all directions together. */
struct column {
	uint64_t unknown[WORDS_MAX];
	uint32_t change; /* RSS_QUEUE_BITS_MAX bits for each goal */
	uint32_t flips;
};

static struct column
column_of(const struct rss_goal *goals, unsigned goals_length, uint32_t flips)
{
	struct column column = {.flips = flips};

	for (unsigned g = 0; g < goals_length; g++) {
		struct rss_effect effect = rss_map_effect(goals[g].map,
			goals[g].swapped ? rss_pair_swap(flips) : flips);

		memcpy(column.unknown + g * RSS_QUEUE_BITS_MAX, effect.unknown,
			sizeof(effect.unknown));
		column.change |= effect.change << (g * RSS_QUEUE_BITS_MAX);
	}
	return column;
}

static void
column_add(struct column *to, const struct column *from)
{
	for (unsigned w = 0; w < WORDS_MAX; w++)
		to->unknown[w] ^= from->unknown[w];
	to->change ^= from->change;
	to->flips ^= from->flips;
}

/* Combine columns so that no unknown is left. @return how many can be */
static unsigned
eliminate(struct column *columns, unsigned length)
{
	unsigned known = 0;

	for (unsigned i = 0; i < length; i++) {
		struct column pivot = columns[i];
		unsigned w = 0;
		uint64_t bit;

		while (w < WORDS_MAX && pivot.unknown[w] == 0)
			w++;
		if (w == WORDS_MAX) {
			columns[known++] = pivot;
			continue;
		}
		bit = pivot.unknown[w] & -pivot.unknown[w];
		for (unsigned j = i + 1; j < length; j++)
			if (columns[j].unknown[w] & bit)
				column_add(&columns[j], &pivot);
	}
	return known;
}

int
rss_solve(const struct rss_goal *goals, unsigned goals_length, uint32_t mask,
	uint64_t random, uint32_t *flips)
{
	struct column columns[COLUMNS_MAX];
	struct column pivots[RSS_GOALS_MAX * RSS_QUEUE_BITS_MAX];
	unsigned length = 0;
	uint32_t left = 0;
	uint32_t pivots_set = 0;
	unsigned free = 0;

	for (unsigned g = 0; g < goals_length; g++)
		if (rss_map_theory(goals[g].map) != NULL)
			left |= goals[g].change << (g * RSS_QUEUE_BITS_MAX);
	for (uint32_t bits = mask; bits != 0; bits &= bits - 1)
		columns[length++] =
			column_of(goals, goals_length, bits & -bits);
	length = eliminate(columns, length);
	*flips = 0;
	for (unsigned i = 0; i < length; i++) {
		struct column column = columns[i];

		while (column.change != 0) {
			unsigned bit = (unsigned)__builtin_ctz(column.change);

			if ((pivots_set >> bit & 1) == 0) {
				pivots_set |= 1u << bit;
				pivots[bit] = column;
				break;
			}
			column_add(&column, &pivots[bit]);
		}
		if (column.change != 0)
			continue;
		/* May be flipped or not. */
		if (random >> free & 1)
			*flips ^= column.flips;
		free++;
	}
	while (left != 0) {
		unsigned bit = (unsigned)__builtin_ctz(left);

		if ((pivots_set >> bit & 1) == 0)
			return -1;
		left ^= pivots[bit].change;
		*flips ^= pivots[bit].flips;
	}
	return (int)free;
}

static uint32_t
gain(const struct rss_lesson *lesson, uint32_t flip, uint32_t mask, bool learn)
{
	return rss_map_gain(lesson->map,
		lesson->flips ^ (lesson->swapped ? rss_pair_swap(flip) : flip),
		mask, learn);
}

uint32_t
rss_explore(const struct rss_lesson *lessons, unsigned lessons_length,
	uint32_t mask)
{
	uint32_t best = 0;
	uint32_t best_gain = 0;

	for (uint32_t bits = mask; bits != 0; bits &= bits - 1) {
		uint32_t flip = bits & -bits;
		uint32_t sum = 0;

		for (unsigned i = 0; i < lessons_length; i++)
			sum += gain(&lessons[i], flip, mask, false);
		if (sum > best_gain) {
			best = flip;
			best_gain = sum;
		}
	}
	for (unsigned i = 0; i < lessons_length && best != 0; i++)
		gain(&lessons[i], best, mask, true);
	return best;
}
