/* SPDX-License-Identifier: MIT */
/*
 * What is known of unknowns that are vectors over GF(2), as linear equations in
 * reduced echelon form: the highest unknown of each is in no other one. An
 * equation is one word: which unknowns are summed (the lower SPACE_UNKNOWNS
 * bits), and above them what the sum is.
 */
#ifndef RSS_SPACE_H
#define RSS_SPACE_H

#include <stdint.h>

#define SPACE_UNKNOWNS 40u
#define SPACE_MASK ((UINT64_C(1) << SPACE_UNKNOWNS) - 1)

/* All zero: nothing is known. */
struct space {
	uint64_t rows[SPACE_UNKNOWNS]; /* by their highest unknown; 0: none */
	uint32_t rank;
};

enum space_verdict {
	SPACE_NEW,
	SPACE_FOLLOWS, /* from what is known */
	SPACE_CONTRADICTS,
};

/** The equation less all that is known; if no unknown is left, the sum that
 * remains is by how much it is wrong. At most SPACE_UNKNOWNS steps. */
uint64_t space_reduce(const struct space *space, uint64_t row);

/** Learn an equation, unless it contradicts. */
enum space_verdict space_add(struct space *space, uint64_t row);

/** The unknowns that are known by themselves, as a mask. */
uint64_t space_known(const struct space *space);

#endif
