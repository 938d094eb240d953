// SPDX-License-Identifier: MIT
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int32_t
error_set(struct machnet_error *error, int32_t status, const char *format, ...)
{
	va_list args;

	if (error != NULL) {
		error->status = status;
		va_start(args, format);
		vsnprintf(error->message, sizeof(error->message), format, args);
		va_end(args);
	}
	return status;
}

int32_t
error_set_errno(struct machnet_error *error, int32_t status, int errnum,
	const char *format, ...)
{
	va_list args;
	size_t used;

	if (error != NULL) {
		error->status = status;
		va_start(args, format);
		vsnprintf(error->message, sizeof(error->message), format, args);
		va_end(args);
		used = strlen(error->message);
		snprintf(error->message + used, sizeof(error->message) - used,
			": %s", strerrordesc_np(errnum));
	}
	return status;
}
