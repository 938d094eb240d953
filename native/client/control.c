/* SPDX-License-Identifier: MIT */
#include "client/control.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/clock.h"
#include "base/error.h"

static int32_t
timed_out(const struct control *control, struct machnet_error *error)
{
	return error_set(error, MACHNET_TIMED_OUT,
		"Cannot reach the sidecar at \"%s\": no answer within %u ms",
		control->path, control->timeout_ms);
}

static int32_t
system_error(const struct control *control, const char *call,
	struct machnet_error *error)
{
	return error_set_errno(error, MACHNET_SYSTEM_ERROR, errno,
		"Cannot reach the sidecar at \"%s\": %s", control->path, call);
}

static int32_t
connect_error(const struct control *control, struct machnet_error *error)
{
	switch (errno) {
	case ENOENT:
	case ECONNREFUSED:
	case ENOTDIR:
		return error_set(error, MACHNET_SIDECAR_NOT_RUNNING,
			"Cannot reach a sidecar: nobody listens on "
			"\"%s\"; start one with: machnetd --device ... "
			"--ip ...",
			control->path);
	case EACCES:
	case EPERM:
		return error_set(error, MACHNET_SYSTEM_ERROR,
			"Cannot reach the sidecar at \"%s\": permission "
			"denied; run as the user that runs machnetd, or as "
			"one who may write to that socket",
			control->path);
	case EAGAIN:
	case EINPROGRESS:
		return timed_out(control, error);
	default:
		return system_error(control, "connect", error);
	}
}

/** Wait until the socket is ready, or the deadline. */
static int32_t
wait_for(const struct control *control, short what, struct machnet_error *error)
{
	struct pollfd pollfd = {.fd = control->fd, .events = what};
	uint64_t now_ns;
	int ready;

	do {
		now_ns = clock_now_ns();
		if (now_ns >= control->deadline_ns)
			return timed_out(control, error);
		ready = poll(&pollfd, 1,
			(int)((control->deadline_ns - now_ns) / NS_PER_MS + 1));
	} while (ready == 0 || (ready < 0 && errno == EINTR));
	return ready < 0 ? system_error(control, "poll", error) : MACHNET_OK;
}

static int32_t
path_set(struct control *control, const char *path, struct machnet_error *error)
{
	size_t length;

	if (path == NULL) {
		if (machnet_socket_path_default(
			    control->path, sizeof(control->path)) < 0)
			return error_set(error, MACHNET_INVALID_ARGUMENT,
				"Cannot reach a sidecar: the default path of "
				"the "
				"control socket is too long; see "
				"MACHNET_SOCKET and XDG_RUNTIME_DIR");
		return MACHNET_OK;
	}
	length = strlen(path);
	if (length == 0 || length >= sizeof(control->path))
		return error_set(error, MACHNET_INVALID_ARGUMENT,
			"Cannot reach a sidecar: the path of the control "
			"socket has "
			"%zu bytes, not 1 to %zu",
			length, sizeof(control->path) - 1);
	memcpy(control->path, path, length + 1);
	return MACHNET_OK;
}

int32_t
control_open(struct control *control, const char *path, uint32_t timeout_ms,
	struct machnet_error *error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval timeout;
	int32_t status;

	*control = (struct control){.fd = -1};
	status = path_set(control, path, error);
	if (status != MACHNET_OK)
		return status;
	_Static_assert(sizeof(address.sun_path) == sizeof(control->path),
		"a path that fits the one fits the other");
	memcpy(address.sun_path, control->path, sizeof(control->path));
	control->timeout_ms =
		timeout_ms ? timeout_ms : CONTROL_TIMEOUT_MS_DEFAULT;
	control->deadline_ns = clock_now_ns() + control->timeout_ms * NS_PER_MS;
	control->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (control->fd < 0)
		return system_error(control, "socket", error);
	/* A Unix connect() that finds the backlog full cannot be polled for;
	 * this bounds it. */
	timeout.tv_sec = control->timeout_ms / 1000;
	timeout.tv_usec = control->timeout_ms % 1000 * 1000;
	setsockopt(control->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout,
		sizeof(timeout));
	if (connect(control->fd, (struct sockaddr *)&address,
		    sizeof(address)) != 0)
		return connect_error(control, error);
	return MACHNET_OK;
}

void
control_close(struct control *control)
{
	uint32_t i;

	if (control->fd >= 0)
		close(control->fd);
	for (i = 0; i < control->descriptors_count; i++)
		if (control->descriptors[i] >= 0)
			close(control->descriptors[i]);
}

int32_t
control_send(struct control *control, const void *bytes, size_t length,
	struct machnet_error *error)
{
	size_t done = 0;
	ssize_t count;
	int32_t status;

	while (done < length) {
		count = send(control->fd, (const char *)bytes + done,
			length - done, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (count >= 0) {
			done += (size_t)count;
			continue;
		}
		/* A sidecar that hung up may have said why: read that. */
		if (errno == EPIPE || errno == ECONNRESET)
			break;
		if (errno != EAGAIN && errno != EINTR)
			return system_error(control, "send", error);
		status = wait_for(control, POLLOUT, error);
		if (status != MACHNET_OK)
			return status;
	}
	return MACHNET_OK;
}

/** Keep the descriptors of a message, close those beyond what we expect. */
static void
descriptors_keep(struct control *control, struct msghdr *message)
{
	struct cmsghdr *header;

	for (header = CMSG_FIRSTHDR(message); header != NULL;
		header = CMSG_NXTHDR(message, header)) {
		size_t i, count;

		if (header->cmsg_level != SOL_SOCKET ||
			header->cmsg_type != SCM_RIGHTS)
			continue;
		count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(header) + i * sizeof(int),
				sizeof(int));
			if (control->descriptors_count <
				CONTROL_DESCRIPTORS_MAX)
				control->descriptors
					[control->descriptors_count++] = fd;
			else {
				close(fd);
				control->descriptors_excess = true;
			}
		}
	}
	if (message->msg_flags & MSG_CTRUNC)
		control->descriptors_excess = true;
}

int32_t
control_read_up_to(struct control *control, void *bytes, size_t length,
	size_t *done, struct machnet_error *error)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(CONTROL_DESCRIPTORS_MAX * sizeof(int))];
	} ancillary;
	int32_t status;
	ssize_t count;

	for (*done = 0; *done < length;) {
		struct iovec part = {
			.iov_base = (char *)bytes + *done,
			.iov_len = length - *done,
		};
		struct msghdr message = {
			.msg_iov = &part,
			.msg_iovlen = 1,
			.msg_control = &ancillary,
			.msg_controllen = sizeof(ancillary),
		};

		count = recvmsg(
			control->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (count > 0) {
			descriptors_keep(control, &message);
			*done += (size_t)count;
			continue;
		}
		if (count == 0 || errno == ECONNRESET)
			return MACHNET_OK;
		if (errno != EAGAIN && errno != EINTR)
			return system_error(control, "recvmsg", error);
		status = wait_for(control, POLLIN, error);
		if (status != MACHNET_OK)
			return status;
	}
	return MACHNET_OK;
}

static int32_t
ended_early(const struct control *control, struct machnet_error *error)
{
	return error_set(error, MACHNET_SIDECAR_GONE,
		"The sidecar at \"%s\" hung up in the middle of its answer",
		control->path);
}

int32_t
control_read(struct control *control, void *bytes, uint32_t length,
	struct machnet_error *error)
{
	size_t done;
	int32_t status =
		control_read_up_to(control, bytes, length, &done, error);

	if (status == MACHNET_OK && done < length)
		return ended_early(control, error);
	return status;
}

/** Judge a reply of which so many bytes came. */
static int32_t
reply_check(const struct control *control, struct control_reply *reply,
	size_t done, struct machnet_error *error)
{
	/* Magic and version have the same place in every version. */
	if (done >= sizeof(reply->magic) && reply->magic != CONTROL_MAGIC)
		return error_set(error, MACHNET_ABI_MISMATCH,
			"Cannot reach a sidecar: what listens on \"%s\" is not "
			"a "
			"machnet sidecar",
			control->path);
	if (done >= offsetof(struct control_reply, status) &&
		reply->abi_version != MACHNET_ABI_VERSION)
		return error_set(error, MACHNET_ABI_MISMATCH,
			"Cannot talk to the sidecar at \"%s\": it speaks ABI "
			"version %u, this library version %u; install the same "
			"release of both",
			control->path, reply->abi_version, MACHNET_ABI_VERSION);
	if (done < sizeof(*reply))
		return ended_early(control, error);
	reply->message[sizeof(reply->message) - 1] = '\0';
	if (reply->status == MACHNET_OK)
		return MACHNET_OK;
	return error_set(error,
		reply->status < MACHNET_AGAIN ? reply->status
					      : MACHNET_SYSTEM_ERROR,
		"Cannot attach to the sidecar at \"%s\": %s", control->path,
		reply->message[0] != '\0'
			? reply->message
			: machnet_status_message(reply->status));
}

int32_t
control_exchange(struct control *control, struct control_request *request,
	struct control_reply *reply, struct machnet_error *error)
{
	int32_t status;
	size_t done;

	request->magic = CONTROL_MAGIC;
	request->abi_version = MACHNET_ABI_VERSION;
	status = control_send(control, request, sizeof(*request), error);
	if (status == MACHNET_OK)
		status = control_read_up_to(
			control, reply, sizeof(*reply), &done, error);
	if (status == MACHNET_OK)
		status = reply_check(control, reply, done, error);
	return status;
}
