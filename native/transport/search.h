/* SPDX-License-Identifier: MIT */
/* Which pairs of ports lead where: SYNs as probes, and what they teach. */
#ifndef TRANSPORT_SEARCH_H
#define TRANSPORT_SEARCH_H

#include "transport/flow.h"

/** The packet at hand came in. */
void observe(struct transport *t, uint32_t address, uint32_t pair,
	enum rss_place place);
/** One of ours came in on a queue of so many, or so its receiver says. */
void observe_remote(struct transport *t, struct rss_observation there,
	uint32_t queue, uint32_t queues);
/** The next burst, to be sent. @return its length, 0: the plan is done */
uint32_t search_next(
	struct transport *t, struct search *search, uint32_t address);
/**
 * Some of the burst were not answered in time: send them again, once. Under
 * their numbers, so that answers that were only late count, and no round is
 * lost.
 * @return false: there is nothing to be sent again, the next burst is due
 */
bool search_resend(struct transport *t, struct search *search, uint32_t address,
	const struct wire_syn *syn);
/** @return the probe of the burst that is answered, or NULL */
struct rss_probe *search_answered(struct search *search, uint64_t number,
	const struct transport_path *path);
/** Learn from an answer to a probe. @param owner engine to look for
 * @return whether search_again is due for it, unless the plan is done */
bool search_learn(struct transport *t, struct search *search,
	struct rss_probe *probe, uint32_t address,
	const struct wire_answer *answer, uint32_t owner);
/** Send the burst. @param syn but for what is the probe's */
void search_send(struct transport *t, const struct search *search,
	uint32_t address, const struct wire_syn *syn);
/** Ask again what was answered. */
void search_again(struct transport *t, struct search *search,
	const struct rss_probe *probe, uint32_t address,
	const struct wire_syn *syn);
/** What we know of our NIC, to be told. */
struct wire_nic_key nic_key(const struct transport *t);
/** A host told how many queues its NIC has, and what it knows of it. */
void nic_key_told(struct transport *t, uint32_t address, uint32_t queues,
	const struct wire_nic_key *told);

#endif
