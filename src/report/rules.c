/* SPDX-License-Identifier: Apache-2.0 */
/* The rules that are known of a channel, the range that they leave, and the judging by a profile. */
#include "../alarm/alarm.h"
#include "report.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
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

static void add_rule(struct kri_report_channel *channel, const struct kryos_rule *rule, const char *name, int part)
{
	unsigned int at = 0;

	while (at < channel->rule_count && !kri_rule_words_same(&channel->rules[at], rule))
		at++;
	if (at < channel->rule_count) {
		if (part)
			channel->rule_parts[at] = (uint8_t)part;
		return;
	}
	if (at == KRI_REPORT_MAX_RULES) {
		channel->rules_unknown++;
		return;
	}
	channel->rules[at] = *rule;
	channel->rule_parts[at] = (uint8_t)part;
	snprintf(channel->rule_names[at], sizeof(channel->rule_names[0]), "%s", name);
	channel->rules[at].name = channel->rule_names[at];
	channel->rule_count++;
	if (rule->has & KRYOS_RULE_THRESHOLD)
		narrow(channel, rule);
}

/* Those of that part are in force no more; with the first go those that are known from elsewhere. */
static void drop_part(struct kri_report_channel *channel, int part)
{
	unsigned int count = channel->rule_count;

	channel->rule_count = 0;
	channel->has_low = channel->has_high = false;
	if (part == 1)
		channel->rules_unknown = 0;
	for (unsigned int i = 0; i < count; i++) {
		struct kryos_rule rule = channel->rules[i];
		char name[KRYOS_RULE_NAME_MAX];

		if (channel->rule_parts[i] == part || (part == 1 && !channel->rule_parts[i]))
			continue;
		memcpy(name, channel->rule_names[i], sizeof(name));
		add_rule(channel, &rule, name, channel->rule_parts[i]);
	}
}

void kri_report_add_rule(struct kri_report_channel *channel, const struct kryos_rule *rule, const char *name)
{
	add_rule(channel, rule, name, 0);
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

/* "alarm CHANNEL" or "rules CHANNEL (2)": which part of its list that is; 0: none. */
static int part_of(const char *name, char channel[64])
{
	const char *behind = strstr(name, " (");
	char *end = NULL;
	long part;

	if (strncmp(name, "rules ", 6) == 0) {
		part = behind ? strtol(behind + 2, &end, 10) : 0;
		if (part < 2 || part > UINT8_MAX || strcmp(end, ")") != 0)
			return 0;
		snprintf(channel, 64, "%.*s", (int)(behind - name - 6), name + 6);
		return (int)part;
	}
	snprintf(channel, 64, "%s", name + 6);
	return strncmp(name, "alarm ", 6) == 0 ? 1 : 0;
}

/* Rules with commas between. What had no room in it is counted at its end: "3 more, crc32c=0123abcd". */
static void take_list(struct kri_report_channel *channel, char *text, int part)
{
	char *rest = NULL;

	for (char *at = strtok_r(text, ",", &rest); at; at = strtok_r(NULL, ",", &rest)) {
		struct kryos_rule rule;
		char *end = NULL;
		unsigned long more = strtoul(at, &end, 10);

		if (more > 0 && more <= UINT8_MAX && strcmp(end, " more") == 0)
			channel->rules_unknown =
				more > channel->rules_unknown ? (unsigned int)more : channel->rules_unknown;
		else if (parse_rule(at, &rule))
			add_rule(channel, &rule, rule.name, part);
	}
}

int kri_report_take_rules(struct kri_report *report, const struct kryos_record *record)
{
	const struct kryos_event *event = record->event;
	const char *is = strstr(event->text, "; is ");
	char name[64], text[1001];
	int part = part_of(event->name, name), r;
	struct kri_report_channel *channel;
	bool is_list;

	is = is ? is + strlen("; is ") : "";
	is_list = part > 1 || strncmp(is, "every=", 6) == 0;
	if (!part || (!is_list && strcmp(is, "nothing") != 0))
		return 0;
	r = kri_report_channel(report, name, "", "", &channel);
	if (r < 0)
		return r;
	/* What was changed within the period was in force in a part of it. */
	if (record->sample.t_wall_ns <= report->config.from_ns || !channel->is_watched)
		drop_part(channel, part);
	channel->is_watched = true;
	if (is_list) {
		snprintf(text, sizeof(text), "%s", part > 1 ? is : is + strcspn(is, " "));
		take_list(channel, text, part);
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
