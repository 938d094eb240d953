/* SPDX-License-Identifier: MIT */
/*
 * For tests: a cable between two hosts that the test holds in its hands. It is
 * the memif server of both and carries frames on a thread of its own; the test
 * may look at them, keep some from arriving, and send its own.
 */
#ifndef SIDECAR_CABLE_H
#define SIDECAR_CABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/ethernet.h"
#include "wire/packet.h"

#define CABLE_FRAME_BYTES_MAX 1600u

enum cable_end {
	CABLE_A,
	CABLE_B,
};

struct cable_frame {
	enum cable_end from;
	uint32_t length;
	uint8_t bytes[CABLE_FRAME_BYTES_MAX];
};

/** Lay it between the devices hosts_memif("a", false) and ("b", false). */
void cable_start(void);
void cable_stop(void);

/** Cut it, or mend it. */
void cable_cut(bool cut);

/** Let no UDP through to that end, but ARP and all else. */
void cable_mute(enum cable_end to, bool mute);

/** Keep a copy of the next frame from an end with a packet of a type; NULL: of
 * none. The caller's until then, or until the next call. */
void cable_capture(
	enum cable_end from, uint8_t type, struct cable_frame *frame);

/** Wait for it. */
void cable_captured(void);

/** Wait for a host to ring the cable, as it does when it sends something after
 * a silence. What it rang before is forgotten now. @return whether it rang */
void cable_forget_rings(enum cable_end from);
bool cable_rung(enum cable_end from, uint32_t timeout_ms);

/** Put a frame on the cable, towards the end that it is not from. */
void cable_send(const struct cable_frame *frame);

/** Wait until all that was sent is at its end. */
void cable_flush(void);

/** The packet in a frame of UDP. @return its length */
uint32_t cable_packet(struct cable_frame *frame, uint8_t **packet);

/** Fit IPv4 and UDP headers to a packet of another length, or other bytes. */
void cable_repack(struct cable_frame *frame, uint32_t packet_bytes);

#endif
