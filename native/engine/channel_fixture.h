/* SPDX-License-Identifier: MIT */
/*
 * For tests: a channel, the engine's end of it and what an application does
 * that uses no library of ours. There is no network: no packet leaves.
 */
#ifndef ENGINE_CHANNEL_FIXTURE_H
#define ENGINE_CHANNEL_FIXTURE_H

#include <stdint.h>

#include "engine/channel.h"

#define OUR_ADDRESS 0x0a000001u
#define ARENA_BYTES MACHNET_ARENA_BYTES_MIN

extern struct transport *transport;
extern struct listeners *listeners;
extern struct channel *channel;
/* The application's. */
extern int doorbell;
extern uint8_t *shared;
extern struct channel_layout layout;
extern struct channel_header *header;
/* Packets refer to the next messages that are sent; to this, if so. */
extern uint32_t pins;
extern struct tx_message *pinned;

/* Answered at once, without a packet. */
extern const struct submission request;

int fixture_set_up(void **state);
int fixture_tear_down(void **state);

void fixture_open(void);

/** The engine's end of it; the application's stays. */
void fixture_drop(int32_t status);

/** Another channel, after one that is corrupt. */
void fixture_renew(void);

/* What the application does. */
void application_submit(const struct submission *submission);
void application_release(uint32_t offset);
uint32_t application_events(void); /* that wait */
struct machnet_event application_event(void);
void application_end(void);

/** @return how much was done */
uint32_t engine_serve(void);

/** A message as the transport would bring it. @return its offset */
uint32_t engine_bring_on(uint32_t connection, uint32_t length);
uint32_t engine_bring(uint32_t length);

/** It is over: nothing is done any more, and nobody kept awake. */
void assert_corrupt(void);

/** All was done, and it is not over. */
void assert_sound(void);

#endif
