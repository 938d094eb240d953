/* SPDX-License-Identifier: MIT */
/*
 * Request-reply load for the benchmark's programs in C, as bench/measure.ts for
 * scripts: what is asked for comes as a line "SIZE WINDOW SECONDS" on standard
 * input, the result goes as a line of JSON to standard output.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#define LOAD_WINDOW_MAX 255
#define LOAD_SIZE_MAX (32u << 10)
/* Replies that are measured at least, however long it takes. */
#define LOAD_COUNT_MIN 100

struct load {
	uint32_t size, window;
	double seconds; /* asked for, then what it took */
	/* The first byte of a request and of its reply says which it is. */
	uint8_t bytes[LOAD_SIZE_MAX];
	uint64_t sent_ns[LOAD_WINDOW_MAX];
	uint64_t warm_ns, end_ns; /* measured between them */
	uint64_t count;		  /* of those */
	uint64_t total;		  /* with those that warmed up */
	uint32_t waiting;	  /* for their replies */
	bool over;		  /* nothing more is sent or counted */
	/* Log-linear: 7 bits of precision, 0.8 %. */
	uint32_t histogram[58 * 128];
	uint64_t max_ns;
};

/** @return false at the end of standard input */
bool load_read(struct load *load);

/** Begin: the caller now sends each request below the window. */
void load_begin(struct load *load);

/** Count a request as sent. @return its bytes */
const uint8_t *load_request(struct load *load, uint32_t request);

/** Count a reply. @return whether the request is to be sent again */
bool load_reply(struct load *load, const uint8_t *bytes, uint32_t length);

/** The same for requests without bytes, at a time that the caller knows. */
void load_request_at(struct load *load, uint32_t request, uint64_t now_ns);
bool load_reply_at(struct load *load, uint32_t request, uint64_t now_ns);

/** @return whether all replies are there */
bool load_finished(const struct load *load);

void load_print(const struct load *load);

/** Say what went wrong, and exit. */
_Noreturn void load_fail(const char *what, const char *why);

#endif
