/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One rule and the samples, by the definitions of docs/alarms.md.
 *
 *                first sample out of range          duration reached, at one out of range
 *      in range ---------------------------> run ----------------------------------------> episode
 *          ^                                  |                                               |
 *          +----------------------------------+-----------------------------------------------+
 *            far enough in range, long enough; or with gap break, nothing measured for the limit
 *
 * A cumulative rule has no run: it sums what lies in its window.
 */
#include "alarm.h"
#include <stdlib.h>
#include <string.h>

enum side { SAYS_NOTHING, IS_IN, IS_OUT };

static enum side side_of(const struct kryos_rule *rule, const struct kryos_sample *sample)
{
	bool measured = kryos_quality_is_measured(sample->quality);

	if (rule->kind == KRYOS_RULE_SENSOR)
		return measured ? IS_IN : IS_OUT;
	if (!measured && !kri_quality_is_doubtful(sample->quality))
		return SAYS_NOTHING;
	if (kri_rule_is_out(rule, sample->value_micro))
		return IS_OUT;
	return measured ? IS_IN : SAYS_NOTHING;
}

struct kri_span *kri_track_span(const struct kri_track *track, size_t index)
{
	size_t at = track->first + index;

	return &track->spans[at < track->room ? at : at - track->room];
}

static uint64_t *peak(const struct kri_track *track, size_t index)
{
	size_t at = track->first_peak + index;

	return &track->spans[at < track->room ? at : at - track->room].peak;
}

static struct kri_span *peak_span(const struct kri_track *track, size_t index)
{
	return kri_track_span(track, (size_t)(*peak(track, index) - track->first_number));
}

int kri_track_reserve(struct kri_track *track)
{
	size_t room = track->room ? 2 * track->room : 1;
	struct kri_span *spans;

	if (track->count < track->room)
		return 0;
	spans = calloc(room, sizeof(*spans));
	if (!spans)
		return kryos_fail(-ENOMEM, "alarm: out of memory");
	for (size_t i = 0; i < track->count; i++)
		spans[i] = *kri_track_span(track, i);
	for (size_t i = 0; i < track->peak_count; i++)
		spans[i].peak = *peak(track, i);
	free(track->spans);
	track->spans = spans;
	track->room = room;
	track->first = track->first_peak = 0;
	return 0;
}

static void note_extreme(const struct kryos_rule *rule, struct kri_span *span, int64_t micro,
                         const struct kryos_instant *at)
{
	if (span->has_extreme && !kri_rule_is_beyond(rule, micro, span->extreme_micro))
		return;
	span->has_extreme = true;
	span->extreme_micro = micro;
	span->extreme_at = *at;
}

struct kri_span *kri_track_add_span(struct kri_track *track)
{
	const struct kri_span *newest = track->count > 0 ? kri_track_span(track, track->count - 1) : NULL;
	struct kri_span *span;

	if (newest && newest->has_extreme) { /* it changes no more */
		while (track->peak_count > 0 &&
		       kri_rule_is_beyond(&track->rule, newest->extreme_micro,
		                          peak_span(track, track->peak_count - 1)->extreme_micro))
			track->peak_count--;
		*peak(track, track->peak_count++) = track->first_number + track->count - 1;
	}
	span = kri_track_span(track, track->count++);
	*span = (struct kri_span){ .peak = span->peak };
	return span;
}

static void drop_oldest(struct kri_track *track)
{
	if (track->peak_count > 0 && *peak(track, 0) == track->first_number) {
		track->first_peak = track->first_peak + 1 < track->room ? track->first_peak + 1 : 0;
		track->peak_count--;
	}
	track->first = track->first + 1 < track->room ? track->first + 1 : 0;
	track->first_number++;
	track->count--;
}

static void drop_all(struct kri_track *track)
{
	track->first = track->count = track->peak_count = 0;
}

/* A sample out of range: of a new span, or of the newest. */
static void add_out(const struct kryos_evaluator *evaluator, struct kri_track *track, bool is_new,
                    const struct kryos_sample *sample)
{
	if (is_new) {
		struct kri_span *span = kri_track_add_span(track);

		span->from_ns = span->to_ns = evaluator->time.ns;
		span->out_ns = track->out_ns;
		span->unknown_ns = track->unknown_ns;
		span->uncertain = track->uncertain;
		span->start = evaluator->time.at;
	}
	track->last_out_ns = evaluator->time.ns;
	if (track->rule.kind == KRYOS_RULE_SENSOR || !kryos_quality_is_measured(sample->quality))
		return;
	note_extreme(&track->rule, kri_track_span(track, track->count - 1), sample->value_micro, &evaluator->time.at);
	if (track->open)
		note_extreme(&track->rule, &track->episode, sample->value_micro, &evaluator->time.at);
}

void kri_track_look(const struct kri_track *track, struct kryos_episode *ret_episode)
{
	const struct kri_span *episode = &track->episode;

	*ret_episode = (struct kryos_episode){
		.rule = track->rule,
		.ended_by = KRYOS_EPISODE_OPEN,
		.has_extreme = episode->has_extreme,
		.start = episode->start,
		.trigger = track->trigger,
		.extreme_at = episode->extreme_at,
		.extreme_micro = episode->extreme_micro,
		.duration_ns = track->last_out_ns - episode->from_ns,
		.accumulated_ns = track->out_ns - episode->out_ns,
		.indeterminate_ns = track->unknown_ns - episode->unknown_ns,
		.uncertain = track->uncertain - episode->uncertain,
	};
	memcpy(ret_episode->name, track->name, sizeof(track->name));
	ret_episode->rule.name = ret_episode->name;
}

static void add_extreme(struct kri_track *track, const struct kri_span *span)
{
	if (span->has_extreme)
		note_extreme(&track->rule, &track->episode, span->extreme_micro, &span->extreme_at);
}

static void trigger(struct kryos_evaluator *evaluator, struct kri_track *track)
{
	struct kryos_episode episode;

	track->open = true;
	track->trigger = evaluator->time.at;
	track->episode = *kri_track_span(track, 0);
	if (track->peak_count > 0)
		add_extreme(track, peak_span(track, 0));
	add_extreme(track, kri_track_span(track, track->count - 1));
	kri_track_look(track, &episode);
	kri_evaluator_tell(evaluator, &episode);
}

static void end_episode(struct kryos_evaluator *evaluator, struct kri_track *track, enum kryos_episode_end why,
                        const struct kryos_instant *end)
{
	struct kryos_episode episode;

	if (!track->open)
		return;
	kri_track_look(track, &episode);
	episode.ended_by = why;
	episode.end = *end;
	kri_evaluator_tell(evaluator, &episode);
	track->open = false;
}

static void end_run(struct kryos_evaluator *evaluator, struct kri_track *track, enum kryos_episode_end why,
                    const struct kryos_instant *end)
{
	end_episode(evaluator, track, why, end);
	track->has_last = track->last_out = track->recovering = track->cut = false;
	drop_all(track);
}

static struct kryos_instant later(struct kryos_instant instant, int64_t by_ns)
{
	if (__builtin_add_overflow(instant.t_boot_ns, by_ns, &instant.t_boot_ns))
		instant.t_boot_ns = INT64_MAX;
	if (__builtin_add_overflow(instant.t_wall_ns, by_ns, &instant.t_wall_ns))
		instant.t_wall_ns = INT64_MAX;
	return instant;
}

/* With gap break: where too long nothing was measured, which a sample of any kind finds out, what there was is over.
 * The last sample is held for the limit, but after a reboot of unknown length not at all. */
static void break_run(struct kryos_evaluator *evaluator, struct kri_track *track)
{
	int64_t held = track->cut ? 0 : track->rule.gap_limit_ns;
	struct kryos_instant end;

	if (track->rule.gap != KRYOS_GAP_BREAK || !track->has_last ||
	    (!track->cut && evaluator->time.ns - track->last_ns <= track->rule.gap_limit_ns))
		return;
	track->out_ns += track->last_out ? held : 0;
	end = later(track->last, held);
	end_run(evaluator, track, KRYOS_EPISODE_SENSOR_LOST, &end);
}

/* Accounts for the time since the last sample that said in or out. */
static void pass_time(const struct kryos_evaluator *evaluator, struct kri_track *track)
{
	int64_t passed, held;

	if (!track->has_last)
		return;
	passed = evaluator->time.ns - track->last_ns;
	held = passed < track->rule.gap_limit_ns ? passed : track->rule.gap_limit_ns;
	track->unknown_ns += passed - held;
	track->uncertain += track->cut;
	if (!track->last_out)
		return;
	track->out_ns += held;
	if (track->count > 0)
		kri_track_span(track, track->count - 1)->to_ns = track->last_ns + held;
}

void kri_track_end(struct kryos_evaluator *evaluator, struct kri_track *track, enum kryos_episode_end why)
{
	pass_time(evaluator, track);
	if (track->rule.mode == KRYOS_RULE_CONSECUTIVE || why == KRYOS_EPISODE_RECONFIGURED) {
		end_run(evaluator, track, why, &evaluator->time.at);
		return;
	}
	/* What was spent stays spent; from here on the last sample is held no longer. */
	end_episode(evaluator, track, why, &evaluator->time.at);
	track->last_out = track->cut = false;
	track->last_ns = evaluator->time.ns;
	track->last = evaluator->time.at;
}

static bool is_recovered(const struct kryos_rule *rule, int64_t value_micro)
{
	int64_t distance;

	if (rule->hysteresis_micro == 0)
		return true;
	if (__builtin_sub_overflow(value_micro, rule->threshold_micro, &distance) || distance == INT64_MIN)
		return true; /* further away than any hysteresis */
	return (distance < 0 ? -distance : distance) >= rule->hysteresis_micro;
}

static void take_consecutive(struct kryos_evaluator *evaluator, struct kri_track *track, enum side side,
                             const struct kryos_sample *sample)
{
	const struct kryos_rule *rule = &track->rule;
	int64_t now = evaluator->time.ns;
	const struct kri_span *run;

	if (side == IS_OUT) {
		add_out(evaluator, track, track->count == 0, sample);
		track->recovering = false;
		run = kri_track_span(track, 0);
		if (!track->open && now - run->from_ns - (track->unknown_ns - run->unknown_ns) >= rule->duration_ns)
			trigger(evaluator, track);
	} else if (track->count > 0) {
		bool after_gap = track->cut || now - track->last_ns > rule->gap_limit_ns;

		if (!is_recovered(rule, sample->value_micro)) {
			track->recovering = false;
			return;
		}
		if (!track->recovering || after_gap)
			track->recovering_since_ns = now;
		track->recovering = true;
		if (now - track->recovering_since_ns < rule->reset_ns)
			return;
		end_episode(evaluator, track, KRYOS_EPISODE_RECOVERED, &evaluator->time.at);
		drop_all(track);
		track->recovering = false;
	}
}

/* What of the spans lies in the window. */
static int64_t sum(const struct kri_track *track, int64_t now_ns)
{
	const struct kri_span *oldest = kri_track_span(track, 0);
	int64_t before = now_ns - track->rule.window_ns - oldest->from_ns;

	if (track->rule.window_ns == 0 || before < 0)
		before = 0;
	return track->out_ns - oldest->out_ns - before;
}

static void take_cumulative(struct kryos_evaluator *evaluator, struct kri_track *track, enum side side,
                            const struct kryos_sample *sample)
{
	const struct kryos_rule *rule = &track->rule;
	int64_t now = evaluator->time.ns;

	if (side == IS_OUT)
		add_out(evaluator, track,
		        track->count == 0 ||
		                (rule->window_ns &&
		                 (!track->last_out || kri_track_span(track, track->count - 1)->to_ns < now)),
		        sample);
	while (rule->window_ns && track->count > 0 && kri_track_span(track, 0)->to_ns <= now - rule->window_ns)
		drop_oldest(track);
	if (!track->open && track->count > 0 && sum(track, now) >= rule->duration_ns)
		trigger(evaluator, track);
	else if (track->open && side == IS_IN && (track->count == 0 || sum(track, now) < rule->duration_ns))
		end_episode(evaluator, track, KRYOS_EPISODE_RECOVERED, &evaluator->time.at);
}

void kri_track_take(struct kryos_evaluator *evaluator, struct kri_track *track, const struct kryos_sample *sample)
{
	enum side side = side_of(&track->rule, sample);

	break_run(evaluator, track);
	if (side == SAYS_NOTHING)
		return;
	pass_time(evaluator, track);
	if (track->rule.mode == KRYOS_RULE_CONSECUTIVE)
		take_consecutive(evaluator, track, side, sample);
	else
		take_cumulative(evaluator, track, side, sample);
	track->has_last = true;
	track->last_out = side == IS_OUT;
	track->last_ns = evaluator->time.ns;
	track->last = evaluator->time.at;
	track->cut = false;
}
