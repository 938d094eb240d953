// SPDX-License-Identifier: MIT
#include "sidecar/hosts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/clock.h"
#include "machnet/engine.h"
#include "port/namespaces.h"

#define PROCESSES_MAX 64u
#define ARGUMENTS_MAX 24u
#define STATS_BYTES (256u << 10)

char hosts_folder[64];

static pid_t processes[PROCESSES_MAX];

uint64_t
hosts_now_ms(void)
{
	return clock_now_ns() / NS_PER_MS;
}

static void
process_note(pid_t pid)
{
	uint32_t i = 0;

	while (i < PROCESSES_MAX && processes[i] != 0)
		i++;
	assert_true(i < PROCESSES_MAX);
	processes[i] = pid;
}

static void
process_forget(pid_t pid)
{
	for (uint32_t i = 0; i < PROCESSES_MAX; i++)
		if (processes[i] == pid)
			processes[i] = 0;
}

/* What a fixture that failed half-way has left. */
static void
clean(void)
{
	if (hosts_folder[0] != '\0')
		hosts_tear_down(NULL);
}

int
hosts_set_up(void **state)
{
	static bool registered;

	(void)state;
	clean();
	if (!registered && atexit(clean) != 0)
		return -1;
	registered = true;
	strcpy(hosts_folder, "/tmp/machnet-hosts-XXXXXX");
	return mkdtemp(hosts_folder) == NULL ? -1 : 0;
}

static int
file_remove(const char *path, const struct stat *status, int type,
	struct FTW *place)
{
	(void)status;
	(void)type;
	(void)place;
	return remove(path);
}

int
hosts_tear_down(void **state)
{
	int result;

	(void)state;
	for (uint32_t i = 0; i < PROCESSES_MAX; i++) {
		if (processes[i] == 0)
			continue;
		kill(processes[i], SIGKILL);
		waitpid(processes[i], NULL, 0);
		processes[i] = 0;
	}
	result = nftw(hosts_folder, file_remove, 8, FTW_DEPTH | FTW_PHYS);
	hosts_folder[0] = '\0';
	return result;
}

const char *
hosts_memif(const char *name, bool server)
{
	static char devices[4][MACHNET_DEVICE_BYTES];
	static uint32_t next;
	char *device = devices[next++ % ARRAY_LENGTH(devices)];

	snprintf(device, MACHNET_DEVICE_BYTES, "memif:%s/%s.memif%s",
		hosts_folder, name, server ? ",server" : "");
	return device;
}

pid_t
hosts_fork(void)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* Not back into the tests, which are the parent's. */
		setenv("CMOCKA_TEST_ABORT", "1", 1);
		if (getppid() != parent)
			_exit(1);
		return 0;
	}
	assert_true(pid > 0);
	process_note(pid);
	return pid;
}

void
hosts_kill(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	process_forget(pid);
}

static void
machnetd_exec(const struct host *host, const struct host_options *options)
{
	const char *arguments[ARGUMENTS_MAX] = {
		getenv("MACHNETD"),
		"--socket",
		host->socket,
	};
	uint32_t count = 3;

	if (options->device != NULL) {
		arguments[count++] = "--device";
		arguments[count++] = options->device;
	}
	if (options->ip != NULL) {
		arguments[count++] = "--ip";
		arguments[count++] = options->ip;
	}
	for (uint32_t i = 0; options->more != NULL && options->more[i] != NULL;
		i++)
		arguments[count++] = options->more[i];
	if (options->neighbor != 0 && namespace_enter(options->neighbor) != 0)
		_exit(127);
	execv(arguments[0], (char *const *)arguments);
	_exit(127);
}

void
host_begin(struct host *host, const struct host_options *options)
{
	int output[2];

	memset(host, 0, sizeof(*host));
	snprintf(host->socket, sizeof(host->socket), "%s/%s.sock", hosts_folder,
		options->name);
	assert_non_null(getenv("MACHNETD"));
	assert_int_equal(pipe2(output, O_CLOEXEC), 0);
	host->pid = hosts_fork();
	if (host->pid == 0) {
		dup2(output[1], STDOUT_FILENO);
		dup2(output[1], STDERR_FILENO);
		machnetd_exec(host, options);
	}
	close(output[1]);
	host->output = output[0];
	host->pidfd = (int)syscall(SYS_pidfd_open, host->pid, 0);
	assert_true(host->pidfd >= 0);
}

/* @return false at the end of its output */
static bool
host_listen(struct host *host, uint64_t end_ms)
{
	struct pollfd pollfd = {.fd = host->output, .events = POLLIN};
	uint64_t now_ms = hosts_now_ms();
	ssize_t length;

	if (now_ms >= end_ms || poll(&pollfd, 1, (int)(end_ms - now_ms)) == 0)
		fail_msg("machnetd takes too long; it said: %s", host->said);
	length = read(host->output, host->said + host->said_bytes,
		sizeof(host->said) - 1 - host->said_bytes);
	if (length <= 0)
		return false;
	host->said_bytes += (uint32_t)length;
	return true;
}

void
host_says(struct host *host, const char *text)
{
	uint64_t end_ms = hosts_now_ms() + HOSTS_WAIT_MS;

	while (strstr(host->said, text) == NULL)
		if (!host_listen(host, end_ms))
			fail_msg("machnetd never said \"%s\", but: %s", text,
				host->said);
}

void
host_start(struct host *host, const struct host_options *options)
{
	host_begin(host, options);
	host_says(host, "machnetd: ready");
}

void
host_start_server(struct host *host, const char *const *more)
{
	host_start(host, &(struct host_options){
				 .name = "a",
				 .device = hosts_memif("wire", true),
				 .ip = "10.0.0.1/24",
				 .more = more,
			 });
}

void
host_start_client(struct host *host, const char *const *more)
{
	host_start(host, &(struct host_options){
				 .name = "b",
				 .device = hosts_memif("wire", false),
				 .ip = "10.0.0.2/24",
				 .more = more,
			 });
	host_says(host, "machnetd: link up");
}

int
host_wait(struct host *host)
{
	uint64_t end_ms = hosts_now_ms() + HOSTS_WAIT_MS;
	int status;

	while (host_listen(host, end_ms))
		continue;
	assert_int_equal(waitpid(host->pid, &status, 0), host->pid);
	process_forget(host->pid);
	close(host->output);
	close(host->pidfd);
	host->pid = 0;
	return status;
}

void
host_stop(struct host *host)
{
	int status;

	assert_int_equal(kill(host->pid, SIGTERM), 0);
	status = host_wait(host);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("machnetd ended with status %#x; it said: %s", status,
			host->said);
}

void
host_kill(struct host *host)
{
	assert_int_equal(kill(host->pid, SIGKILL), 0);
	assert_true(WIFSIGNALED(host_wait(host)));
}

bool
host_lives(const struct host *host)
{
	struct pollfd pollfd = {.fd = host->pidfd, .events = POLLIN};

	return poll(&pollfd, 1, 0) == 0;
}

uint64_t
host_counter(const struct host *host, const char *name)
{
	static char text[STATS_BYTES];
	char line[64];
	struct machnet_error error;
	const char *found;
	int32_t length;

	length = machnet_stats(host->socket, text + 1, sizeof(text) - 1,
		HOSTS_WAIT_MS, &error);
	if (length < 0)
		fail_msg("%s", error.message);
	text[0] = '\n';
	text[1 + length] = '\0';
	snprintf(line, sizeof(line), "\n%s ", name);
	found = strstr(text, line);
	if (found == NULL)
		fail_msg("no counter %s", name);
	return strtoull(found + strlen(line), NULL, 10);
}

static void
await(const struct host *host, const char *name, uint64_t value, bool exactly)
{
	uint64_t end_ms = hosts_now_ms() + HOSTS_WAIT_MS;
	uint64_t now = host_counter(host, name);

	while (exactly ? now != value : now < value) {
		if (hosts_now_ms() > end_ms)
			fail_msg("%s is %llu, not %llu", name,
				(unsigned long long)now,
				(unsigned long long)value);
		/* Counters ring no bell. */
		poll(NULL, 0, 2);
		now = host_counter(host, name);
	}
}

void
host_counts(const struct host *host, const char *name, uint64_t least)
{
	await(host, name, least, false);
}

void
host_settles(const struct host *host, const char *name, uint64_t value)
{
	await(host, name, value, true);
}

void
host_refuses(const struct host_options *options, const char *const *texts)
{
	struct host host;
	int status;

	host_begin(&host, options);
	status = host_wait(&host);
	if (!WIFEXITED(status) || WEXITSTATUS(status) == 0)
		fail_msg("machnetd ended with status %#x; it said: %s", status,
			host.said);
	for (uint32_t i = 0; texts[i] != NULL; i++)
		if (strstr(host.said, texts[i]) == NULL)
			fail_msg("machnetd did not say \"%s\", but: %s",
				texts[i], host.said);
}

uint32_t
host_descriptors(const struct host *host)
{
	char folder[64];

	snprintf(folder, sizeof(folder), "/proc/%d/fd", (int)host->pid);
	return hosts_files(folder, "");
}

void
host_closes(const struct host *host, uint32_t descriptors)
{
	uint64_t end_ms = hosts_now_ms() + HOSTS_WAIT_MS;

	while (host_descriptors(host) > descriptors) {
		if (hosts_now_ms() > end_ms)
			fail_msg("%u descriptors are open, not %u",
				host_descriptors(host), descriptors);
		poll(NULL, 0, 2);
	}
}

uint32_t
hosts_files(const char *folder, const char *prefix)
{
	DIR *open = opendir(folder);
	const struct dirent *each;
	uint32_t count = 0;

	if (open == NULL)
		return 0;
	while ((each = readdir(open)) != NULL)
		count += each->d_name[0] != '.' &&
			 strncmp(each->d_name, prefix, strlen(prefix)) == 0;
	closedir(open);
	return count;
}
