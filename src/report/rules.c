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

/* The place of that rule, or of a new one; part: that has it, 0: from elsewhere. KRI_REPORT_MAX_RULES: no room. */
static unsigned int add_rule(struct kri_report_channel *channel, const struct kryos_rule *rule, const char *name,
                             int part)
{
	unsigned int at = 0;

	while (at < channel->rule_count && !kri_rule_words_same(&channel->rules[at], rule))
		at++;
	if (at == KRI_REPORT_MAX_RULES) {
		channel->rules_unknown++;
		return at;
	}
	if (at == channel->rule_count) {
		channel->rules[at] = *rule;
		channel->rule_parts[at] = 0;
		channel->rule_times[at] = (struct kri_span_of_time){ INT64_MIN, INT64_MAX };
		snprintf(channel->rule_names[at], sizeof(channel->rule_names[0]), "%s", name);
		channel->rules[at].name = channel->rule_names[at];
		channel->rule_count++;
		if (rule->has & KRYOS_RULE_THRESHOLD)
			narrow(channel, rule);
	}
	channel->rule_parts[at] |= UINT64_C(1) << part;
	return at;
}

void kri_report_add_rule(struct kri_report_channel *channel, const struct kryos_rule *rule, const char *name)
{
	add_rule(channel, rule, name, 0);
}

/* Those of no part are in force no more. */
static void drop_rules(struct kri_report_channel *channel)
{
	unsigned int count = channel->rule_count;

	channel->rule_count = 0;
	channel->has_low = channel->has_high = false;
	for (unsigned int i = 0; i < count; i++) {
		struct kryos_rule rule = channel->rules[i];
		uint64_t parts = channel->rule_parts[i];
		char name[KRYOS_RULE_NAME_MAX];

		memcpy(name, channel->rule_names[i], sizeof(name));
		if (parts)
			channel->rule_parts[add_rule(channel, &rule, name, 0)] = parts;
	}
}

/* Within the period each was in force in a part of it; parts: of each of the first count, before. */
static void note_times(struct kri_report_channel *channel, const uint64_t *parts, unsigned int count, int64_t t_ns)
{
	for (unsigned int i = 0; i < channel->rule_count; i++) {
		bool was = i < count && parts[i], is = channel->rule_parts[i];

		if (was == is)
			continue;
		if (is && i >= count)
			channel->rule_times[i].from_ns = t_ns;
		channel->rule_times[i].to_ns = is ? INT64_MAX : t_ns;
		channel->rules_changed = true;
	}
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
		if (part < 2 || part > KRI_REPORT_MAX_PART || strcmp(end, ")") != 0)
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
	int64_t t_ns = record->sample.t_wall_ns;
	char name[64], text[1001];
	int part = part_of(event->name, name), r;
	uint64_t before[KRI_REPORT_MAX_RULES];
	struct kri_report_channel *channel;
	bool is_list, is_change;
	unsigned int count;

	is = is ? is + strlen("; is ") : "";
	is_list = part > 1 || strncmp(is, "every=", 6) == 0;
	if (!part || (!is_list && strcmp(is, "nothing") != 0))
		return 0;
	r = kri_report_channel(report, name, "", "", &channel);
	if (r < 0)
		return r;
	if (part == 1 && !channel->is_watched)
		channel->watched_ns = t_ns;
	/* The other parts of the first list come right behind it. */
	is_change = t_ns > report->config.from_ns && channel->is_watched &&
	            (part == 1 || t_ns - channel->watched_ns > KRYOS_MINUTES(1));
	count = channel->rule_count;
	memcpy(before, channel->rule_parts, sizeof(before));
	for (unsigned int i = 0; i < count; i++)
		channel->rule_parts[i] &= ~(UINT64_C(1) << part);
	if (part == 1 && !is_change)
		channel->rules_unknown = 0;
	channel->is_watched |= part == 1;
	/* Of what the first part had, nothing is known. */
	if (!channel->is_watched && is_list && !channel->rules_unknown)
		channel->rules_unknown = 1;
	if (is_list) {
		snprintf(text, sizeof(text), "%s", part > 1 ? is : is + strcspn(is, " "));
		take_list(channel, text, part);
	}
	if (is_change)
		note_times(channel, before, count, t_ns);
	else
		drop_rules(channel);
	return 0;
}

void kri_report_add_rules(struct kri_report *report, struct kri_report_channel *channel)
{
	const struct kri_report_config *config = &report->config;

	for (size_t i = 0; i < config->rule_count && !channel->is_watched; i++)
		if (strcmp(config->rules[i].channel, channel->name) == 0)
			add_rule(channel, &config->rules[i].rule, config->rules[i].rule.name, 0);
	for (size_t i = 0; i < report->episode_count && (!channel->is_watched || channel->rules_unknown); i++) {
		const struct kryos_episode *episode = &report->episodes[i].episode;

		/* It was in force when the alarm began, and no more when it ended because of that. */
		if (strcmp(report->episodes[i].channel, channel->name) == 0 &&
		    episode->start.t_wall_ns < config->to_ns &&
		    (episode->ended_by != KRYOS_EPISODE_RECONFIGURED || episode->end.t_wall_ns >= config->from_ns))
			add_rule(channel, &episode->rule, episode->name, 0);
	}
}

int kri_report_judge_by(struct kri_report *report, struct kri_report_channel *channel)
{
	const char *profile = report->config.profile;
	unsigned int at;
	int r;

	channel->is_judged = profile && channel->is_of_vaccines;
	if (!channel->is_judged)
		return 0;
	r = kryos_evaluator_new(&channel->evaluator, channel->interval_ns);
	for (unsigned int i = 0; r >= 0 && kryos_profile_rule(profile, i); i++) {
		const struct kryos_rule *rule = kryos_profile_rule(profile, i);

		/* It is judged by from the beginning to the end, whatever the device did. */
		at = add_rule(channel, rule, rule->name, 0);
		if (at < KRI_REPORT_MAX_RULES)
			channel->rule_times[at] = (struct kri_span_of_time){ INT64_MIN, INT64_MAX };
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
