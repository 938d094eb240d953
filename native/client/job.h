/* SPDX-License-Identifier: MIT */
/*
 * Work that blocks, on a thread of its own, for callers that must not block.
 * Its number is never used twice, so a stale one finds nothing.
 */
#ifndef CLIENT_JOB_H
#define CLIENT_JOB_H

#include <stdint.h>

#include "machnet/machnet.h"

struct job_type {
	/* Do the work; what comes of it stays in the state. @return a status */
	int32_t (*run)(void *state, struct machnet_error *error);
	/* Undo it, if it was done, and free the state. */
	void (*discard)(void *state);
};

/**
 * Start a job.
 * @param state the job's from now on; discarded if it cannot start
 * @param fd readable when the job is done; the caller's
 * @return its number (positive) or a negative status
 */
int32_t job_start(const struct job_type *type, void *state, int32_t *fd,
	struct machnet_error *error);

/**
 * End a job that is done.
 * @param state the job's, which is the caller's to free; NULL if nothing ended
 * @return what the job's run returned, with its error; MACHNET_AGAIN if it is
 *         not done, MACHNET_CLOSED if there is none, MACHNET_INVALID_ARGUMENT
 *         if it is of another type
 */
int32_t job_end(int32_t number, const struct job_type *type, void **state,
	struct machnet_error *error);

#endif
