/* SPDX-License-Identifier: MIT */
/*
 * The memory of channels, which outlives them: views of a script may reach it
 * until the garbage collector has taken the last one, on whatever thread that
 * happens.
 */
#ifndef CLIENT_MAPPING_H
#define CLIENT_MAPPING_H

#include <stdint.h>

struct mapping;

/**
 * Map a memfd, shared. The descriptor stays the caller's.
 * @return NULL with errno set
 */
struct mapping *mapping_create(int memfd, uint64_t bytes);

void *mapping_base(const struct mapping *mapping);

/**
 * The channel is over: put private zero pages in place of the shared ones.
 * The pointer is invalid from now on; the memory goes when it is released, or
 * now if it was released before.
 */
void mapping_detach(struct mapping *mapping);

#endif
