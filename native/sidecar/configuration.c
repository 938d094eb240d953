// SPDX-License-Identifier: MIT
#include "sidecar/configuration.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "port/port.h"
#include "wire/ethernet.h"

static int32_t
ip_read(struct configuration *configuration, const char *ip,
	struct machnet_error *error)
{
	const char *slash = strchr(ip, '/');
	char address[sizeof(((struct machnet_engine_options *)0)->ip)] = "";
	char *end = NULL;
	unsigned long prefix = 0;

	if (slash != NULL) {
		memcpy(address, ip, (size_t)(slash - ip));
		prefix = strtoul(slash + 1, &end, 10);
	}
	if (slash == NULL || !ipv4_parse(&configuration->address, address) ||
		end == slash + 1 || *end != '\0' || prefix < 1 || prefix > 32)
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot use ip \"%s\": expected an IPv4 address and a "
			"prefix length, as in 10.0.0.2/24",
			ip);
	configuration->prefix_length = (uint32_t)prefix;
	return MACHNET_OK;
}

static bool
terminated(const char *text, size_t bytes)
{
	return memchr(text, '\0', bytes) != NULL;
}

int32_t
configuration_read(struct configuration *configuration,
	const struct machnet_engine_options *options,
	struct machnet_error *error)
{
	int32_t status;

	memset(configuration, 0, sizeof(*configuration));
	if (!terminated(options->device, sizeof(options->device)) ||
		!terminated(options->ip, sizeof(options->ip)) ||
		!terminated(options->gateway, sizeof(options->gateway)) ||
		!terminated(options->socket, sizeof(options->socket)))
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot start an engine: an option is too long");
	status = ip_read(configuration, options->ip, error);
	if (status != MACHNET_OK)
		return status;
	if (options->gateway[0] != '\0' &&
		!ipv4_parse(&configuration->gateway, options->gateway))
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot use gateway \"%s\": expected an IPv4 address",
			options->gateway);
	if (options->queues > 1)
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot use %u queues: this version drives one",
			options->queues);
	if (options->poll > MACHNET_POLL_BUSY)
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot use poll mode %u", options->poll);
	memcpy(configuration->device, options->device,
		sizeof(configuration->device));
	memcpy(configuration->socket, options->socket,
		sizeof(configuration->socket));
	configuration->mtu = options->mtu;
	configuration->poll = options->poll;
	if (configuration->socket[0] == '\0' &&
		machnet_socket_path_default(configuration->socket,
			sizeof(configuration->socket)) < 0)
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot choose a control socket: MACHNET_SOCKET or "
			"XDG_RUNTIME_DIR is too long");
	return MACHNET_OK;
}
