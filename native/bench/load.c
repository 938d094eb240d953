/* SPDX-License-Identifier: MIT */
#include "bench/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/clock.h"

#define PRECISION_BITS 7
/* Of what is measured: until then caches are warm and windows have grown. */
#define WARM_UP 0.5

static uint32_t
bucket_of(uint64_t value)
{
	uint32_t shift;

	if (value < 2u << PRECISION_BITS)
		return (uint32_t)value;
	shift = 63 - (uint32_t)__builtin_clzll(value) - PRECISION_BITS;
	return (shift << PRECISION_BITS) + (uint32_t)(value >> shift);
}

/* The largest value in a bucket. */
static uint64_t
bucket_value(uint32_t bucket)
{
	uint32_t shift;

	if (bucket < 2u << PRECISION_BITS)
		return bucket;
	shift = (bucket >> PRECISION_BITS) - 1;
	return (((uint64_t)bucket - (shift << PRECISION_BITS) + 1) << shift) -
	       1;
}

static uint64_t
percentile(const struct load *load, double percent)
{
	uint64_t wanted = (uint64_t)((double)load->count * percent / 100.0);
	uint64_t seen = 0;
	uint32_t i;

	for (i = 0; i < ARRAY_LENGTH(load->histogram); i++) {
		seen += load->histogram[i];
		if (seen > wanted)
			return u64_min(bucket_value(i), load->max_ns);
	}
	return load->max_ns;
}

bool
load_read(struct load *load)
{
	char line[128];

	if (fgets(line, sizeof(line), stdin) == NULL)
		return false;
	memset(load, 0, sizeof(*load));
	if (sscanf(line, "%u %u %lf", &load->size, &load->window,
		    &load->seconds) != 3 ||
		load->size == 0 || load->size > LOAD_SIZE_MAX ||
		load->window == 0 || load->window > LOAD_WINDOW_MAX)
		load_fail("Cannot measure", line);
	return true;
}

void
load_begin(struct load *load)
{
	uint64_t ns = (uint64_t)(load->seconds * (double)NS_PER_S);

	load->warm_ns = clock_now_ns() + (uint64_t)((double)ns * WARM_UP);
	load->end_ns = load->warm_ns + ns;
}

void
load_request_at(struct load *load, uint32_t request, uint64_t now_ns)
{
	load->sent_ns[request] = now_ns;
	load->waiting++;
}

const uint8_t *
load_request(struct load *load, uint32_t request)
{
	load->bytes[0] = (uint8_t)request;
	load_request_at(load, request, clock_now_ns());
	return load->bytes;
}

bool
load_reply_at(struct load *load, uint32_t request, uint64_t now_ns)
{
	uint64_t took;

	load->waiting--;
	load->total++;
	if (load->over)
		return false;
	if (now_ns < load->warm_ns)
		return true;
	took = now_ns - load->sent_ns[request];
	load->count++;
	load->max_ns = u64_max(load->max_ns, took);
	load->histogram[bucket_of(took)]++;
	load->over = now_ns >= load->end_ns && load->count >= LOAD_COUNT_MIN;
	if (load->over)
		load->seconds = (double)(now_ns - load->warm_ns) / NS_PER_S;
	return !load->over;
}

bool
load_reply(struct load *load, const uint8_t *bytes, uint32_t length)
{
	if (length != load->size || bytes[0] >= load->window)
		load_fail("Cannot measure", "this is no reply to a request");
	return load_reply_at(load, bytes[0], clock_now_ns());
}

bool
load_finished(const struct load *load)
{
	return load->waiting == 0;
}

void
load_print(const struct load *load)
{
	printf("{\"count\":%lu,\"total\":%lu,\"seconds\":%g,\"p50\":%lu,"
	       "\"p90\":%lu,\"p99\":%lu,\"p999\":%lu,\"max\":%lu}\n",
		load->count, load->total, load->seconds, percentile(load, 50),
		percentile(load, 90), percentile(load, 99),
		percentile(load, 99.9), load->max_ns);
	fflush(stdout);
}

void
load_fail(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	exit(EXIT_FAILURE);
}
