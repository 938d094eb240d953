/* SPDX-License-Identifier: MIT */
/* Sockets of this process, those that drivers opened and do not show too. */
#ifndef PORT_SOCKETS_H
#define PORT_SOCKETS_H

#include <stdbool.h>
#include <stdint.h>

#define SOCKETS_MAX 256u

struct sockets {
	uint32_t count;
	int fds[SOCKETS_MAX];
};

/** List the descriptors that wanted says true to, up to SOCKETS_MAX. */
void sockets_list(struct sockets *sockets,
	bool (*wanted)(int fd, const void *context), const void *context);

bool sockets_contain(const struct sockets *sockets, int fd);

/** @return AF_XDP, AF_PACKET, ..., or -1: it is no socket */
int socket_domain(int fd);

/** @return SOCK_STREAM, SOCK_SEQPACKET, ..., or -1: it is no socket */
int socket_type(int fd);

/** @return what no other socket has, of those that are open, or 0: it is none
 */
uint64_t socket_number(int fd);

#endif
