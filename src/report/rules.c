/* SPDX-License-Identifier: Apache-2.0 */
/* The rules that are known of a channel, the range that they leave, and the judging by a profile. */
#include "../alarm/alarm.h"
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

/* "heat kind=heat comparator=gt threshold=8 ...": false: it is not that. */
static bool parse_rule(char *text, struct kryos_rule *rule)
{
	char *rest = NULL;

	*rule = (struct kryos_rule){ .size = sizeof(*rule), .name = strtok_r(text, " ", &rest) };
	if (!rule->name || strchr(rule->name, '='))
		return false;
	for (char *word = strtok_r(NULL, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		char *value = strchr(word, '=');

		if (!value)
			return false;
		*value++ = 0;
		if (kri_rule_set(rule, word, value))
			return false;
	}
	return rule->kind != 0;
}

int kri_report_take_rules(struct kri_report *report, const struct kryos_record *record)
{
	const struct kryos_event *event = record->event;
	const char *is = strstr(event->text, "; is ");
	char text[1001], *rest = NULL, *at;
	struct kri_report_channel *channel;
	int r;

	if (strncmp(event->name, "alarm ", 6) != 0 || !is || strncmp(is + 5, "every=", 6) != 0)
		return 0;
	r = kri_report_channel(report, event->name + 6, "", "", &channel);
	if (r < 0)
		return r;
	/* What was changed within the period was in force in a part of it. */
	if (record->sample.t_wall_ns <= report->config.from_ns || !channel->is_watched) {
		channel->rule_count = 0;
		channel->has_low = channel->has_high = false;
	}
	channel->is_watched = true;
	snprintf(text, sizeof(text), "%s", is + 5 + strcspn(is + 5, " "));
	for (at = strtok_r(text, ",", &rest); at; at = strtok_r(NULL, ",", &rest)) {
		struct kryos_rule rule;

		if (parse_rule(at, &rule))
			kri_report_add_rule(channel, &rule, rule.name);
	}
	return 0;
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

static bool was_retired(const struct kri_report *report, const char *channel, int64_t t_ns)
{
	for (size_t i = 0; i < report->retired_count; i++) {
		const struct kri_report_retired *at = &report->retired[i];

		if (t_ns >= at->from_ns && t_ns < at->to_ns && strcmp(at->channel, channel) == 0)
			return true;
	}
	return false;
}

int kri_report_judge(struct kri_report *report, struct kri_report_channel *channel, const struct kryos_sample *sample)
{
	bool is_retired = was_retired(report, channel->name, sample->t_wall_ns),
	     begins = is_retired && !channel->is_out_of_service;
	int r;

	/* As on the device: out of service nothing is judged, and what was open ends. */
	channel->is_out_of_service = is_retired;
	if (is_retired) {
		r = begins ? kryos_evaluator_end(channel->evaluator, KRYOS_EPISODE_RETIRED) : 0;
		return r < 0 ? r : take_news(report, channel);
	}
	r = kryos_evaluator_take(channel->evaluator, sample);
	/* Out of order within a boot: an evaluator takes what came first. */
	if (r == -EINVAL)
		return 0;
	return r < 0 ? r : take_news(report, channel);
}

int kri_report_judge_end(struct kri_report *report, struct kri_report_channel *channel)
{
	struct kryos_episode episode;
	int r = 0;

	for (unsigned int i = 0; r >= 0 && kryos_profile_rule(report->config.profile, i); i++) {
		if (kryos_evaluator_look(channel->evaluator, i, &episode) <= 0)
			continue;
		r = kri_report_add_episode(report, channel->name, &episode, true);
		if (r >= 0)
			report->episodes[r].known_ns = channel->evaluator->time.at.t_wall_ns;
	}
	return r < 0 ? r : 0;
}
