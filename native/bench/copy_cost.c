/* SPDX-License-Identifier: MIT */
/*
 * What it takes to send fragments of messages over memif, headers, checksum and
 * driver included: copied into the packet, or sent from where they lie. Both
 * ends of the wire are here. Bursts of either kind take turns; of each the
 * median counts. Messages that take more memory are colder when they are sent.
 *
 *     copy-cost BYTES KIB...
 *
 * Prints, for fragments of BYTES out of that much memory, the nanoseconds of a
 * packet: "KIB COPIED REFERRED".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/percentile.h"
#include "bench/load.h"
#include "port/memory.h"
#include "port/port.h"

#define BURST 32u
#define BURSTS 3000u /* of each kind */
#define PAGE_BYTES 4096u
#define FRAGMENT_BYTES_MAX 1400u
/* What precedes a fragment: the transport's own header. */
#define HEAD_BYTES 48u
#define WAIT_NS (10 * NS_PER_S)

static struct {
	struct port server, client;
	uint32_t fragment_bytes;
	uint8_t *memory; /* of messages */
	size_t memory_bytes;
	size_t next; /* offset in it */
	uint64_t left;
} bench;

static void
open_ports(const char *folder)
{
	char path[64], device[96];
	uint64_t end_ns;
	struct machnet_error error;

	snprintf(path, sizeof(path), "%s/wire", folder);
	snprintf(device, sizeof(device), "memif:%s,server", path);
	if (port_open(&bench.server, &(struct port_options){.device = device},
		    &error) != MACHNET_OK)
		load_fail("Cannot measure", error.message);
	snprintf(device, sizeof(device), "memif:%s", path);
	if (port_open(&bench.client, &(struct port_options){.device = device},
		    &error) != MACHNET_OK)
		load_fail("Cannot measure", error.message);
	end_ns = clock_now_ns() + WAIT_NS;
	while (!port_link_up(&bench.server) || !port_link_up(&bench.client)) {
		if (clock_now_ns() > end_ns)
			load_fail("Cannot measure", "the wire stays down");
		usleep(1000);
	}
}

static void
close_ports(void)
{
	port_close(&bench.client);
	port_close(&bench.server);
}

static void
fragment_left(void *bytes, void *context)
{
	(void)bytes;
	(void)context;
	bench.left++;
}

static struct rte_mbuf *
mbuf_take(void)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(bench.client.pools[0]);

	if (mbuf == NULL)
		load_fail("Cannot measure", "no mbufs are left");
	return mbuf;
}

static struct rte_mbuf *
packet_make(const uint8_t *fragment, bool copied)
{
	const struct udp_address address = {
		.source_mac = bench.client.mac,
		.destination_mac = bench.server.mac,
		.source_ip = 0x0a000001,
		.destination_ip = 0x0a000002,
		.source_port = 1,
		.destination_port = 1,
	};
	struct udp_tail tail = {0};
	struct rte_mbuf *mbuf = mbuf_take();
	uint8_t *bytes = rte_pktmbuf_mtod(mbuf, uint8_t *);
	uint32_t head = HEAD_BYTES, length;

	if (copied) {
		memcpy(bytes + UDP_PAYLOAD_OFFSET + head, fragment,
			bench.fragment_bytes);
		head += bench.fragment_bytes;
	} else {
		tail.bytes = fragment;
		tail.length = bench.fragment_bytes;
		mbuf->next = mbuf_take();
		mbuf->nb_segs = 2;
		port_mbuf_refer(mbuf->next, fragment,
			(uint16_t)bench.fragment_bytes, fragment_left, NULL);
	}
	length = udp_frame_write_head(
		bytes, &address, head, &tail, bench.client.tx_offload);
	mbuf->data_len = (uint16_t)length;
	mbuf->pkt_len = length + tail.length;
	return mbuf;
}

static void
burst_receive(void)
{
	struct rte_mbuf *mbufs[BURST];
	uint32_t received = 0;
	uint64_t end_ns = clock_now_ns() + WAIT_NS;

	while (received < BURST) {
		uint16_t count = port_rx_burst(&bench.server, 0, mbufs, BURST);

		for (uint16_t i = 0; i < count; i++)
			rte_pktmbuf_free(mbufs[i]);
		received += count;
		if (clock_now_ns() > end_ns)
			load_fail("Cannot measure", "packets are missing");
	}
}

/* @return ns */
static uint32_t
burst_send(bool copied)
{
	struct rte_mbuf *mbufs[BURST];
	uint64_t begun_ns = clock_now_ns(), ended_ns;
	uint16_t sent = 0;

	for (uint32_t i = 0; i < BURST; i++) {
		mbufs[i] = packet_make(bench.memory + bench.next, copied);
		bench.next += bench.fragment_bytes;
		if (bench.next + bench.fragment_bytes > bench.memory_bytes)
			bench.next = 0;
	}
	while (sent < BURST)
		sent += port_tx_burst(&bench.client, 0, mbufs + sent,
			(uint16_t)(BURST - sent));
	ended_ns = clock_now_ns();
	burst_receive();
	return (uint32_t)(ended_ns - begun_ns);
}

static void
measure(uint32_t kib)
{
	static uint32_t copied_ns[BURSTS], referred_ns[BURSTS];

	bench.memory_bytes = (size_t)kib << 10;
	bench.memory = mmap(NULL, bench.memory_bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (bench.memory == MAP_FAILED)
		load_fail("Cannot measure", "there is not that much memory");
	memset(bench.memory, 1, bench.memory_bytes);
	bench.next = 0;
	bench.left = 0;
	if (!port_memory_map(&bench.client, bench.memory, bench.memory_bytes))
		load_fail("Cannot measure", "memif takes no memory of others");
	for (uint32_t i = 0; i < BURSTS; i++) {
		copied_ns[i] = burst_send(true);
		referred_ns[i] = burst_send(false);
	}
	if (bench.left != BURSTS * BURST)
		load_fail("Cannot measure", "fragments were not given back");
	port_memory_unmap(&bench.client, bench.memory, bench.memory_bytes);
	munmap(bench.memory, bench.memory_bytes);
	printf("%u %.1f %.1f\n", kib,
		u32_percentile(copied_ns, BURSTS, 50) / (double)BURST,
		u32_percentile(referred_ns, BURSTS, 50) / (double)BURST);
}

int
main(int count, char **arguments)
{
	char folder[] = "/tmp/machnet-copy-cost-XXXXXX";

	bench.fragment_bytes =
		count > 2 ? (uint32_t)strtoul(arguments[1], NULL, 10) : 0;
	if (bench.fragment_bytes == 0 ||
		bench.fragment_bytes > FRAGMENT_BYTES_MAX)
		load_fail("Usage", "copy-cost BYTES KIB..., BYTES up to 1400");
	if (mkdtemp(folder) == NULL)
		load_fail("Cannot measure", "no folder in /tmp");
	open_ports(folder);
	for (int i = 2; i < count; i++) {
		uint32_t kib = (uint32_t)strtoul(arguments[i], NULL, 10);

		if (kib < PAGE_BYTES >> 10 || kib > 1u << 20)
			load_fail("Usage", "KIB is 4 to 1048576");
		measure(kib);
	}
	close_ports();
	rmdir(folder);
	return 0;
}
