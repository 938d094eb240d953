/* SPDX-License-Identifier: MIT */
/*
 * For tests: the other end of a channel, as a sidecar that obeys, or breaks,
 * the rules on request. It listens on a real socket and makes real memory; it
 * serves one client at a time, on a thread until the channel stands and on the
 * test's own thread from then on.
 */
#ifndef CLIENT_FAKE_SIDECAR_H
#define CLIENT_FAKE_SIDECAR_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "shm/arena.h"
#include "shm/control.h"
#include "shm/layout.h"

/* Of the tests, for what must come: so long that no machine is too slow. */
#define FAKE_WAIT_MS 60000

/* The rule to break in the handshake. */
enum fake_fault {
	FAKE_GOOD,
	FAKE_BAD_MAGIC,
	FAKE_OTHER_ABI,
	FAKE_OTHER_ABI_SHORT, /* an older, shorter reply */
	FAKE_REFUSES,
	FAKE_NO_DESCRIPTORS,
	FAKE_THREE_DESCRIPTORS,
	FAKE_FOUR_DESCRIPTORS, /* in two pieces */
	FAKE_UNSEALED,
	FAKE_WRONG_SIZE,
	FAKE_BAD_ARENA_BYTES,
	FAKE_NOT_MEMORY, /* a socket in place of the memfd */
	FAKE_HANGS_UP,
	FAKE_HANGS_UP_HALFWAY,
	FAKE_SILENT,
	FAKE_SPLIT, /* good, in two pieces */
	FAKE_STATS,
};

struct fake_sidecar {
	enum fake_fault fault;
	char directory[64];
	char path[96];
	int listen_fd;
	pthread_t thread;
	struct control_request request; /* as heard */
	/* Of the channel, once the thread ended. */
	int socket_fd;
	int memfd;
	int wake_fd;
	uint8_t *base;
	struct channel_layout layout;
	struct channel_header *header;
	struct ring_consumer submissions;
	struct ring_consumer released;
	struct ring_producer completions;
	struct ring_producer sent;
	struct arena *rx;
};

/** Listen, and serve one client on a thread. */
void fake_start(struct fake_sidecar *fake, enum fake_fault fault);

/** Wait for the thread. Idempotent. */
void fake_join(struct fake_sidecar *fake);

/** Everything away. */
void fake_stop(struct fake_sidecar *fake);

/** Attach a channel to a good one. */
uint32_t fake_attach(struct fake_sidecar *fake);

/* A good one with a channel: the state of a test. */
struct attached {
	struct fake_sidecar fake;
	uint32_t channel;
	struct machnet_channel_info info;
	uint8_t *base;
};

int attached_set_up(void **state);
int attached_tear_down(void **state);

/** Wait for the other end to hang up. @return false if it says something, or
 * stays for FAKE_WAIT_MS */
bool fake_at_end(int fd);

/** Post an event and ring the bell if the application waits. */
void fake_post(struct fake_sidecar *fake, const struct machnet_event *event);

/** Post a message that holds these bytes. @return its offset from the base */
uint32_t fake_post_message(struct fake_sidecar *fake, uint32_t connection,
	const void *bytes, uint32_t length);

/** The same for a kind of message that has a request. */
uint32_t fake_post_kind(struct fake_sidecar *fake, uint32_t connection,
	const void *bytes, uint32_t length, uint16_t kind, uint32_t request);

/** Take one submission. @return false if there is none */
bool fake_take(struct fake_sidecar *fake, struct submission *submission);

/** Send a TX block home. */
void fake_send_home(struct fake_sidecar *fake, uint32_t offset);

/** Take RX blocks home. @return their number */
uint32_t fake_take_released(struct fake_sidecar *fake);

/** Did the application ring the engine since the last call? */
bool fake_was_rung(struct fake_sidecar *fake);

#endif
