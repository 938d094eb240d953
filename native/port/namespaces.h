/* SPDX-License-Identifier: MIT */
/* For tests: network namespaces of the kernel, and commands in them. */
#ifndef PORT_NAMESPACES_H
#define PORT_NAMESPACES_H

#include <sys/types.h>

/** Run a command of the shell, of less than 1 kB. @return as system(3) */
__attribute__((format(printf, 1, 2))) int shell(const char *format, ...);

/**
 * Fork a process that does nothing but keep a network namespace of its own. It
 * ends with the calling thread, or with namespace_end.
 * @return its id, or -1
 */
pid_t namespace_begin(void);
void namespace_end(pid_t pid);

/** Move the calling thread to a process's network namespace. @return 0 or -1 */
int namespace_enter(pid_t pid);

#endif
