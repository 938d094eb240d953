/* SPDX-License-Identifier: MIT */
/* Errors are built where they happen and appended to on the way up. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "machnet/machnet.h"

/**
 * Fill *error (may be NULL) and return status, so that a failing call ends in
 * `return error_set(error, MACHNET_..., "Cannot open \"%s\"", path)`.
 */
int32_t error_set(struct machnet_error *error, int32_t status,
	const char *format, ...) __attribute__((format(printf, 3, 4)));

/** As error_set, with ": " and the text of an errno behind the message. */
int32_t error_set_errno(struct machnet_error *error, int32_t status, int errnum,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
