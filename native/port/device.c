/* SPDX-License-Identifier: MIT */
#include "port/device.h"

#include <ctype.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/bits.h"
#include "base/error.h"

#define DEVICE_FORMS                                                           \
	"memif:PATH[,server], af_packet:INTERFACE, af_xdp:INTERFACE, "         \
	"tap:INTERFACE, or a PCI address (0000:00:05.0)"

static const char *const kind_names[] = {
	[DEVICE_MEMIF] = "memif",
	[DEVICE_AF_PACKET] = "af_packet",
	[DEVICE_AF_XDP] = "af_xdp",
	[DEVICE_TAP] = "tap",
	[DEVICE_PCI] = "pci",
};

const char *
device_kind_name(enum device_kind kind)
{
	return kind_names[kind];
}

/* Hexadecimal digits of a fixed number, then a given character. */
static const char *
hex_field(const char *text, unsigned digits, char end)
{
	while (digits-- > 0)
		if (!isxdigit((unsigned char)*text++))
			return NULL;
	return *text == end ? text + (end != '\0') : NULL;
}

/* "0000:00:05.0", or "00:05.0" in domain 0. */
static bool
pci_parse(char *target, const char *text)
{
	const char *bus = hex_field(text, 4, ':');
	const char *rest = bus == NULL ? text : bus;
	size_t i;

	rest = hex_field(rest, 2, ':');
	rest = rest == NULL ? NULL : hex_field(rest, 2, '.');
	if (rest == NULL || rest[0] < '0' || rest[0] > '7' || rest[1] != '\0')
		return false;
	snprintf(target, MACHNET_DEVICE_BYTES, "%s%s",
		bus == NULL ? "0000:" : "", text);
	for (i = 0; target[i] != '\0'; i++)
		target[i] = (char)tolower((unsigned char)target[i]);
	return true;
}

static bool
interface_name_valid(const char *name)
{
	size_t i;

	if (name[0] == '\0' || strlen(name) >= IFNAMSIZ)
		return false;
	for (i = 0; name[i] != '\0'; i++)
		/* The comma and brackets mean something to DPDK, the others
		 * the kernel refuses. */
		if (strchr(",[]/: \t\n", name[i]) != NULL)
			return false;
	return true;
}

/* A path, and ",server" behind it. */
static int32_t
memif_parse(
	struct device *device, const char *text, struct machnet_error *error)
{
	const char *comma = strchr(text, ',');
	size_t length = comma == NULL ? strlen(text) : (size_t)(comma - text);

	if (comma != NULL && strcmp(comma, ",server") != 0)
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot use device \"memif:%s\": what follows the "
			"path can only be \",server\"",
			text);
	if (length == 0 || memchr(text, '[', length) != NULL ||
		memchr(text, ']', length) != NULL)
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot use device \"memif:%s\": it needs a path "
			"without commas and brackets",
			text);
	device->server = comma != NULL;
	/* The driver takes no path without a folder. */
	snprintf(device->target, sizeof(device->target), "%s%.*s",
		memchr(text, '/', length) == NULL ? "./" : "", (int)length,
		text);
	if (strlen(device->target) >= MACHNET_SOCKET_PATH_BYTES)
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot use device \"memif:%s\": the path of a socket "
			"has at most %u bytes",
			text, MACHNET_SOCKET_PATH_BYTES - 1);
	return MACHNET_OK;
}

int32_t
device_parse(
	struct device *device, const char *text, struct machnet_error *error)
{
	size_t kind;
	size_t length;

	memset(device, 0, sizeof(*device));
	if (strlen(text) >= MACHNET_DEVICE_BYTES)
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot use device \"%.32s...\": its name is longer "
			"than %u bytes",
			text, MACHNET_DEVICE_BYTES - 1);
	for (kind = 0; kind < DEVICE_PCI; kind++) {
		length = strlen(kind_names[kind]);
		if (strncmp(text, kind_names[kind], length) == 0 &&
			text[length] == ':')
			break;
	}
	device->kind = (enum device_kind)kind;
	if (device->kind == DEVICE_PCI)
		return pci_parse(device->target, text)
			       ? MACHNET_OK
			       : error_set(error, MACHNET_INVALID_ARGUMENT,
					 "Cannot use device \"%s\": a device "
					 "is one "
					 "of " DEVICE_FORMS,
					 text);
	text += length + 1;
	if (device->kind == DEVICE_MEMIF)
		return memif_parse(device, text, error);
	if (!interface_name_valid(text))
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot use device \"%s:%s\": \"%s\" is not the name "
			"of an interface",
			kind_names[kind], text, text);
	snprintf(device->target, sizeof(device->target), "%s", text);
	return MACHNET_OK;
}
