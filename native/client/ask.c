// SPDX-License-Identifier: MIT
#include <string.h>

#include "base/error.h"
#include "client/control.h"

static int32_t
ask_over(struct control *control, const char *line, char *text,
	uint32_t capacity, struct machnet_error *error)
{
	size_t length;
	int32_t status = control_send(control, line, strlen(line), error);

	if (status == MACHNET_OK)
		status = control_send(control, "\n", 1, error);
	if (status == MACHNET_OK)
		status = control_read_up_to(
			control, text, capacity, &length, error);
	if (status != MACHNET_OK)
		return status;
	if (length == capacity)
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"The answer takes more than %u bytes", capacity - 1);
	text[length] = '\0';
	return (int32_t)length;
}

int32_t
machnet_ask(const char *path, const char *line, char *text, uint32_t capacity,
	uint32_t timeout_ms, struct machnet_error *error)
{
	struct control control;
	int32_t result;

	if (path == NULL || line == NULL || text == NULL || capacity == 0)
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot ask without a path, a line and room for the "
			"answer");
	result = control_open(&control, path, timeout_ms, error);
	if (result == MACHNET_OK)
		result = ask_over(&control, line, text, capacity, error);
	control_close(&control);
	return result;
}
