/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Monitor: judges each measurement of the channels that it watches by their rules, before it goes to the store.
 *
 * A sample that it has judged carries the alarms that are open (kryos_sample.alarm); the beginning and the end of an
 * episode are events (KRYOS_EVENT_ALARM_ON, KRYOS_EVENT_ALARM_OFF), announced at once, whatever the disk does, and
 * stored together with the state that led to them: over a crash each is stored once. What is open goes on after a
 * restart: what the store holds since the state was kept is judged first. A sampler with .monitor has all of its
 * measurements judged, also those that a period's record does not store one by one, and each change of a door when it
 * happens; while it stands open its alarm is due when the rule's duration is reached, at any phase of the rounds.
 * docs/api/monitor.md has what is done in the corners.
 *
 * On the context's thread. No call but kryos_monitor_watch waits for the disk.
 */
#ifndef KRYOS_MONITOR_H
#define KRYOS_MONITOR_H

#include <kryos/alarm.h>
#include <kryos/base.h>
#include <kryos/history.h>
#include <kryos/sample.h>

KRYOS_BEGIN

struct kryos_store;
struct kryos_monitor;

/* Hangs off the store's context; the store must outlive it. */
KRYOS_API int kryos_monitor_new(struct kryos_monitor **ret_monitor, struct kryos_store *store);
/* Keeps its state with the store. NULL is allowed. After the samplers that use it. */
KRYOS_EXPORT void kryos_monitor_free(struct kryos_monitor *monitor);

struct kryos_monitor_channel_config {
	uint32_t size;
	uint32_t rule_count;            /* 1 to 32 */
	const struct kryos_rule *rules; /* copied; no two of one name */
	const char *unit;               /* of the channel; NULL: "Cel" */
	int64_t interval_ns;            /* how often it is measured, 1 ms to 1 day */
	const char *who;                /* who says so, for the record of a change, at most 31 bytes; NULL: "program" */
	int64_t record_ns;              /* as its sampler's: of such periods a row is stored; 0: of each measurement */
};
#define KRYOS_MONITOR_CHANNEL_CONFIG(...) KRYOS_CONFIG_OF(kryos_monitor_channel_config, __VA_ARGS__)

/*
 * Watches a channel (a name of at most 57 bytes) from now on, going on from what the store knows: samples stored since
 * its state was kept are judged first, which waits for the disk. Where the store knows no state, the newest ten days
 * stored are judged, and only what is still open is told. Again for the same channel: with other rules; open episodes
 * of rules that changed end, reconfigured. What the rules are is stored where it is not what it was
 * (KRYOS_EVENT_CONFIGURED). -EINVAL: the sentence names the rule and the field. A disk that can't be read is logged and
 * costs what lies on it.
 */
KRYOS_API int kryos_monitor_watch(struct kryos_monitor *monitor, const char *channel,
                                  const struct kryos_monitor_channel_config *config);
/*
 * Open episodes end, reconfigured, and what was known of the channel is forgotten; also of one that was watched before
 * a restart only. -ENOENT: it was not. -EAGAIN: its news of before waits for the disk.
 */
KRYOS_API int kryos_monitor_unwatch(struct kryos_monitor *monitor, const char *channel);

/*
 * Judges samples in order and sets their alarm; boot 0 is this one. Of channels that nobody watches nothing changes.
 * For programs that append samples themselves, before they do. A sample older than the newest judged one of its channel
 * is not judged. 0, or the first error (-ENOMEM), the others being judged all the same.
 */
KRYOS_API int kryos_monitor_take(struct kryos_monitor *monitor, struct kryos_sample *samples, size_t count);

/*
 * Acknowledges the episode that is open by that rule of the channel, or the newest that ended and was not acknowledged;
 * where the channel has none any more that ended, all of its older ones (kryos_monitor_channel.older). comment 1 to 200
 * bytes, who 1 to 31, both on one line. -ENOENT: there is nothing to acknowledge; -EALREADY: somebody has; -EAGAIN: too
 * much waits for the disk, and nothing has changed.
 */
KRYOS_API int kryos_monitor_acknowledge(struct kryos_monitor *monitor, const char *channel, const char *rule,
                                        const char *who, const char *comment);
/*
 * No alarms of that channel from now on (it is still recorded); open episodes end, retired. And again from now on. why
 * 1 to 200 bytes, who as above. -ENOENT: it is not watched; -EALREADY: it is so; -EAGAIN as above.
 */
KRYOS_API int kryos_monitor_retire(struct kryos_monitor *monitor, const char *channel, const char *who,
                                   const char *why);
KRYOS_API int kryos_monitor_resume(struct kryos_monitor *monitor, const char *channel, const char *who,
                                   const char *why);

/* An episode that is open, or that ended and nobody has acknowledged: of a channel the newest 16 of those. */
struct kryos_monitor_alarm {
	uint32_t size;
	uint32_t acknowledged; /* 1: somebody has */
	const char *channel;   /* until the next call */
	struct kryos_episode episode;
	char by[32];
	char comment[201];
	struct kryos_instant acknowledged_at;
};
/* index from 0, the order of channels that are watched, oldest first; -ENOENT: no more. Fill size. */
KRYOS_API int kryos_monitor_get_alarm(struct kryos_monitor *monitor, unsigned int index,
                                      struct kryos_monitor_alarm *ret_alarm);

/* A watched channel. */
struct kryos_monitor_channel {
	uint32_t size;
	uint32_t retired;    /* 1: no alarms of it */
	const char *channel; /* until the next call */
	uint32_t open;       /* bits as in kryos_sample.alarm */
	uint32_t rule_count;
	char retired_by[32];
	char retired_why[201];
	struct kryos_instant retired_at;
	/* Its exposure: until the next call; NULL where its unit is not "Cel". Days are of UTC, time above and below
	   that of the lowest rule of heat and the highest of freezing. Retired or not. */
	const struct kryos_history *history;
	uint32_t older; /* episodes that ended and nobody acknowledged, older than those 16: in the events only */
	char unit[16];
};
KRYOS_API int kryos_monitor_get_channel(struct kryos_monitor *monitor, unsigned int index,
                                        struct kryos_monitor_channel *ret_channel);

KRYOS_END
#endif
