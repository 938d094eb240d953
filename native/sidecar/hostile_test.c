// SPDX-License-Identifier: MIT
/* Applications that break the rules: of the control socket, and of the memory
 * that they share with the engine. What else goes on must not notice. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bits.h"
#include "shm/control.h"
#include "shm/layout.h"
#include "sidecar/application.h"
#include "sidecar/hosts.h"

#define PORT 888
#define CHANNELS_MAX 128

static struct host a, b;
static struct application client, server;
static uint32_t client_side, server_side;

static int
set_up(void **state)
{
	if (hosts_set_up(state) != 0)
		return -1;
	host_start_server(&a, NULL);
	host_start_client(&b, NULL);
	application_attach(&client, &a);
	application_attach(&server, &b);
	application_listen(&server, 0, PORT);
	application_pair(&client, &client_side, &server, &server_side, PORT);
	return 0;
}

static int
tear_down(void **state)
{
	application_end(&client);
	application_end(&server);
	host_stop(&a);
	host_stop(&b);
	return hosts_tear_down(state);
}

static void
others_go_on(void)
{
	application_round_trip(&client, client_side, &server, server_side);
}

/* What an application has that uses no library of ours. */
struct intruder {
	int fd;
	int memfd;
	int eventfd;
	uint8_t *base;
	struct channel_layout layout;
	struct channel_header *header;
};

static int
call(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval wait = {.tv_sec = HOSTS_WAIT_MS / 1000};

	strcpy(address.sun_path, a.socket);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	assert_int_equal(
		connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static struct control_request
attach_request(void)
{
	return (struct control_request){
		.magic = CONTROL_MAGIC,
		.abi_version = MACHNET_ABI_VERSION,
		.kind = CONTROL_ATTACH,
		.arena_bytes = MACHNET_ARENA_BYTES_MIN,
		.engine = -1,
	};
}

/* @return whether a whole reply came, and not the end of the stream */
static bool
reply_read(int fd, struct control_reply *reply, int fds[2])
{
	struct iovec bytes = {.iov_base = reply, .iov_len = sizeof(*reply)};
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(2 * sizeof(int))];
	} rights;
	struct msghdr message = {
		.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = &rights,
		.msg_controllen = sizeof(rights),
	};
	ssize_t length = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_WAITALL);

	if (length >= 0 && message.msg_controllen != 0)
		memcpy(fds, CMSG_DATA(&rights.header), 2 * sizeof(int));
	return length == (ssize_t)sizeof(*reply);
}

static void
intrude(struct intruder *intruder)
{
	struct control_request request = attach_request();
	struct control_reply reply;
	int fds[2] = {-1, -1};

	intruder->fd = call();
	assert_int_equal(send(intruder->fd, &request, sizeof(request), 0),
		sizeof(request));
	assert_true(reply_read(intruder->fd, &reply, fds));
	assert_int_equal(reply.status, MACHNET_OK);
	intruder->memfd = fds[0];
	intruder->eventfd = fds[1];
	assert_true(channel_layout_init(&intruder->layout, reply.arena_bytes));
	intruder->base = mmap(NULL, intruder->layout.bytes,
		PROT_READ | PROT_WRITE, MAP_SHARED, intruder->memfd, 0);
	assert_ptr_not_equal(intruder->base, MAP_FAILED);
	intruder->header = (struct channel_header *)intruder->base;
}

static void
leave(struct intruder *intruder)
{
	munmap(intruder->base, intruder->layout.bytes);
	close(intruder->memfd);
	close(intruder->eventfd);
	close(intruder->fd);
}

/* Wait for the end of the stream, and say why it came. */
static int32_t
evicted(struct intruder *intruder)
{
	char bytes[64];
	ssize_t length;

	while ((length = recv(intruder->fd, bytes, sizeof(bytes), 0)) > 0)
		continue;
	/* A reset if what we said was not read to its end. */
	if (length != 0 && errno != ECONNRESET)
		fail_msg("the channel stays");
	return atomic_load(&intruder->header->ended);
}

static void
submit(struct intruder *intruder, uint32_t at,
	const struct submission *submission)
{
	memcpy(intruder->base + intruder->layout.submissions +
			at % CHANNEL_SUBMISSIONS * sizeof(*submission),
		submission, sizeof(*submission));
	atomic_store(&intruder->header->submissions.produced, at + 1);
	eventfd_write(intruder->eventfd, 1);
}

static void
release(struct intruder *intruder, uint32_t offset)
{
	memcpy(intruder->base + intruder->layout.released, &offset,
		sizeof(offset));
	atomic_store(&intruder->header->released.produced, 1);
	eventfd_write(intruder->eventfd, 1);
}

/* One breach each. */

static void
too_many_submissions(struct intruder *intruder)
{
	atomic_store(&intruder->header->submissions.produced,
		CHANNEL_SUBMISSIONS + 1);
	eventfd_write(intruder->eventfd, 1);
}

static void
too_many_released(struct intruder *intruder)
{
	atomic_store(&intruder->header->released.produced, UINT32_MAX);
	eventfd_write(intruder->eventfd, 1);
}

static void
an_unknown_request(struct intruder *intruder)
{
	submit(intruder, 0, &(struct submission){.kind = 99});
}

static void
a_message_that_is_too_large(struct intruder *intruder)
{
	submit(intruder, 0,
		&(struct submission){
			.kind = SUBMISSION_SEND,
			.offset = intruder->layout.tx_arena,
			.length = MACHNET_MESSAGE_BYTES_MAX + 1,
		});
}

static void
a_message_out_of_the_arena(struct intruder *intruder)
{
	submit(intruder, 0,
		&(struct submission){
			.kind = SUBMISSION_SEND,
			.offset = UINT32_MAX - 10,
			.length = 100,
		});
}

static void
a_reason_in_the_header(struct intruder *intruder)
{
	submit(intruder, 0,
		&(struct submission){
			.kind = SUBMISSION_RESET,
			.offset = 0,
			.length = 100,
		});
}

static void
a_block_that_was_never_lent(struct intruder *intruder)
{
	release(intruder, intruder->layout.rx_arena);
}

static void
a_block_of_its_own(struct intruder *intruder)
{
	release(intruder, intruder->layout.tx_arena);
}

static void
a_word_on_the_control_socket(struct intruder *intruder)
{
	send(intruder->fd, "hello", 5, 0);
}

static void
a_breach_costs_the_channel(void **state)
{
	static void (*const breaches[])(struct intruder *) = {
		too_many_submissions,
		too_many_released,
		an_unknown_request,
		a_message_that_is_too_large,
		a_message_out_of_the_arena,
		a_reason_in_the_header,
		a_block_that_was_never_lent,
		a_block_of_its_own,
		a_word_on_the_control_socket,
	};
	uint64_t corrupt = host_counter(&a, "channels_corrupt");
	struct intruder intruder;

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(breaches); i++) {
		intrude(&intruder);
		breaches[i](&intruder);
		assert_int_equal(evicted(&intruder), MACHNET_CHANNEL_CORRUPT);
		assert_int_equal(
			host_counter(&a, "channels_corrupt"), corrupt + i + 1);
		leave(&intruder);
		others_go_on();
	}
	host_settles(&a, "channels", 1);
}

/* Nothing but connections to nobody and blocks that never go home: within the
 * rules, or not, but never the end of others. */
static void
the_same_block_sent_a_hundred_thousand_times(void **state)
{
	struct intruder intruder;
	uint32_t sent = 0;

	(void)state;
	intrude(&intruder);
	while (sent < 100000 &&
		atomic_load(&intruder.header->ended) == MACHNET_OK) {
		if (sent - atomic_load(
				   &intruder.header->submissions.consumed) ==
			CHANNEL_SUBMISSIONS) {
			others_go_on();
			continue;
		}
		submit(&intruder, sent++,
			&(struct submission){
				.kind = SUBMISSION_SEND,
				.connection = 12345,
				.offset = intruder.layout.tx_arena,
				.length = 4096,
			});
	}
	assert_int_equal(evicted(&intruder), MACHNET_CHANNEL_CORRUPT);
	leave(&intruder);
	others_go_on();
}

static void
random_bytes(uint8_t *bytes, size_t length, unsigned *seed)
{
	for (size_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)rand_r(seed);
}

/* Requests that are nearly right, among scribbles all over what is shared. */
static void
scribbling_for_a_while_costs_the_channel(void **state)
{
	const unsigned seed_first = 7;
	unsigned seed = seed_first;

	(void)state;
	for (int round = 0; round < 30; round++) {
		struct intruder intruder;
		uint32_t at = 0;

		intrude(&intruder);
		while (at < 2000 && atomic_load(&intruder.header->ended) == 0) {
			struct submission request;

			random_bytes(
				(uint8_t *)&request, sizeof(request), &seed);
			request.kind = (uint16_t)(1 + rand_r(&seed) % 7);
			if (request.kind == SUBMISSION_SEND)
				request.length = 0;
			submit(&intruder, at++, &request);
			if (at % 50 == 49)
				random_bytes(
					intruder.base + rand_r(&seed) % 4000,
					96, &seed);
		}
		others_go_on();
		leave(&intruder);
	}
	host_settles(&a, "channels", 1);
}

/* The control socket. */

static void
refused(const struct control_request *request, int32_t status)
{
	struct control_reply reply;
	int fds[2];
	int fd = call();

	assert_int_equal(
		send(fd, request, sizeof(*request), 0), sizeof(*request));
	assert_true(reply_read(fd, &reply, fds));
	assert_int_equal(reply.magic, CONTROL_MAGIC);
	assert_int_equal(reply.abi_version, MACHNET_ABI_VERSION);
	assert_int_equal(reply.status, status);
	assert_false(reply_read(fd, &reply, fds));
	close(fd);
}

static void
a_request_that_makes_no_sense_is_refused(void **state)
{
	struct control_request request = attach_request();

	(void)state;
	request.abi_version++;
	refused(&request, MACHNET_ABI_MISMATCH);
	request = attach_request();
	request.kind = 77;
	refused(&request, MACHNET_INVALID_ARGUMENT);
	request = attach_request();
	request.arena_bytes = 12345;
	refused(&request, MACHNET_INVALID_ARGUMENT);
	request.arena_bytes = 1u << 31;
	refused(&request, MACHNET_INVALID_ARGUMENT);
	request = attach_request();
	request.engine = 5;
	refused(&request, MACHNET_INVALID_ARGUMENT);
	others_go_on();
}

static void
what_speaks_another_protocol_is_hung_up_on(void **state)
{
	struct control_reply reply;
	uint8_t garbage[4096];
	unsigned seed = 3;
	int fds[2];
	int fd;

	(void)state;
	for (int i = 0; i < 50; i++) {
		fd = call();
		random_bytes(garbage, sizeof(garbage), &seed);
		send(fd, garbage, (size_t)(32 + rand_r(&seed) % 4000),
			MSG_NOSIGNAL);
		assert_false(reply_read(fd, &reply, fds));
		close(fd);
	}
	others_go_on();
}

/* It has a second for its request, in as many pieces as it likes. */
static void
half_a_request_or_none_is_not_waited_for(void **state)
{
	struct control_request request = attach_request();
	struct control_reply reply;
	uint64_t begin_ms = hosts_now_ms();
	int half = call(), none = call(), slow = call(), gone = call();
	int fds[2];

	(void)state;
	send(half, &request, 17, 0);
	send(gone, &request, 17, 0);
	close(gone);
	for (size_t i = 0; i < sizeof(request); i++)
		send(slow, (uint8_t *)&request + i, 1, 0);
	assert_true(reply_read(slow, &reply, fds));
	assert_int_equal(reply.status, MACHNET_OK);
	assert_false(reply_read(half, &reply, fds));
	assert_false(reply_read(none, &reply, fds));
	assert_true(hosts_now_ms() - begin_ms >= 900);
	close(fds[0]);
	close(fds[1]);
	close(half);
	close(none);
	close(slow);
	others_go_on();
}

static void
descriptors_that_nobody_asked_for_are_closed(void **state)
{
	uint32_t descriptors = host_descriptors(&a);
	struct control_request request = attach_request();
	struct iovec bytes = {.iov_base = &request, .iov_len = 17};
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} rights = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)),
			    .cmsg_level = SOL_SOCKET,
			    .cmsg_type = SCM_RIGHTS}};
	struct msghdr message = {.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = &rights,
		.msg_controllen = sizeof(rights)};
	struct control_reply reply;
	int fds[2];
	int fd = call();

	(void)state;
	memcpy(CMSG_DATA(&rights.header), &fd, sizeof(fd));
	assert_int_equal(sendmsg(fd, &message, 0), 17);
	assert_false(reply_read(fd, &reply, fds));
	close(fd);
	host_settles(&a, "channels", 1);
	host_closes(&a, descriptors);
}

/* More than the sidecar would have at a time, and none says a word. */
static void
three_hundred_silent_callers_keep_nobody_out(void **state)
{
	uint32_t descriptors = host_descriptors(&a);
	struct application late;
	int fds[300];

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(fds); i++)
		fds[i] = call();
	application_attach(&late, &a);
	others_go_on();
	application_end(&late);
	for (size_t i = 0; i < ARRAY_LENGTH(fds); i++)
		close(fds[i]);
	host_settles(&a, "channels", 1);
	host_closes(&a, descriptors);
}

static void
the_last_channel_is_followed_by_a_refusal(void **state)
{
	struct control_request request = attach_request();
	struct intruder intruders[CHANNELS_MAX - 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(intruders); i++)
		intrude(&intruders[i]);
	refused(&request, MACHNET_TOO_MANY_CHANNELS);
	others_go_on();
	for (size_t i = 0; i < ARRAY_LENGTH(intruders); i++)
		leave(&intruders[i]);
	host_settles(&a, "channels", 1);
	intrude(&intruders[0]);
	leave(&intruders[0]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_breach_costs_the_channel),
		cmocka_unit_test(the_same_block_sent_a_hundred_thousand_times),
		cmocka_unit_test(scribbling_for_a_while_costs_the_channel),
		cmocka_unit_test(a_request_that_makes_no_sense_is_refused),
		cmocka_unit_test(what_speaks_another_protocol_is_hung_up_on),
		cmocka_unit_test(half_a_request_or_none_is_not_waited_for),
		cmocka_unit_test(descriptors_that_nobody_asked_for_are_closed),
		cmocka_unit_test(three_hundred_silent_callers_keep_nobody_out),
		cmocka_unit_test(the_last_channel_is_followed_by_a_refusal),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
