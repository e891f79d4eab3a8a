/* SPDX-License-Identifier: Apache-2.0 */
/* The rules that are known of a channel, the range that they leave, and the judging by a profile. */
#include "report.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A value out of range is above high, or below low: "at or above" is above the millionth before. */
static void narrow(struct kri_report_channel *channel, const struct kryos_rule *rule)
{
	int64_t threshold = rule->threshold_micro;

	if (rule->kind == KRYOS_RULE_HEAT && rule->comparator <= KRYOS_COMPARATOR_GE &&
	    (!channel->has_high || threshold < channel->high_micro)) {
		channel->has_high = true;
		channel->high_micro = threshold;
		channel->high_edge = threshold - (rule->comparator == KRYOS_COMPARATOR_GE);
	}
	if (rule->kind == KRYOS_RULE_FREEZE && rule->comparator >= KRYOS_COMPARATOR_LT &&
	    (!channel->has_low || threshold > channel->low_micro)) {
		channel->has_low = true;
		channel->low_micro = threshold;
		channel->low_edge = threshold + (rule->comparator == KRYOS_COMPARATOR_LE);
	}
}

bool kri_rule_words_same(const struct kryos_rule *a, const struct kryos_rule *b)
{
	return a->kind == b->kind && a->comparator == b->comparator && a->mode == b->mode &&
	       a->threshold_micro == b->threshold_micro && a->duration_ns == b->duration_ns &&
	       a->window_ns == b->window_ns;
}

void kri_report_add_rule(struct kri_report_channel *channel, const struct kryos_rule *rule, const char *name)
{
	for (unsigned int i = 0; i < channel->rule_count; i++)
		if (kri_rule_words_same(&channel->rules[i], rule))
			return;
	if (channel->rule_count == KRI_REPORT_MAX_RULES)
		return;
	channel->rules[channel->rule_count] = *rule;
	snprintf(channel->rule_names[channel->rule_count], sizeof(channel->rule_names[0]), "%s", name);
	channel->rules[channel->rule_count].name = channel->rule_names[channel->rule_count];
	channel->rule_count++;
	if (rule->has & KRYOS_RULE_THRESHOLD)
		narrow(channel, rule);
}

int kri_report_judge_by(struct kri_report *report, struct kri_report_channel *channel)
{
	const char *profile = report->config.profile;
	int r;

	channel->is_judged = profile && channel->is_of_vaccines;
	if (!channel->is_judged)
		return 0;
	r = kryos_evaluator_new(&channel->evaluator, channel->interval_ns);
	for (unsigned int i = 0; r >= 0 && kryos_profile_rule(profile, i); i++) {
		const struct kryos_rule *rule = kryos_profile_rule(profile, i);

		kri_report_add_rule(channel, rule, rule->name);
		r = kryos_evaluator_add(channel->evaluator, rule);
	}
	return r;
}

static int take_news(struct kri_report *report, struct kri_report_channel *channel)
{
	const struct kryos_episode *news;
	int r = 0;

	while (r >= 0 && kryos_evaluator_next(channel->evaluator, &news) > 0)
		if (news->ended_by != KRYOS_EPISODE_OPEN)
			r = kri_report_add_episode(report, channel->name, news, true);
	return r;
}

int kri_report_judge(struct kri_report *report, struct kri_report_channel *channel, const struct kryos_sample *sample)
{
	int r = kryos_evaluator_take(channel->evaluator, sample);

	/* Out of order within a boot: an evaluator takes what came first. */
	if (r == -EINVAL)
		return 0;
	return r < 0 ? r : take_news(report, channel);
}

int kri_report_judge_end(struct kri_report *report, struct kri_report_channel *channel)
{
	struct kryos_episode episode;
	int r = 0;

	for (unsigned int i = 0; r >= 0 && kryos_profile_rule(report->config.profile, i); i++)
		if (kryos_evaluator_look(channel->evaluator, i, &episode) > 0)
			r = kri_report_add_episode(report, channel->name, &episode, true);
	return r;
}
