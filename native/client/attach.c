/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/error.h"
#include "client/channel.h"
#include "client/control.h"
#include "client/job.h"

/* Of an attach that runs on a thread of its own. */
struct attach_state {
	char *path; /* or NULL */
	struct machnet_attach_options options;
	uint32_t channel; /* 0: none */
};

/** Is this memory whose size nobody can change under our feet? */
static int32_t
memory_check(const struct control *control, const struct control_reply *reply,
	struct machnet_error *error)
{
	const int needed = F_SEAL_SHRINK | F_SEAL_GROW;
	struct channel_layout layout;
	struct stat file;
	int seals;

	if (control->descriptors_count != CONTROL_DESCRIPTORS_MAX ||
		control->descriptors_excess)
		return error_set(error, MACHNET_CHANNEL_CORRUPT,
			"The sidecar at \"%s\" passed %s%u descriptors, not "
			"%u",
			control->path,
			control->descriptors_excess ? "more than " : "",
			control->descriptors_count, CONTROL_DESCRIPTORS_MAX);
	if (!channel_layout_init(&layout, reply->arena_bytes))
		return error_set(error, MACHNET_CHANNEL_CORRUPT,
			"The sidecar at \"%s\" made arenas of %u bytes",
			control->path, reply->arena_bytes);
	seals = fcntl(control->descriptors[0], F_GET_SEALS);
	if (seals < 0 || (seals & needed) != needed)
		return error_set(error, MACHNET_CHANNEL_CORRUPT,
			"The sidecar at \"%s\" passed memory that is not "
			"sealed",
			control->path);
	if (fstat(control->descriptors[0], &file) != 0)
		return error_set_errno(error, MACHNET_SYSTEM_ERROR, errno,
			"Cannot look at the memory of a channel");
	if (file.st_size != layout.bytes)
		return error_set(error, MACHNET_CHANNEL_CORRUPT,
			"The sidecar at \"%s\" passed memory of %lld bytes, "
			"not %u",
			control->path, (long long)file.st_size, layout.bytes);
	return MACHNET_OK;
}

static int32_t
request_set(struct control_request *request,
	const struct machnet_attach_options *options,
	struct machnet_error *error)
{
	struct channel_layout layout;

	*request = (struct control_request){
		.kind = CONTROL_ATTACH,
		.arena_bytes = options->arena_bytes
				       ? options->arena_bytes
				       : MACHNET_ARENA_BYTES_DEFAULT,
		.engine = options->engine,
	};
	if (!channel_layout_init(&layout, request->arena_bytes))
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot attach: arena_bytes is %u, not a power of two "
			"in %u .. %u",
			request->arena_bytes, MACHNET_ARENA_BYTES_MIN,
			MACHNET_ARENA_BYTES_MAX);
	if (options->engine < -1)
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot attach: engine is %d", options->engine);
	return MACHNET_OK;
}

/** From the open socket to the channel. */
static int32_t
attach_over(struct control *control, struct control_request *request,
	uint32_t *channel, struct machnet_error *error)
{
	struct control_reply reply;
	struct channel_parts parts;
	int32_t status;

	status = control_exchange(control, request, &reply, error);
	if (status == MACHNET_OK)
		status = memory_check(control, &reply, error);
	if (status != MACHNET_OK)
		return status;
	/* From here on it is a doorbell, and event loops do not block. */
	fcntl(control->fd, F_SETFL, O_NONBLOCK);
	parts = (struct channel_parts){
		.doorbell_fd = control->fd,
		.memfd = control->descriptors[0],
		.wake_fd = control->descriptors[1],
		.arena_bytes = reply.arena_bytes,
		.engine = reply.engine,
		.address = reply.address,
	};
	control->fd = -1;
	control->descriptors_count = 0;
	return channel_open(&parts, channel, error);
}

int32_t
machnet_attach(const char *path, const struct machnet_attach_options *options,
	uint32_t *channel, struct machnet_error *error)
{
	const struct machnet_attach_options defaults = {.engine = -1};
	struct control_request request;
	struct control control;
	int32_t status;

	if (options == NULL)
		options = &defaults;
	status = request_set(&request, options, error);
	if (status != MACHNET_OK)
		return status;
	status = control_open(&control, path, options->timeout_ms, error);
	if (status == MACHNET_OK)
		status = attach_over(&control, &request, channel, error);
	control_close(&control);
	return status;
}

static int32_t
attach_run(void *context, struct machnet_error *error)
{
	struct attach_state *state = context;

	return machnet_attach(
		state->path, &state->options, &state->channel, error);
}

static void
attach_free(struct attach_state *state)
{
	free(state->path);
	free(state);
}

static void
attach_discard(void *context)
{
	struct attach_state *state = context;
	struct machnet_channel_info info;

	if (machnet_channel_info(state->channel, &info) == MACHNET_OK) {
		machnet_mapping_release(info.base, NULL);
		machnet_channel_close(state->channel);
	}
	attach_free(state);
}

static const struct job_type attach_type = {attach_run, attach_discard};

int32_t
machnet_attach_begin(const char *path,
	const struct machnet_attach_options *options, int32_t *fd,
	struct machnet_error *error)
{
	struct attach_state *state = calloc(1, sizeof(*state));

	if (state != NULL && path != NULL)
		state->path = strdup(path);
	if (state == NULL || (path != NULL && state->path == NULL)) {
		free(state);
		return error_set(error, MACHNET_OUT_OF_MEMORY,
			"Cannot attach: out of memory");
	}
	if (options != NULL)
		state->options = *options;
	else
		state->options.engine = -1;
	return job_start(&attach_type, state, fd, error);
}

int32_t
machnet_attach_end(int32_t job, uint32_t *channel, struct machnet_error *error)
{
	void *taken;
	int32_t status = job_end(job, &attach_type, &taken, error);
	struct attach_state *state = taken;

	if (status == MACHNET_OK)
		*channel = state->channel;
	if (state != NULL)
		attach_free(state);
	return status;
}
