/* SPDX-License-Identifier: MIT */
/* rte_dev_dma_map: the same since 19.05, and there is no other. */
#define ALLOW_EXPERIMENTAL_API
#include "port/memory.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_bus.h>

/* A virtual device has no bus that it could read over: the processor does. */
static bool
is_virtual(const struct rte_device *device)
{
	return strcmp(rte_bus_name(rte_dev_bus(device)), "vdev") == 0;
}

static bool
map(struct rte_device *device, void *memory, size_t bytes)
{
	/* Without an IOMMU, nobody promises that pages stay where they are. */
	if (!is_virtual(device) && rte_eal_iova_mode() != RTE_IOVA_VA)
		return false;
	if (rte_extmem_register(
		    memory, bytes, NULL, 0, (size_t)sysconf(_SC_PAGESIZE)) != 0)
		return false;
	if (rte_dev_dma_map(device, memory, (uintptr_t)memory, bytes) == 0)
		return true;
	rte_extmem_unregister(memory, bytes);
	return false;
}

static void
unmap(struct rte_device *device, void *memory, size_t bytes)
{
	rte_dev_dma_unmap(device, memory, (uintptr_t)memory, bytes);
	rte_extmem_unregister(memory, bytes);
}

bool
memory_probe(const struct rte_eth_dev_info *info)
{
	size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
	bool reads = false;
	void *page;

	/* AF_XDP (22.11) sends what lies behind the first segment. */
	if ((info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) == 0)
		return false;
	page = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return false;
	reads = map(info->device, page, bytes);
	if (reads)
		unmap(info->device, page, bytes);
	munmap(page, bytes);
	return reads;
}

bool
memory_comes_back(const struct port *port)
{
	return port->tx_clean || is_virtual(port->rte_device);
}

bool
port_memory_map(const struct port *port, void *memory, size_t bytes)
{
	return port->reads_memory && map(port->rte_device, memory, bytes);
}

void
port_memory_unmap(const struct port *port, void *memory, size_t bytes)
{
	unmap(port->rte_device, memory, bytes);
}
