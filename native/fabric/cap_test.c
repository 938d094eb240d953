/* SPDX-License-Identifier: MIT */
#include "fabric/cap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"

#define FRAME_BYTES 1250u /* 10 us at 1 Gbit/s */

static const struct cap_rates none;
static const struct cap_rates gigabit = {.bits_per_s = 1000000000};
static const struct cap_rates packets = {.packets_per_s = 100000};

static void
without_rates_nothing_waits(void **state)
{
	struct cap cap = {0};

	(void)state;
	for (uint32_t i = 0; i < 100000; i++)
		assert_int_equal(
			cap_pass(&cap, &none, FRAME_BYTES, NS_PER_S), NS_PER_S);
	assert_int_equal(cap_full(&cap, &none, NS_PER_S), CAP_ROOM);
	assert_int_equal(cap_waiting(&cap, &none, FRAME_BYTES, NS_PER_S), 0);
}

/* As at a receiver of two hosts that wait for caps of their own. */
static void
without_a_rate_order_does_not_matter(void **state)
{
	struct cap bits = {0}, rate = {0};

	(void)state;
	cap_pass(&bits, &gigabit, FRAME_BYTES, NS_PER_S + NS_PER_MS);
	assert_int_equal(cap_full(&bits, &gigabit, NS_PER_S), CAP_ROOM);
	cap_pass(&rate, &packets, FRAME_BYTES, NS_PER_S + NS_PER_MS);
	assert_int_equal(cap_full(&rate, &packets, NS_PER_S), CAP_ROOM);
}

static void
bits_take_their_time(void **state)
{
	struct cap cap = {0};

	(void)state;
	for (uint32_t i = 1; i <= 10; i++)
		assert_int_equal(
			cap_pass(&cap, &gigabit, FRAME_BYTES, NS_PER_S),
			NS_PER_S + i * 10 * NS_PER_US);
	assert_int_equal(
		cap_waiting(&cap, &gigabit, FRAME_BYTES, NS_PER_S), 10);
	/* After a pause it begins anew. */
	assert_int_equal(cap_pass(&cap, &gigabit, FRAME_BYTES, 2 * NS_PER_S),
		2 * NS_PER_S + 10 * NS_PER_US);
}

/* The first goes at once. */
static void
packets_leave_one_by_one(void **state)
{
	struct cap cap = {0};

	(void)state;
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(cap_pass(&cap, &packets, 60, NS_PER_S),
			NS_PER_S + i * 10 * NS_PER_US);
	assert_int_equal(cap_waiting(&cap, &packets, 60, NS_PER_S), 10);
}

static void
fill(struct cap *cap, const struct cap_rates *rates, enum cap_full full,
	uint32_t frames)
{
	uint32_t count = 0;

	while (cap_full(cap, rates, NS_PER_S) == CAP_ROOM) {
		assert_int_equal(cap_room_ns(cap, rates, NS_PER_S), NS_PER_S);
		cap_pass(cap, rates, FRAME_BYTES, NS_PER_S);
		count++;
	}
	assert_int_equal(count, frames);
	assert_int_equal(cap_full(cap, rates, NS_PER_S), full);
}

static void
full_buffers_have_room_later(void **state)
{
	struct cap bits = {0}, rate = {0};
	uint64_t room_ns;

	(void)state;
	fill(&bits, &gigabit, CAP_BITS_FULL,
		CAP_BUFFER_BYTES / FRAME_BYTES + 1);
	room_ns = cap_room_ns(&bits, &gigabit, NS_PER_S);
	assert_true(room_ns > NS_PER_S);
	assert_int_equal(cap_full(&bits, &gigabit, room_ns - 1), CAP_BITS_FULL);
	assert_int_equal(cap_full(&bits, &gigabit, room_ns), CAP_ROOM);

	fill(&rate, &packets, CAP_PACKETS_FULL, CAP_BUFFER_PACKETS + 1);
	room_ns = cap_room_ns(&rate, &packets, NS_PER_S);
	assert_int_equal(room_ns, NS_PER_S + 10 * NS_PER_US);
	assert_int_equal(
		cap_full(&rate, &packets, room_ns - 1), CAP_PACKETS_FULL);
	assert_int_equal(cap_full(&rate, &packets, room_ns), CAP_ROOM);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_rates_nothing_waits),
		cmocka_unit_test(without_a_rate_order_does_not_matter),
		cmocka_unit_test(bits_take_their_time),
		cmocka_unit_test(packets_leave_one_by_one),
		cmocka_unit_test(full_buffers_have_room_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
