/* SPDX-License-Identifier: MIT */
#include "port/memif_pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

char memif_folder[] = MEMIF_FOLDER;
char memif_path[64];
char memif_server[96];
char memif_client[96];

int
memif_set_up(void **state)
{
	(void)state;
	if (mkdtemp(memif_folder) == NULL)
		return -1;
	snprintf(memif_path, sizeof(memif_path), "%s/a.sock", memif_folder);
	snprintf(memif_server, sizeof(memif_server), "memif:%s,server",
		memif_path);
	snprintf(memif_client, sizeof(memif_client), "memif:%s", memif_path);
	return 0;
}

int
memif_tear_down(void **state)
{
	char bell[80];

	(void)state;
	/* Of servers that were killed. */
	unlink(memif_path);
	snprintf(bell, sizeof(bell), "%s.bell0", memif_path);
	unlink(bell);
	return rmdir(memif_folder);
}

void
memif_pair_open(
	struct port *server, struct port *client, struct port_options options)
{
	options.device = memif_server;
	frames_open(server, &options);
	options.device = memif_client;
	frames_open(client, &options);
	frames_link(server, client);
}

void
memif_pair_close(struct port *server, struct port *client)
{
	port_close(client);
	port_close(server);
}
