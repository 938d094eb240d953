/* SPDX-License-Identifier: MIT */
#include "fabric/cap.h"

#include "base/bits.h"
#include "base/clock.h"

/* How long a frame occupies the wire. */
static uint64_t
duration_ns(const struct cap_rates *rates, uint32_t length)
{
	if (rates->bits_per_s == 0)
		return 0;
	return (uint64_t)length * 8 * NS_PER_S / rates->bits_per_s;
}

static uint64_t
period_ns(const struct cap_rates *rates)
{
	return rates->packets_per_s == 0 ? 0 : NS_PER_S / rates->packets_per_s;
}

/* When a buffer of so many ns that is emptied at `through` has room. */
static uint64_t
room_ns(uint64_t through_ns, uint64_t buffer_ns, uint64_t now_ns)
{
	return through_ns > now_ns + buffer_ns ? through_ns - buffer_ns
					       : now_ns;
}

static uint64_t
bits_room_ns(
	const struct cap *cap, const struct cap_rates *rates, uint64_t now_ns)
{
	return room_ns(
		cap->bits_ns, duration_ns(rates, CAP_BUFFER_BYTES), now_ns);
}

static uint64_t
packets_room_ns(
	const struct cap *cap, const struct cap_rates *rates, uint64_t now_ns)
{
	return room_ns(
		cap->packets_ns, CAP_BUFFER_PACKETS * period_ns(rates), now_ns);
}

enum cap_full
cap_full(const struct cap *cap, const struct cap_rates *rates, uint64_t now_ns)
{
	if (bits_room_ns(cap, rates, now_ns) > now_ns)
		return CAP_BITS_FULL;
	if (packets_room_ns(cap, rates, now_ns) > now_ns)
		return CAP_PACKETS_FULL;
	return CAP_ROOM;
}

uint64_t
cap_room_ns(
	const struct cap *cap, const struct cap_rates *rates, uint64_t now_ns)
{
	return u64_max(bits_room_ns(cap, rates, now_ns),
		packets_room_ns(cap, rates, now_ns));
}

static uint64_t
waiting(uint64_t through_ns, uint64_t each_ns, uint64_t now_ns)
{
	if (each_ns == 0 || through_ns <= now_ns)
		return 0;
	return (through_ns - now_ns + each_ns - 1) / each_ns;
}

uint64_t
cap_waiting(const struct cap *cap, const struct cap_rates *rates,
	uint32_t length, uint64_t now_ns)
{
	return u64_max(
		waiting(cap->bits_ns, duration_ns(rates, length), now_ns),
		waiting(cap->packets_ns, period_ns(rates), now_ns));
}

/* Behind the others. @return when it begins */
static uint64_t
queue_up(uint64_t *through_ns, uint64_t duration_ns, uint64_t now_ns)
{
	uint64_t begins_ns = u64_max(*through_ns, now_ns);

	/* Without a rate nobody waits for anybody, though frames may come in
	 * another order than that of their times. */
	if (duration_ns == 0)
		return now_ns;
	*through_ns = begins_ns + duration_ns;
	return begins_ns;
}

uint64_t
cap_pass(struct cap *cap, const struct cap_rates *rates, uint32_t length,
	uint64_t now_ns)
{
	uint64_t sending_ns = duration_ns(rates, length);
	uint64_t bits_ns =
		queue_up(&cap->bits_ns, sending_ns, now_ns) + sending_ns;

	return u64_max(
		bits_ns, queue_up(&cap->packets_ns, period_ns(rates), now_ns));
}
