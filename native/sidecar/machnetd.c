// SPDX-License-Identifier: MIT
/* machnetd: the sidecar as a program, a thin main over libmachnet_engine. */
#include <argp.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "machnet/engine.h"

const char *argp_program_version = "machnetd " MACHNET_VERSION;

enum option_key {
	OPTION_CORES = 'c',
	OPTION_DEVICE = 'd',
	OPTION_IP = 'i',
	OPTION_GATEWAY = 'g',
	OPTION_MTU = 'm',
	OPTION_ENGINES = 'e',
	OPTION_POLL = 'p',
	OPTION_SOCKET = 's',
	OPTION_EXIT_WITH_PARENT = 256,
	OPTION_PEER_TIMEOUT,
};

static const struct argp_option argp_options[] = {
	{"device", OPTION_DEVICE, "DEVICE", 0,
		"memif:PATH[,server], af_packet:IFACE, af_xdp:IFACE, "
		"tap:IFACE, or a PCI address",
		0},
	{"ip", OPTION_IP, "A/P", 0, "our IPv4 address and prefix length", 0},
	{"gateway", OPTION_GATEWAY, "G", 0, "for hosts of other subnets", 0},
	{"mtu", OPTION_MTU, "N", 0,
		"of IP, bytes; the device's own if left out", 0},
	{"engines", OPTION_ENGINES, "N", 0,
		"threads, each with a queue pair of the device, at most 64; 1",
		0},
	{"cores", OPTION_CORES, "LIST", 0,
		"one for each engine, as in 2,4-6; the kernel chooses if left "
		"out",
		0},
	{"poll", OPTION_POLL, "busy|adaptive", 0,
		"busy: for dedicated cores; adaptive: sleep when idle", 0},
	{"peer-timeout", OPTION_PEER_TIMEOUT, "MS", 0,
		"silence after which another host is lost, 100 to 60000; 3000",
		0},
	{"socket", OPTION_SOCKET, "PATH", 0,
		"control socket; by default $MACHNET_SOCKET, or "
		"/run/machnet/machnet.sock as root, or "
		"$XDG_RUNTIME_DIR/machnet.sock",
		0},
	{"exit-with-parent", OPTION_EXIT_WITH_PARENT, NULL, 0,
		"stop when the process that started this one ends, and remove "
		"the directory of the control socket if nothing is left in it",
		0},
	{0},
};

struct arguments {
	struct machnet_engine_options options;
	pid_t parent; /* before the exec of whoever asks for it */
	int exit_with_parent;
};

static void
text_set(char *to, size_t capacity, const char *text, struct argp_state *state)
{
	if (strlen(text) >= capacity)
		argp_error(state, "\"%s\" is too long", text);
	strncpy(to, text, capacity - 1);
}

/* For the library 0 is a default; who wants that leaves the option out. */
static uint32_t
number(const char *name, const char *text, struct argp_state *state)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (end == text || *end != '\0' || value < 1 || value > UINT16_MAX)
		argp_error(state, "%s is a number from 1 to 65535, not \"%s\"",
			name, text);
	return (uint32_t)value;
}

static error_t
parse_option(int key, char *text, struct argp_state *state)
{
	struct arguments *arguments = state->input;
	struct machnet_engine_options *options = &arguments->options;

	switch (key) {
	case OPTION_DEVICE:
		text_set(options->device, sizeof(options->device), text, state);
		return 0;
	case OPTION_IP:
		text_set(options->ip, sizeof(options->ip), text, state);
		return 0;
	case OPTION_GATEWAY:
		text_set(options->gateway, sizeof(options->gateway), text,
			state);
		return 0;
	case OPTION_SOCKET:
		text_set(options->socket, sizeof(options->socket), text, state);
		return 0;
	case OPTION_CORES:
		text_set(options->cores, sizeof(options->cores), text, state);
		return 0;
	case OPTION_MTU:
		options->mtu = number("--mtu", text, state);
		return 0;
	case OPTION_ENGINES:
		options->engines = number("--engines", text, state);
		return 0;
	case OPTION_PEER_TIMEOUT:
		options->peer_timeout_ms =
			number("--peer-timeout", text, state);
		return 0;
	case OPTION_POLL:
		if (strcmp(text, "busy") == 0)
			options->poll = MACHNET_POLL_BUSY;
		else if (strcmp(text, "adaptive") != 0)
			argp_error(state, "--poll is busy or adaptive");
		return 0;
	case OPTION_EXIT_WITH_PARENT:
		arguments->exit_with_parent = 1;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "\"%s\" is not an option", text);
		return 0;
	case ARGP_KEY_END:
		if (options->device[0] == '\0' || options->ip[0] == '\0')
			argp_error(state, "--device and --ip are needed");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* sd_notify(3): one datagram, if systemd asked for it. */
static int
notify_systemd(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t length;
	int fd;

	if (path == NULL || strlen(path) >= sizeof(address.sun_path))
		return 0;
	strcpy(address.sun_path, path);
	length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
			     strlen(path));
	if (address.sun_path[0] == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return 0;
	sendto(fd, state, strlen(state), MSG_NOSIGNAL,
		(struct sockaddr *)&address, length);
	close(fd);
	return 1;
}

static void
tell_ready(const struct machnet_engine_options *options)
{
	char socket_path[MACHNET_SOCKET_PATH_BYTES] = "";

	machnet_engine_socket(socket_path, sizeof(socket_path));
	if (notify_systemd("READY=1"))
		return;
	printf("machnetd: ready: %s on %s, control socket %s\n", options->ip,
		options->device, socket_path);
}

static void
tell(char news, const struct machnet_engine_options *options)
{
	if (news == MACHNET_ENGINE_READY)
		tell_ready(options);
	else
		printf("machnetd: link %s\n",
			news == MACHNET_ENGINE_LINK_UP ? "up" : "down");
	fflush(stdout);
}

/* @return when the engine has ended */
static void
watch(int engine_fd, int signal_fd,
	const struct machnet_engine_options *options)
{
	struct pollfd fds[2] = {
		{.fd = engine_fd, .events = POLLIN},
		{.fd = signal_fd, .events = POLLIN},
	};

	for (;;) {
		struct signalfd_siginfo signal;
		char news;

		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[1].revents != 0 &&
			read(signal_fd, &signal, sizeof(signal)) > 0) {
			notify_systemd("STOPPING=1");
			machnet_engine_stop();
		}
		if (fds[0].revents == 0)
			continue;
		if (read(engine_fd, &news, 1) <= 0)
			return;
		tell(news, options);
	}
}

static int32_t
run(const struct machnet_engine_options *options, int signal_fd,
	struct machnet_error *error)
{
	int32_t engine_fd;
	int32_t status = machnet_engine_start(options, &engine_fd, error);

	if (status != MACHNET_OK)
		return status;
	watch(engine_fd, signal_fd, options);
	return machnet_engine_result(error);
}

int
main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = argp_options,
		.parser = parse_option,
		.doc = "Machnet's sidecar: owns a NIC, serves the applications "
		       "of this machine over shared memory.",
	};
	struct arguments arguments = {.parent = getppid()};
	struct machnet_error error;
	int32_t status;
	sigset_t stop;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGHUP);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	/* Whoever read our output may be gone. */
	signal(SIGPIPE, SIG_IGN);
	if (arguments.exit_with_parent) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != arguments.parent)
			return EXIT_FAILURE; /* it ended before the call */
	}
	status = run(
		&arguments.options, signalfd(-1, &stop, SFD_CLOEXEC), &error);
	/* A parent that was killed cannot. */
	if (arguments.exit_with_parent)
		rmdir(dirname(arguments.options.socket));
	if (status == MACHNET_OK)
		return EXIT_SUCCESS;
	fprintf(stderr, "machnetd: %s\n", error.message);
	return EXIT_FAILURE;
}
