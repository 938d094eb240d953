// SPDX-License-Identifier: MIT
#include "engine/mail.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define LETTERS 100000u
#define WAIT_MS 60000

struct letter {
	uint32_t number;
	uint32_t check;
	uint64_t more;
};

static struct letter
letter(uint32_t number)
{
	return (struct letter){number, ~number, (uint64_t)number << 32};
}

static bool
readable(const struct mail *mail)
{
	struct pollfd pollfd = {.fd = mail->fd, .events = POLLIN};

	return poll(&pollfd, 1, 0) == 1;
}

static void
put(struct mail *mail, uint32_t number)
{
	struct letter sent = letter(number);

	mail_send(mail, &sent);
}

static void
expect(struct mail *mail, uint32_t number)
{
	struct letter received, sent = letter(number);

	assert_true(mail_receive(mail, &received));
	assert_memory_equal(&received, &sent, sizeof(sent));
}

static void
letters_come_in_order_however_many_wait(void **state)
{
	struct mail mail;
	struct letter none;
	uint32_t in = 0, out = 0;

	(void)state;
	assert_true(mail_init(&mail, sizeof(struct letter)));
	/* The start of what waits moves, so that it wraps when it grows. */
	for (uint32_t depth = 1; depth < 1000; depth = depth * 3 / 2 + 1) {
		while (in - out < depth)
			put(&mail, in++);
		while (in - out > depth / 2)
			expect(&mail, out++);
	}
	while (out != in)
		expect(&mail, out++);
	assert_false(mail_receive(&mail, &none));
	mail_end(&mail);
}

static void
the_descriptor_is_readable_until_there_is_none(void **state)
{
	struct mail mail;
	struct letter none;

	(void)state;
	assert_true(mail_init(&mail, sizeof(struct letter)));
	assert_false(readable(&mail));
	assert_false(mail_waiting(&mail));
	put(&mail, 1);
	put(&mail, 2);
	assert_true(readable(&mail));
	assert_true(mail_waiting(&mail));
	expect(&mail, 1);
	assert_true(readable(&mail));
	assert_true(mail_waiting(&mail));
	expect(&mail, 2);
	assert_false(mail_waiting(&mail));
	assert_false(mail_receive(&mail, &none));
	assert_false(readable(&mail));
	mail_end(&mail);
}

static void *
send_all(void *argument)
{
	for (uint32_t i = 0; i < LETTERS; i++)
		put(argument, i);
	return NULL;
}

/* It sleeps on the descriptor alone: a wake-up that is lost ends in the test's
 * timeout. */
static void
a_reader_that_sleeps_is_always_woken(void **state)
{
	struct pollfd pollfd = {.events = POLLIN};
	struct mail mail;
	pthread_t sender;
	uint32_t received = 0;
	struct letter next, expected;

	(void)state;
	assert_true(mail_init(&mail, sizeof(struct letter)));
	pollfd.fd = mail.fd;
	assert_int_equal(pthread_create(&sender, NULL, send_all, &mail), 0);
	while (received < LETTERS) {
		assert_int_equal(poll(&pollfd, 1, WAIT_MS), 1);
		while (mail_receive(&mail, &next)) {
			expected = letter(received++);
			assert_memory_equal(&next, &expected, sizeof(expected));
		}
	}
	pthread_join(sender, NULL);
	mail_end(&mail);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(letters_come_in_order_however_many_wait),
		cmocka_unit_test(
			the_descriptor_is_readable_until_there_is_none),
		cmocka_unit_test(a_reader_that_sleeps_is_always_woken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
