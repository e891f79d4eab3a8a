/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of a station file for alarms: their rules, the profiles made of them, and the channels they judge. */
#include "../alarm/alarm.h"
#include "station_rules.h"
#include <string.h>

/* A section that nothing names does nothing, which its author hardly meant. */
static void remark_unused(struct kri_judging *judging, const struct kri_section *section, enum kri_section_kind by,
                          enum kri_key key)
{
	for (const struct kri_section *user = judging->file->sections; user; user = user->next) {
		const char *words = user->entries[key].text;

		if (user->kind == by && words && kri_list_find(words, section->label, strlen(section->label)) >= 0)
			return;
	}
	if (!kri_station_remark(judging->file, section->line, "[%s %s] is in no [%s ...]: it judges nothing",
	                        kri_station_sections[section->kind].name, section->label,
	                        kri_station_sections[by].name))
		judging->no_memory = true;
}

void kri_judge_rule(struct kri_judging *judging, const struct kri_section *section)
{
	struct kri_rule_section rule;

	if (!*section->label)
		return; /* what is wrong with its name was said */
	kri_rule_section_begin(judging->ini, &rule, section->label, section->line);
	for (unsigned int key = KRI_RULE_KIND; key <= KRI_RULE_HYSTERESIS; key++) {
		const struct kri_entry *entry = &section->entries[key];

		if (entry->text)
			kri_rule_section_take(judging->ini, &rule, kri_station_keys[key].name, entry->text,
			                      entry->line);
		else if (entry->line)
			rule.broken = true; /* it was refused */
	}
	kri_rule_section_end(judging->ini, &rule);
	remark_unused(judging, section, KRI_SECTION_PROFILE, KRI_PROFILE_RULES);
}

/* Names of the file's rules, for messages and suggestions. */
static void list_rules(const struct kri_station_file *file, char *words, size_t size)
{
	*words = 0;
	for (const struct kri_section *section = file->sections; section; section = section->next) {
		size_t length = strlen(words);

		if (section->kind == KRI_SECTION_RULE && !section->repeated && *section->label)
			snprintf(words + length, size - length, "%s%s", length ? " " : "", section->label);
	}
}

static void no_such_rule(struct kri_judging *judging, const struct kri_section *section, const char *name)
{
	char words[1024], near[64];
	const char *meant;

	list_rules(judging->file, words, sizeof(words));
	meant = kri_suggest(name, words, near, sizeof(near));
	if (meant)
		kri_wrong(judging, section, KRI_PROFILE_RULES, "there is no [rule %s]; did you mean %s?", name, meant);
	else
		kri_wrong(judging, section, KRI_PROFILE_RULES, "there is no [rule %s]; there is %s", name,
		          *words ? words : "none");
}

static void judge_rules(struct kri_judging *judging, const struct kri_section *section)
{
	const char *words = section->entries[KRI_PROFILE_RULES].text, *word = words;
	unsigned int rules = 0;
	char name[200]; /* as long as a line */
	size_t count;

	for (; *word; word += count + strspn(word + count, " \t")) {
		count = strcspn(word, " \t");
		snprintf(name, sizeof(name), "%.*s", (int)count, word);
		if (!kri_station_find(judging->file, KRI_SECTION_RULE, name))
			no_such_rule(judging, section, name);
		for (const char *before = words; before < word; before += strcspn(before, " \t") + 1)
			if (strncmp(before, word, count) == 0 && before + count < word && strchr(" \t", before[count]))
				kri_wrong(judging, section, KRI_PROFILE_RULES, "%s stands twice; once is allowed",
				          name);
		rules++;
	}
	if (rules > KRI_PROFILE_MAX_RULES)
		kri_wrong(judging, section, KRI_PROFILE_RULES, "%u rules; at most %d are allowed", rules,
		          KRI_PROFILE_MAX_RULES);
}

void kri_judge_profile(struct kri_judging *judging, const struct kri_section *section)
{
	if (strncmp(section->label, "who-", 4) == 0)
		kri_wrong(judging, section, KRI_KEY_COUNT,
		          "profiles called who-... hold what WHO published and nothing else; another name is allowed");
	else if (kryos_profile_rule(section->label, 0))
		kri_wrong(judging, section, KRI_KEY_COUNT, "a built-in profile has that name; another one is allowed");
	if (kri_needs(judging, section, KRI_PROFILE_RULES, "too-warm too-cold"))
		judge_rules(judging, section);
	remark_unused(judging, section, KRI_SECTION_ALARM, KRI_ALARM_PROFILE);
}

/* name is a channel of the file. */
static bool is_temperature(struct kri_judging *judging, const char *name)
{
	const struct kryos_sensor_driver *driver;
	struct kryos_description has = { .channel_count = 0 };
	char label[50];

	snprintf(label, sizeof(label), "%.*s", (int)strcspn(name, "."), name);
	kri_station_describe(judging->ctx, kri_station_find(judging->file, KRI_SECTION_SENSOR, label), &driver, &has);
	for (size_t i = 0; i < has.channel_count; i++)
		if (strcmp(has.channels[i].quantity, strchr(name, '.') + 1) == 0)
			return strcmp(has.channels[i].unit, "Cel") == 0;
	return false;
}

/* Of door, power, sensor and custom any channel may be judged. */
static bool judges_temperatures(const struct kri_station_file *file, const char *profile)
{
	struct kryos_rule rules[KRI_PROFILE_MAX_RULES];
	unsigned int count = kri_station_profile(file, profile, rules, KRI_PROFILE_MAX_RULES);

	for (unsigned int i = 0; i < count; i++)
		if (rules[i].kind == KRYOS_RULE_HEAT || rules[i].kind == KRYOS_RULE_FREEZE)
			return true;
	return false;
}

/* Whether there is such a profile; one with mistakes of its own is one. */
static bool judge_profile_name(struct kri_judging *judging, const struct kri_section *section, const char *profile)
{
	char words[1024], near[64];
	const char *meant;

	if (kryos_profile_rule(profile, 0) || kri_station_find(judging->file, KRI_SECTION_PROFILE, profile))
		return true;
	kri_station_profiles(judging->file, words, sizeof(words));
	meant = kri_suggest(profile, words, near, sizeof(near));
	if (meant)
		kri_wrong(judging, section, KRI_ALARM_PROFILE, "\"%s\" is not allowed; did you mean %s?", profile,
		          meant);
	else
		kri_wrong(judging, section, KRI_ALARM_PROFILE,
		          "\"%s\" is not allowed; a [profile NAME] of this file is, or one of these: %s", profile,
		          words);
	return false;
}

static unsigned int count_rules(const struct kri_station_file *file, const struct kri_section *alarm)
{
	struct kryos_rule rules[KRI_PROFILE_MAX_RULES];

	return kri_station_profile(file, kri_station_text(alarm, KRI_ALARM_PROFILE), rules, KRI_PROFILE_MAX_RULES);
}

/*
 * With those before it of the same channel: an episode is known, and acknowledged, by the name of its rule, for which
 * there is so much room, and a channel is watched by so many rules.
 */
static void judge_together(struct kri_judging *judging, const struct kri_section *section)
{
	const char *channel = kri_station_text(section, KRI_ALARM_CHANNEL);
	struct kryos_rule own[KRI_PROFILE_MAX_RULES];
	struct kri_station_rules rules;
	unsigned int first = kri_station_rules(judging->file, channel, section, &rules), count = 0;

	(void)kri_station_profile(judging->file, kri_station_text(section, KRI_ALARM_PROFILE), own,
	                          KRI_PROFILE_MAX_RULES);
	for (unsigned int i = first; i < rules.count; i++)
		if (strcmp(rules.names[i], own[i - first].name) != 0 &&
		    strlen(section->label) + 1 + strlen(own[i - first].name) >= KRYOS_RULE_NAME_MAX)
			kri_wrong(judging, section, KRI_ALARM_PROFILE,
			          "%s has a rule %s of an alarm before already, and %s.%s is a name of more than %d "
			          "bytes; a shorter name of the alarm, or another one of the rule, is allowed",
			          channel, own[i - first].name, section->label, own[i - first].name,
			          KRYOS_RULE_NAME_MAX - 1);
	for (const struct kri_section *at = judging->file->sections; at != section->next; at = at->next)
		if (at->kind == KRI_SECTION_ALARM && !at->repeated && kri_has(at, KRI_ALARM_CHANNEL) &&
		    kri_has(at, KRI_ALARM_PROFILE) && strcmp(at->entries[KRI_ALARM_CHANNEL].text, channel) == 0)
			count += count_rules(judging->file, at);
	if (count > KRI_PROFILE_MAX_RULES)
		kri_wrong(judging, section, KRI_ALARM_PROFILE,
		          "%s then has %u rules, with those of the alarms before; at most %d are allowed", channel,
		          count, KRI_PROFILE_MAX_RULES);
}

void kri_judge_alarm(struct kri_judging *judging, const struct kri_section *section)
{
	const char *channel = section->entries[KRI_ALARM_CHANNEL].text;
	const char *profile = section->entries[KRI_ALARM_PROFILE].text;
	bool judges = kri_needs(judging, section, KRI_ALARM_CHANNEL, "fridge.temperature") &&
	              kri_judge_channel(judging, section, KRI_ALARM_CHANNEL, channel, false);

	if (kri_needs(judging, section, KRI_ALARM_PROFILE, "who-refrigerator") &&
	    judge_profile_name(judging, section, profile) && judges && judges_temperatures(judging->file, profile) &&
	    !is_temperature(judging, channel))
		kri_wrong(judging, section, KRI_ALARM_CHANNEL,
		          "\"%s\": %s has rules of heat or freeze, which judge temperatures only", channel, profile);
	if (judges && profile)
		judge_together(judging, section);
}
