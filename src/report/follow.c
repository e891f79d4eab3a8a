/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Alarms that the device told when they began, and not since: what became of them the stored samples say, judged once
 * more from their first one to the end of the period. That counts where they give the alarm as it was told; where some
 * are missing, or only the means of periods are stored, no more is known than was told.
 */
#include "../alarm/alarm.h"
#include "report.h"
#include <errno.h>
#include <string.h>

static bool is_at(const struct kryos_instant *instant, const struct kryos_sample *sample)
{
	return instant->boot == sample->boot && instant->t_boot_ns == sample->t_boot_ns;
}

static bool is_same(const struct kryos_instant *a, const struct kryos_instant *b)
{
	return a->boot == b->boot && a->t_boot_ns == b->t_boot_ns;
}

static int begin(struct kri_report_episode *at)
{
	int r;

	at->episode.rule.name = at->episode.name;
	/* Its limit is resolved already, so how often it is measured does not matter. */
	at->is_followed = true;
	r = kryos_evaluator_new(&at->evaluator, KRYOS_MINUTES(1));
	if (r >= 0)
		r = kryos_evaluator_add(at->evaluator, &at->episode.rule);
	if (r == -EINVAL) { /* a newer version's rule */
		kri_report_unfollow(at);
		return 0;
	}
	return r;
}

int kri_report_follow(struct kri_report *report, int64_t *ret_since_ns)
{
	int count = 0, r = 0;

	kri_report_correct(report);
	*ret_since_ns = INT64_MAX;
	for (size_t i = 0; i < report->episode_count && r >= 0; i++) {
		struct kri_report_episode *at = &report->episodes[i];

		if (at->judged_here || at->episode.ended_by != KRYOS_EPISODE_OPEN ||
		    at->episode.start.t_wall_ns >= report->config.to_ns)
			continue;
		r = begin(at);
		if (r < 0 || !at->evaluator)
			continue;
		count++;
		if (at->episode.start.t_wall_ns < *ret_since_ns)
			*ret_since_ns = at->episode.start.t_wall_ns;
	}
	return r < 0 ? r : count;
}

void kri_report_unfollow(struct kri_report_episode *at)
{
	kryos_evaluator_free(at->evaluator);
	at->evaluator = NULL;
}

/* It is that episode, with no other numbers; unless a reboot of unknown length has a length now. */
static bool is_as_told(const struct kryos_episode *told, const struct kryos_episode *found)
{
	return is_same(&found->start, &told->start) && is_same(&found->trigger, &told->trigger) &&
	       (found->uncertain != told->uncertain ||
	        (found->duration_ns == told->duration_ns && found->accumulated_ns == told->accumulated_ns &&
	         found->indeterminate_ns == told->indeterminate_ns &&
	         (!found->has_extreme || found->extreme_micro == told->extreme_micro)));
}

static void put(struct kri_report_episode *at, const struct kryos_episode *episode, int64_t known_ns)
{
	at->episode = *episode;
	at->episode.rule.name = at->episode.name;
	at->known_ns = known_ns;
}

static int judge(struct kri_report_episode *at, const struct kryos_sample *sample)
{
	const struct kryos_episode *news;
	int r = kryos_evaluator_take(at->evaluator, sample);

	if (r == -EINVAL) /* as on the device: what is older than what was judged is not */
		return 0;
	while (at->evaluator && kryos_evaluator_next(at->evaluator, &news) > 0) {
		if (news->ended_by == KRYOS_EPISODE_OPEN) {
			at->is_found |= is_as_told(&at->episode, news);
			continue;
		}
		if (!at->is_found)
			continue;
		/* That nothing was stored is no end that the device told. */
		put(at, news, news->end.t_wall_ns);
		at->is_ended_here = news->ended_by == KRYOS_EPISODE_RECOVERED;
		if (!at->is_ended_here)
			at->episode.ended_by = KRYOS_EPISODE_OPEN;
		kri_report_unfollow(at);
	}
	return r;
}

/* A change of a contact is an event, and no sample: its first state is the one that is out of range. */
static bool stands_for_change(const struct kri_report_episode *at)
{
	return at->is_contact && at->episode.rule.mode == KRYOS_RULE_CONSECUTIVE;
}

static int begin_at(struct kri_report_episode *at, const struct kryos_sample *sample)
{
	const struct kryos_instant *start = &at->episode.start;
	struct kryos_sample first = *sample;

	if (sample->boot != start->boot || sample->t_boot_ns < start->t_boot_ns)
		return 0;
	if (!is_at(start, sample)) {
		if (!stands_for_change(at)) {
			kri_report_unfollow(at);
			return 0;
		}
		first.t_boot_ns = start->t_boot_ns;
		first.t_wall_ns = start->t_wall_ns;
		first.value_micro = kri_rule_is_out(&at->episode.rule, 0) ? 0 : 1000000;
		first.quality = KRYOS_QUALITY_GOOD;
	}
	at->has_begun = true;
	return judge(at, &first);
}

/*
 * As on the device, which judges a contact when its alarm is due, by the state that lasts (src/alarm/due.c): then, and
 * not with the next round, it is out of range. What comes next may have been measured then.
 */
static int judge_trigger(struct kri_report_episode *at, const struct kryos_sample *next)
{
	const struct kryos_instant *trigger = &at->episode.trigger;
	struct kryos_sample sample = { .value_micro = kri_rule_is_out(&at->episode.rule, 0) ? 0 : 1000000,
		                       .t_boot_ns = trigger->t_boot_ns,
		                       .t_wall_ns = trigger->t_wall_ns,
		                       .boot = trigger->boot,
		                       .trust = (uint16_t)trigger->trust };
	bool is_before = next && (next->boot < trigger->boot ||
	                          (next->boot == trigger->boot && next->t_boot_ns < trigger->t_boot_ns));

	/* Of a sensor that gives nothing no state lasts. */
	if (at->is_triggered || is_before || at->episode.rule.kind == KRYOS_RULE_SENSOR)
		return 0;
	at->is_triggered = true;
	return is_same(&at->episode.start, trigger) || (next && is_at(trigger, next)) ? 0 : judge(at, &sample);
}

/* The mean of a period in which a contact was in both states says neither. */
static bool says_nothing(const struct kryos_record *record, bool is_contact)
{
	return is_contact && record->sample.value_micro > 0 && record->sample.value_micro < 1000000;
}

/*
 * Of an alarm that ends at the first reading in range, and was not said to have ended, each reading out of range since
 * says that it lasted until then, whatever is missing between.
 */
static void look(struct kri_report_episode *at, const struct kryos_sample *sample)
{
	const struct kryos_rule *rule = &at->episode.rule;
	bool is_measured = kryos_quality_is_measured(sample->quality);

	if (rule->mode != KRYOS_RULE_CONSECUTIVE || rule->hysteresis_micro || rule->reset_ns || at->is_over ||
	    sample->t_wall_ns < at->episode.trigger.t_wall_ns)
		return;
	if (rule->kind == KRYOS_RULE_SENSOR ? !is_measured : is_measured && kri_rule_is_out(rule, sample->value_micro))
		at->out_ns = sample->t_wall_ns > at->out_ns ? sample->t_wall_ns : at->out_ns;
	else
		at->is_over = is_measured;
}

int kri_report_follow_sample(struct kri_report *report, const struct kryos_record *record)
{
	bool is_contact = strcmp(record->unit, "/") == 0;
	struct kri_report_channel *channel;
	int r = 0;

	if (record->sample.t_wall_ns >= report->config.to_ns || says_nothing(record, is_contact))
		return 0;
	for (size_t i = 0; i < report->episode_count && r >= 0; i++) {
		struct kri_report_episode *at = &report->episodes[i];

		if (!at->is_followed || strcmp(at->channel, record->channel) != 0)
			continue;
		at->is_contact = is_contact;
		look(at, &record->sample);
		if (!at->evaluator)
			continue;
		/* In the period it was not measured, perhaps. */
		r = kri_report_channel(report, record->channel, record->unit, record->place, &channel);
		if (r >= 0 && !at->has_begun)
			r = begin_at(at, &record->sample);
		if (r >= 0 && at->evaluator && at->has_begun && at->is_contact)
			r = judge_trigger(at, &record->sample);
		/* Not once more, if it was the first. */
		if (r >= 0 && at->evaluator && at->has_begun && !is_at(&at->episode.start, &record->sample))
			r = judge(at, &record->sample);
	}
	return r < 0 ? r : 0;
}

int kri_report_follow_end(struct kri_report *report)
{
	struct kryos_episode episode;
	int r = 0;

	for (size_t i = 0; i < report->episode_count; i++) {
		struct kri_report_episode *at = &report->episodes[i];
		const struct kryos_instant *start = &at->episode.start;

		if (at->evaluator && at->has_begun && at->is_contact && r >= 0 &&
		    at->episode.trigger.t_wall_ns < report->config.to_ns)
			r = judge_trigger(at, NULL);
		if (at->evaluator && at->is_found && kryos_evaluator_look(at->evaluator, 0, &episode) > 0)
			put(at, &episode, at->evaluator->time.at.t_wall_ns);
		else if (at->is_followed && !at->is_found && at->out_ns - start->t_wall_ns > at->episode.duration_ns &&
		         start->trust >= KRYOS_TRUST_RTC)
			at->episode.duration_ns = at->out_ns - start->t_wall_ns;
		kri_report_unfollow(at);
	}
	return r;
}

/* When it was last seen, or at least measured where nobody can tell more. */
static int64_t last_known(const struct kri_report_episode *at)
{
	int64_t last_ns = at->episode.trigger.t_wall_ns;

	if (at->episode.ended_by != KRYOS_EPISODE_OPEN)
		return at->episode.end.t_wall_ns;
	if (at->known_ns)
		return at->known_ns;
	if (at->is_over)
		return at->out_ns > last_ns ? at->out_ns : last_ns;
	return at->of && at->of->last_any_ns > last_ns ? at->of->last_any_ns : last_ns;
}

bool kri_goes_on(const struct kri_report *report, const struct kri_report_episode *at)
{
	const struct kri_report_config *config = &report->config;
	int64_t end_ns = config->to_ns;

	if (at->episode.ended_by != KRYOS_EPISODE_OPEN)
		return at->episode.end.t_wall_ns >= end_ns;
	/* What is still to come nobody has measured, unless the clock of who prints it is behind. */
	if (config->printed_ns > config->from_ns && config->printed_ns < end_ns)
		end_ns = at->of && at->of->last_any_ns > config->printed_ns ? at->of->last_any_ns : config->printed_ns;
	return last_known(at) + (at->of ? 2 * at->of->interval_ns : 0) >= end_ns;
}

bool kri_reaches_in(const struct kri_report *report, const struct kri_report_episode *at)
{
	return last_known(at) >= report->config.from_ns || kri_goes_on(report, at);
}

int64_t kri_episode_until(const struct kri_report *report, const struct kri_report_episode *at)
{
	if (at->episode.ended_by != KRYOS_EPISODE_OPEN)
		return at->episode.end.t_wall_ns;
	return kri_goes_on(report, at) ? INT64_MAX : last_known(at);
}
