// SPDX-License-Identifier: MIT
#include "transport/congestion.h"

#include <math.h>

#include "base/bits.h"
#include "base/clock.h"

#define WINDOW_MAX 256.0f
#define WINDOW_MIN 0.01f
/* Added per round trip; Swift's ai. */
#define INCREASE 1.0f
/* Swift's beta and max_mdf. */
#define DECREASE 0.8f
#define DECREASE_MAX 0.5f
/* What a packet may be late over the smallest round trip seen: the queue of one
 * burst, and the turn of an engine that shares its core. */
#define DELAY_ALLOWED_NS 300000.0f
/* Smaller windows get more time, so that they grow together (Swift, 3.1):
 * range, and the window at which nothing is added. */
#define SCALING_NS 200000.0f
#define SCALING_WINDOW 64.0f
/* Half of the receiver's queue. */
#define OCCUPANCY_ALLOWED 128.0f
/* Loss below that share, on a path that is neither late nor marked, is chance,
 * not congestion; above it a policer drops without delaying. */
#define CHANCE_SHARE 0.15f
#define CHANCE_PACKETS 8u
#define TIMEOUTS_BEFORE_MIN 4u

void
congestion_init(struct congestion *congestion)
{
	*congestion = (struct congestion){
		.fabric = WINDOW_MAX,
		.receiver = WINDOW_MAX,
	};
}

static float
clamp(float window)
{
	return fminf(fmaxf(window, WINDOW_MIN), WINDOW_MAX);
}

static void
grow(float *window, uint32_t acked)
{
	if (*window >= WINDOW_MAX)
		return;
	*window += *window >= 1 ? INCREASE * (float)acked / *window
				: INCREASE * (float)acked;
	*window = clamp(*window);
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
	float target = (float)congestion->base_rtt_ns + DELAY_ALLOWED_NS;

	if (congestion->fabric < SCALING_WINDOW)
		target += SCALING_NS *
			  fminf(1, 1 / sqrtf(fmaxf(congestion->fabric,
					       WINDOW_MIN)));
	return target;
}

static bool
round_over(const struct congestion *congestion,
	const struct congestion_sample *sample)
{
	return sample->now_ns - congestion->round_ns >= sample->srtt_ns;
}

static void
round_begin(struct congestion *congestion, uint64_t now_ns)
{
	congestion->round_ns = now_ns;
	congestion->acked = 0;
	congestion->lost = 0;
	congestion->marked = 0;
	congestion->late = false;
}

static bool
lossy(const struct congestion *congestion)
{
	uint32_t all = (uint32_t)congestion->acked + congestion->lost;

	if (congestion->lost == 0)
		return false;
	if (congestion->late || congestion->marked != 0)
		return true;
	return all >= CHANCE_PACKETS &&
	       (float)congestion->lost > CHANCE_SHARE * (float)all;
}

static void
fabric_sample(
	struct congestion *congestion, const struct congestion_sample *sample)
{
	float rtt = (float)sample->rtt_ns;
	float target = delay_target_ns(congestion);
	float excess = rtt > target ? (rtt - target) / rtt : 0;

	congestion->late |= excess > 0;
	if (excess == 0 && congestion->marked == 0 && !lossy(congestion)) {
		grow(&congestion->fabric, sample->acked);
		return;
	}
	if (!round_over(congestion, sample))
		return;
	if (lossy(congestion))
		excess = 1;
	else if (congestion->marked != 0)
		/* As DCTCP (RFC 8257): by the share that was marked. */
		excess = fmaxf(excess,
			fminf(1, (float)congestion->marked /
					 (float)u32_max(congestion->acked, 1)));
	shrink(&congestion->fabric, excess);
	round_begin(congestion, sample->now_ns);
}

static void
receiver_sample(
	struct congestion *congestion, const struct congestion_sample *sample)
{
	float occupancy = sample->occupancy;

	if (occupancy <= OCCUPANCY_ALLOWED)
		grow(&congestion->receiver, sample->acked);
	else if (round_over(congestion, sample))
		shrink(&congestion->receiver,
			(occupancy - OCCUPANCY_ALLOWED) / occupancy);
}

void
congestion_sample(
	struct congestion *congestion, const struct congestion_sample *sample)
{
	if (sample->rtt_ns != 0 &&
		(congestion->base_rtt_ns == 0 ||
			sample->rtt_ns < congestion->base_rtt_ns))
		congestion->base_rtt_ns =
			(uint32_t)u64_min(sample->rtt_ns, UINT32_MAX);
	if (round_over(congestion, sample) && congestion->lost == 0 &&
		congestion->marked == 0 && !congestion->late)
		round_begin(congestion, sample->now_ns);
	congestion->acked += (uint16_t)sample->acked;
	congestion->lost += (uint16_t)sample->lost;
	congestion->marked += (uint16_t)sample->marked;
	receiver_sample(congestion, sample);
	fabric_sample(congestion, sample);
}

void
congestion_timeout(
	struct congestion *congestion, uint64_t now_ns, uint32_t times)
{
	if (times >= TIMEOUTS_BEFORE_MIN)
		congestion->fabric = 1;
	else if (times > 1)
		shrink(&congestion->fabric, 1);
	round_begin(congestion, now_ns);
}

uint32_t
congestion_window(const struct congestion *congestion)
{
	float window = fminf(congestion->fabric, congestion->receiver);

	return window < 1 ? 1 : (uint32_t)window;
}

uint64_t
congestion_pace_ns(const struct congestion *congestion, uint64_t srtt_ns)
{
	float window = fminf(congestion->fabric, congestion->receiver);

	return window >= 1 ? 0 : (uint64_t)((float)srtt_ns / window);
}
