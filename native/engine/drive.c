// SPDX-License-Identifier: MIT
#include "engine/drive.h"

#include <poll.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/bits.h"

bool
drive_init(struct drive *drive)
{
	if (drive->fd <= 0) {
		drive->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		atomic_store(&drive->closed, 1);
	}
	if (drive->timer <= 0)
		drive->timer = timerfd_create(
			CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	return drive->fd > 0 && drive->timer > 0;
}

void
drive_open(struct drive *drive, struct engine *engine)
{
	atomic_store(&drive->here_ns, 0);
	atomic_store(&drive->put_off_ns, 0);
	while (!drive_take(drive))
		continue;
	drive->engine = engine;
	drive_give(drive);
	atomic_store(&drive->closed, 0);
}

static void
helper_wake(struct drive *drive)
{
	if (atomic_load(&drive->blocked) != 0 &&
		atomic_exchange(&drive->blocked, 0) != 0)
		eventfd_write(drive->fd, 1);
}

void
drive_close(struct drive *drive)
{
	atomic_store(&drive->closed, 1);
	helper_wake(drive);
}

bool
drive_take(struct drive *drive)
{
	return atomic_load_explicit(&drive->taken, memory_order_relaxed) == 0 &&
	       atomic_exchange_explicit(
		       &drive->taken, 1, memory_order_acquire) == 0;
}

void
drive_give(struct drive *drive)
{
	atomic_store_explicit(&drive->taken, 0, memory_order_release);
}

static void
timer_put_off(struct drive *drive, uint64_t now_ns)
{
	const struct itimerspec timer = {.it_value.tv_nsec = DRIVE_WATCH_NS};

	if (now_ns - atomic_load_explicit(
			     &drive->put_off_ns, memory_order_relaxed) <
		DRIVE_PUT_OFF_NS)
		return;
	atomic_store_explicit(&drive->put_off_ns, now_ns, memory_order_relaxed);
	timerfd_settime(drive->timer, 0, &timer, NULL);
}

bool
drive_enter(struct drive *drive, uint64_t now_ns)
{
	if (atomic_load_explicit(&drive->closed, memory_order_relaxed) != 0)
		return false;
	/* First: whoever sees that we are here may rely on the timer. */
	timer_put_off(drive, now_ns);
	atomic_store_explicit(&drive->here_ns, now_ns, memory_order_relaxed);
	return true;
}

void
drive_leave(struct drive *drive)
{
	/* Either the helper sees this before it blocks, or we see that it is
	 * about to: both are sequentially consistent. */
	atomic_store(&drive->here_ns, 0);
	helper_wake(drive);
}

bool
drive_away(const struct drive *drive, uint64_t now_ns)
{
	uint64_t here_ns = atomic_load(&drive->here_ns);

	/* It may have polled after our clock was read. */
	return atomic_load(&drive->closed) != 0 || here_ns == 0 ||
	       (int64_t)(now_ns - here_ns) > (int64_t)DRIVE_BUSY_NS;
}

void
drive_block(struct drive *drive)
{
	atomic_store(&drive->blocked, 1);
}

void
drive_unblock(struct drive *drive)
{
	atomic_store_explicit(&drive->blocked, 0, memory_order_relaxed);
}

void
drive_watch(struct drive *drive, uint64_t now_ns)
{
	struct pollfd fds[] = {
		{.fd = drive->fd, .events = POLLIN},
		{.fd = drive->timer, .events = POLLIN},
	};
	eventfd_t ignored;
	uint64_t expirations;

	drive_block(drive);
	if (!drive_away(drive, now_ns) &&
		poll(fds, ARRAY_LENGTH(fds), -1) > 0) {
		if (fds[0].revents != 0)
			eventfd_read(drive->fd, &ignored);
		if (fds[1].revents != 0)
			(void)!read(drive->timer, &expirations,
				sizeof(expirations));
	}
	drive_unblock(drive);
}
