/* SPDX-License-Identifier: MIT */
/*
 * machnet-fabric: a switch for hosts on one machine, and the only network that
 * a lab has. Each host's machnetd connects to a memif socket as to its vNIC;
 * what the network does to frames is on the command line.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fabric/fabric.h"
#include "fabric/options.h"

/* In one piece, with what a profile says of its hosts. */
static void
tell_ready(const struct switch_options *network)
{
	printf("machnet-fabric: ready: mtu %u, queues", network->mtu);
	for (uint32_t i = 0; i < network->ports; i++)
		printf("%c%u", i == 0 ? ' ' : ',', network->hosts[i].queues);
	putchar('\n');
	fflush(stdout);
}

static int32_t
run(const struct fabric_options *options, int signal_fd,
	struct machnet_error *error)
{
	static struct fabric fabric;
	struct control control;
	int32_t status = fabric_open(&fabric, options->directory,
		&options->network, options->busy, error);

	if (status != MACHNET_OK)
		return status;
	status = control_open(&control, options->directory, error);
	if (status == MACHNET_OK) {
		tell_ready(&options->network);
		fabric_run(&fabric, &control, signal_fd);
		control_close(&control);
	}
	fabric_close(&fabric);
	return status;
}

int
main(int argc, char **argv)
{
	struct fabric_options options;
	struct machnet_error error;
	pid_t parent = getppid();
	int32_t status;
	sigset_t stop;

	fabric_options_parse(&options, argc, argv);
	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	umask(S_IRWXG | S_IRWXO);
	if (options.exit_with_parent) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent)
			return EXIT_FAILURE; /* it ended before the call */
	}
	status = run(&options, signalfd(-1, &stop, SFD_CLOEXEC), &error);
	/* A parent that was killed cannot. */
	if (options.exit_with_parent)
		rmdir(options.directory);
	if (status == MACHNET_OK)
		return EXIT_SUCCESS;
	fprintf(stderr, "machnet-fabric: %s\n", error.message);
	return EXIT_FAILURE;
}
