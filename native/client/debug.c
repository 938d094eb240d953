/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "machnet/machnet.h"

int32_t
machnet_debug_enabled(void)
{
	const char *value = getenv("MACHNET_DEBUG");

	return value != NULL && strcmp(value, "") != 0 &&
	       strcmp(value, "0") != 0;
}
