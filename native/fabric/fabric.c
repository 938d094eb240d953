/* SPDX-License-Identifier: MIT */
#include "fabric/fabric.h"

#include <poll.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/error.h"
#include "base/idle.h"

/* How often to look at the descriptors while frames move. */
#define LOOK_NS (1 * NS_PER_MS)

static bool
turn(struct fabric *fabric, uint64_t now_ns)
{
	bool moved = false;
	bool more = true;
	bool paused = false;

	for (uint32_t i = 0; i < fabric->hosts_length; i++)
		moved |= host_receive(
			&fabric->hosts[i], fabric->network, now_ns);
	while (more && !paused) {
		uint32_t ports = switch_advance(fabric->network, now_ns, &more);

		for (; ports != 0; ports &= ports - 1)
			moved |= host_send(&fabric->hosts[__builtin_ctz(ports)],
				fabric->network, now_ns, &paused);
	}
	return moved;
}

/* How long nothing need be done, ns; 0 for as soon as possible. */
static uint64_t
rest(struct fabric *fabric, uint64_t now_ns)
{
	uint64_t idle_ns = now_ns - fabric->moved_ns;
	uint64_t next_ns;

	if (fabric->busy || idle_ns < IDLE_AWAKE_NS)
		return 0;
	next_ns = u64_max(switch_next_ns(fabric->network, now_ns), now_ns);
	return u64_min(idle_nap_ns(idle_ns, fabric->woken), next_ns - now_ns);
}

/* What to wait for: the signal, the control socket, the hosts. */
#define FDS_HOSTS (1 + CONTROL_FDS)

/* @return false if the signal has come */
static bool
look(struct fabric *fabric, struct control *control, int signal_fd,
	uint64_t rest_ns)
{
	const struct timespec timeout = {.tv_nsec = (long)rest_ns};
	struct pollfd fds[FDS_HOSTS + SWITCH_PORTS_MAX] = {
		{.fd = signal_fd, .events = POLLIN},
	};
	struct pollfd *bells = fds + FDS_HOSTS;

	fabric->woken = true;
	for (uint32_t i = 0; i < fabric->hosts_length; i++) {
		const struct port *port = &fabric->hosts[i].port;

		host_look(&fabric->hosts[i], fabric->network);
		fabric->woken &= !fabric->hosts[i].up || port_wakes(port);
		bells[i].fd = port_wake_fd(port, 0);
		bells[i].events = POLLIN;
	}
	control_poll_fds(control, fds + 1);
	if (ppoll(fds, FDS_HOSTS + fabric->hosts_length, &timeout, NULL) <= 0)
		return true;
	for (uint32_t i = 0; i < fabric->hosts_length; i++)
		if (bells[i].revents != 0)
			port_wake_take(&fabric->hosts[i].port);
	control_serve(control, fds + 1, fabric->network, clock_now_ns());
	return fds[0].revents == 0;
}

void
fabric_run(struct fabric *fabric, struct control *control, int signal_fd)
{
	uint64_t looked_ns = 0, yield_ns = 0;
	bool running = true;

	/* Only faster: without it the pools have no caches. */
	port_thread_begin(NULL);
	prctl(PR_SET_TIMERSLACK, IDLE_TIMER_SLACK_NS);
	while (running) {
		uint64_t now_ns = clock_now_ns();
		uint64_t rest_ns;

		if (turn(fabric, now_ns))
			fabric->moved_ns = now_ns;
		rest_ns = rest(fabric, now_ns);
		if (rest_ns > 0 || now_ns - looked_ns >= LOOK_NS) {
			running = look(fabric, control, signal_fd, rest_ns);
			looked_ns = now_ns;
		} else if (fabric->moved_ns == now_ns) {
			yield_ns = 0;
		} else if (!fabric->busy) {
			idle_yield(&yield_ns, now_ns);
		}
	}
	port_thread_end();
}

/* No mbuf crosses a page. */
static uint32_t
memory_mb(const struct switch_options *options)
{
	uint64_t mbuf_bytes = RTE_ALIGN_CEIL(
		RTE_PKTMBUF_HEADROOM + options->mtu + 1024, 4096);
	uint64_t mbufs = SWITCH_IN_FLIGHT_MAX + 2 * HOST_RING_FRAMES + 2048;

	return (uint32_t)(64 + (options->ports * mbufs * mbuf_bytes >> 20));
}

int32_t
fabric_open(struct fabric *fabric, const char *directory,
	const struct switch_options *options, bool busy,
	struct machnet_error *error)
{
	const struct port_eal_options eal = {.memory_mb = memory_mb(options)};
	int32_t status;

	memset(fabric, 0, sizeof(*fabric));
	fabric->busy = busy;
	fabric->network = switch_create(options, &host_operations);
	if (fabric->network == NULL)
		return error_set(error, MACHNET_OUT_OF_MEMORY,
			"Cannot make a switch for %u hosts", options->ports);
	status = port_eal_start(&eal, error);
	for (uint32_t i = 0; status == MACHNET_OK && i < options->ports; i++) {
		status = host_open(
			&fabric->hosts[i], directory, i, options, error);
		if (status != MACHNET_OK)
			break;
		switch_open_queues(fabric->network, i, 1);
		fabric->hosts_length++;
	}
	if (status != MACHNET_OK)
		fabric_close(fabric);
	return status;
}

void
fabric_close(struct fabric *fabric)
{
	switch_destroy(fabric->network);
	for (uint32_t i = 0; i < fabric->hosts_length; i++)
		host_close(&fabric->hosts[i]);
}
