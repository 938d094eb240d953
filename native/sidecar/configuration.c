// SPDX-License-Identifier: MIT
#include "sidecar/configuration.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "engine/subnet.h"
#include "transport/transport.h"
#include "wire/ethernet.h"

/* What cpu_set_t holds. */
#define CORES_MAX 1024u

static struct subnet
subnet(const struct configuration *configuration)
{
	return (struct subnet){
		.address = configuration->address,
		.prefix_length = configuration->prefix_length,
	};
}

static int32_t
ip_read(struct configuration *configuration, const char *ip,
	struct machnet_error *error)
{
	const char *slash = strchr(ip, '/');
	char address[sizeof(((struct machnet_engine_options *)0)->ip)] = "";
	char *end = NULL;
	unsigned long prefix = 0;
	struct subnet ours;

	if (slash != NULL) {
		memcpy(address, ip, (size_t)(slash - ip));
		prefix = strtoul(slash + 1, &end, 10);
	}
	if (slash == NULL || !ipv4_parse(&configuration->address, address) ||
		!isdigit((unsigned char)slash[1]) || *end != '\0' ||
		prefix < 1 || prefix > 32)
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot use ip \"%s\": expected an IPv4 address and a "
			"prefix length, as in 10.0.0.2/24",
			ip);
	configuration->prefix_length = (uint32_t)prefix;
	ours = subnet(configuration);
	if (!subnet_host(&ours, ours.address))
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot use ip \"%s\": no host can have that address",
			ip);
	return MACHNET_OK;
}

static int32_t
gateway_read(struct configuration *configuration, const char *gateway,
	struct machnet_error *error)
{
	struct subnet ours = subnet(configuration);

	if (gateway[0] == '\0')
		return MACHNET_OK;
	if (!ipv4_parse(&configuration->gateway, gateway))
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot use gateway \"%s\": expected an IPv4 address",
			gateway);
	/* Clouds that give a host a /32 have a gateway beside it. */
	if (!subnet_host(&ours, configuration->gateway) ||
		configuration->gateway == ours.address ||
		(ours.prefix_length != 32 &&
			!subnet_contains(&ours, configuration->gateway)))
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot use gateway \"%s\": it is no other host of "
			"our own subnet",
			gateway);
	return MACHNET_OK;
}

/* @return whether text is numbers and ranges of them, as many as there are
 * engines */
static bool
cores_parse(struct configuration *configuration, const char *text)
{
	uint32_t length = 0;

	do {
		char *end;
		unsigned long first = strtoul(text, &end, 10), last = first;

		if (!isdigit((unsigned char)*text))
			return false;
		if (*end == '-' && isdigit((unsigned char)end[1]))
			last = strtoul(end + 1, &end, 10);
		if (last < first || last >= CORES_MAX)
			return false;
		for (; first <= last; first++) {
			if (length == configuration->engines)
				return false;
			configuration->cores[length++] = (int32_t)first;
		}
		if (*end != ',' && *end != '\0')
			return false;
		text = end + 1;
	} while (text[-1] == ',');
	return length == configuration->engines;
}

static int32_t
engines_read(struct configuration *configuration,
	const struct machnet_engine_options *options,
	struct machnet_error *error)
{
	if (options->engines > CONNECTION_ENGINES)
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot start %u engines: there may be %u",
			options->engines, CONNECTION_ENGINES);
	configuration->engines = options->engines == 0 ? 1 : options->engines;
	for (uint32_t i = 0; i < CONNECTION_ENGINES; i++)
		configuration->cores[i] = -1;
	if (options->cores[0] != '\0' &&
		!cores_parse(configuration, options->cores))
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot use cores \"%s\": expected one for each of %u "
			"engines, as in 2,4-6",
			options->cores, configuration->engines);
	return MACHNET_OK;
}

/* How engines run, and when they give a peer up. After engines_read. */
static int32_t
modes_read(struct configuration *configuration,
	const struct machnet_engine_options *options,
	struct machnet_error *error)
{
	if (options->poll > MACHNET_POLL_BUSY)
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot use poll mode %u: there are adaptive (%d) and "
			"busy (%d)",
			options->poll, MACHNET_POLL_ADAPTIVE,
			MACHNET_POLL_BUSY);
	configuration->peer_timeout_ms = options->peer_timeout_ms == 0
						 ? TRANSPORT_PEER_TIMEOUT_MS
						 : options->peer_timeout_ms;
	if (configuration->peer_timeout_ms < TRANSPORT_PEER_TIMEOUT_MS_MIN ||
		configuration->peer_timeout_ms > TRANSPORT_PEER_TIMEOUT_MS_MAX)
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot use a peer timeout of %u ms: it may be %u to "
			"%u",
			options->peer_timeout_ms, TRANSPORT_PEER_TIMEOUT_MS_MIN,
			TRANSPORT_PEER_TIMEOUT_MS_MAX);
	if (options->drive > MACHNET_DRIVE_INLINE)
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot use drive %u: there are thread (%d) and inline "
			"(%d)",
			options->drive, MACHNET_DRIVE_THREAD,
			MACHNET_DRIVE_INLINE);
	if (options->drive == MACHNET_DRIVE_INLINE &&
		(configuration->engines != 1 ||
			options->poll == MACHNET_POLL_BUSY))
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot drive inline: there must be one engine, and it "
			"must not poll busily");
	configuration->poll = options->poll;
	configuration->drive = options->drive;
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
		!terminated(options->socket, sizeof(options->socket)) ||
		!terminated(options->cores, sizeof(options->cores)))
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot start an engine: an option is too long");
	status = ip_read(configuration, options->ip, error);
	if (status != MACHNET_OK)
		return status;
	status = gateway_read(configuration, options->gateway, error);
	if (status != MACHNET_OK)
		return status;
	status = engines_read(configuration, options, error);
	if (status != MACHNET_OK)
		return status;
	status = modes_read(configuration, options, error);
	if (status != MACHNET_OK)
		return status;
	memcpy(configuration->device, options->device,
		sizeof(configuration->device));
	memcpy(configuration->socket, options->socket,
		sizeof(configuration->socket));
	configuration->mtu = options->mtu;
	if (configuration->socket[0] == '\0' &&
		machnet_socket_path_default(configuration->socket,
			sizeof(configuration->socket)) < 0)
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot choose a control socket: MACHNET_SOCKET or "
			"XDG_RUNTIME_DIR is too long");
	return MACHNET_OK;
}
