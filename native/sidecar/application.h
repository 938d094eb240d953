/* SPDX-License-Identifier: MIT */
/* For tests: applications, over libmachnet. Every call fails the test that
 * makes it if what it waits for does not come within HOSTS_WAIT_MS. */
#ifndef SIDECAR_APPLICATION_H
#define SIDECAR_APPLICATION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "machnet/machnet.h"
#include "sidecar/hosts.h"

/* Of application_connect. */
#define APPLICATION_CONNECT_TOKEN 8

struct application {
	uint32_t channel;
	struct machnet_channel_info info;
	int32_t lost; /* status of a channel that ended, or MACHNET_OK */
};

void application_attach(
	struct application *application, const struct host *host);

/** @param engine -1: the least loaded */
void application_attach_to(struct application *application,
	const struct host *host, int32_t engine);

/** One on each of the first engines of a host. */
void applications_attach(struct application *applications,
	const struct host *host, uint32_t engines);

/** The channel, and its mapping. */
void application_end(struct application *application);

/** @return false if no event came in time, or the channel is lost */
bool application_take(struct application *application,
	struct machnet_event *event, uint32_t timeout_ms);

/** The next event, which is of that kind. */
struct machnet_event application_event(
	struct application *application, uint16_t kind);

/** Wait until the channel is lost. @return why */
int32_t application_loss(struct application *application);

/** @return the LISTENING event */
struct machnet_event application_listen(
	struct application *application, uint32_t address, uint16_t port);

/** @return the CONNECTED event */
struct machnet_event application_connect(struct application *application,
	uint32_t address, uint16_t port, uint32_t timeout_ms);

/** Connect client to a port that server listens on. */
void application_pair(struct application *client, uint32_t *client_side,
	struct application *server, uint32_t *server_side, uint16_t port);

/** Send, waiting for room. */
void application_send(struct application *application, uint32_t connection,
	const void *bytes, uint32_t length);

/** The next event is that message; release it. */
void application_receive(struct application *application, uint32_t connection,
	const void *bytes, uint32_t length);

/** The next event tells that the connection ended so. */
void application_closed(struct application *application, uint32_t connection,
	int32_t status, const char *reason);

/** A message there, which comes back as it is. */
void application_round_trip(struct application *client, uint32_t client_side,
	struct application *server, uint32_t server_side);

/** Fork a process that echoes what comes to a port; it listens on return. */
pid_t application_echo(const struct host *host, uint16_t port);

#endif
