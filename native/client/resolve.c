/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "client/job.h"

struct resolve_state {
	uint32_t address; /* host byte order */
	char name[];
};

static int32_t
resolve_error(const char *name, int code, struct machnet_error *error)
{
	if (code == EAI_SYSTEM)
		return error_set_errno(error, MACHNET_NAME_NOT_FOUND, errno,
			"Cannot resolve \"%s\"", name);
	return error_set(error,
		code == EAI_MEMORY ? MACHNET_OUT_OF_MEMORY
				   : MACHNET_NAME_NOT_FOUND,
		"Cannot resolve \"%s\" to an IPv4 address: %s", name,
		gai_strerror(code));
}

static int32_t
resolve_run(void *context, struct machnet_error *error)
{
	const struct addrinfo hints = {
		.ai_family = AF_INET,
		.ai_socktype = SOCK_DGRAM,
	};
	struct resolve_state *state = context;
	struct sockaddr_in address;
	struct addrinfo *found;
	int code = getaddrinfo(state->name, NULL, &hints, &found);

	if (code != 0)
		return resolve_error(state->name, code, error);
	memcpy(&address, found->ai_addr, sizeof(address));
	state->address = ntohl(address.sin_addr.s_addr);
	freeaddrinfo(found);
	return MACHNET_OK;
}

static const struct job_type resolve_type = {resolve_run, free};

int32_t
machnet_resolve_begin(
	const char *name, int32_t *fd, struct machnet_error *error)
{
	struct resolve_state *state;
	size_t length;

	if (name == NULL || name[0] == '\0')
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot resolve an empty host name");
	length = strlen(name);
	state = calloc(1, sizeof(*state) + length + 1);
	if (state == NULL)
		return error_set(error, MACHNET_OUT_OF_MEMORY,
			"Cannot resolve \"%s\": out of memory", name);
	memcpy(state->name, name, length);
	return job_start(&resolve_type, state, fd, error);
}

int32_t
machnet_resolve_end(int32_t job, uint32_t *address, struct machnet_error *error)
{
	void *taken;
	int32_t status = job_end(job, &resolve_type, &taken, error);
	struct resolve_state *state = taken;

	if (status == MACHNET_OK)
		*address = state->address;
	free(state);
	return status;
}
