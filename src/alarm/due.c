/* SPDX-License-Identifier: Apache-2.0 */
/* When an episode would begin, of a channel whose state lasts between its samples. */
#include "alarm.h"

/*
 * The sum grows while what leaves the window at its old end was in range: until as much of that has left it as the sum
 * lacks.
 */
static int64_t until_sum(const struct kri_track *track, int64_t limit)
{
	const struct kri_span *oldest = kri_track_span(track, 0);
	int64_t from_ns = track->last_ns - track->rule.window_ns, end_ns = from_ns;
	int64_t missing = track->rule.duration_ns - (track->out_ns - oldest->out_ns);

	if (track->rule.window_ns == 0)
		return missing;
	missing += oldest->from_ns < from_ns ? from_ns - oldest->from_ns : 0;
	if (missing > limit)
		return missing;
	for (size_t i = 0; i < track->count; i++) {
		const struct kri_span *span = kri_track_span(track, i);

		if (span->from_ns - end_ns >= missing)
			break;
		missing -= span->from_ns > end_ns ? span->from_ns - end_ns : 0;
		end_ns = span->to_ns > end_ns ? span->to_ns : end_ns;
	}
	return end_ns + missing - from_ns;
}

/* After the newest sample. */
static int64_t until_due(const struct kryos_evaluator *evaluator, const struct kri_track *track)
{
	int64_t limit = 2 * evaluator->interval_ns, known, until;
	const struct kri_span *run;

	limit = track->rule.gap_limit_ns < limit ? track->rule.gap_limit_ns : limit;
	/* Of a sensor that gives nothing no state lasts: each round asks it again. */
	if (track->open || track->rule.kind == KRYOS_RULE_SENSOR || track->count == 0 || !track->last_out ||
	    track->cut || track->last_ns != evaluator->time.ns)
		return INT64_MAX;
	if (track->rule.mode == KRYOS_RULE_CONSECUTIVE) {
		run = kri_track_span(track, 0);
		known = track->last_ns - run->from_ns - (track->unknown_ns - run->unknown_ns);
		until = track->rule.duration_ns - known;
	} else {
		until = until_sum(track, limit);
	}
	return until > 0 && until <= limit ? until : INT64_MAX;
}

int64_t kri_evaluator_due(const struct kryos_evaluator *evaluator)
{
	int64_t first = INT64_MAX, due;

	for (unsigned int i = 0; i < evaluator->track_count; i++) {
		int64_t until = until_due(evaluator, &evaluator->tracks[i]);

		first = until < first ? until : first;
	}
	return __builtin_add_overflow(evaluator->time.at.t_boot_ns, first, &due) ? INT64_MAX : due;
}
