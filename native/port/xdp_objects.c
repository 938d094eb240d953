/* SPDX-License-Identifier: MIT */
#include "port/xdp_objects.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void
xdp_objects_find(void)
{
	static const char object[] = "bpf/xsk_def_xdp_prog.o";
	char own[PATH_MAX], path[PATH_MAX];
	const char *slash;
	Dl_info info;
	int length;

	if (dladdr(object, &info) == 0 || realpath(info.dli_fname, own) == NULL)
		return;
	slash = strrchr(own, '/');
	length = snprintf(
		path, sizeof(path), "%.*s/%s", (int)(slash - own), own, object);
	if (length >= (int)sizeof(path) || access(path, R_OK) != 0)
		return;
	*strrchr(path, '/') = '\0';
	setenv("LIBXDP_OBJECT_PATH", path, 0);
}
