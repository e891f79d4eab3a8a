/* SPDX-License-Identifier: Apache-2.0 */
/* Monitor, inside: what the sampler and the station need of it beyond the public calls. */
#ifndef KRI_MONITOR_H
#define KRI_MONITOR_H

#include "../core/core.h"
#include <kryos/monitor.h>

struct kryos_store *kri_monitor_store(const struct kryos_monitor *monitor);
/*
 * A channel of two states is in this one since the sample's time: judged like a measurement. A change that is told
 * after a later measurement was judged counts from that measurement on. lasted_ns: how long the other state did, 0
 * where nobody knows.
 */
int kri_monitor_take_state(struct kryos_monitor *monitor, const struct kryos_sample *sample, int64_t lasted_ns);

/* So much later than they were a watched channel's changes are told; 0, as at first: none are, it is only measured. */
void kri_monitor_set_debounce(struct kryos_monitor *monitor, uint32_t channel, int64_t debounce_ns);
/* Nobody measures the channel any more, and nobody tells of its changes: of two states it is in neither. */
void kri_monitor_let_go(struct kryos_monitor *monitor, uint32_t channel);

/*
 * For a look at what the store keeps, and for what people say of it: all channels of which it has a state or rules, by
 * the rules that were in force. What was stored since the state was kept is judged, and nothing is written until
 * somebody says something: then that, and what was judged, is. Whoever watches the channel next goes on from there.
 */
int kri_monitor_visit(struct kryos_monitor *monitor);
/* A channel that should be among them, unless it is. */
int kri_monitor_visit_channel(struct kryos_monitor *monitor, const char *channel);
struct kri_visited {
	const char *channel;
	/* Why nothing is known of it but the alarms that stored events say are open. NULL: it is known, up to its
	   newest measurement; t_wall_ns 0: there is none. Until the next call. */
	const char *unread;
	struct kryos_instant measured;
};
/* index from 0; false: no more, or it is watched and not looked at. */
bool kri_monitor_get_visited(const struct kryos_monitor *monitor, unsigned int index, struct kri_visited *ret_visited);

/* Whether the store has taken all that was said of the channel; it may still be on its way to the disk. */
bool kri_monitor_is_kept(const struct kryos_monitor *monitor, const char *channel);

/* As kryos_monitor_unwatch, said by who. */
int kri_monitor_unwatch(struct kryos_monitor *monitor, const char *channel, const char *who);
/* The channels that the store has a state of, watched since this start or not, but none unwatched; index from 0. NULL:
 * no more. */
const char *kri_monitor_known(struct kryos_monitor *monitor, unsigned int index);

#endif
