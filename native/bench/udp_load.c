/* SPDX-License-Identifier: MIT */
/*
 * Request-reply over the kernel's UDP, both ends looking for packets all the
 * time: the floor for what programs can reach with the kernel's sockets.
 *
 *     udp-load server ADDRESS PORT
 *     udp-load client ADDRESS PORT <<<"SIZE WINDOW SECONDS"
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "bench/load.h"

/* A packet that got lost does not come any more. */
#define LOST_NS (10 * NS_PER_S)

static uint8_t buffer[LOAD_SIZE_MAX];

static struct sockaddr_in
endpoint(const char *address, const char *port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = inet_addr(address),
		.sin_port = htons((uint16_t)atoi(port)),
	};
}

static int
open_socket(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	if (fd < 0)
		load_fail("Cannot open a socket", strerror(errno));
	return fd;
}

static void
serve(int fd, struct sockaddr_in own)
{
	socklen_t length = sizeof(own);
	struct sockaddr_in from;
	ssize_t bytes;

	if (bind(fd, (struct sockaddr *)&own, sizeof(own)) != 0)
		load_fail("Cannot bind", strerror(errno));
	getsockname(fd, (struct sockaddr *)&own, &length);
	printf("listening on %s:%u\n", inet_ntoa(own.sin_addr),
		ntohs(own.sin_port));
	fflush(stdout);
	for (;;) {
		length = sizeof(from);
		bytes = recvfrom(fd, buffer, sizeof(buffer), 0,
			(struct sockaddr *)&from, &length);
		if (bytes >= 0)
			sendto(fd, buffer, (size_t)bytes, 0,
				(struct sockaddr *)&from, length);
	}
}

static void
request(int fd, struct load *load, uint32_t request)
{
	const uint8_t *bytes = load_request(load, request);

	if (send(fd, bytes, load->size, 0) < 0 && errno != EAGAIN)
		load_fail("Cannot send", strerror(errno));
}

static void
measure(int fd, struct load *load)
{
	uint64_t last_ns;
	ssize_t bytes;
	uint32_t i;

	load_begin(load);
	for (i = 0; i < load->window; i++)
		request(fd, load, i);
	last_ns = clock_now_ns();
	while (!load_finished(load)) {
		bytes = recv(fd, buffer, sizeof(buffer), 0);
		if (bytes < 0) {
			if (clock_now_ns() - last_ns > LOST_NS)
				load_fail("Cannot measure", "packets lost");
			continue;
		}
		last_ns = clock_now_ns();
		if (load_reply(load, buffer, (uint32_t)bytes))
			request(fd, load, buffer[0]);
	}
	load_print(load);
}

int
main(int argc, char **argv)
{
	static struct load load;
	struct sockaddr_in there;
	int fd = open_socket();

	if (argc != 4)
		load_fail(
			"Cannot start", "udp-load server|client ADDRESS PORT");
	there = endpoint(argv[2], argv[3]);
	if (strcmp(argv[1], "server") == 0)
		serve(fd, there);
	if (connect(fd, (struct sockaddr *)&there, sizeof(there)) != 0)
		load_fail("Cannot connect", strerror(errno));
	while (load_read(&load))
		measure(fd, &load);
	return 0;
}
