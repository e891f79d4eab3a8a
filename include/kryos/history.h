/* SPDX-License-Identifier: Apache-2.0 */
/*
 * History: the exposure of one channel over the last 24 hours, the last 30 days and since its first sample, and its
 * days, as recorders of 30 days show them.
 *
 * Incremental and pure, as kryos/exposure.h, whose sums it keeps: a fixed 8 KB, constant work for a sample. Windows are
 * on the time line of an evaluator, so they need no clock; days are of trusted wall time (rtc or synced) and of the
 * zone that the caller names by its offset, and time whose date is not known belongs to none. docs/alarms.md says
 * exactly what lies in a window and in a day.
 *
 * One thread at a time for each; no call blocks.
 */
#ifndef KRYOS_HISTORY_H
#define KRYOS_HISTORY_H

#include <kryos/exposure.h>

KRYOS_BEGIN

/* Of hours and days of the time line: the present one, begun, and 24 or 30 before it. */
enum kryos_window {
	KRYOS_WINDOW_ALL = 0, /* since the first sample */
	KRYOS_WINDOW_24H = 1, /* 24 to 25 hours */
	KRYOS_WINDOW_30D = 2  /* 30 to 31 days */
};

/* Days that are kept: the newest and 30 before it. */
#define KRYOS_HISTORY_DAYS 31

struct kryos_history_day {
	uint32_t size;                /* set by the caller */
	uint32_t samples;             /* measured */
	int64_t number;               /* of its date: days since 1970-01-01 */
	int64_t min_micro, max_micro; /* 0 without samples */
	int64_t mean_micro;           /* 0 where time_ns is */
	int64_t time_ns;              /* over which the mean is */
	int64_t below_ns, above_ns;
	int64_t unmeasured_ns; /* time of the day, as far as it has gone on, for which nothing was measured */
};

struct kryos_history;

/* A config as for an exposure. -EINVAL names the field; -ENOMEM. */
KRYOS_API int kryos_history_new(struct kryos_history **ret_history, const struct kryos_exposure_config *config);
KRYOS_EXPORT void kryos_history_free(struct kryos_history *history); /* NULL is allowed */

/*
 * The next sample, of any quality; utc_offset_s: how far local time is ahead of UTC then, -86400 to 86400. -EINVAL as
 * kryos_exposure_take(), -ERANGE; then nothing has changed.
 */
KRYOS_API int kryos_history_take(struct kryos_history *history, const struct kryos_sample *sample,
                                 int32_t utc_offset_s);

/* Up to the newest sample of any quality. vvm_micro is of KRYOS_WINDOW_ALL only. -EINVAL: no such window, or a result
 * of unknown size. */
KRYOS_API int kryos_history_get(const struct kryos_history *history, enum kryos_window window,
                                struct kryos_exposure_result *ret_result);
/* A day: index 0 is the newest, 1 the one before of which anything is known, ...; -ENOENT: no more. */
KRYOS_API int kryos_history_get_day(const struct kryos_history *history, unsigned int index,
                                    struct kryos_history_day *ret_day);
/* How much of all time belongs to no day. */
KRYOS_API int kryos_history_get_undated(const struct kryos_history *history, int64_t *ret_ns);

/* The state between two samples as bytes, the same on every machine; free() them. -ENOMEM. */
KRYOS_API int kryos_history_save(const struct kryos_history *history, void **ret_bytes, size_t *ret_count);
/*
 * Goes on from a saved state, before the first sample. Where low or high is another than it was, time below and above
 * begins anew. -EINVAL: it was of another activation energy, or other vial monitors; on any failure nothing has
 * changed: KRYOS_ECORRUPT: these are not the bytes that were saved; KRYOS_EFORMAT: a newer version saved them; -EBUSY:
 * samples were taken.
 */
KRYOS_API int kryos_history_restore(struct kryos_history *history, const void *bytes, size_t count);

KRYOS_END
#endif
