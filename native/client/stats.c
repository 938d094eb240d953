/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "client/control.h"

static int32_t
stats_over(struct control *control, char *text, uint32_t capacity,
	struct machnet_error *error)
{
	struct control_request request = {.kind = CONTROL_STATS};
	struct control_reply reply;
	int32_t status = control_exchange(control, &request, &reply, error);

	if (status != MACHNET_OK)
		return status;
	if (reply.text_bytes >= capacity)
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"The counters take %u bytes, there is room for %u",
			reply.text_bytes, capacity);
	status = control_read(control, text, reply.text_bytes, error);
	if (status != MACHNET_OK)
		return status;
	text[reply.text_bytes] = '\0';
	return (int32_t)reply.text_bytes;
}

int32_t
machnet_stats(const char *path, char *text, uint32_t capacity,
	uint32_t timeout_ms, struct machnet_error *error)
{
	struct control control;
	int32_t result = control_open(&control, path, timeout_ms, error);

	if (result == MACHNET_OK)
		result = stats_over(&control, text, capacity, error);
	control_close(&control);
	return result;
}
