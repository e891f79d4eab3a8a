/* SPDX-License-Identifier: Apache-2.0 */
/* The days of a log, in UTC. */
#include "evaluate.h"

static int64_t date_of(const struct kri_trace_row *row)
{
	return row->t_wall_ns / KRYOS_DAYS(1) - (row->t_wall_ns % KRYOS_DAYS(1) < 0);
}

/* Days from number on, before limit, of which anything is known. */
static int collect(struct kri_finding *finding, const struct kryos_history *history, int64_t number, int64_t limit)
{
	struct kryos_history_day day = { .size = sizeof(day) };
	int r = 0;

	for (unsigned int index = KRYOS_HISTORY_DAYS; index-- > 0 && r >= 0;) {
		if (kryos_history_get_day(history, index, &day) >= 0 && day.number >= number && day.number < limit)
			r = kri_list_add(&finding->days, &day, sizeof(day));
	}
	return r;
}

int kri_find_days(struct kri_finding *finding)
{
	struct kryos_history *history = NULL;
	int64_t next = date_of(&finding->rows[0]);
	int r = kryos_history_new(&history, KRYOS_EXPOSURE_CONFIG(.gap_limit_ns = 2 * finding->interval_ns));

	for (size_t i = 0; i < finding->count && r >= 0; i++) {
		struct kryos_sample sample = kri_sample_of_row(&finding->rows[i]);
		int64_t date = i > 0 ? date_of(&finding->rows[i - 1]) : next;

		/* What was measured at one time is whole when a later row comes: a day, then, with the row behind it.
		 */
		if (date > next && finding->rows[i].t_wall_ns > finding->rows[i - 1].t_wall_ns) {
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
