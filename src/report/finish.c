/* SPDX-License-Identifier: Apache-2.0 */
/* What is left to be done when everything was taken. */
#include "report.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What was stamped before the clock was set has its time by what became known later, as samples have. */
static void correct(const struct kri_report *report, struct kryos_instant *instant)
{
	if (instant->trust >= KRYOS_TRUST_RTC)
		return;
	for (size_t i = report->offset_count; i-- > 0;) {
		if (report->offsets[i].boot == instant->boot && instant->boot) {
			instant->t_wall_ns = instant->t_boot_ns + report->offsets[i].by_ns;
			instant->trust = KRYOS_TRUST_RTC;
			return;
		}
	}
}

static void correct_episode(const struct kri_report *report, struct kryos_episode *episode)
{
	correct(report, &episode->start);
	correct(report, &episode->trigger);
	if (episode->ended_by != KRYOS_EPISODE_OPEN)
		correct(report, &episode->end);
	if (episode->has_extreme)
		correct(report, &episode->extreme_at);
}

void kri_report_correct(struct kri_report *report)
{
	for (size_t i = 0; i < report->episode_count; i++)
		correct_episode(report, &report->episodes[i].episode);
}

static bool is_wanted(const struct kri_report *report, const char *channel)
{
	return !report->config.wanted || report->config.wanted(report->config.wanted_data, channel);
}

static bool overlaps(const struct kryos_episode *episode, int64_t from_ns, int64_t to_ns)
{
	return episode->start.t_wall_ns < to_ns &&
	       (episode->ended_by == KRYOS_EPISODE_OPEN || episode->end.t_wall_ns >= from_ns);
}

/* What the device said itself by the same rule is not said once more. */
static bool was_told(const struct kri_report *report, const struct kri_report_episode *own)
{
	int64_t end_ns = own->episode.ended_by == KRYOS_EPISODE_OPEN ? INT64_MAX : own->episode.end.t_wall_ns;

	if (!own->judged_here)
		return false;
	for (size_t i = 0; i < report->episode_count; i++) {
		const struct kri_report_episode *other = &report->episodes[i];

		if (!other->judged_here && strcmp(other->channel, own->channel) == 0 &&
		    kri_rule_words_same(&other->episode.rule, &own->episode.rule) &&
		    overlaps(&other->episode, own->episode.start.t_wall_ns, end_ns))
			return true;
	}
	return false;
}

static int by_start(const void *a, const void *b)
{
	const struct kryos_episode *x = &((const struct kri_report_episode *)a)->episode,
				   *y = &((const struct kri_report_episode *)b)->episode;

	if (x->start.t_wall_ns != y->start.t_wall_ns)
		return x->start.t_wall_ns < y->start.t_wall_ns ? -1 : 1;
	if (x->trigger.t_wall_ns != y->trigger.t_wall_ns)
		return x->trigger.t_wall_ns < y->trigger.t_wall_ns ? -1 : 1;
	return strcmp(((const struct kri_report_episode *)a)->channel, ((const struct kri_report_episode *)b)->channel);
}

static void select_episodes(struct kri_report *report)
{
	size_t kept = 0;

	kri_report_correct(report);
	for (size_t i = 0; i < report->episode_count; i++) {
		struct kri_report_episode *at = &report->episodes[i];

		/* Marked first: those that stay are looked at until the end. */
		at->is_left_out = !overlaps(&at->episode, report->config.from_ns, report->config.to_ns) ||
		                  !is_wanted(report, at->channel) || was_told(report, at);
	}
	for (size_t i = 0; i < report->episode_count; i++) {
		if (report->episodes[i].is_left_out)
			continue;
		report->episodes[kept] = report->episodes[i];
		kept++;
	}
	report->episode_count = kept;
	if (kept)
		qsort(report->episodes, kept, sizeof(*report->episodes), by_start);
	for (size_t i = 0; i < kept; i++) {
		report->episodes[i].episode.rule.name = report->episodes[i].episode.name;
		report->episodes[i].of = kri_report_find(report, report->episodes[i].channel);
	}
}

static void select_retired(struct kri_report *report)
{
	size_t kept = 0;

	for (size_t i = 0; i < report->retired_count; i++) {
		const struct kri_report_retired *at = &report->retired[i];

		if (at->from_ns < report->config.to_ns && at->to_ns >= report->config.from_ns &&
		    is_wanted(report, at->channel))
			report->retired[kept++] = *at;
	}
	report->retired_count = kept;
}

int kri_report_finish(struct kri_report *report)
{
	int r = 0;

	for (size_t i = 0; i < report->channel_count && r >= 0; i++) {
		if (report->channels[i]->columns)
			r = kri_report_end(report, report->channels[i]);
		else
			kri_report_add_rules(report, report->channels[i]);
	}
	for (size_t i = 0; i < report->channel_count && r >= 0; i++)
		if (report->channels[i]->columns && report->channels[i]->is_contact)
			r = kri_report_contact(report, report->channels[i]->name)
			            ? 0
			            : kryos_fail(-ENOMEM, "out of memory");
	for (size_t i = 0; i < report->contact_count && r >= 0; i++)
		r = kri_report_end_contact(report, &report->contacts[i]);
	if (r >= 0)
		r = kri_report_end_losses(report);
	if (r < 0)
		return r;
	select_episodes(report);
	select_retired(report);
	return 0;
}
