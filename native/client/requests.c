/* SPDX-License-Identifier: MIT */
/* Connections and listeners: requests that are answered by an event. */
#include "client/submit.h"

#define CONNECT_TIMEOUT_MS_DEFAULT 1000u
#define CLOSE_TIMEOUT_MS_DEFAULT 5000u
#define BACKLOG_DEFAULT 128u

static int32_t
request(uint32_t handle, const struct submission *submission)
{
	struct channel *channel;
	int32_t status = channel_find(handle, &channel);

	if (status != MACHNET_OK)
		return status;
	return submit(channel, submission);
}

int32_t
machnet_connect(uint32_t handle, uint32_t token, uint32_t address,
	uint32_t port, uint32_t timeout_ms, uint32_t flags)
{
	struct submission submission = {
		.kind = SUBMISSION_CONNECT,
		.port = (uint16_t)port,
		.token = token,
		.address = address,
		.timeout_ms =
			timeout_ms ? timeout_ms : CONNECT_TIMEOUT_MS_DEFAULT,
		.flags = flags,
	};

	if (port == 0 || port > UINT16_MAX)
		return MACHNET_INVALID_ARGUMENT;
	return request(handle, &submission);
}

int32_t
machnet_listen(uint32_t handle, uint32_t token, uint32_t address, uint32_t port,
	uint32_t backlog, uint32_t flags)
{
	struct submission submission = {
		.kind = SUBMISSION_LISTEN,
		.port = (uint16_t)port,
		.length = backlog ? backlog : BACKLOG_DEFAULT,
		.token = token,
		.address = address,
		.flags = flags,
	};

	if (port > UINT16_MAX)
		return MACHNET_INVALID_ARGUMENT;
	return request(handle, &submission);
}

int32_t
machnet_unlisten(uint32_t handle, uint32_t listener)
{
	struct submission submission = {
		.kind = SUBMISSION_UNLISTEN,
		.connection = listener,
	};

	return request(handle, &submission);
}

int32_t
machnet_accept(uint32_t handle, uint32_t connection)
{
	struct submission submission = {
		.kind = SUBMISSION_ACCEPT,
		.connection = connection,
	};

	return request(handle, &submission);
}

int32_t
machnet_close(uint32_t handle, uint32_t connection, uint32_t timeout_ms)
{
	struct submission submission = {
		.kind = SUBMISSION_CLOSE,
		.connection = connection,
		.timeout_ms =
			timeout_ms ? timeout_ms : CLOSE_TIMEOUT_MS_DEFAULT,
	};

	return request(handle, &submission);
}

int32_t
machnet_reset(uint32_t handle, uint32_t connection, const void *reason,
	uint32_t length)
{
	struct submission submission = {
		.kind = SUBMISSION_RESET,
		.connection = connection,
	};
	struct channel *channel;
	int32_t status = channel_find(handle, &channel);

	if (status != MACHNET_OK)
		return status;
	if (length > MACHNET_REASON_BYTES_MAX ||
		(reason == NULL && length != 0))
		return MACHNET_INVALID_ARGUMENT;
	return submit_bytes(channel, &submission, reason, length);
}
