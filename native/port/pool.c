/* SPDX-License-Identifier: MIT */
#include "port/pool.h"

#define XDP_CHUNK_BYTES 4096u

/* In kernels and drivers a chunk lies within a page. */
static void
pool_shape_xdp(uint32_t *element_bytes, unsigned *flags)
{
	const uint32_t mbuf_bytes = sizeof(struct rte_mbuf);

	/* Spread over memory channels chunks would not be adjacent. */
	*flags = RTE_MEMPOOL_F_NO_SPREAD;
	*element_bytes = XDP_CHUNK_BYTES + mbuf_bytes -
			 rte_mempool_calc_obj_size(mbuf_bytes, *flags, NULL);
}

/*
 * rte_pktmbuf_pool_create, but for the flags: the AF_XDP driver takes the
 * memory of a pool to be as long as its mbufs together, while without hugepages
 * no mbuf crosses a page, so that at most sizes there are gaps and the kernel
 * drops what lies behind that length.
 */
struct rte_mempool *
pool_create(const char *name, uint32_t mbufs, uint32_t data_bytes, bool for_xdp,
	int socket)
{
	struct rte_pktmbuf_pool_private private = {0};
	uint32_t element_bytes = (uint32_t)sizeof(struct rte_mbuf) +
				 RTE_PKTMBUF_HEADROOM + data_bytes;
	unsigned flags = 0;
	struct rte_mempool *pool;

	if (for_xdp)
		pool_shape_xdp(&element_bytes, &flags);
	private.mbuf_data_room_size =
		(uint16_t)(element_bytes - sizeof(struct rte_mbuf));
	pool = rte_mempool_create_empty(name, mbufs, element_bytes,
		POOL_CACHE_MBUFS, sizeof(private), socket, flags);
	if (pool == NULL)
		return NULL;
	rte_pktmbuf_pool_init(pool, &private);
	if (rte_mempool_populate_default(pool) < 0) {
		rte_mempool_free(pool);
		rte_errno = ENOMEM;
		return NULL;
	}
	rte_mempool_obj_iter(pool, rte_pktmbuf_init, NULL);
	return pool;
}
