/* SPDX-License-Identifier: MIT */
#include "port/eal.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "port/peer.h"
#include "port/port.h"

#define EAL_LOG_LINE_BYTES 256
#define EAL_LCORES_BYTES 8192

struct eal_start {
	struct port_eal_options options;
	char lcores[EAL_LCORES_BYTES];
	int errnum;
};

static struct {
	pthread_mutex_t lock;
	bool started;
	bool pci;
} eal = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct {
	pthread_mutex_t lock;
	char first[EAL_LOG_LINE_BYTES];
} eal_log = {.lock = PTHREAD_MUTEX_INITIALIZER};

void
eal_log_reset(void)
{
	pthread_mutex_lock(&eal_log.lock);
	eal_log.first[0] = '\0';
	pthread_mutex_unlock(&eal_log.lock);
}

const char *
eal_log_first(void)
{
	return eal_log.first;
}

/* EAL's own stream goes to the terminal and to syslog. */
static ssize_t
log_write(void *cookie, const char *line, size_t length)
{
	const bool *echo = cookie;
	size_t kept =
		length < EAL_LOG_LINE_BYTES ? length : EAL_LOG_LINE_BYTES - 1;

	/* What is critical precedes an abort. */
	if (*echo || rte_log_cur_msg_loglevel() <= (int)RTE_LOG_CRIT)
		fwrite(line, 1, length, stderr);
	if (rte_log_cur_msg_loglevel() > (int)RTE_LOG_ERR) {
		peer_line_read(line, length);
		return (ssize_t)length;
	}
	pthread_mutex_lock(&eal_log.lock);
	if (eal_log.first[0] == '\0') {
		memcpy(eal_log.first, line, kept);
		eal_log.first[kept] = '\0';
		eal_log.first[strcspn(eal_log.first, "\n")] = '\0';
	}
	pthread_mutex_unlock(&eal_log.lock);
	return (ssize_t)length;
}

/* Never closed, as EAL never is. */
static void
log_open(bool echo)
{
	static bool echo_cookie;
	FILE *stream;

	echo_cookie = echo;
	stream = fopencookie(
		&echo_cookie, "w", (cookie_io_functions_t){.write = log_write});
	if (stream == NULL)
		return;
	setvbuf(stream, NULL, _IOLBF, 0);
	rte_openlog_stream(stream);
}

/*
 * One logical core that floats over all processors the caller may use, so that
 * EAL's control threads may, too.
 */
static void
lcores_format(char *text, size_t capacity)
{
	cpu_set_t set;
	size_t used;
	int cpu;

	used = (size_t)snprintf(text, capacity, "0@(");
	if (sched_getaffinity(0, sizeof(set), &set) != 0) {
		CPU_ZERO(&set);
		CPU_SET(0, &set);
	}
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &set))
			used += (size_t)snprintf(text + used, capacity - used,
				"%s%d", text[used - 1] == '(' ? "" : ",", cpu);
	snprintf(text + used, capacity - used, ")");
}

/*
 * Without shared files EAL still makes a folder, and leaves it behind. Nothing
 * is ever put into it, so it can go at once, and is gone too if we are killed.
 */
static void
runtime_dir_remove(void)
{
	const char *path = rte_eal_get_runtime_dir();

	if (path != NULL)
		rmdir(path);
}

static void *
start_thread(void *argument)
{
	struct eal_start *start = argument;
	const char *level = getenv("MACHNET_DPDK_LOG");
	char prefix[48], log[64], memory[16], pci[32];
	char *args[16];
	int count = 0, memif;
	sigset_t all;

	/* EAL's threads inherit this: signals are the application's. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);

	snprintf(prefix, sizeof(prefix), "--file-prefix=machnet-%d",
		(int)getpid());
	/* Not the level of the whole log, which would keep peer_line_read from
	 * what it needs; nor is one of some parts only. */
	snprintf(log, sizeof(log), "--log-level=%s%s",
		level != NULL && strpbrk(level, ":,") != NULL ? "" : "*:",
		level == NULL ? "error" : level);
	args[count++] = "machnet";
	args[count++] = prefix;
	args[count++] = log;
	args[count++] = "--lcores";
	args[count++] = start->lcores;
	args[count++] = "--no-telemetry";
	if (start->options.pci == NULL) {
		snprintf(
			memory, sizeof(memory), "%u", start->options.memory_mb);
		args[count++] = "--no-huge";
		args[count++] = "--no-shconf";
		args[count++] = "--no-pci";
		args[count++] = "-m";
		args[count++] = memory;
	} else {
		snprintf(pci, sizeof(pci), "%s", start->options.pci);
		args[count++] = "--in-memory";
		/* The other NICs of the machine are not ours. */
		args[count++] = "-a";
		args[count++] = pci;
	}
	log_open(level != NULL);
	if (rte_eal_init(count, args) < 0)
		start->errnum = rte_errno != 0 ? rte_errno : EIO;
	else
		runtime_dir_remove();
	/* Even if the driver comes later: for peer_line_read. */
	memif = rte_log_register("pmd.net.memif");
	if (memif >= 0 &&
		rte_log_get_level((uint32_t)memif) < (int)RTE_LOG_INFO)
		rte_log_set_level((uint32_t)memif, RTE_LOG_INFO);
	return NULL;
}

static int32_t
eal_start(const struct port_eal_options *options, struct machnet_error *error)
{
	static struct eal_start start;
	pthread_t thread;
	int errnum;

	start = (struct eal_start){.options = *options};
	if (start.options.memory_mb == 0)
		start.options.memory_mb = PORT_EAL_MEMORY_MB_DEFAULT;
	lcores_format(start.lcores, sizeof(start.lcores));
	eal_log_reset();
	errnum = pthread_create(&thread, NULL, start_thread, &start);
	if (errnum != 0)
		return error_set_errno(error, MACHNET_SYSTEM_ERROR, errnum,
			"Cannot start DPDK's EAL: no thread");
	pthread_join(thread, NULL);
	if (start.errnum != 0)
		return error_set(error, MACHNET_DEVICE_FAILED,
			"Cannot start DPDK's EAL%s: %s (%s)",
			options->pci == NULL ? "" : " with hugepages",
			rte_strerror(start.errnum), eal_log_first());
	eal.started = true;
	eal.pci = options->pci != NULL;
	return MACHNET_OK;
}

int32_t
port_eal_start(
	const struct port_eal_options *options, struct machnet_error *error)
{
	static const struct port_eal_options defaults;
	int32_t status = MACHNET_OK;

	if (options == NULL)
		options = &defaults;
	pthread_mutex_lock(&eal.lock);
	if (!eal.started)
		status = eal_start(options, error);
	else if (options->pci != NULL && !eal.pci)
		status = error_set(error, MACHNET_DEVICE_FAILED,
			"Cannot use PCI device %s: this process has started "
			"DPDK without PCI; use another process",
			options->pci);
	pthread_mutex_unlock(&eal.lock);
	return status;
}

int32_t
port_thread_begin(struct machnet_error *error)
{
	if (rte_lcore_id() != LCORE_ID_ANY || rte_thread_register() == 0)
		return MACHNET_OK;
	return error_set(error, MACHNET_SYSTEM_ERROR,
		"Cannot register a thread with DPDK: %s",
		rte_strerror(rte_errno));
}

void
port_thread_end(void)
{
	rte_thread_unregister();
}
