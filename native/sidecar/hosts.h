/* SPDX-License-Identifier: MIT */
/*
 * For tests: machnetd processes, in a folder of the test's own. All of it ends
 * with hosts_tear_down, or with the test program. Every call fails the test
 * that makes it if something takes more than HOSTS_WAIT_MS.
 */
#ifndef SIDECAR_HOSTS_H
#define SIDECAR_HOSTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "machnet/machnet.h"

/* So long that no machine is too slow. */
#define HOSTS_WAIT_MS 60000
#define HOSTS_OUTPUT_BYTES 8192

struct host {
	pid_t pid;
	int pidfd;
	int output; /* of stdout and stderr */
	char said[HOSTS_OUTPUT_BYTES];
	uint32_t said_bytes;
	char socket[MACHNET_SOCKET_PATH_BYTES];
};

struct host_options {
	const char *name; /* of the control socket, in hosts_folder */
	const char *device;
	const char *ip;
	const char *const *more; /* parameters, NULL last; or NULL */
	pid_t neighbor; /* start in that process's network namespace, or 0 */
};

/* 0700; ends without a slash. */
extern char hosts_folder[64];

/* Fixtures of a group, or of a test. */
int hosts_set_up(void **state);
int hosts_tear_down(void **state);

/** "memif:FOLDER/NAME.memif", in static storage that four calls share. */
const char *hosts_memif(const char *name, bool server);

/** Start one; do not wait. */
void host_begin(struct host *host, const struct host_options *options);

/** Start one, and wait until it is ready. */
void host_start(struct host *host, const struct host_options *options);

/** Start 10.0.0.1 at the server's end of the memif "wire", or then 10.0.0.2 at
 * the other, and wait until they are joined. @param more as in host_options */
void host_start_server(struct host *host, const char *const *more);
void host_start_client(struct host *host, const char *const *more);

/** Wait until it has said that. */
void host_says(struct host *host, const char *text);

/** Wait until it ends. @return its status, as of waitpid(2) */
int host_wait(struct host *host);

/** SIGTERM; it must end with 0. */
void host_stop(struct host *host);

/** SIGKILL, and wait. */
void host_kill(struct host *host);

/** Is it alive? */
bool host_lives(const struct host *host);

/** A counter. */
uint64_t host_counter(const struct host *host, const char *name);

/** Wait until a counter has at least, or exactly, a value. */
void host_counts(const struct host *host, const char *name, uint64_t least);
void host_settles(const struct host *host, const char *name, uint64_t value);

/** Start machnetd in vain: it must end with a failure and say all of the texts,
 * NULL last. */
void host_refuses(const struct host_options *options, const char *const *texts);

/** Fork a process that hosts_tear_down kills, and that the end of this one
 * kills. @return as fork(2) */
pid_t hosts_fork(void);

/** SIGKILL a process of hosts_fork, and wait. */
void hosts_kill(pid_t pid);

uint64_t hosts_now_ms(void);

/** Descriptors that it has open. */
uint32_t host_descriptors(const struct host *host);

/** Wait until it has no more of them than that. */
void host_closes(const struct host *host, uint32_t descriptors);

/** Files and folders in a folder that begin like this; 0 if there is none. */
uint32_t hosts_files(const char *folder, const char *prefix);

#endif
