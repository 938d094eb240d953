/* SPDX-License-Identifier: MIT */
/*
 * For tests: machnet-fabric as a process, between hosts that are ports of this
 * one. Every call fails the test that makes it if what it waits for does not
 * come within LAB_WAIT_NS.
 */
#ifndef FABRIC_LAB_H
#define FABRIC_LAB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#include "port/port.h"
#include "wire/ethernet.h"

#define LAB_HOSTS 3u
#define LAB_FRAME_BYTES 1000u
/* So long that no machine is too slow. */
#define LAB_WAIT_NS (60 * NS_PER_S)

extern const char *lab_program; /* the fabric's path */
extern pid_t lab_fabric;	/* 0: there is none */
extern struct port lab_hosts[LAB_HOSTS];
extern uint32_t lab_queues; /* that hosts open from now on; 1 in each test */

/* Fixtures of a group. */
int lab_set_up(void **state);
int lab_tear_down(void **state);

/** Start a fabric with parameters, NULL last, and open its hosts; wait for
 * their links. */
void lab_start_with(const char *const *options);

/** The same with one parameter, or none: NULL. */
void lab_start(const char *option, const char *value);

/** Close and kill what there is of it; the teardown of a test. */
int lab_stop(void **state);

/** Start a fabric alone. @return its process, once it is ready, or -1 if it
 * ended */
pid_t lab_fabric_spawn(const char *const *options);

/** Send a signal to lab_fabric, and wait. @return its status, as of waitpid(2)
 */
int lab_fabric_end(int signal);

/** A file in the lab's folder, in static storage that all calls share. */
const char *lab_path(const char *name);

/** Open a port that is closed. */
void lab_host_open(uint32_t index);

/** Until frames can pass. */
void lab_wait_for_link(uint32_t index);
void lab_wait_for_links(void);

/** LAB_FRAME_BYTES, from a host to another, or LAB_HOSTS for all. */
void lab_frame_write(
	uint8_t *bytes, uint32_t from, uint32_t to, uint8_t content);
void lab_send_frame(uint32_t from, uint32_t to, uint8_t content);

/** @return the next frame, the caller's, or NULL if none came in time */
struct rte_mbuf *lab_receive(uint32_t at, uint64_t patience_ns);

/** @return false if none came in time */
bool lab_receive_frame(uint32_t at, uint8_t *content, uint64_t patience_ns);

/** Send one, which is the next to arrive there. */
void lab_pass_frame(uint32_t from, uint32_t to, uint8_t content);

/** A broadcast of each host, so that the fabric knows them. */
void lab_introduce(void);

/** A connection to the control socket. */
int lab_control_connect(void);

/** @return the answer of the control socket, with a newline before, until the
 * next one */
const char *lab_ask(const char *command);

/** A counter of the fabric's. */
uint64_t lab_counter(const char *name);

#endif
