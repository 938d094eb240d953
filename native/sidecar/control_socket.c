// SPDX-License-Identifier: MIT
#include "sidecar/control_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"

#define CALLS_WAITING_MAX 128

/* Of two sidecars that start at once, each must see the other's socket: this
 * is held from the look to the bind, and leaves no file. @return a descriptor,
 * or -1 if the folder cannot be made or opened: then bind will say why */
static int
folder_lock(const char *path)
{
	char folder[MACHNET_SOCKET_PATH_BYTES];
	char *slash;
	int fd;

	strcpy(folder, path);
	slash = strrchr(folder, '/');
	if (slash == NULL)
		strcpy(folder, ".");
	else
		slash[slash == folder] = '\0';
	mkdir(folder, 0755);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		flock(fd, LOCK_EX);
	return fd;
}

static int
call(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int errnum = 0;

	if (fd < 0)
		return errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) !=
		0)
		errnum = errno;
	close(fd);
	return errnum;
}

/* Is the path free? What a dead sidecar left is removed, nothing else. */
static int32_t
path_free(const struct sockaddr_un *address, struct machnet_error *error)
{
	const char *path = address->sun_path;
	struct stat status;
	int errnum;

	if (lstat(path, &status) != 0)
		return MACHNET_OK;
	if (!S_ISSOCK(status.st_mode))
		return error_set(error, MACHNET_ADDRESS_IN_USE,
			"Cannot listen on control socket \"%s\": the file "
			"exists and is not a socket; choose another path with "
			"--socket",
			path);
	errnum = call(address);
	/* EAGAIN: so many call it that it has no room for us. */
	if (errnum == 0 || errnum == EAGAIN)
		return error_set(error, MACHNET_ADDRESS_IN_USE,
			"Cannot listen on control socket \"%s\": another "
			"sidecar does; give this one its own with --socket",
			path);
	if (errnum != ECONNREFUSED || unlink(path) != 0)
		return error_set_errno(error, MACHNET_ADDRESS_IN_USE,
			errnum != ECONNREFUSED ? errnum : errno,
			"Cannot listen on control socket \"%s\", which exists",
			path);
	return MACHNET_OK;
}

static void
permissions_set(const char *path)
{
	struct group *group;

	if (geteuid() != 0)
		return;
	chmod(path, 0660);
	group = getgrnam("machnet");
	if (group != NULL && chown(path, 0, group->gr_gid) != 0)
		chmod(path, 0600);
}

static int32_t
bind_and_listen(
	int fd, const struct sockaddr_un *address, struct machnet_error *error)
{
	const char *path = address->sun_path;

	/* The file gets the mode of the socket, without a word to umask(2),
	 * which belongs to the whole process. */
	if (fchmod(fd, 0600) != 0 || bind(fd, (const struct sockaddr *)address,
					     sizeof(*address)) != 0)
		return error_set(error, MACHNET_SYSTEM_ERROR,
			"Cannot make control socket \"%s\": %s; choose a path "
			"in a folder of yours with --socket or MACHNET_SOCKET",
			path, strerrordesc_np(errno));
	permissions_set(path);
	if (listen(fd, CALLS_WAITING_MAX) != 0) {
		error_set_errno(error, MACHNET_SYSTEM_ERROR, errno,
			"Cannot listen on control socket \"%s\"", path);
		unlink(path);
		return MACHNET_SYSTEM_ERROR;
	}
	return MACHNET_OK;
}

int32_t
control_socket_listen(int *fd, const char *path, struct machnet_error *error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int32_t status;
	int folder;

	strcpy(address.sun_path, path);
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd < 0)
		return error_set_errno(error, MACHNET_SYSTEM_ERROR, errno,
			"Cannot make the control socket");
	folder = folder_lock(path);
	status = path_free(&address, error);
	if (status == MACHNET_OK)
		status = bind_and_listen(*fd, &address, error);
	if (folder >= 0)
		close(folder);
	if (status != MACHNET_OK) {
		close(*fd);
		*fd = -1;
	}
	return status;
}
