/* SPDX-License-Identifier: Apache-2.0 */
/* Rules from a profile, or from a file of sections [rule NAME]. */
#include "alarm/alarm.h"
#include "config/config.h"
#include "evaluate.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int set_from(struct kri_rules *rules, const char *from)
{
	rules->from = strdup(from);
	return rules->from ? 0 : kryos_fail(-ENOMEM, "out of memory");
}

int kri_rules_from_profile(struct kri_rules *rules, const char *profile)
{
	const struct kryos_rule *rule;
	char names[256] = "";

	while (rules->count < KRI_EVALUATE_RULES && (rule = kryos_profile_rule(profile, rules->count)))
		rules->rules[rules->count++] = *rule;
	if (rules->count > 0)
		return set_from(rules, profile);
	for (unsigned int i = 0; kryos_profile_name(i); i++)
		snprintf(names + strlen(names), sizeof(names) - strlen(names), " %s", kryos_profile_name(i));
	return kryos_fail(-EINVAL, "there is no profile \"%s\"; allowed are%s", profile, names);
}

#if KRYOS_WITH_INIH
struct reading {
	struct kri_rules *rules;
	struct kri_rule_section section;
	bool open; /* a section that is read */
};

static void finish_section(struct kri_ini *ini, void *data)
{
	struct reading *reading = data;
	struct kryos_rule *rule = &reading->rules->rules[reading->rules->count];

	if (reading->open && kri_rule_section_end(ini, &reading->section)) {
		*rule = reading->section.rule;
		rule->name = reading->rules->names[reading->rules->count];
	}
	/* A wrong one counts too: its name is taken, and none of the rules will be used. */
	reading->rules->count += reading->open;
	reading->open = false;
}

static void section(struct kri_ini *ini, void *data, const char *name, const char *label, int line)
{
	struct reading *reading = data;
	struct kri_rules *rules = reading->rules;

	finish_section(ini, data);
	if (strcmp(name, "rule") != 0) {
		if (*name)
			kri_ini_error(ini, line, "there is no section [%s]; [rule NAME] is allowed", name);
		return;
	}
	for (unsigned int i = 0; i < rules->count; i++) {
		if (strcmp(rules->names[i], label) == 0) {
			kri_ini_error(ini, line, "there is a rule %s already, in line %d", label, rules->lines[i]);
			return;
		}
	}
	if (rules->count == KRI_EVALUATE_RULES) {
		kri_ini_error(ini, line, "more than %d rules", KRI_EVALUATE_RULES);
		return;
	}
	snprintf(rules->names[rules->count], sizeof(rules->names[0]), "%s", label);
	rules->lines[rules->count] = line;
	kri_rule_section_begin(ini, &reading->section, label, line);
	reading->open = true;
}

static void entry(struct kri_ini *ini, void *data, const char *key, const char *value, int line)
{
	struct reading *reading = data;

	if (reading->open)
		kri_rule_section_take(ini, &reading->section, key, value, line);
}

int kri_rules_from_file(struct kri_rules *rules, const char *path)
{
	static const struct kri_ini_handler handler = { .section = section, .entry = entry, .end = finish_section };
	struct reading reading = { .rules = rules };
	char *errors = NULL;
	int r;

	r = kri_ini_read(path, &handler, &reading, &errors);
	if (r == KRYOS_ECONFIG)
		r = kryos_fail(KRYOS_ECONFIG, "%s", errors);
	free(errors);
	if (r >= 0 && rules->count == 0)
		return kryos_fail(KRYOS_ECONFIG, "%s:1: there is no rule; a section [rule NAME] is needed", path);
	return r < 0 ? r : set_from(rules, path);
}
#else
int kri_rules_from_file(struct kri_rules *rules, const char *path)
{
	(void)rules;
	return kryos_fail(-EOPNOTSUPP, "%s: this build reads no files of rules: it is without inih", path);
}
#endif
