/* SPDX-License-Identifier: Apache-2.0 */
/* History, inside: sums of the hours and days of a time line, and of the days of a calendar. */
#ifndef KRI_ALARM_HISTORY_H
#define KRI_ALARM_HISTORY_H

#include "exposure.h"
#include <kryos/history.h>

#define KRI_RINGS 2
#define KRI_MAX_BUCKETS 31

/* By window, from KRYOS_WINDOW_24H on: the present bucket, and those before it. */
struct kri_ring {
	int64_t width_ns, count;
};
extern const struct kri_ring kri_rings[KRI_RINGS];

/* When in the calendar a time of the line was. */
struct kri_date {
	bool known;
	int64_t number, into_ns; /* which day, and how long it had lasted */
};

struct kri_day {
	bool used;
	int64_t number, unmeasured_ns;
	struct kri_sums sums;
};

struct kryos_history {
	struct kryos_exposure exposure;
	struct kri_sums buckets[KRI_RINGS][KRI_MAX_BUCKETS]; /* that of hour n at n modulo the count */
	struct kri_date point, newest; /* of the newest point, and of the newest sample of any quality */
	int64_t undated_ns;
	bool has_day;
	int64_t day;                             /* the newest date that was known */
	struct kri_day days[KRYOS_HISTORY_DAYS]; /* number n at n modulo that */
};

/* history_state.c: as kryos_history_restore; above and below go on by the thresholds of the bytes. */
int kri_history_restore_whole(struct kryos_history *history, const void *bytes, size_t count);

#endif
