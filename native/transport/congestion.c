// SPDX-License-Identifier: MIT
#include "transport/congestion.h"

#include <math.h>

#include "base/bits.h"
#include "base/clock.h"

#define WINDOW_MAX 256.0f
#define WINDOW_MIN 0.05f
/* Added per round trip; Swift's ai. */
#define INCREASE 1.0f
/* Swift's beta and max_mdf. */
#define DECREASE 0.8f
#define DECREASE_MAX 0.5f
/* What a packet may be late over the smallest round trip seen: the queue of one
 * burst, and the turn of an engine that shares its core. */
#define DELAY_ALLOWED_NS 300000u
/* Smaller windows get more time, so that they grow together (Swift, 3.1):
 * range, and the window at which nothing is added. */
#define SCALING_NS 200000.0f
#define SCALING_WINDOW 64.0f
/* Half of the receiver's queue. */
#define OCCUPANCY_ALLOWED 128u
/* Loss of less than one in so many of that many packets, on a path that is
 * neither late nor marked, is chance, not congestion; above it a policer drops
 * without delaying. Fewer packets would show chance to be congestion: of 8, at
 * 5 % loss, every 17th time two are lost. */
#define CHANCE_SHARE 5u
#define CHANCE_PACKETS 64u
#define TIMEOUTS_BEFORE_MIN 4u
/* The slowest pace, that of timeouts: even the smallest round trip seen may be
 * that of a host that stood still. */
#define PACE_MAX_NS (100.0f * NS_PER_MS)

void
congestion_init(struct congestion *congestion)
{
	*congestion = (struct congestion){
		.fabric = WINDOW_MAX,
		.receiver = WINDOW_MAX,
		.round_rtt_ns = UINT32_MAX,
		.last_rtt_ns = UINT32_MAX,
		.window = (uint16_t)WINDOW_MAX,
	};
}

static float
clamp(float window)
{
	return fminf(fmaxf(window, WINDOW_MIN), WINDOW_MAX);
}

/* @param acked packets in this round: all of a window, unless it is not used */
static void
grow(float *window, uint32_t acked)
{
	if (*window < WINDOW_MAX)
		*window = clamp(
			*window + INCREASE * (float)acked / fmaxf(*window, 1));
}

/* @param excess the share by which a measure is over its target, 0 .. 1 */
static void
shrink(float *window, float excess)
{
	*window =
		clamp(*window * fmaxf(1 - DECREASE * excess, 1 - DECREASE_MAX));
}

static float
delay_target_ns(const struct congestion *congestion)
{
	float target = (float)(congestion->base_rtt_ns + DELAY_ALLOWED_NS);

	if (congestion->fabric < SCALING_WINDOW)
		target += SCALING_NS *
			  fminf(1, 1 / sqrtf(fmaxf(congestion->fabric,
					       WINDOW_MIN)));
	return target;
}

static void
round_begin(struct congestion *congestion, uint64_t now_ns)
{
	congestion->round_ns = now_ns;
	congestion->last_rtt_ns = congestion->round_rtt_ns;
	congestion->round_rtt_ns = UINT32_MAX;
	congestion->acked = 0;
	congestion->marked = 0;
}

static void
window_update(struct congestion *congestion)
{
	float window = fminf(congestion->fabric, congestion->receiver);

	congestion->window = window < 1 ? 1 : (uint16_t)window;
}

/* By how much the round was over the target, as a share: 0 .. 1. */
static float
excess_of(const struct congestion *congestion)
{
	float rtt = (float)u32_min(
		congestion->round_rtt_ns, congestion->last_rtt_ns);
	float target = delay_target_ns(congestion);
	float excess = 0;

	if (congestion->round_rtt_ns != UINT32_MAX && rtt > target)
		excess = (rtt - target) / rtt;
	/* As DCTCP (RFC 8257): by the share that was marked. */
	if (congestion->marked != 0)
		excess = fmaxf(excess,
			fminf(1, (float)congestion->marked /
					 (float)u32_max(congestion->acked, 1)));
	if (excess > 0 && congestion->lost != 0)
		return 1;
	return excess;
}

/* More loss than by chance? Begins to count anew. */
static bool
policed(struct congestion *congestion)
{
	bool policed;

	if (congestion->counted < CHANCE_PACKETS)
		return false;
	policed = congestion->lost * CHANCE_SHARE > congestion->counted;
	congestion->counted = 0;
	congestion->lost = 0;
	return policed;
}

static void
fabric_round(struct congestion *congestion)
{
	float excess = excess_of(congestion);

	if (policed(congestion))
		excess = 1;
	if (excess > 0)
		shrink(&congestion->fabric, excess);
	else
		grow(&congestion->fabric, congestion->acked);
}

static void
receiver_round(struct congestion *congestion, uint8_t occupancy)
{
	if (occupancy <= OCCUPANCY_ALLOWED)
		grow(&congestion->receiver, congestion->acked);
	else
		shrink(&congestion->receiver,
			((float)occupancy - OCCUPANCY_ALLOWED) /
				(float)occupancy);
}

/* Is there nothing to decide? So while uncongested. */
static bool
calm(const struct congestion *congestion,
	const struct congestion_sample *sample)
{
	return congestion->window == (uint16_t)WINDOW_MAX &&
	       congestion->marked == 0 && congestion->lost == 0 &&
	       congestion->round_rtt_ns <
		       congestion->base_rtt_ns + DELAY_ALLOWED_NS &&
	       sample->occupancy <= OCCUPANCY_ALLOWED;
}

static void
rtt_sample(struct congestion *congestion, uint64_t rtt_ns)
{
	uint32_t rtt = (uint32_t)u64_min(rtt_ns, UINT32_MAX);

	if (rtt == 0)
		return;
	if (congestion->base_rtt_ns == 0)
		congestion->base_rtt_ns = rtt;
	congestion->base_rtt_ns = u32_min(congestion->base_rtt_ns, rtt);
	congestion->round_rtt_ns = u32_min(congestion->round_rtt_ns, rtt);
}

void
congestion_sample(
	struct congestion *congestion, const struct congestion_sample *sample)
{
	rtt_sample(congestion, sample->rtt_ns);
	congestion->acked += (uint16_t)sample->acked;
	congestion->marked += (uint16_t)sample->marked;
	congestion->counted += (uint16_t)(sample->acked + sample->lost);
	congestion->lost += (uint16_t)sample->lost;
	if (sample->now_ns - congestion->round_ns < sample->srtt_ns)
		return;
	if (!calm(congestion, sample)) {
		fabric_round(congestion);
		receiver_round(congestion, sample->occupancy);
		window_update(congestion);
	} else {
		congestion->counted = 0;
	}
	round_begin(congestion, sample->now_ns);
}

void
congestion_timeout(
	struct congestion *congestion, uint64_t now_ns, uint32_t times)
{
	if (times >= TIMEOUTS_BEFORE_MIN)
		congestion->fabric = fminf(congestion->fabric, 1);
	else if (times > 1)
		shrink(&congestion->fabric, 1);
	window_update(congestion);
	round_begin(congestion, now_ns);
}

uint64_t
congestion_pace_small_ns(const struct congestion *congestion, uint64_t srtt_ns)
{
	float window = fminf(congestion->fabric, congestion->receiver);

	if (window >= 1)
		return 0;
	/* The round trip that it ought to be, should it be more: where a core
	 * is short and not the network, waiting longer helps nobody. */
	return (uint64_t)fminf(
		fminf((float)srtt_ns, delay_target_ns(congestion)) / window,
		PACE_MAX_NS);
}
