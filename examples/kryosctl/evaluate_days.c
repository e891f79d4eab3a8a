/* SPDX-License-Identifier: Apache-2.0 */
/* The days of a log, in UTC. */
#include "evaluate.h"
#include <errno.h>
#include <stdlib.h>

static int64_t date_of(const struct row *row)
{
	return row->t_wall_ns / KRYOS_DAYS(1) - (row->t_wall_ns % KRYOS_DAYS(1) < 0);
}

/* Days from number on, before limit, of which anything is known. */
static int collect(struct finding *finding, const struct kryos_history *history, int64_t number, int64_t limit)
{
	struct kryos_history_day *days;

	days = realloc(finding->days, (finding->day_count + KRYOS_HISTORY_DAYS) * sizeof(*days));
	if (!days)
		return -ENOMEM;
	finding->days = days;
	for (unsigned int index = KRYOS_HISTORY_DAYS; index-- > 0;) {
		struct kryos_history_day *day = &days[finding->day_count];

		day->size = sizeof(*day);
		if (kryos_history_get_day(history, index, day) >= 0 && day->number >= number && day->number < limit)
			finding->day_count++;
	}
	return 0;
}

int find_days(struct finding *finding)
{
	const struct log *log = finding->log;
	struct kryos_history *history = NULL;
	int64_t next = date_of(&log->rows[0]);
	int r = kryos_history_new(&history, KRYOS_EXPOSURE_CONFIG(.gap_limit_ns = 2 * log->interval_ns));

	for (size_t i = 0; i < log->count && r >= 0; i++) {
		struct kryos_sample sample = sample_of(&log->rows[i]);
		int64_t date = i > 0 ? date_of(&log->rows[i - 1]) : next;

		/* What was measured at one time is whole when a later row comes: a day, then, with the row behind it.
		 */
		if (date > next && log->rows[i].t_wall_ns > log->rows[i - 1].t_wall_ns) {
			r = collect(finding, history, next, date);
			next = date;
		}
		if (r >= 0)
			r = kryos_history_take(history, &sample, 0);
	}
	if (r >= 0)
		r = collect(finding, history, next, INT64_MAX);
	kryos_history_free(history);
	return r;
}
