/* SPDX-License-Identifier: MIT */
#include "port/peer.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "port/port.h"

#define LINE_BYTES 256u
#define QUEUES_MARK "_q"

static atomic_uint queues_told;

void
peer_name_format(char name[PEER_NAME_BYTES], uint32_t number, uint32_t queues)
{
	int length =
		snprintf(name, PEER_NAME_BYTES, "net_memif_machnet%u", number);

	if (queues != 0)
		snprintf(name + length, PEER_NAME_BYTES - (size_t)length,
			QUEUES_MARK "%u", queues);
}

void
peer_line_read(const char *line, size_t length)
{
	char text[LINE_BYTES];
	const char *name, *mark;
	unsigned queues;

	if (length >= sizeof(text))
		return;
	memcpy(text, line, length);
	text[length] = '\0';
	if (strstr(text, "Disconnect received: Invalid ring index") != NULL) {
		atomic_store(&queues_told, PEER_QUEUES_FEWER);
		return;
	}
	name = strstr(text, "Remote interface net_memif_machnet");
	mark = name == NULL ? NULL : strstr(name, QUEUES_MARK);
	if (mark != NULL && sscanf(mark, QUEUES_MARK "%2u", &queues) == 1 &&
		queues <= PORT_QUEUES_MAX)
		atomic_store(&queues_told, queues);
}

uint32_t
peer_queues(void)
{
	return atomic_load(&queues_told);
}

void
peer_queues_forget(void)
{
	atomic_store(&queues_told, 0);
}
