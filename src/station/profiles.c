/* SPDX-License-Identifier: Apache-2.0 */
/* The profiles of a station file: its own, made of its rules, and the built-in ones. */
#include "../alarm/alarm.h"
#include "station_file.h"
#include <string.h>

/* Of a section that was judged: every value is right. */
static void take_rule(const struct kri_section *section, struct kryos_rule *ret_rule)
{
	*ret_rule = (struct kryos_rule){ .size = sizeof(*ret_rule), .name = section->label };
	for (unsigned int key = KRI_RULE_KIND; key <= KRI_RULE_HYSTERESIS; key++) {
		if (section->entries[key].text)
			kri_rule_set(ret_rule, kri_station_keys[key].name, section->entries[key].text);
	}
}

static unsigned int own_rules(const struct kri_station_file *file, const char *words, struct kryos_rule *ret_rules,
                              unsigned int most)
{
	unsigned int found = 0;
	size_t count;

	for (; *words && found < most; words += count + strspn(words + count, " \t")) {
		const struct kri_section *section;
		char name[KRYOS_RULE_NAME_MAX];

		count = strcspn(words, " \t");
		snprintf(name, sizeof(name), "%.*s", (int)count, words);
		section = kri_station_find(file, KRI_SECTION_RULE, name);
		if (section)
			take_rule(section, &ret_rules[found++]);
	}
	return found;
}

unsigned int kri_station_profile(const struct kri_station_file *file, const char *profile, struct kryos_rule *ret_rules,
                                 unsigned int most)
{
	const struct kri_section *section = kri_station_find(file, KRI_SECTION_PROFILE, profile);
	const struct kryos_rule *rule;
	unsigned int count = 0;

	if (section && section->entries[KRI_PROFILE_RULES].text)
		return own_rules(file, section->entries[KRI_PROFILE_RULES].text, ret_rules, most);
	while (count < most && (rule = kryos_profile_rule(profile, count)))
		ret_rules[count++] = *rule;
	return count;
}

static bool has_name(const struct kri_station_rules *rules, const char *name)
{
	for (unsigned int i = 0; i < rules->count; i++)
		if (strcmp(rules->names[i], name) == 0)
			return true;
	return false;
}

unsigned int kri_station_rules(const struct kri_station_file *file, const char *channel, const struct kri_section *last,
                               struct kri_station_rules *ret_rules)
{
	unsigned int first = 0;

	ret_rules->count = 0;
	for (const struct kri_section *section = file->sections; section; section = section->next) {
		const char *watched = section->entries[KRI_ALARM_CHANNEL].text;
		const char *profile = section->entries[KRI_ALARM_PROFILE].text;
		struct kryos_rule *added = ret_rules->rules + ret_rules->count;
		unsigned int count;

		if (section->kind != KRI_SECTION_ALARM || section->repeated || !profile || !watched ||
		    strcmp(watched, channel) != 0)
			continue;
		first = ret_rules->count;
		count = kri_station_profile(file, profile, added, KRI_PROFILE_MAX_RULES - first);
		for (unsigned int i = 0; i < count; i++, ret_rules->count++) {
			char *name = ret_rules->names[ret_rules->count], whole[sizeof(section->label) + 48];
			bool taken = has_name(ret_rules, added[i].name);

			snprintf(whole, sizeof(whole), "%s%s%.47s", taken ? section->label : "", taken ? "." : "",
			         added[i].name);
			snprintf(name, KRYOS_RULE_NAME_MAX, "%.47s", whole); /* one that was longer was refused */
			added[i].name = name;
		}
		if (section == last)
			break;
	}
	return first;
}

static void add_word(char *words, size_t size, const char *word)
{
	size_t length = strlen(words);

	snprintf(words + length, size - length, "%s%s", length ? " " : "", word);
}

void kri_station_profiles(const struct kri_station_file *file, char *words, size_t size)
{
	*words = 0;
	for (const struct kri_section *section = file->sections; section; section = section->next)
		if (section->kind == KRI_SECTION_PROFILE && !section->repeated && *section->label)
			add_word(words, size, section->label);
	for (unsigned int i = 0; kryos_profile_name(i); i++)
		add_word(words, size, kryos_profile_name(i));
}
